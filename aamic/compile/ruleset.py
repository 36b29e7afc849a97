"""Every rule of a site: the vendors' neutral series, the presets, the site's own; none that reads what is not there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aamic.catalog import promql
from aamic.catalog.artifacts.rules import presets
from aamic.catalog.base import Catalog, Contribution
from aamic.catalog.elsewhere import elsewhere
from aamic.compile.capacity import recordings
from aamic.compile.facts import Facts, facts_of, labels_of_targets
from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import HostListError, expand
from aamic.compile.metricnames import check_metric_names
from aamic.compile.nodes import RESERVED_LABELS
from aamic.compile.provenance import MATCH, Finding, Servers, servers
from aamic.compile.text import shown
from aamic.compile.thanos import kinds_of, spec_of
from aamic.compile.vectors import REMOTE_JOB
from aamic.model.fleet import THANOS_JOBS, AlertRule, Endpoint, Metric, Node, RuleGroup, Scope
from aamic.model.quantities import duration_seconds
from aamic.model.site import CustomAlert, Federation, Site

TARGET_LABELS = frozenset(
    {"cluster", "node", "rack", "gpu_vendor", "gpu_model", "gpu_count", "job", "instance"}
    | {"shard", "replica"}  # set by federation on what central reads
)

_LEFT_OUT = "a rule of aamic for central, left out as `federation.match` does not bring what it reads"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a site, and what can be read where they run.

    Without `servers` and `ground` nothing is known, as `federation.match` is wrong, of which `findings` tell.
    """

    groups: tuple[RuleGroup, ...]
    servers: Servers | None = None
    ground: presets.Ground | None = None


def resolve_rules(  # noqa: PLR0913, PLR0917  # each is a kind of its own
    site: Site,
    contributions: Sequence[Contribution],
    match: Sequence[str],
    catalog: Catalog,
    findings: Findings,
    nodes: Mapping[str, Node] | None = None,
) -> Rules:
    """The groups of the site in order of evaluation; what is wrong with them goes to `findings`.

    `match` are the selectors by which central reads the shards, empty without federation. Without `nodes` nothing is
    said of racks and GPUs that do not exist.
    """
    endpoints = [endpoint for part in contributions for endpoint in part.endpoints]
    vendor_groups = [group for part in contributions for group in part.rules]
    if not _selectors_parse(match, findings):
        return Rules(())
    check_metric_names(site, findings)
    available = _available(endpoints, catalog, _remote_metrics(site), _thanos_jobs(site))
    recorded = {rule.record for group in vendor_groups for rule in recordings(group)}
    ground = presets.Ground(
        metrics={"shard": frozenset(available["shard"]) | recorded, "central": frozenset(available["central"])},
        match=match or None,
        jobs=_jobs(site, endpoints),
        vendors=frozenset(rule.labels["vendor"] for group in vendor_groups for rule in recordings(group)),
        gpu_jobs=_gpu_jobs(contributions),
        features=_features(site),
        scrape_interval_s=duration_seconds(site.prometheus.scrape_interval),
        evaluation_interval_s=duration_seconds(site.prometheus.evaluation_interval),
        federate_interval_s=duration_seconds((site.federation or Federation()).central.federate_interval),
    )
    chosen = presets.groups(site.alerts.presets, site.alerts.disable, site.alerts.runbook_base, ground)
    _tell(site, chosen.faults, findings)
    _tell_of_silence(site, findings)
    groups = (*vendor_groups, *chosen.groups, *_custom(site, chosen.groups, findings))
    # Where nodes may be missing, nothing is concluded from them.
    facts = Facts() if findings.failed or findings.lost_nodes() else facts_of(site, endpoints, nodes)
    fed, read = _checked(
        site,
        groups,
        lambda rules, left_out: servers(
            rules,
            available,
            ground.match,
            TARGET_LABELS | _site_labels(site),
            jobs=ground.jobs,
            facts=facts,
            elsewhere=lambda name: _LEFT_OUT if name in left_out else elsewhere(name),
        ),
        findings,
    )
    return Rules(fed, read, ground)


def _gpu_jobs(contributions: Iterable[Contribution]) -> tuple[str, ...]:
    """The jobs of the vendors' exporters, which are those with a probe."""
    return tuple(endpoint.job for part in contributions if part.probes for endpoint in part.endpoints)


def _tell(site: Site, faults: Iterable[presets.Fault], findings: Findings) -> None:
    """A preset that this site cannot feed is a warning where the site asks for it: it may only be switched off now.

    Some presets are named as the key that feeds them; where that was dropped in part, nothing is said.
    """
    for fault in faults:
        place = findings.place("alerts", fault.key, fault.index)
        if fault.key == "disable":
            findings.error(fault.message, place, fault.hint)
        elif "presets" in site.alerts.model_fields_set and not findings.may_lack_part(site.alerts.presets[fault.index]):
            findings.warn(fault.message, place, fault.hint)


def _tell_of_silence(site: Site, findings: Findings) -> None:
    """Other clusters that are read from here, of which nobody is told when one is gone, are a warning."""
    read = [each.name for each in site.clusters if each.federate]
    if read and "clusters" not in site.alerts.presets:
        findings.warn(
            f"no alert tells when cluster {shown(read[0])} is gone: `alerts.presets` lacks `clusters`",
            findings.place("alerts", "presets"),
            "add `clusters` to the presets",
        )


def _selectors_parse(match: Sequence[str], findings: Findings) -> bool:
    good = True
    for index, selector in enumerate(match):
        fault = promql.check_selector(selector)
        if fault is not None:
            path: Path = ("federation", "match", index)
            findings.error(f"selector {shown(selector)} {fault}", findings.place(*path))
            good = False
    return good


def _remote_metrics(site: Site) -> list[Metric]:
    """What central reads of other clusters: aggregates like its own, with whatever labels their servers put on."""
    names = presets.records("cluster") if _remotes(site) else ()
    return [Metric(name, "gauge", None, REMOTE_JOB) for name in names]


def _remotes(site: Site) -> bool:
    return any(remote.federate for remote in site.clusters)


def _available(
    endpoints: Iterable[Endpoint], catalog: Catalog, remote: Iterable[Metric], thanos: Collection[str]
) -> Mapping[Scope, Mapping[str, Metric]]:
    """What is scraped in each scope: shards read the exporters and themselves.

    Central reads itself, Alertmanager, other clusters, and the processes of Thanos in these jobs.
    """
    own = {artifact.name: artifact.metrics() for artifact in catalog.artifacts}
    scraped = [metric for endpoint in endpoints for metric in endpoint.metrics]
    processes = [metric for metric in own.get("thanos", ()) if metric.emitted_by in thanos]
    return {
        "shard": by_name((*own["prometheus"], *scraped)),
        "central": by_name((*own["prometheus"], *own["alertmanager"], *remote, *processes)),
    }


def by_name(metrics: Iterable[Metric]) -> Mapping[str, Metric]:
    """Metrics by name; one that several exporters emit has the labels of all, and is of no one's job."""
    out: dict[str, Metric] = {}
    for metric in metrics:
        other = out.setdefault(metric.name, metric)
        if other.emitted_by != metric.emitted_by:
            known = None if metric.labels is None or other.labels is None else metric.labels | other.labels
            out[metric.name] = Metric(metric.name, metric.type if metric.type == other.type else "untyped", known, "")
    return out


def _jobs(site: Site, endpoints: Iterable[Endpoint]) -> Mapping[Scope, frozenset[str]]:
    """Every value that the label `job` can have; central reads `up` of the shards' jobs as well."""
    features = _features(site)
    scraped = frozenset(endpoint.job for endpoint in endpoints) | {"prometheus"}
    federated = "federation" in features
    shard = scraped | ({"central"} if federated else set())
    central = ({"federate"} if federated else set()) | _thanos_jobs(site)
    return {"shard": shard, "central": scraped | central | _remote_jobs(features) | ({"alertmanager"} & features)}


def _remote_jobs(features: frozenset[str]) -> set[str]:
    return {REMOTE_JOB} if "clusters" in features else set()


def _thanos_jobs(site: Site) -> frozenset[str]:
    return frozenset(THANOS_JOBS[kind] for kind in kinds_of(site))


def _features(site: Site) -> frozenset[str]:
    federated = site.federation is not None and site.federation.enabled
    several = site.alertmanager is not None and _hosts(site.alertmanager.nodes) > 1
    present = {
        "federation": federated,
        "replicas": federated and site.federation is not None and site.federation.replicas > 1,
        "alertmanager": site.alertmanager is not None,
        "alertmanager cluster": several,
        "clusters": _remotes(site),
        "thanos": bool(kinds_of(site)),
    }
    return frozenset(name for name, here in present.items() if here)


def _hosts(hostlist: str) -> int:
    """How many hosts a list names; 0 for one that cannot be read, of which others tell."""
    try:
        return len(expand(hostlist))
    except HostListError:
        return 0


def _custom(site: Site, groups: Iterable[RuleGroup], findings: Findings) -> list[RuleGroup]:
    """The site's own alerts, a group for each scope that has some."""
    taken = {
        rule.name: f"preset `{rule.origin}`" for group in groups for rule in group.rules if isinstance(rule, AlertRule)
    }
    by_scope: dict[Scope, list[AlertRule]] = {"shard": [], "central": [], "global": []}
    for index, alert in enumerate(site.alerts.custom):
        path: Path = ("alerts", "custom", index)
        if alert.name in taken:
            findings.error(
                f"alert `{alert.name}` stands in {taken[alert.name]} already",
                findings.place(*path, "name"),
                "choose another name, or name it in `alerts.disable`",
            )
        taken[alert.name] = "`alerts.custom`"
        for name in sorted(RESERVED_LABELS.intersection(alert.labels)):
            findings.error(f"label `{name}` is set by aamic itself", findings.key(*path, "labels", name))
        _check_scope(site, alert, path, findings)
        by_scope[alert.scope].append(_alert(alert, site.alerts.runbook_base))
    return [RuleGroup("custom", scope, tuple(rules)) for scope, rules in by_scope.items() if rules]


def _check_scope(site: Site, alert: CustomAlert, path: Path, findings: Findings) -> None:
    """Report a rule over everything where nothing would run it."""
    if alert.scope != "global" or "rule" in kinds_of(site) or findings.may_lack_part("thanos"):
        return
    where = findings.place(*path, "scope")
    if site.federation is None or not site.federation.enabled:
        findings.error(
            f"alert `{alert.name}` of `scope: global` needs Thanos, and this site has one Prometheus",
            where,
            "without federation that has everything: use `scope: central`",
        )
        return
    missing = "`federation.type: thanos`" if spec_of(site) is None else "`thanos.ruler`"
    findings.error(
        f"alert `{alert.name}` of `scope: global` needs {missing}",
        where,
        "or use `scope: shard` for raw samples of each shard, `scope: central` for aggregates of all",
    )


def _alert(alert: CustomAlert, runbook_base: str) -> AlertRule:
    return AlertRule(
        name=alert.name,
        expr=alert.expr,
        severity=alert.severity,
        summary=alert.summary or alert.name,
        description=alert.description or "",
        runbook_url=alert.runbook_url or f"{runbook_base.rstrip('/')}/{alert.name}",
        for_=alert.for_,
        labels=alert.labels,
        origin="alerts.custom",
    )


def _checked(
    site: Site,
    groups: Sequence[RuleGroup],
    readable: Callable[[Sequence[RuleGroup], Collection[str]], Servers],
    findings: Findings,
) -> tuple[tuple[RuleGroup, ...], Servers]:
    """The groups without what central cannot feed, and what can be read; other rules that lack a series are reported.

    A preset's rule of central is left out where `federation.match` does not bring its series, and with it what reads
    it. Any other fault of a preset is a fault of the catalog.
    """
    left_out: set[str] = set()
    while True:
        read = readable(groups, left_out)
        found = read.findings(groups)
        unfed = {each.rule for each in found if _is_unfed(each)}
        if not unfed:
            break
        left_out |= unfed
        groups = [group if group.scope == "shard" else _without(group, unfed) for group in groups]
    places = {alert.name: ("alerts", "custom", index, "expr") for index, alert in enumerate(site.alerts.custom)}
    for each in found:
        if each.origin == MATCH:
            _tell_idle(site, each, findings)
        else:
            path: Path = places.get(each.rule, ("alerts", "presets"))
            tell = findings.error if each.severity == "error" else findings.warn
            tell(f"alert `{each.rule}`: {each.message}", findings.place(*path), each.hint)
    return tuple(group for group in groups if group.rules), read


def _is_unfed(finding: Finding) -> bool:
    """Whether it is of a rule of central that comes with aamic."""
    return finding.severity == "error" and finding.scope == "central" and finding.origin != "alerts.custom"


def _tell_idle(site: Site, finding: Finding, findings: Findings) -> None:
    """A selector that picks nothing is worth a word where the site itself wrote it."""
    if site.federation is not None and isinstance(site.federation.match, list):
        path: Path = ("federation", "match", site.federation.match.index(finding.rule))
        findings.warn(f"selector {shown(finding.rule)} {finding.message}", findings.place(*path), finding.hint)


def _without(group: RuleGroup, names: Collection[str]) -> RuleGroup:
    kept = (rule for rule in group.rules if (rule.name if isinstance(rule, AlertRule) else rule.record) not in names)
    return replace(group, rules=tuple(kept))


def _site_labels(site: Site) -> frozenset[str]:
    """Labels that this site puts on targets or servers."""
    return frozenset(site.cluster.labels) | labels_of_targets(site)
