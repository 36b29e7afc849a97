"""What is known of managed files, as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aamic.model.drift import STATES, Drift, Group, State

_MEANING: Final[dict[State, str]] = {
    "in sync": "",
    "drifted": "",
    "pending": "a change is under way or not confirmed",
    "unchecked": "no check has succeeded within the last hour",
    "unknown": "no series: never applied, or not scraped",
}


def text(drift: Drift, url: str) -> str:
    """A line that sums up, and a line for each group of nodes that is not in sync."""
    return "\n".join((_summary(drift, url), *_lines(drift)))


def _summary(drift: Drift, url: str) -> str:
    counts = {state: len(drift.nodes(state)) for state in STATES}
    rest = "".join(f", {counts[state]:,} {state}" for state in STATES[1:] if counts[state])
    return f"{drift.cluster}: {counts['in sync']:,} of {sum(counts.values()):,} nodes in sync{rest} (asked {url})"


def _lines(drift: Drift) -> Iterator[str]:
    for group in drift.groups:
        if group.state != "in sync":
            yield f"  {group.state}, {_meaning(group)}: {group.hostlist}"
    if not drift.heard:
        yield "hint: nothing was applied yet, its rules are older than this, or `federation.match` leaves `node:*` out"


def _meaning(group: Group) -> str:
    if group.state == "drifted":
        return "1 file" if group.files == 1 else f"{group.files:,} files"
    return _MEANING[group.state]


def to_json(drift: Drift, url: str) -> dict[str, Any]:
    """Everything, with nodes by name."""
    drifted = {name: group.files for group in drift.groups if group.state == "drifted" for name in group.nodes}
    return {
        "cluster": drift.cluster,
        "prometheus": url,
        "in_sync": list(drift.nodes("in sync")),
        "drifted": drifted,
        "pending": list(drift.nodes("pending")),
        "unchecked": list(drift.nodes("unchecked")),
        "unknown": list(drift.nodes("unknown")),
    }
