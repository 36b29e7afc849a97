"""What the rules of one server can read: what it scrapes, what its rules record, what it federates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final, Protocol

import promql_parser as ast

from aamic.catalog import promql
from aamic.catalog.artifacts.rules.presets import SYNTHETIC
from aamic.compile.advice import FEDERATE, TYPO, UNKNOWN, Notes, check_text, values_of
from aamic.compile.facts import Facts
from aamic.compile.families import Families
from aamic.compile.inference import Inference, Reach
from aamic.compile.matching import Severity
from aamic.compile.suggest import closest
from aamic.compile.vectors import ANY, OWN_JOBS, Matchers, Vector, by_label, side_by_side, union
from aamic.model.fleet import AlertRule, RecordingRule, RuleGroup
from aamic.model.thanos import CENTRAL_REPLICA

SERVER_LABELS: Final = frozenset({"shard", "replica"})
_ALERTS: Final = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_STATES: Final = frozenset({"pending", "firing"})


class Source(Protocol):
    """Where a server gets series from that it neither scrapes nor records; `shard` is what they come from."""

    @property
    def shard(self) -> Server:
        """One of the servers that it reads."""
        ...

    @property
    def names(self) -> Iterable[str]:
        """The names of which it has series."""
        ...

    def of(self, name: str) -> list[Vector]:
        """The series of a name."""
        ...

    def put_later(self, label: str) -> str | None:
        """Why a label that the site sets is on no series here."""
        ...

    def of_shards(self, name: str, matchers: Matchers) -> list[Vector] | None:
        """The series of a name where matchers ask for what the shards themselves have; None where they do not."""
        ...


class Federation:
    """What central reads from the shards: of each series those that a selector picks, with the labels it then has."""

    def __init__(self, match: Iterable[str], shard: Server, facts: Facts) -> None:
        self._selectors = [
            (text, selector, by_label(selector))
            for text in match
            if isinstance(selector := promql.parse(text), ast.VectorSelector)
        ]
        self._facts = facts
        self._read: dict[str, list[Vector]] = {}
        self.shard = shard

    @property
    def names(self) -> Iterable[str]:
        """The names that reach central."""
        return (name for name in self.shard.names if self.of(name))

    def put_later(self, _label: str) -> str | None:  # another source has another answer
        """Nothing: what federation puts on is there."""
        return None

    def of_shards(self, _name: str, _matchers: Matchers) -> list[Vector] | None:  # another source has another answer
        """Nothing: all of it is theirs."""
        return None

    def of(self, name: str) -> list[Vector]:
        """The series of a name that reach central."""
        if name not in self._read:
            self._read[name] = [
                self._brought(vector)
                for _, selector, matchers in self._selectors
                if promql.names(selector, (name,))
                for family in self.shard.of(name)
                if (vector := family.where(matchers)) is not None
            ]
        return self._read[name]

    def idle(self) -> list[str]:
        """The selectors that pick nothing."""
        return [text for text, selector, matchers in self._selectors if not self._picks(selector, matchers)]

    def _picks(self, selector: ast.VectorSelector, matchers: Matchers) -> bool:
        # The labels of alerts are not known here, so they would satisfy anything.
        names = self.shard.names - _ALERTS if promql.exact_name(selector) is None else self.shard.names
        named = (name for name in names if promql.names(selector, (name,)))
        return any(family.where(matchers) is not None for name in named for family in self.shard.of(name))

    def _brought(self, vector: Vector) -> Vector:
        """A series on central: the server's own labels are put on it where it has none, and the job of the federation.

        Its `instance` stays, and stays absent.
        """
        without = vector.lacks("job")
        federated = without and not self._facts.thanos
        jobs = frozenset({"federate"}) if federated else vector.jobs
        put = SERVER_LABELS | self._facts.external | {"cluster"} | ({"job"} if federated else set())
        told = {"job"} if jobs and (federated or not without) else set()
        pair = self._facts.replicas > 1
        twice = pair and (vector.sources is None or not vector.sources <= OWN_JOBS)
        return replace(
            vector,
            labels=None if vector.labels is None else vector.labels | put,
            jobs=jobs,
            sure=vector.sure | {"cluster", "shard"} | ({"replica"} if pair else set()) | told,
            several=vector.several | {"replica"} if twice else vector.several,
            interval=self._facts.federate,
        )


class Everything:
    """What Thanos Query has: all of the shards and of central, each series of a pair once."""

    def __init__(self, shard: Server, central: Server, facts: Facts) -> None:
        self.shard = shard
        self._central = central
        self._put = frozenset({"cluster", "shard"}) | facts.external
        self._federate = facts.federate

    @property
    def names(self) -> Iterable[str]:
        """The names that any server has."""
        return self.shard.names | self._central.names

    def put_later(self, label: str) -> str | None:  # another source has another answer
        """That Query takes the label of replicas away."""
        return "Thanos Query takes it away, so that a series of both servers is one" if label == "replica" else None

    def of(self, name: str) -> list[Vector]:
        """The series of the shards with the labels of their servers, and central's own; what it federates is theirs.

        Query may give its copy of them, which has fewer samples.
        """
        copied = self._central.source is not None and bool(self._central.source.of(name))
        return [
            *(replace(vector, coarse=self._federate if copied else None) for vector in self._shards(name)),
            *(_extended(vector, frozenset()) for vector in self._central.own(name)),
        ]

    def of_shards(self, name: str, matchers: Matchers) -> list[Vector] | None:
        """What `replica!="central"` selects."""
        said = matchers.get("replica", ())
        theirs = all(each.op == ast.MatchOp.NotEqual and each.value == CENTRAL_REPLICA for each in said)
        return self._shards(name) if said and theirs else None

    def _shards(self, name: str) -> list[Vector]:
        return [_extended(vector, self._put) for vector in self.shard.of(name)]


def _extended(vector: Vector, put: frozenset[str]) -> Vector:
    """A series with the labels of its server, without that of a replica."""
    labels = None if vector.labels is None else (vector.labels | put) - {"replica"}
    return replace(vector, labels=labels, sure=(vector.sure | put) - {"replica"}, several=vector.several - {"replica"})


class Server:
    """All that the rules of one server can read."""

    def __init__(
        self,
        families: Families,
        groups: Iterable[RuleGroup],
        elsewhere: Callable[[str], str | None],
        facts: Facts,
    ) -> None:
        self._families = families
        self._elsewhere = elsewhere
        self._facts = facts
        self.source: Source | None = None
        self.reach: Reach | None = None
        self.believed: frozenset[str] = frozenset()
        self._records: dict[str, list[RecordingRule]] = {}
        self._alerts: list[AlertRule] = []
        for rule in (rule for group in groups for rule in group.rules):
            if isinstance(rule, RecordingRule):
                self._records.setdefault(rule.record, []).append(rule)
            else:
                self._alerts.append(rule)
        self._series: dict[str, list[Vector]] = {}
        self._vectors: dict[int, Vector] = {}
        self._open: set[int] = set()
        self._notes: dict[int, Notes] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that a rule can read."""
        here = self._families.metrics.keys() | self._records.keys() | SYNTHETIC
        if self.source is None:
            return frozenset(here)
        return frozenset(here.union(self.source.names))

    def of(self, name: str) -> list[Vector]:
        """The series of a name, as vectors; empty if there are none."""
        if any(id(rule) in self._open for rule in self._records.get(name, ())):
            return [*self._recorded(name), *self._others(name)]
        if name not in self._series:
            self._series[name] = [*self._recorded(name), *self._others(name)]
        return self._series[name]

    def notes(self, rule: RecordingRule | AlertRule) -> Notes:
        """What is wrong with a rule."""
        self._infer(rule)
        return self._notes[id(rule)]

    def own(self, name: str) -> list[Vector]:
        """The series of a name that it records or scrapes itself."""
        return [*self._recorded(name), *self._scraped(name)]

    def _others(self, name: str) -> Iterator[Vector]:
        """What is not recorded here under a name."""
        yield from self._scraped(name)
        if self.source is not None:
            yield from self.source.of(name)

    def _scraped(self, name: str) -> Iterator[Vector]:
        if name in _ALERTS:
            # A count of those that fire is right also where there are none to fire.
            names = [frozenset({alert.name}) for alert in self._alerts] or [frozenset[str]()]
            yield from (Vector(None, values={"alertname": each, "alertstate": _STATES}) for each in names)
        elif name in SYNTHETIC:
            yield from self._families.synthetic()
        else:
            yield from self._families.of(name)

    def _recorded(self, name: str) -> Iterator[Vector]:
        """The series that rules record under a name; one that ends in `_total` counts, by convention."""
        for rule in self._records.get(name, ()):
            vector = self._infer(rule).labelled(rule.labels)
            labels = None if vector.labels is None else vector.labels | self.believed
            kind = "counter" if name.endswith("_total") else vector.kind
            yield replace(vector, labels=labels, kind=kind, interval=self._facts.evaluate)

    def _infer(self, rule: RecordingRule | AlertRule) -> Vector:
        """The vector of a rule's expression; what is wrong with it goes to the rule's notes, once."""
        key = id(rule)
        if key in self._vectors:
            return self._vectors[key]
        notes = self._notes.setdefault(key, {})
        if key in self._open:
            notes["it depends on itself"] = "a record can only read what other rules record", "error"
            return ANY
        self._open.add(key)
        self._vectors[key] = vector = self._expression(rule, notes)
        self._open.discard(key)
        return vector

    def query(self, text: str) -> Notes:
        """What is wrong with an expression that is no rule, such as a panel's.

        No name is suggested in place of one that is unknown: to look for it takes longer than all else.
        """
        notes: Notes = {}
        self._value(text, notes, lenient=False, advise=False)
        return notes

    def _expression(self, rule: RecordingRule | AlertRule, notes: Notes) -> Vector:
        vector = self._value(rule.expr, notes, lenient=isinstance(rule, RecordingRule))
        if isinstance(rule, AlertRule) and vector is not None:
            check_text(rule, vector, notes)
        return ANY if vector is None else vector

    def _value(self, text: str, notes: Notes, *, lenient: bool, advise: bool = True) -> Vector | None:
        """The vector of an expression; None if it is no PromQL. What is wrong with it goes to the notes."""

        def note(message: str, hint: str | None, severity: Severity) -> None:
            notes.setdefault(message, (hint, severity))

        try:
            expr = promql.parse(text)
            reach = None if lenient else self.reach
            vector = Inference(
                lambda selector: self._select(selector, notes, advise=advise), note, lenient, reach
            ).vector(expr)
        except promql.PromqlError as error:
            notes[f"the expression {error}"] = None, "error"
            return None
        if _gives_no_vector(expr):
            notes["the expression gives a range or a text, not one value for each series"] = (
                "see `last_over_time()`",
                "error",
            )
        return vector or Vector(frozenset())

    def _select(self, selector: ast.VectorSelector, notes: Notes, *, advise: bool) -> Vector:
        matchers = by_label(selector)
        families = [family for name in self.meant(selector) for family in self.of(name)]
        if (theirs := self._of_shards(selector, matchers)) is not None:
            families, matchers = theirs, {label: each for label, each in matchers.items() if label != "replica"}
        if not families:
            message, hint = self._unknown(selector, advise=advise)
            notes[message] = hint, "error"
            return ANY
        whole = union(families)
        lacking = [label for label in matchers if whole.lacks(label)]
        for label in lacking:
            near = closest(label, whole.labels or ())
            hint = f"did you mean `{near}`?" if near else self._put_later(label)
            notes[f"`{promql.shown(selector)}` has no label `{label}`"] = hint, "error"
        kept = [vector for family in families if (vector := family.where(matchers)) is not None]
        if not kept:
            if not lacking:
                message, hint = self._unsatisfied(selector, matchers, families)
                notes[message] = hint, "error"
            return ANY
        self._check_own(selector, kept, notes)
        return side_by_side(union(kept), kept)

    def _of_shards(self, selector: ast.VectorSelector, matchers: Matchers) -> list[Vector] | None:
        """The series that a selector takes from the shards alone; None where it does not say so."""
        if self.source is None or "replica" not in matchers:
            return None
        found = [self.source.of_shards(name, matchers) for name in self.meant(selector)]
        return None if None in found else [vector for each in found if each is not None for vector in each]

    def meant(self, selector: ast.VectorSelector) -> list[str]:
        """The names that a selector means."""
        name = promql.exact_name(selector)
        return promql.names(selector, self.names if name is None else (name,))

    def _put_later(self, label: str) -> str | None:
        """Why a label that the site sets is on no series here."""
        if label not in self._facts.external and label not in SERVER_LABELS:
            return None
        if self.source is not None and (why := self.source.put_later(label)):
            return why
        return f"`{label}` is put on what a shard sends, to Alertmanager and to central; its own series do not have it"

    def _unsatisfied(
        self, selector: ast.VectorSelector, matchers: Matchers, families: Sequence[Vector]
    ) -> tuple[str, str | None]:
        """That the series have other values than a selector asks for, and which."""
        if self.source is not None and any(
            family.where(matchers) is not None
            for name in self.source.shard.meant(selector)
            for family in self.source.shard.of(name)
        ):
            text = str(selector)
            return f"no series of `{text}` reaches central", FEDERATE
        for label, wanted in matchers.items():
            if not any(family.where({label: wanted}) for family in families):
                asked = ", ".join(map(str, wanted))
                known = frozenset[str]().union(*(family.known(label) or () for family in families))
                return f"no series of `{promql.shown(selector)}` satisfies `{asked}`", values_of(label, wanted, known)
        return (
            f"no series satisfies all of `{selector}`",
            "each of the matchers is satisfied by some, but not by the same",
        )

    def _check_own(self, selector: ast.VectorSelector, kept: Sequence[Vector], notes: Notes) -> None:
        """Warn of `up` and its like on central where they are those of central's own targets alone."""
        name = promql.exact_name(selector)
        if self.source is None or name not in SYNTHETIC - _ALERTS or promql.matchers(selector, "job"):
            return
        jobs = union(kept).jobs
        if jobs is not None and jobs <= OWN_JOBS:
            shown = ", ".join(f"`{job}`" for job in sorted(jobs))
            notes[f"central has `{name}` of its own targets alone: {shown}"] = (
                "say so with `job`; " + FEDERATE,
                "warning",
            )

    def _unknown(self, selector: ast.VectorSelector, *, advise: bool) -> tuple[str, str | None]:
        name = promql.exact_name(selector)
        if name is None:
            return f"no metric of this site satisfies `{promql.shown(selector)}`", None
        if self.source is not None and self.source.shard.of(name):
            return f"metric `{name}` does not reach central", FEDERATE
        message = f"metric `{name}` is emitted by nothing in this site"
        if not advise:
            return message, None
        source = self._elsewhere(name)
        near = closest(name, self.names, TYPO) if source else closest(name, self.names)
        hints = [f"did you mean `{near}`?"] if near else []
        hints += [f"`{name}` comes from {source}" if near else source] if source else []
        return message, " ".join(hints) or UNKNOWN[":" in name]


def _gives_no_vector(expr: ast.Expr) -> bool:
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    return isinstance(expr, ast.MatrixSelector | ast.SubqueryExpr | ast.StringLiteral)
