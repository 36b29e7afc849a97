"""Soft signals: a value counts only after several checks in a row, and is over only after several others. Pure."""

from typing import Any, Dict, Mapping, Optional

from .nodepolicy import Limit

NONE, WARN, FAIL = 0, 1, 2

State = Dict[str, int]
"""`level` now; checks in a row at or above `warn` and `fail`, and below `clear`."""
QUIET: State = {"level": NONE, "warn": 0, "fail": 0, "clear": 0}


def step(state: Mapping[str, Any], value: Optional[float], limit: Limit, breaches: int, clears: int) -> State:
    """Return the state after one more check; without a value the level stays and every run of checks is broken."""
    level = int(state.get("level", NONE))
    if value is None:
        return dict(QUIET, level=level)
    runs = {
        "warn": _run(state, "warn", limit.warn is not None and value >= limit.warn),
        "fail": _run(state, "fail", limit.fail is not None and value >= limit.fail),
        "clear": _run(state, "clear", limit.clear is None or value < limit.clear),
    }
    if runs["fail"] >= breaches:
        level = FAIL
    elif runs["warn"] >= breaches:
        level = max(level, WARN)
    elif runs["clear"] >= clears:
        level = NONE
    return dict(runs, level=level)


def _run(state: Mapping[str, Any], name: str, holds: bool) -> int:  # noqa: FBT001  # it is the one thing asked
    return min(int(state.get(name, 0)) + 1, 1_000_000) if holds else 0


def pressure(value: Optional[float], limit: Limit) -> float:
    """Return how near a value is to its first bound: 0 at `clear` or below, 1 at the bound or above."""
    bounds = [bound for bound in (limit.warn, limit.fail) if bound is not None]
    if value is None or not bounds:
        return 0.0
    bound = min(bounds)
    clear = bound if limit.clear is None else min(limit.clear, bound)
    if value >= bound:
        return 1.0
    return max(0.0, (value - clear) / (bound - clear)) if bound > clear else 0.0
