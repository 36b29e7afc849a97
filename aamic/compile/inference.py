"""What labels the result of a PromQL expression can have, and what in the expression can never work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import promql_parser as ast

from aamic.compile.matching import SET_OPERATORS, Matching, Note, lacks
from aamic.compile.vectors import Vector, union
from aamic.model.fleet import MetricType

_COUNTER_ONLY: Final = frozenset({"rate", "irate", "increase"})
_NEEDS_TWO: Final = _COUNTER_ONLY | {"delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing"}
"""Functions that give nothing for a range with one sample."""
_NAMES: Final = {"double_exponential_smoothing": "holt_winters"}
_SAME_KIND: Final = frozenset(
    {"label_replace", "label_join", "sort", "sort_desc", "last_over_time", "max_over_time", "min_over_time", "abs"}
)
_SAME_KIND_AGGREGATES: Final = frozenset({"sum", "min", "max", "avg", "topk", "bottomk"})
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_ALL: Final = frozenset({"(.+)", "(.*)"})


class Reach(Protocol):
    """What of an expression means something else on the server where it runs than it says."""

    def absent(self, name: str, vector: Vector, note: Note) -> None:
        """Note that series may be absent here and present elsewhere."""
        ...

    def aggregate(self, operator: str, vector: Vector, result: Vector, note: Note) -> None:
        """Note that not all series are here, or some twice."""
        ...


@dataclass(frozen=True, slots=True)
class Inference:
    """Walks one expression. `select` says what a selector gives; `note` takes what is wrong.

    With `lenient` the labels of `by` and `without` are believed: one record serves every vendor, also on a site whose
    only vendor has no such label.
    """

    select: Callable[[ast.VectorSelector], Vector]
    note: Note
    lenient: bool = False
    reach: Reach | None = None

    def vector(self, expr: ast.Expr) -> Vector | None:
        """The vector that an expression gives; None for a scalar or a string."""
        result: Vector | None = None
        match expr:
            case ast.VectorSelector():
                result = self.select(expr)
            case ast.MatrixSelector():
                result = self.select(expr.vector_selector)
            case ast.ParenExpr() | ast.UnaryExpr() | ast.SubqueryExpr():
                result = self.vector(expr.expr)
            case ast.AggregateExpr():
                result = self._aggregate(expr)
            case ast.Call():
                result = self._call(expr)
            case ast.BinaryExpr():
                result = self._binary(expr)
        return result

    def _aggregate(self, expr: ast.AggregateExpr) -> Vector:
        operator = str(expr.op)
        inner = self.vector(expr.expr) or Vector(frozenset())
        wanted = frozenset(expr.modifier.labels) if expr.modifier else frozenset[str]()
        keeps = expr.modifier is None or expr.modifier.type == ast.AggModifierType.By
        for label in () if self.lenient else sorted(wanted):
            where = f"`{operator} {'by' if keeps else 'without'} ({label})`: what is aggregated"
            lacks(inner, label, where, self.note)
        if operator in ("topk", "bottomk"):
            result = replace(inner, several=frozenset())
        else:
            result = self._aggregated(operator, inner, wanted, keeps=keeps)
        if operator == "count_values" and isinstance(expr.param, ast.StringLiteral):
            labels = None if result.labels is None else result.labels | {expr.param.val}
            result = replace(result, labels=labels, several=frozenset())
        if self.reach is not None:
            self.reach.aggregate(operator, inner, result, self.note)
        return result

    def _aggregated(self, operator: str, inner: Vector, wanted: frozenset[str], *, keeps: bool) -> Vector:
        kind: MetricType | None = inner.kind if operator in _SAME_KIND_AGGREGATES else "gauge"
        if keeps:
            labels: frozenset[str] | None = wanted if inner.labels is None or self.lenient else wanted & inner.labels
        else:
            labels = None if inner.labels is None else inner.labels - wanted
            inner = replace(inner, sure=inner.sure - wanted, several=inner.several - wanted)
        return replace(inner.with_labels(labels), kind=kind)

    def _call(self, expr: ast.Call) -> Vector | None:
        name, arguments = expr.func.name, expr.args
        vectors = [vector for argument in arguments if (vector := self.vector(argument)) is not None]
        if expr.func.return_type == ast.ValueType.Scalar:
            return None
        if name in ("absent", "absent_over_time"):
            if self.reach is not None and vectors:
                self.reach.absent(name, vectors[0], self.note)
            return Vector(frozenset(_equalities(arguments[0])), kind="gauge")
        if not vectors:
            return Vector(frozenset(), kind="gauge")
        vector = vectors[0]
        self._check_range(name, arguments, vector)
        if name in ("label_replace", "label_join"):
            return self._relabelled(name, arguments, vector)
        if name == "histogram_quantile":
            lacks(vector, "le", "`histogram_quantile()`: its argument", self.note)
            vector = vector.with_labels(None if vector.labels is None else vector.labels - {"le"})
        return vector if name in _SAME_KIND else replace(vector, kind="gauge")

    def _check_range(self, name: str, arguments: list[ast.Expr], vector: Vector) -> None:
        if name in _COUNTER_ONLY and vector.kind == "gauge":
            self.note(
                f"`{name}()` of {_subject(arguments[0])}, which is a gauge",
                "a gauge goes up and down: use `delta()`, `deriv()` or `changes()`",
                "error",
            )
        ranged = arguments[0]
        if name not in _NEEDS_TWO or vector.interval is None or not isinstance(ranged, ast.MatrixSelector):
            return
        seconds, every = ranged.range.total_seconds(), vector.interval
        if seconds < 2 * every:
            never = seconds < every
            self.note(
                f"`{_NAMES.get(name, name)}()` needs two samples, and {seconds:g} s of {_subject(ranged)} "
                f"{'never hold two' if never else 'hold two by chance alone'}: one comes every {every:g} s",
                f"take a range of {4 * every:g}s or more, so that a lost sample makes no gap",
                "error" if never else "warning",
            )
        elif vector.coarse is not None and seconds < 2 * vector.coarse:
            self.note(
                f"`{_NAMES.get(name, name)}()` needs two samples, and Thanos may give {_subject(ranged)} as central "
                f"has it, one each {vector.coarse:g} s: {seconds:g} s hold two by chance alone",
                f'say `replica!="central"` for what the shards have, or take a range of {4 * vector.coarse:g}s or more',
                "warning",
            )

    def _relabelled(self, name: str, arguments: list[ast.Expr], vector: Vector) -> Vector:
        texts = [argument.val for argument in arguments[1:] if isinstance(argument, ast.StringLiteral)]
        target, sources = texts[0], texts[2:3] if name == "label_replace" else texts[2:]
        for source in sources:
            lacks(vector, source, f"`{name}()`: its argument", self.note)
        copied = name == "label_replace" and texts[1] == "$1" and texts[3] in _ALL
        sure, several = vector.sure, vector.several - {target}
        if copied and texts[2] in vector.sure:
            sure |= {target}
            several |= {target} if texts[2] in vector.several else frozenset()
        return replace(
            vector,
            labels=None if vector.labels is None else vector.labels | {target},
            jobs=None if target in ("job", "instance") else vector.jobs,
            sure=sure,
            several=several,
            values={label: values for label, values in vector.values.items() if label != target},
        )

    def _binary(self, expr: ast.BinaryExpr) -> Vector | None:
        left, right = self.vector(expr.lhs), self.vector(expr.rhs)
        if left is None or right is None:
            vector = left or right
            # A value that is compared for equality may be that of one series alone.
            return vector.thinned() if vector is not None and str(expr.op) == "==" else vector
        matching = Matching.of(expr)
        matching.check(left, right, self.note)
        if matching.operator == "or":
            return union((left, right))
        if matching.operator in SET_OPERATORS:
            return left.thinned()
        result = matching.result(left, right)
        return result.thinned() if matching.operator in _COMPARISONS else result


def _equalities(expr: ast.Expr) -> list[str]:
    selector = expr.vector_selector if isinstance(expr, ast.MatrixSelector) else expr
    if not isinstance(selector, ast.VectorSelector):
        return []
    return [each.name for each in selector.matchers.matchers if each.op == ast.MatchOp.Equal]


def _subject(expr: ast.Expr) -> str:
    name = expr.vector_selector.name if isinstance(expr, ast.MatrixSelector) else None
    return f"`{name}`" if name else "an expression"
