"""Where every series that a rule reads comes from: a rule that nothing can feed is an error.

Each metric name must be emitted in the scope of the rule, or recorded there, or reach it by federation; labels that a
rule joins on, groups by or matches must be labels that the series can have, and values ones that they do have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.compile.facts import Facts
from aamic.compile.families import Families
from aamic.compile.matching import Severity
from aamic.compile.reach import CentralReach, ShardReach
from aamic.compile.readable import SERVER_LABELS, Everything, Federation, Server
from aamic.compile.vectors import OWN_JOBS
from aamic.model.fleet import AlertRule, Metric, RuleGroup, Scope

MATCH: Final = "federation.match"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a rule; `origin` is a preset's name, `alerts.custom`, or '' for a record.

    With the origin `federation.match`, `rule` is a selector.
    """

    rule: str
    origin: str
    message: str
    hint: str | None
    severity: Severity = "error"
    scope: Scope = "shard"


def _nowhere(_name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Servers:
    """What can be read in each scope: rules, dashboards and whatever else asks are held against the same."""

    by_scope: Mapping[Scope, Server]
    idle: tuple[Finding, ...] = ()
    """Selectors of federation that pick nothing."""
    widest_scope: Scope = "central"

    def of(self, scope: Scope) -> Server:
        """Where rules of a scope run."""
        return self.by_scope[scope]

    @property
    def widest(self) -> Server:
        """What people look at: all of the site at once, as far as one place has it."""
        return self.by_scope[self.widest_scope]

    def findings(self, groups: Sequence[RuleGroup]) -> list[Finding]:
        """Everything that keeps a rule from working, in order of the rules."""
        return [*self.idle, *(found for group in groups for found in _findings(self.of(group.scope), group))]


def check(  # noqa: PLR0913  # what `servers` takes
    groups: Sequence[RuleGroup],
    available: Mapping[Scope, Mapping[str, Metric]],
    match: Sequence[str] | None,
    target_labels: frozenset[str],
    *,
    jobs: Mapping[Scope, frozenset[str]] | None = None,
    facts: Facts = Facts(),  # noqa: B008  # frozen
    elsewhere: Callable[[str], str | None] = _nowhere,
) -> list[Finding]:
    """Everything that keeps a rule of `groups` from working, in order of the rules; for the rest see `servers`."""
    return servers(groups, available, match, target_labels, jobs=jobs, facts=facts, elsewhere=elsewhere).findings(
        groups
    )


def servers(  # noqa: PLR0913  # the last four are by name and may be left out
    groups: Sequence[RuleGroup],
    available: Mapping[Scope, Mapping[str, Metric]],
    match: Sequence[str] | None,
    target_labels: frozenset[str],
    *,
    jobs: Mapping[Scope, frozenset[str]] | None = None,
    facts: Facts = Facts(),  # noqa: B008  # frozen
    elsewhere: Callable[[str], str | None] = _nowhere,
) -> Servers:
    """What can be read in each scope.

    Args:
        groups: All rules of the site.
        available: The metrics scraped in each scope, without those that central reads from the shards.
        match: The selectors by which central reads the shards; None: one server evaluates both scopes.
        target_labels: Labels that every scraped series may have; `shard` and `replica` among them exist on central.
        jobs: All scrape jobs of a scope; a matcher of `job` must accept one of them.
        facts: What else is known of the targets.
        elsewhere: What would emit a metric that this site lacks, for the hint.
    """
    known = jobs or {}
    if match is None:
        single = _single(groups, available, target_labels, known, facts, elsewhere)
        return Servers({"shard": single, "central": single, "global": single})
    own = target_labels - SERVER_LABELS - facts.external
    shard = Server(
        Families(available["shard"], known.get("shard"), own, facts),
        _of("shard", groups),
        elsewhere,
        facts,
    )
    if facts.shards > 1:
        shard.reach = ShardReach(facts.whole_racks)
    central_jobs = known["central"] & OWN_JOBS if "central" in known else None
    central = Server(
        Families(available["central"], central_jobs, target_labels - facts.external, facts),
        _of("central", groups),
        elsewhere,
        facts,
    )
    central.source = federation = Federation(match, shard, facts)
    central.reach = CentralReach()
    idle = (
        Finding(text, MATCH, "picks no series that the shards have", None, "warning", "central")
        for text in federation.idle()
    )
    query = Server(Families({}, frozenset(), frozenset(), facts), _of("global", groups), elsewhere, facts)
    query.source = Everything(shard, central, facts)
    return Servers(
        {"shard": shard, "central": central, "global": query}, tuple(idle), "global" if facts.thanos else "central"
    )


def _of(scope: Scope, groups: Sequence[RuleGroup]) -> list[RuleGroup]:
    return [group for group in groups if group.scope == scope]


def _single(  # noqa: PLR0913, PLR0917  # what `check` takes
    groups: Sequence[RuleGroup],
    available: Mapping[Scope, Mapping[str, Metric]],
    target_labels: frozenset[str],
    jobs: Mapping[Scope, frozenset[str]],
    facts: Facts,
    elsewhere: Callable[[str], str | None],
) -> Server:
    """The one server without federation; a rule for central may name the labels that federation would put on."""
    both = {**available["shard"], **available["central"]}
    everyone = frozenset().union(*jobs.values()) if jobs else None
    families = Families(both, everyone, target_labels - facts.external, facts, believed=SERVER_LABELS)
    single = Server(families, groups, elsewhere, facts)
    single.believed = SERVER_LABELS
    return single


def _findings(server: Server, group: RuleGroup) -> Iterator[Finding]:
    """What is wrong with each rule of a group."""
    for rule in group.rules:
        name, origin = (rule.name, rule.origin) if isinstance(rule, AlertRule) else (rule.record, "")
        for message, (hint, severity) in server.notes(rule).items():
            yield Finding(name, origin, message, hint, severity, group.scope)
