"""Every rule of a site: the vendors' neutral series, the presets, the site's own; none that reads what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aamic.catalog import promql
from aamic.catalog.artifacts.rules import presets
from aamic.catalog.base import Catalog, Contribution
from aamic.catalog.elsewhere import elsewhere
from aamic.compile.capacity import recordings
from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import HostListError, expand
from aamic.compile.nodes import RESERVED_LABELS
from aamic.compile.provenance import check
from aamic.compile.text import shown
from aamic.model.fleet import AlertRule, Endpoint, Metric, RuleGroup, Scope
from aamic.model.site import CustomAlert, Site

TARGET_LABELS = frozenset(
    {"cluster", "node", "rack", "gpu_vendor", "gpu_model", "gpu_count", "job", "instance"}
    | {"shard", "replica"}  # set by federation on what central reads
)


def resolve_rules(
    site: Site, contributions: Sequence[Contribution], match: Sequence[str], catalog: Catalog, findings: Findings
) -> tuple[RuleGroup, ...]:
    """The groups of the site in order of evaluation; what is wrong with them goes to `findings`.

    `match` are the selectors by which central reads the shards, empty without federation.
    """
    endpoints = [endpoint for part in contributions for endpoint in part.endpoints]
    vendor_groups = [group for part in contributions for group in part.rules]
    if not _selectors_parse(match, findings):
        return ()
    available = _available(endpoints, catalog)
    recorded = {rule.record for group in vendor_groups for rule in recordings(group)}
    ground = presets.Ground(
        metrics={"shard": frozenset(available["shard"]) | recorded, "central": frozenset(available["central"])},
        match=match or None,
        jobs=_jobs(site, endpoints),
        vendors=frozenset(rule.labels["vendor"] for group in vendor_groups for rule in recordings(group)),
        features=_features(site),
    )
    chosen = presets.groups(site.alerts.presets, site.alerts.disable, site.alerts.runbook_base, ground)
    _tell(site, chosen.faults, findings)
    groups = (*vendor_groups, *chosen.groups, *_custom(site, chosen.groups, findings))
    _check(site, groups, available, ground, findings)
    return groups


def _tell(site: Site, faults: Iterable[presets.Fault], findings: Findings) -> None:
    """A preset that this site cannot feed is a warning where the site asks for it: it may only be switched off now."""
    for fault in faults:
        place = findings.place("alerts", fault.key, fault.index)
        if fault.key == "disable":
            findings.error(fault.message, place, fault.hint)
        elif "presets" in site.alerts.model_fields_set:
            findings.warn(fault.message, place, fault.hint)


def _selectors_parse(match: Sequence[str], findings: Findings) -> bool:
    good = True
    for index, selector in enumerate(match):
        fault = promql.check_selector(selector)
        if fault is not None:
            path: Path = ("federation", "match", index)
            findings.error(f"selector {shown(selector)} {fault}", findings.place(*path))
            good = False
    return good


def _available(endpoints: Iterable[Endpoint], catalog: Catalog) -> Mapping[Scope, Mapping[str, Metric]]:
    """What is scraped in each scope: shards read the exporters and themselves, central itself and Alertmanager."""
    own = {artifact.name: artifact.metrics() for artifact in catalog.artifacts}
    scraped = [metric for endpoint in endpoints for metric in endpoint.metrics]
    return {
        "shard": {metric.name: metric for metric in (*own["prometheus"], *scraped)},
        "central": {metric.name: metric for metric in (*own["prometheus"], *own["alertmanager"])},
    }


def _jobs(site: Site, endpoints: Iterable[Endpoint]) -> Mapping[Scope, frozenset[str]]:
    """Every value that the label `job` can have; central reads `up` of the shards' jobs as well."""
    features = _features(site)
    shard = frozenset(endpoint.job for endpoint in endpoints) | {"prometheus"}
    federate = {"federate"} if "federation" in features else set()
    return {"shard": shard, "central": shard | federate | ({"alertmanager"} & features)}


def _features(site: Site) -> frozenset[str]:
    federated = site.federation is not None and site.federation.enabled
    several = site.alertmanager is not None and _hosts(site.alertmanager.nodes) > 1
    present = {
        "federation": federated,
        "replicas": federated and site.federation is not None and site.federation.replicas > 1,
        "alertmanager": site.alertmanager is not None,
        "alertmanager cluster": several,
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
    by_scope: dict[Scope, list[AlertRule]] = {"shard": [], "central": []}
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
        by_scope[alert.scope].append(_alert(alert, site.alerts.runbook_base))
    return [RuleGroup("custom", scope, tuple(rules)) for scope, rules in by_scope.items() if rules]


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


def _check(
    site: Site,
    groups: Sequence[RuleGroup],
    available: Mapping[Scope, Mapping[str, Metric]],
    ground: presets.Ground,
    findings: Findings,
) -> None:
    """Report every rule that reads what is not there; a fault of a preset is a fault of the catalog."""
    places = {alert.name: ("alerts", "custom", index, "expr") for index, alert in enumerate(site.alerts.custom)}
    labels = TARGET_LABELS | _site_labels(site)
    for finding in check(
        groups, available, ground.match, labels, jobs=ground.jobs, vendors=ground.vendors, elsewhere=elsewhere
    ):
        path: Path = places.get(finding.rule, ("alerts", "presets"))
        findings.error(f"alert `{finding.rule}`: {finding.message}", findings.place(*path), finding.hint)


def _site_labels(site: Site) -> frozenset[str]:
    """Labels that this site puts on targets or servers."""
    labelled = [site.cluster.labels, *(rack.labels for rack in site.racks.values())]
    return frozenset(name for labels in (*labelled, *(node.labels for node in site.nodes.values())) for name in labels)
