"""The rules that come with aamic: aggregates, and presets of alerts, as far as this site emits what they read.

`aggregates.yaml` and `presets/*.yaml` hold the rules. A rule's `expr` is PromQL, or several alternatives that are
joined with `or`; one that reads a metric which this site does not emit is left out, and with the last of them the rule.
`$name` in an `expr` or a `for` is one of `terms.py`, such as a span that follows the site's intervals. An alternative
with `$vendor` stands for one of each vendor that has all its terms: lists of codes, and bounds.
A record that most nodes and GPUs do not have, as it tells of what is wrong, is `rare`: no series are planned for it.
An alert's `needs` names what a site must have besides (`federation`, `replicas`, `alertmanager`,
`alertmanager cluster`, `clusters`: other clusters that central reads, `thanos`); its `scope` may be a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final, Literal, get_args

from aamic.catalog import promql
from aamic.catalog.artifacts.rules.terms import of_vendors, terms
from aamic.catalog.written import read
from aamic.model.fleet import AlertRule, RecordingRule, RuleGroup, Scope
from aamic.model.site import Preset

PRESETS: Final[tuple[str, ...]] = get_args(Preset)
FEATURES: Final = frozenset({"federation", "replicas", "alertmanager", "alertmanager cluster", "clusters", "thanos"})

SYNTHETIC: Final = frozenset(
    {
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
        "ALERTS",
        "ALERTS_FOR_STATE",
    }
)
"""Series that every Prometheus writes of its own accord."""

_HERE: Final = Path(__file__).parent
_ADVICE: Final = {
    "gpu": "the site has no GPUs; take `gpu` out of `alerts.presets`",
    "slurm": "enable `slurm:`, or take `slurm` out of `alerts.presets`",
    "federation": "enable `federation:`, or take `federation` out of `alerts.presets`",
    "clusters": "set `federate: true` for one of `clusters:`, or take `clusters` out of `alerts.presets`",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What the rules of each scope can read.

    `match` are the selectors by which central reads the shards; None: one server has both scopes. Either way
    `metrics["central"]` needs only what central scrapes itself, and `metrics["shard"]` has to hold what contributed
    groups record. `jobs` of a scope that is absent, and `vendors` that are None, are not checked. `gpu_jobs` are those
    of the vendors' exporters.
    Intervals are seconds; the spans of the rules follow them.
    """

    metrics: Mapping[Scope, frozenset[str]]
    match: Sequence[str] | None = None
    jobs: Mapping[Scope, frozenset[str]] = field(default_factory=dict)
    vendors: frozenset[str] | None = None
    features: frozenset[str] = FEATURES
    gpu_jobs: Sequence[str] = ()
    scrape_interval_s: float = 15
    evaluation_interval_s: float = 15
    federate_interval_s: float = 60

    def values(self, scope: Scope) -> promql.Values:
        """All values of the labels that are known in full."""
        jobs = {"job": self.jobs[scope]} if scope in self.jobs else {}
        return jobs if self.vendors is None else {**jobs, "vendor": self.vendors}

    def terms(self) -> Mapping[str, str]:
        """What `$name` stands for in the rules of this site."""
        return terms(self.scrape_interval_s, self.evaluation_interval_s, self.federate_interval_s, self.gpu_jobs)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rule that this site cannot feed, and what it lacks: metrics, matchers of jobs, or features."""

    name: str
    scope: Scope
    preset: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """An entry of `alerts.presets` or `alerts.disable` that means nothing; `index` is its place in that list."""

    key: Literal["presets", "disable"]
    index: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules of a site, what was left out, and what is wrong with the two lists."""

    groups: tuple[RuleGroup, ...]
    skipped: tuple[Skipped, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A rule in one scope, before it is known whether the site feeds it."""

    group: str
    scope: Scope
    spec: Mapping[str, Any]
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.spec.get("record") or self.spec["name"])

    @property
    def alternatives(self) -> tuple[str, ...]:
        expr = self.spec["expr"]
        texts = [expr] if isinstance(expr, str) else expr
        return tuple(filled.strip() for text in texts for filled in self._each_vendor(text))

    def _each_vendor(self, text: str) -> tuple[str, ...]:
        """The text for each vendor it is about, if it is; terms that no vendor has are a fault of the catalog."""
        asked = set(Template(text).get_identifiers())
        if "vendor" not in asked:
            return (self.filled(text),)
        every = [{**self.terms, **own} for own in of_vendors()]
        about = tuple(Template(text).substitute(own) for own in every if asked <= own.keys())
        if not about:
            raise KeyError(f"{self.name}: no vendor has all of {sorted(asked)}")
        return about

    def filled(self, text: str) -> str:
        """The text with its terms; one that `terms.py` does not have is a fault of the catalog."""
        return Template(text).substitute(self.terms)

    def expr(self, ground: Ground, known: frozenset[str]) -> str | None:
        """The alternatives that the site feeds, joined; None if there is none."""
        if not ground.features.issuperset(self.spec.get("needs", ())):
            return None
        values = ground.values(self.scope)
        fed = [text for text in self.alternatives if not promql.missing(text, known, values)]
        return "\nor\n".join(fed) if fed else None

    def lacks(self, ground: Ground, known: frozenset[str]) -> tuple[str, ...]:
        needs = [need for need in self.spec.get("needs", ()) if need not in ground.features]
        values = ground.values(self.scope)
        names = [name for text in self.alternatives for name in promql.missing(text, known, values)]
        return tuple(dict.fromkeys(needs + names))


def groups(presets: Sequence[str], disable: Sequence[str], runbook_base: str, ground: Ground) -> Selection:
    """The aggregates and the alerts of these presets, less those disabled and those that the site cannot feed.

    Groups of the same name and scope are one: aggregates first, so that alerts see this evaluation's values.
    """
    every = [*_aggregates(), *(each for name in PRESETS if name in presets for each in _alerts(name))]
    site = ground.terms()
    chosen = [replace(each, terms=site) for each in every if each.name not in disable]
    known: dict[Scope, frozenset[str]] = {}
    fed, known["shard"] = _feed(chosen, "shard", ground, ground.metrics["shard"])
    read = known["shard"] if ground.match is None else promql.federated(ground.match, known["shard"] | {"up"})
    more, known["central"] = _feed(chosen, "central", ground, ground.metrics["central"] | read)
    fed |= more
    rules = [(each, fed[each]) for each in chosen if each in fed]
    skipped = tuple(
        Skipped(each.name, each.scope, each.group, each.lacks(ground, known[each.scope]))
        for each in chosen
        if each not in fed
    )
    alive = {each.group for each, _ in rules if "name" in each.spec}
    return Selection(tuple(_grouped(rules, runbook_base)), skipped, (*_empty(presets, alive), *_unknown(disable)))


def _feed(
    candidates: Iterable[_Candidate], scope: Scope, ground: Ground, known: frozenset[str]
) -> tuple[dict[_Candidate, str], frozenset[str]]:
    """Expressions of the candidates that can be fed, and all names then known: a record may feed the next rule."""
    known |= SYNTHETIC
    waiting = [each for each in candidates if each.scope == scope]
    fed: dict[_Candidate, str] = {}
    while True:
        ready = {each: expr for each in waiting if (expr := each.expr(ground, known)) is not None}
        if ready == fed:
            return fed, known
        fed = ready
        known |= {each.name for each in ready if "record" in each.spec}


def _grouped(rules: Iterable[tuple[_Candidate, str]], runbook_base: str) -> Iterator[RuleGroup]:
    merged: dict[tuple[str, Scope], list[RecordingRule | AlertRule]] = {}
    for each, expr in rules:
        merged.setdefault((each.group, each.scope), []).append(_rule(each, expr, runbook_base))
    for (name, scope), members in merged.items():
        yield RuleGroup(name, scope, tuple(members))


def _rule(each: _Candidate, expr: str, runbook_base: str) -> RecordingRule | AlertRule:
    spec = each.spec
    if "record" in spec:
        return RecordingRule(each.name, expr, rare=spec.get("rare", False))
    return AlertRule(
        name=each.name,
        expr=expr,
        severity=spec["severity"],
        summary=spec["summary"],
        description=spec["description"],
        runbook_url=f"{runbook_base.rstrip('/')}/{each.name}",
        for_=each.filled(spec["for"]) if "for" in spec else None,
        origin=each.group,
    )


def _unknown(disable: Sequence[str]) -> Iterator[Fault]:
    names = {each.name for preset in PRESETS for each in _alerts(preset)}
    for index, name in enumerate(disable):
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "only alerts of the presets can be disabled"
            yield Fault("disable", index, f"no preset has an alert `{name}`", hint)


def _empty(presets: Sequence[str], alive: Iterable[str]) -> Iterator[Fault]:
    for index, name in enumerate(presets):
        if name not in alive:
            hint = _ADVICE.get(name, f"take `{name}` out of `alerts.presets`")
            yield Fault("presets", index, f"preset `{name}` yields no alert: this site emits nothing it reads", hint)


def alert_names(*names: str) -> tuple[str, ...]:
    """The alerts of these presets, whether or not a site feeds them; one that several scopes have is named once."""
    return tuple(dict.fromkeys(each.name for name in names for each in _alerts(name)))


def records(group: str) -> tuple[str, ...]:
    """The names that a group of the aggregates records, whether or not a site feeds them."""
    return tuple(each.name for each in _aggregates() if each.group == group)


def _aggregates() -> Iterator[_Candidate]:
    for group, table in _table("aggregates").items():
        for spec in table["records"]:
            yield _Candidate(group, table["scope"], spec)


def _alerts(preset: str) -> Iterator[_Candidate]:
    for spec in _table(f"presets/{preset}")["alerts"]:
        scopes: Any = [spec["scope"]] if isinstance(spec["scope"], str) else spec["scope"]
        for scope in scopes:
            yield _Candidate(preset, scope, spec)


@cache
def _table(name: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = read(_HERE / f"{name}.yaml")
    return loaded
