"""Where every series that a rule reads comes from: a rule that nothing can feed is an error.

Each metric name must be emitted in the scope of the rule, or recorded there, or reach it by federation; labels that a
rule joins on, groups by or matches must be labels that the series can have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import promql_parser as ast

from aamic.catalog import promql
from aamic.catalog.artifacts.rules.presets import SYNTHETIC
from aamic.compile import alerttext
from aamic.compile.suggest import closest
from aamic.compile.vectors import ANY, Inference, Vector, union
from aamic.model.fleet import AlertRule, Metric, RecordingRule, RuleGroup, Scope

_NODE_LABELS: Final = frozenset({"node", "rack", "gpu_vendor", "gpu_model", "gpu_count", "instance"})
_SERVER_LABELS: Final = frozenset({"shard", "replica"})
_SHARED: Final = ("go_", "process_", "promhttp_")
"""Metrics that exporters of any job have."""
_TYPO: Final = 0.9
"""Likeness of two names from which one of them is a slip of the pen, though both may exist."""
_UNKNOWN: Final = {
    False: "no exporter of the catalog emits it; declare it under `exporters.custom`, or, for a textfile, under "
    "`exporters.node.textfile_metrics`",
    True: "no rule of this site records it; aamic records `gpu:*` for the GPU vendors that the site has",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a rule; `origin` is a preset's name, `alerts.custom`, or '' for a record."""

    rule: str
    origin: str
    message: str
    hint: str | None


def _nowhere(_name: str) -> str | None:
    return None


def check(  # noqa: PLR0913  # the last three are by name and may be left out
    groups: Sequence[RuleGroup],
    available: Mapping[Scope, Mapping[str, Metric]],
    match: Sequence[str] | None,
    target_labels: frozenset[str],
    *,
    jobs: Mapping[Scope, frozenset[str]] | None = None,
    vendors: frozenset[str] | None = None,
    elsewhere: Callable[[str], str | None] = _nowhere,
) -> list[Finding]:
    """Everything that keeps a rule from working, in order of the rules.

    Args:
        groups: All rules of the site.
        available: The metrics scraped in each scope, without those that central reads from the shards.
        match: The selectors by which central reads the shards; None: one server evaluates both scopes.
        target_labels: Labels that every scraped series may have; `shard` and `replica` among them exist on central.
        jobs: All scrape jobs of a scope; a matcher of `job` must accept one of them.
        vendors: All GPU vendors; a matcher of `vendor` on a `gpu:*` series must accept one of them.
        elsewhere: What would emit a metric that this site lacks, for the hint.
    """
    known_jobs = jobs or {}
    vendor: promql.Values = {} if vendors is None else {"vendor": vendors}

    def values(known: frozenset[str] | None) -> promql.Values:
        return vendor if known is None else {"job": known, **vendor}

    if match is None:
        both = {**available["shard"], **available["central"]}
        everyone = frozenset().union(*known_jobs.values()) if known_jobs else None
        single = _Scope(both, groups, target_labels, {}, values(everyone), elsewhere)
        # What is written for central may name the labels that federation would put on a record.
        single.record_labels = _SERVER_LABELS
        return [finding for group in groups for finding in single.findings(group)]
    shard = _Scope(
        available["shard"],
        [group for group in groups if group.scope == "shard"],
        target_labels - _SERVER_LABELS,
        {},
        values(known_jobs.get("shard")),
        elsewhere,
    )
    read = shard.given(match, target_labels)
    central = _Scope(
        {**{name: shard.metrics[name] for name in read if name in shard.metrics}, **available["central"]},
        [group for group in groups if group.scope == "central"],
        target_labels,
        read,
        values(known_jobs.get("central")),
        lambda name: _FEDERATE if name in shard.names and name not in SYNTHETIC else elsewhere(name),
    )
    scopes = {"shard": shard, "central": central}
    return [finding for group in groups for finding in scopes[group.scope].findings(group)]


_FEDERATE: Final = "the shards have it: set `scope: shard`, or let central read it with `federation.match`"


class _Scope:
    """All that the rules of one server can read."""

    def __init__(  # noqa: PLR0913, PLR0917  # each is a kind of its own
        self,
        metrics: Mapping[str, Metric],
        groups: Iterable[RuleGroup],
        target_labels: frozenset[str],
        given: Mapping[str, Vector],
        values: promql.Values,
        elsewhere: Callable[[str], str | None],
    ) -> None:
        self.metrics = metrics
        self._targets = target_labels
        self._given = given
        self._values = values
        self._elsewhere = elsewhere
        self.record_labels: frozenset[str] = frozenset()
        self._records: dict[str, list[RecordingRule]] = {}
        for group in groups:
            for rule in group.rules:
                if isinstance(rule, RecordingRule):
                    self._records.setdefault(rule.record, []).append(rule)
        self.names = frozenset(metrics) | self._records.keys() | given.keys() | SYNTHETIC
        self._vectors: dict[int, Vector] = {}
        self._open: set[int] = set()
        self._notes: dict[int, dict[str, str | None]] = {}

    def findings(self, group: RuleGroup) -> list[Finding]:
        """What is wrong with each rule of a group."""
        out = []
        for rule in group.rules:
            self._infer(rule)
            name, origin = (rule.name, rule.origin) if isinstance(rule, AlertRule) else (rule.record, "")
            out += [Finding(name, origin, message, hint) for message, hint in self._notes[id(rule)].items()]
        return out

    def given(self, match: Sequence[str], target_labels: frozenset[str]) -> dict[str, Vector]:
        """What another server reads from this one: records with the labels that federation puts on them."""
        shared = (target_labels - _NODE_LABELS) | _SERVER_LABELS | {"job", "cluster"}
        out = {}
        for name in promql.federated(match, self.names - {"ALERTS", "ALERTS_FOR_STATE"}):
            if name in self._records:
                vector = self._recorded(name)
                labels = None if vector.labels is None else vector.labels | shared
                # A federated series without a job of its own gets that of the federation.
                jobs = None if vector.labels is None or "job" in vector.labels else frozenset({"federate"})
                out[name] = Vector(labels, jobs, vector.kind)
        return out

    def _infer(self, rule: RecordingRule | AlertRule) -> Vector:
        """The vector of a rule's expression; what is wrong with it goes to the rule's notes, once."""
        key = id(rule)
        if key in self._vectors:
            return self._vectors[key]
        notes = self._notes.setdefault(key, {})
        if key in self._open:
            notes["it depends on itself"] = "a record can only read what other rules record"
            return ANY
        self._open.add(key)
        self._vectors[key] = vector = self._expression(rule, notes)
        self._open.discard(key)
        return vector

    def _expression(self, rule: RecordingRule | AlertRule, notes: dict[str, str | None]) -> Vector:
        def note(message: str, hint: str | None) -> None:
            notes.setdefault(message, hint)

        try:
            expr = promql.parse(rule.expr)
            lenient = isinstance(rule, RecordingRule)
            vector = Inference(lambda selector: self._select(selector, notes), note, lenient).vector(expr)
        except promql.PromqlError as error:
            notes[f"the expression {error}"] = None
            return ANY
        if _gives_no_vector(expr):
            notes["the expression gives a range or a text, not one value for each series"] = "see `last_over_time()`"
        vector = vector or Vector(frozenset())
        if isinstance(rule, AlertRule):
            _check_text(rule, vector, notes)
        return vector

    def _select(self, selector: ast.VectorSelector, notes: dict[str, str | None]) -> Vector:
        names = promql.names(selector, self.names)
        if not names:
            message, hint = self._unknown(selector)
            notes[message] = hint
            return ANY
        for matchers in promql.unsatisfied(selector, self._values):
            label = "job" if matchers.startswith("job") else "vendor"
            known = ", ".join(f"`{value}`" for value in sorted(self._values[label]))
            notes[f"no {label} satisfies `{matchers}`"] = (
                f"the site has {known}" if known else f"the site has no {label}"
            )
        vector = union(self._named(name) for name in names)
        if promql.matchers(selector, "job"):
            vector = replace(vector, jobs=self._jobs(selector))
        for matcher in selector.matchers.matchers:
            if matcher.name != "__name__" and vector.lacks(matcher.name):
                near = closest(matcher.name, vector.labels or ())
                notes[f"`{promql.shown(selector)}` has no label `{matcher.name}`"] = near and f"did you mean `{near}`?"
        return vector

    def _jobs(self, selector: ast.VectorSelector) -> frozenset[str] | None:
        """The jobs that a selector's matchers accept, where all jobs are known."""
        wanted = promql.matchers(selector, "job")
        jobs = self._values.get("job")
        if jobs is None:
            return None
        return frozenset(job for job in jobs if all(promql.accepts(each, job) for each in wanted)) or None

    def _unknown(self, selector: ast.VectorSelector) -> tuple[str, str | None]:
        name = promql.exact_name(selector)
        if name is None:
            return f"no metric of this site satisfies `{promql.shown(selector)}`", None
        source = self._elsewhere(name)
        near = closest(name, self.names, _TYPO) if source else closest(name, self.names)
        hints = [f"did you mean `{near}`?"] if near else []
        hints += [f"`{name}` comes from {source}" if near else source] if source else []
        return f"metric `{name}` is emitted by nothing in this site", " ".join(hints) or _UNKNOWN[":" in name]

    def _named(self, name: str) -> Vector:
        """The series of one name."""
        if name in self._records:
            return self._recorded(name)
        if name in self._given:
            return self._given[name]
        if name in SYNTHETIC:
            return ANY if name.startswith("ALERTS") else Vector(self._targets, None, "gauge")
        metric = self.metrics[name]
        labels = None if metric.labels is None else metric.labels | self._targets
        jobs = None if name.startswith(_SHARED) else frozenset({metric.emitted_by})
        kind = "counter" if metric.type == "gauge" and name.endswith("_total") else metric.type
        return Vector(labels, jobs, kind)

    def _recorded(self, name: str) -> Vector:
        """The series that rules record under a name; one that ends in `_total` counts, by convention."""
        vectors = []
        for rule in self._records[name]:
            vector = self._infer(rule)
            more = self.record_labels.union(rule.labels)
            vectors.append(vector.with_labels(None if vector.labels is None else vector.labels | more))
        vector = union(vectors)
        return replace(vector, kind="counter") if name.endswith("_total") else vector


def _gives_no_vector(expr: ast.Expr) -> bool:
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    return isinstance(expr, ast.MatrixSelector | ast.SubqueryExpr | ast.StringLiteral)


def _check_text(rule: AlertRule, vector: Vector, notes: dict[str, str | None]) -> None:
    """The alert's texts must be templates, and the labels they show must be on the alert."""
    for text in (rule.summary, rule.description, *rule.labels.values()):
        notes.update(alerttext.faults(text))
        if vector.labels is None:
            continue
        known = vector.labels | set(rule.labels) | {"alertname", "severity"}
        for label in alerttext.labels(text):
            if label not in known:
                near = closest(label, known)
                hint = (
                    f"did you mean `{near}`?" if near else f"it has {', '.join(f'`{name}`' for name in sorted(known))}"
                )
                notes[f"its text shows the label `{label}`, which the alert cannot have"] = hint
