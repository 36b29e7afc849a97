"""What labels the result of a PromQL expression can have, and what in the expression can never work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import promql_parser as promql

from aamic.compile.suggest import closest
from aamic.model.fleet import MetricType

Note = Callable[[str, str | None], None]
"""Takes a message and a hint."""

_COUNTER_ONLY: Final = frozenset({"rate", "irate", "increase"})
_SAME_KIND: Final = frozenset(
    {"label_replace", "label_join", "sort", "sort_desc", "last_over_time", "max_over_time", "min_over_time", "abs"}
)
_SAME_KIND_AGGREGATES: Final = frozenset({"sum", "min", "max", "avg", "topk", "bottomk"})
_SET_OPERATORS: Final = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, slots=True)
class Vector:
    """A set of series. `labels` are those it may have, None: any.

    `jobs` are the scrape jobs its samples come from, as long as the label `job` or `instance` tells; None: unknown.
    """

    labels: frozenset[str] | None
    jobs: frozenset[str] | None = None
    kind: MetricType | None = None

    def lacks(self, label: str) -> bool:
        """Whether no series of it can have the label."""
        return self.labels is not None and label not in self.labels

    @property
    def scraped_by(self) -> frozenset[str] | None:
        """The jobs, if each series is known to have the label `job`."""
        return None if self.lacks("job") else self.jobs

    def with_labels(self, labels: Iterable[str] | None) -> Vector:
        """The same series with other labels; jobs are forgotten with the labels that tell them."""
        known = None if labels is None else frozenset(labels)
        told = known is None or "job" in known or "instance" in known
        return Vector(known, self.jobs if told else None, self.kind)


ANY: Final = Vector(None)


def union(vectors: Iterable[Vector]) -> Vector:
    """The vector of all series of several; a fact that one does not know is not known of all."""
    every = list(vectors)
    labels = [each.labels for each in every]
    jobs = [each.jobs for each in every]
    kinds = {each.kind for each in every}
    return Vector(
        None if None in labels else frozenset().union(*(each for each in labels if each is not None)),
        None if None in jobs else frozenset().union(*(each for each in jobs if each is not None)),
        kinds.pop() if len(kinds) == 1 else None,
    )


@dataclass(frozen=True, slots=True)
class Inference:
    """Walks one expression. `select` says what a selector gives; `note` takes what is wrong.

    With `lenient` the labels of `by` and `without` are believed: one record serves every vendor, also on a site whose
    only vendor has no such label.
    """

    select: Callable[[promql.VectorSelector], Vector]
    note: Note
    lenient: bool = False

    def vector(self, expr: promql.Expr) -> Vector | None:
        """The vector that an expression gives; None for a scalar or a string."""
        result: Vector | None = None
        match expr:
            case promql.VectorSelector():
                result = self.select(expr)
            case promql.MatrixSelector():
                result = self.select(expr.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                result = self.vector(expr.expr)
            case promql.AggregateExpr():
                result = self._aggregate(expr)
            case promql.Call():
                result = self._call(expr)
            case promql.BinaryExpr():
                result = self._binary(expr)
        return result

    def _lacks(self, vector: Vector, label: str, where: str) -> None:
        if vector.lacks(label):
            near = closest(label, vector.labels or ())
            self.note(f"{where} has no label `{label}`", f"did you mean `{near}`?" if near else _has(vector))

    def _aggregate(self, expr: promql.AggregateExpr) -> Vector:
        operator = str(expr.op)
        inner = self.vector(expr.expr) or Vector(frozenset())
        wanted = frozenset(expr.modifier.labels) if expr.modifier else frozenset[str]()
        keeps = expr.modifier is None or expr.modifier.type == promql.AggModifierType.By
        for label in () if self.lenient else sorted(wanted):
            self._lacks(inner, label, f"`{operator} {'by' if keeps else 'without'} ({label})`: what is aggregated")
        if operator in ("topk", "bottomk"):
            return inner
        kind: MetricType | None = inner.kind if operator in _SAME_KIND_AGGREGATES else "gauge"
        if keeps:
            labels: frozenset[str] | None = wanted if inner.labels is None or self.lenient else wanted & inner.labels
        else:
            labels = None if inner.labels is None else inner.labels - wanted
        if operator == "count_values" and labels is not None and isinstance(expr.param, promql.StringLiteral):
            labels |= {expr.param.val}
        return replace(inner.with_labels(labels), kind=kind)

    def _call(self, expr: promql.Call) -> Vector | None:
        name, arguments = expr.func.name, expr.args
        vectors = [vector for argument in arguments if (vector := self.vector(argument)) is not None]
        if expr.func.return_type == promql.ValueType.Scalar:
            return None
        if name in ("absent", "absent_over_time"):
            return Vector(frozenset(_equalities(arguments[0])), kind="gauge")
        if not vectors:
            return Vector(frozenset(), kind="gauge")
        vector = vectors[0]
        if name in _COUNTER_ONLY and vector.kind == "gauge":
            self.note(
                f"`{name}()` of {_subject(arguments[0])}, which is a gauge",
                "a gauge goes up and down: use `delta()`, `deriv()` or `changes()`",
            )
        if name in ("label_replace", "label_join"):
            return self._relabelled(name, arguments, vector)
        if name == "histogram_quantile":
            self._lacks(vector, "le", "`histogram_quantile()`: its argument")
            vector = vector.with_labels(None if vector.labels is None else vector.labels - {"le"})
        return vector if name in _SAME_KIND else replace(vector, kind="gauge")

    def _relabelled(self, name: str, arguments: list[promql.Expr], vector: Vector) -> Vector:
        texts = [argument.val for argument in arguments[1:] if isinstance(argument, promql.StringLiteral)]
        target, sources = texts[0], texts[2:3] if name == "label_replace" else texts[2:]
        for source in sources:
            self._lacks(vector, source, f"`{name}()`: its argument")
        labels = None if vector.labels is None else vector.labels | {target}
        return Vector(labels, None if target in ("job", "instance") else vector.jobs, vector.kind)

    def _binary(self, expr: promql.BinaryExpr) -> Vector | None:
        left, right = self.vector(expr.lhs), self.vector(expr.rhs)
        if left is None or right is None:
            return left or right
        matching = _Matching.of(expr)
        self._check_sides(matching, left, right)
        if matching.operator == "or":
            return union((left, right))
        if matching.operator in _SET_OPERATORS:
            return left
        return matching.result(left, right)

    def _check_sides(self, matching: _Matching, left: Vector, right: Vector) -> None:
        for label in sorted(matching.labels):
            if matching.on:
                self._lacks(left, label, f"`on ({label})`: the left side of `{matching.operator}`")
                self._lacks(right, label, f"`on ({label})`: the right side of `{matching.operator}`")
            elif left.lacks(label) and right.lacks(label):
                near = closest(label, (left.labels or frozenset()) | (right.labels or frozenset()))
                self.note(
                    f"`ignoring ({label})`: neither side of `{matching.operator}` has a label `{label}`",
                    f"did you mean `{near}`?" if near else _has(left),
                )
        one, side = (left, "left") if matching.swapped else (right, "right")
        for label in matching.grouped:
            self._lacks(one, label, f"`{matching.grouping} ({label})`: the {side} side of `{matching.operator}`")
        if matching.operator != "or":
            self._check_jobs(matching, left, right)

    def _check_jobs(self, matching: _Matching, left: Vector, right: Vector) -> None:
        """Two series of different jobs never have the same `job`, nor, on different ports, the same `instance`."""
        for label in ("instance", "job"):
            if matching.compares(label) and left.jobs and right.jobs and not left.jobs & right.jobs:
                self.note(
                    f"the sides of `{matching.operator}` never match: {_jobs(left)} and {_jobs(right)} "
                    f"differ in `{label}`",
                    "join them with `on (cluster, node)`",
                )
                return
        if matching.compares("job") and not matching.on:
            for one, other in ((left, right), (right, left)):
                if one.scraped_by and other.lacks("job"):
                    self.note(
                        f"the sides of `{matching.operator}` never match: only one has the label `job`",
                        "aggregate both sides by the same labels, or join them with `on (...)`",
                    )


@dataclass(frozen=True, slots=True)
class _Matching:
    """How the series of two sides find each other."""

    operator: str
    on: bool
    labels: frozenset[str]
    grouped: tuple[str, ...]
    many: bool
    swapped: bool
    """The many side is the right one."""

    @classmethod
    def of(cls, expr: promql.BinaryExpr) -> _Matching:
        modifier = expr.modifier
        matching = modifier.matching if modifier else None
        card = modifier.card if modifier else promql.VectorMatchCardinality.OneToOne
        many = (promql.VectorMatchCardinality.ManyToOne, promql.VectorMatchCardinality.OneToMany)
        return cls(
            operator=str(expr.op),
            on=matching is not None and matching.type == promql.LabelModifierType.Include,
            labels=frozenset(matching.labels) if matching else frozenset(),
            grouped=tuple(modifier.group_labels or ()) if modifier and card in many else (),
            many=card in many,
            swapped=card == promql.VectorMatchCardinality.OneToMany,
        )

    @property
    def grouping(self) -> str:
        return "group_right" if self.swapped else "group_left"

    def compares(self, label: str) -> bool:
        return (label in self.labels) is self.on

    def result(self, left: Vector, right: Vector) -> Vector:
        kept = right if self.swapped else left
        labels = kept.labels
        if self.many:
            labels = None if labels is None else labels | frozenset(self.grouped)
        elif self.on:
            labels = self.labels
        elif labels is not None:
            labels -= self.labels
        return replace(kept.with_labels(labels), kind=left.kind if left.kind == right.kind else None)


def _equalities(expr: promql.Expr) -> list[str]:
    selector = expr.vector_selector if isinstance(expr, promql.MatrixSelector) else expr
    if not isinstance(selector, promql.VectorSelector):
        return []
    return [each.name for each in selector.matchers.matchers if each.op == promql.MatchOp.Equal]


def _subject(expr: promql.Expr) -> str:
    name = expr.vector_selector.name if isinstance(expr, promql.MatrixSelector) else None
    return f"`{name}`" if name else "an expression"


def _jobs(vector: Vector) -> str:
    return " or ".join(f"`{job}`" for job in sorted(vector.jobs or ()))


def _has(vector: Vector) -> str:
    names = sorted(vector.labels or ())
    return f"it has {', '.join(f'`{name}`' for name in names)}" if names else "it has no labels at all"
