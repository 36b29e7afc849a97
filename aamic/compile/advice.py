"""What to tell of a rule that reads what is not there: the nearest name or value, and an alert's own text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import promql_parser as ast

from aamic.compile import alerttext
from aamic.compile.matching import Severity
from aamic.compile.suggest import closest
from aamic.compile.vectors import Vector, satisfies
from aamic.model.fleet import AlertRule

TYPO: Final = 0.9
"""Likeness of two names from which one of them is a slip of the pen, though both may exist."""
_NEAR: Final = 0.5
"""Likeness of two values: names of nodes differ in a few digits."""
_LISTED: Final = 12
_COMPARED: Final = 5_000
"""Among more values than these no nearest one is looked for: 20,000 take 0.2 s."""
UNKNOWN: Final = {
    False: "no exporter of the catalog emits it; declare it under `exporters.custom`, or, for a textfile, under "
    "`exporters.node.textfile_metrics`",
    True: "no rule of this site records it; aamic records `gpu:*` for the GPU vendors that the site has",
}
FEDERATE: Final = "the shards have it: set `scope: shard`, or let central read it with `federation.match`"

Notes = dict[str, tuple[str | None, Severity]]
"""What is wrong with a rule, with a hint, once."""


def values_of(label: str, wanted: Iterable[ast.Matcher], known: frozenset[str]) -> str | None:
    """What values a label has, or the one that was meant."""
    equal = [matcher.value for matcher in wanted if matcher.op == ast.MatchOp.Equal]
    near = closest(equal[0], known, _NEAR) if equal and len(known) <= _COMPARED else None
    if near is not None:
        return f"did you mean `{near}`?"
    if not known:
        return f"each has a `{label}`" if satisfies(wanted, "") else None
    shown = [f"`{value}`" for value in sorted(known)[:_LISTED]]
    if len(known) > _LISTED:
        shown.append(f"one of {len(known) - _LISTED:,} more")
    return f"its `{label}` is {' or '.join(filter(None, (', '.join(shown[:-1]), shown[-1])))}"


def check_text(rule: AlertRule, vector: Vector, notes: Notes) -> None:
    """The alert's texts must be templates, and the labels they show must be on the alert."""
    for text in (rule.summary, rule.description, *rule.labels.values()):
        for message, hint in alerttext.faults(text):
            notes[message] = hint, "error"
        if vector.labels is None:
            continue
        known = vector.labels | set(rule.labels) | {"alertname", "severity"}
        for label in alerttext.labels(text):
            if label not in known:
                near = closest(label, known)
                listed = ", ".join(f"`{name}`" for name in sorted(known))
                notes[f"its text shows the label `{label}`, which the alert cannot have"] = (
                    f"did you mean `{near}`?" if near else f"it has {listed}",
                    "error",
                )
