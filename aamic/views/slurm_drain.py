"""What became of nodes that were drained or resumed, and the state of the brake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aamic.views.terminal import safe


def steps_text(steps: Iterable[tuple[str, str, str]]) -> str:
    """A line for each node: what became of it, and what it was or why not."""
    return "".join(safe(f"{node}: {outcome}; {message}") + "\n" for node, outcome, message in steps)


def steps_json(steps: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """The same as a value for JSON."""
    return {
        "version": 1,
        "nodes": [{"node": node, "outcome": outcome, "message": message} for node, outcome, message in steps],
    }


def lines(text: str) -> str:
    """What a host said, in lines that steer no terminal."""
    return "\n".join(map(safe, text.splitlines()))


def breaker_text(found: dict[str, Any]) -> str:
    """Whether it has tripped, why, and how far the budget goes. What a host says may be anything."""
    inner = found.get("breaker")
    breaker: dict[str, Any] = inner if isinstance(inner, dict) else {}
    state = {True: "tripped", False: "not tripped"}.get(breaker.get("tripped") is True) if breaker else "unknown"
    why = f": {breaker['reason']}" if breaker.get("tripped") and breaker.get("reason") else ""
    told = [f"breaker {state}{why}", f"mode {found.get('mode') or 'unknown'}, at most {found.get('cap')} nodes drained"]
    if fault := found.get("fault"):
        told.append(f"fault: {fault}")
    for key in ("failing", "pending"):
        those = found.get(key)
        if isinstance(those, list) and those:
            told.append(f"{key}: {', '.join(map(str, those))}")
    if breaker.get("tripped"):
        told.append("hint: once the cause is known, `aamic slurm breaker --reset` lets it drain again")
    return "\n".join(map(safe, told))
