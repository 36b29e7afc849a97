"""How the series of two sides of an operator find each other, and whether they ever can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import promql_parser as ast

from aamic.compile.suggest import closest
from aamic.compile.vectors import Vector

Severity = Literal["error", "warning"]
Note = Callable[[str, str | None, Severity], None]
"""Takes a message, a hint, and how bad it is."""

SET_OPERATORS: Final = frozenset({"and", "or", "unless"})
_OF_TARGETS: Final = frozenset(
    {"cluster", "node", "rack", "instance", "job", "vendor", "gpu_vendor", "gpu_model", "gpu_count"}
    | {"shard", "replica"}
)
_SAME_FOR: Final = {
    "gpu": _OF_TARGETS | {"cpu", "mode"},
    "gpu_id": _OF_TARGETS | {"cpu", "mode"},
    "cpu": _OF_TARGETS | {"mode", "gpu", "gpu_id"},
    "mode": _OF_TARGETS | {"cpu", "gpu", "gpu_id"},
    "node": frozenset({"cluster", "job", "vendor", "gpu", "gpu_id", "cpu", "mode", "shard", "replica"}),
    "job": _OF_TARGETS - {"job", "instance"},
}
"""Labels that do not tell which of several it is: all GPUs of a node have the same `rack`, none the same `gpu_uuid`."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of two sides find each other."""

    operator: str
    on: bool
    labels: frozenset[str]
    grouped: tuple[str, ...]
    many: bool
    swapped: bool
    """The many side is the right one."""

    @classmethod
    def of(cls, expr: ast.BinaryExpr) -> Matching:
        """The matching of an operator between two vectors."""
        modifier = expr.modifier
        matching = modifier.matching if modifier else None
        card = modifier.card if modifier else ast.VectorMatchCardinality.OneToOne
        many = (ast.VectorMatchCardinality.ManyToOne, ast.VectorMatchCardinality.OneToMany)
        return cls(
            operator=str(expr.op),
            on=matching is not None and matching.type == ast.LabelModifierType.Include,
            labels=frozenset(matching.labels) if matching else frozenset(),
            grouped=tuple(modifier.group_labels or ()) if modifier and card in many else (),
            many=card in many,
            swapped=card == ast.VectorMatchCardinality.OneToMany,
        )

    @property
    def grouping(self) -> str:
        """The keyword for the many side."""
        return "group_right" if self.swapped else "group_left"

    def compares(self, label: str) -> bool:
        """Whether series match only where they have the same value of a label."""
        return (label in self.labels) is self.on

    def result(self, left: Vector, right: Vector) -> Vector:
        """The series that an arithmetic or comparing operator gives."""
        kept, other = (right, left) if self.swapped else (left, right)
        labels = kept.labels
        if self.many:
            labels = None if labels is None else labels | frozenset(self.grouped)
        elif self.on:
            labels = self.labels
        elif labels is not None:
            labels -= self.labels
        values = {label: known for label, known in kept.values.items() if label not in self.grouped}
        kept = replace(kept, values=values, sure=kept.sure.difference(self.grouped))
        sources = None if left.sources is None or right.sources is None else left.sources | right.sources
        return replace(
            kept.with_labels(labels),
            kind=left.kind if left.kind == right.kind else None,
            several=frozenset(
                label
                for label in kept.several
                if (labels is None or label in labels) and (label in other.several or other.lacks(label))
            ),
            sources=sources,
            interval=None,
            coarse=None,
        )

    def check(self, left: Vector, right: Vector, note: Note) -> None:
        """Note what keeps the two sides from matching."""
        self._check_labels(left, right, note)
        if self.operator == "or":
            return
        never = next(self._never(left, right), None)
        if never is not None:
            note(*never, "error")
        elif self.operator not in SET_OPERATORS:
            self._check_unique(left, right, note)

    def _check_labels(self, left: Vector, right: Vector, note: Note) -> None:
        for label in sorted(self.labels):
            if self.on:
                lacks(left, label, f"`on ({label})`: the left side of `{self.operator}`", note)
                lacks(right, label, f"`on ({label})`: the right side of `{self.operator}`", note)
            elif left.lacks(label) and right.lacks(label):
                near = closest(label, (left.labels or frozenset()) | (right.labels or frozenset()))
                note(
                    f"`ignoring ({label})`: neither side of `{self.operator}` has a label `{label}`",
                    f"did you mean `{near}`?" if near else has(left),
                    "error",
                )
        one, side = (left, "left") if self.swapped else (right, "right")
        for label in self.grouped:
            lacks(one, label, f"`{self.grouping} ({label})`: the {side} side of `{self.operator}`", note)

    def _never(self, left: Vector, right: Vector) -> Iterator[tuple[str, str]]:
        """Why no series of one side can match one of the other."""
        for label in ("instance", "job"):
            # Two jobs have different ports, so they never have the same `instance` either.
            if self.compares(label) and left.jobs and right.jobs and not left.jobs & right.jobs:
                yield self._differ(label, left.jobs, right.jobs), "join them with `on (cluster, node)`"
        for label in sorted(left.values.keys() & right.values.keys()):
            here, there = left.values[label], right.values[label]
            sure = label in left.sure or label in right.sure
            if self.compares(label) and sure and here and there and here.isdisjoint(there):
                yield self._differ(label, here, there), f"leave `{label}` out of what is compared"
        if not self.on:
            one_sided = [
                label
                for one, other in ((left, right), (right, left))
                for label in sorted(one.sure, key=lambda label: (label != "job", label))
                if self.compares(label) and other.lacks(label)
            ]
            if one_sided:
                yield (
                    f"the sides of `{self.operator}` never match: only one has the label `{one_sided[0]}`",
                    "aggregate both sides by the same labels, or join them with `on (...)`",
                )

    def _differ(self, label: str, left: frozenset[str], right: frozenset[str]) -> str:
        return f"the sides of `{self.operator}` never match: {_some(left)} and {_some(right)} differ in `{label}`"

    def _check_unique(self, left: Vector, right: Vector, note: Note) -> None:
        """Prometheus gives an error where more than one series of a side that must be unique match."""
        doubled = {"left": self._doubled(left), "right": self._doubled(right)}
        if self.many:
            del doubled["right" if self.swapped else "left"]
        found = [(side, label) for side, label in doubled.items() if label is not None]
        for side, label in found[:1]:
            note(
                f"several series on the {side} side of `{self.operator}` match the same one: they differ in `{label}`",
                self._advice(side, label, alone=len(found) == 1),
                "error",
            )

    def _advice(self, side: str, label: str, *, alone: bool) -> str:
        if label == "replica":
            return "both servers of a pair give it: take one of the two first, with `max without (replica) (...)`"
        if alone and not self.many:
            return f"write `group_{side} ()` after `on (...)` or `ignoring (...)`"
        return f"compare `{label}` too, or aggregate that side first"

    def _doubled(self, side: Vector) -> str | None:
        """A label in which series of a side differ that are equal in all that is compared."""
        compared = self.labels if self.on else None if side.labels is None else side.labels - self.labels
        if compared is None:
            return None
        for label in sorted(side.several - compared):
            if label == "replica":
                if "instance" not in compared:
                    return label
            elif compared <= _SAME_FOR[label]:
                return label
        return None


def lacks(vector: Vector, label: str, where: str, note: Note) -> None:
    """Note that a vector cannot have a label."""
    if vector.lacks(label):
        near = closest(label, vector.labels or ())
        note(f"{where} has no label `{label}`", f"did you mean `{near}`?" if near else has(vector), "error")


def has(vector: Vector) -> str:
    """What labels a vector has, for a hint."""
    names = sorted(vector.labels or ())
    return f"it has {', '.join(f'`{name}`' for name in names)}" if names else "it has no labels at all"


def _some(values: frozenset[str]) -> str:
    shown = " or ".join(f"`{value}`" for value in sorted(values)[:_SHOWN])
    return shown if len(values) <= _SHOWN else f"{shown} or {len(values) - _SHOWN} more"
