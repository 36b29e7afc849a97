"""Looks at one GPU: what its reading says, and what it said before. Pure."""

import math
from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Set, Tuple

from . import components, series, soft
from .components import FAIL, OK, SOFT, UNKNOWN, WARN, WORSE, Component
from .nodepolicy import HARD, Policy
from .readings import LAST_CODE, Reading

_HOUR = 3600.0
_THROTTLE_SPAN = 300.0
_THROTTLE_LEAST = 60.0
_MOST_CODES = 32

__all__ = ["FAIL", "HARD", "OK", "UNKNOWN", "WARN", "WORSE", "Finding", "look"]


class Finding(NamedTuple):
    """Something that is wrong with a GPU, or with the node where `gpu` is ''."""

    gpu: str
    signal: str
    level: str
    text: str


def look(
    gpu: str, reading: Reading, policy: Policy, before: Dict[str, Any], now: float
) -> Tuple[List[Component], Optional[int], Dict[str, Any]]:
    """Return what there is to say of a GPU, good or bad, its score, and what to remember of it."""
    values, after = _values(reading, before, now)
    after["gpu"] = gpu
    after["fatal"] = _fatal(reading, policy, before)
    after["doubtful"] = _doubtful(reading, policy, after["fatal"], before)
    after["soft"] = _soft(values, policy, before)
    found = [
        *components.codes(reading, after["fatal"], after["doubtful"], policy),
        *components.flags(reading, policy),
        *components.bounded(values, after["soft"], policy),
        components.data(_missing(reading, policy, before, after)),
    ]
    return found, _score(components.worst(found), values, policy), after


def _values(
    reading: Reading, before: Mapping[str, Any], now: float
) -> Tuple[Dict[str, Optional[float]], Dict[str, Any]]:
    """The values that have limits: those that are read, and those that a counter's past gives."""
    values: Dict[str, Optional[float]] = {name: reading.get(name) for name, _, _ in SOFT}
    after: Dict[str, Any] = {}
    corrected, throttled = reading.get("ecc_corrected_total"), reading.get("throttle_seconds_total")
    if corrected is not None:
        after["corrected"] = series.kept(_points(before, "corrected"), now, corrected, _HOUR)
        values["ecc_corrected_per_hour"] = series.increase(after["corrected"])
    if throttled is not None:
        after["throttled"] = series.kept(_points(before, "throttled"), now, throttled, _THROTTLE_SPAN)
        values["throttle_ratio"] = series.rate(after["throttled"], _THROTTLE_LEAST)
    return values, after


def _points(before: Mapping[str, Any], name: str) -> series.Points:
    try:
        points = [[float(time), float(value)] for time, value in before.get(name, ())]
    except (ArithmeticError, TypeError, ValueError):
        return []
    return [point for point in points if all(map(math.isfinite, point))]


def _fatal(reading: Reading, policy: Policy, before: Mapping[str, Any]) -> List[int]:
    """The fatal codes that the GPU shows, and those it showed before another took their place."""
    now = policy.fatal_codes.intersection(components.shown(reading)) | set(reading.get("fatal", ()))
    return sorted(now | _remembered(reading, policy, before, "fatal"))


def _doubtful(reading: Reading, policy: Policy, fatal: List[int], before: Mapping[str, Any]) -> List[int]:
    """The codes, now or before, of which the vendor's table does not say that they need nobody."""
    every = components.shown(reading) | _remembered(reading, policy, before, "doubtful")
    return sorted(every.difference(policy.quiet_codes, fatal))[:_MOST_CODES]


def _remembered(reading: Reading, policy: Policy, before: Mapping[str, Any], name: str) -> Set[int]:
    """The codes that still count; they end when the exporter says that there is none any more."""
    silent = LAST_CODE not in reading and LAST_CODE not in policy.sometimes
    try:
        return {int(code) for code in before.get(name, ())} if silent or components.shown(reading) else set()
    except (ArithmeticError, TypeError, ValueError):
        return set()


def _soft(
    values: Mapping[str, Optional[float]], policy: Policy, before: Mapping[str, Any]
) -> Dict[str, Dict[str, int]]:
    states = before.get("soft")
    return {
        name: soft.step(_state(states, name), values[name], policy.limits[name], policy.breaches, policy.clears)
        for name, _, _ in SOFT
        if name in policy.limits
    }


def _state(states: Any, name: str) -> Dict[str, int]:
    own = states.get(name) if isinstance(states, dict) else None
    try:
        return {key: int(own[key]) for key in soft.QUIET} if isinstance(own, dict) else dict(soft.QUIET)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return dict(soft.QUIET)


def names(reading: Reading, policy: Policy) -> FrozenSet[str]:
    """Return the names of what is read of a GPU, without what is there only after an event."""
    return frozenset(
        name for name, value in reading.items() if isinstance(value, (int, float)) and name not in policy.sometimes
    )


def _missing(reading: Reading, policy: Policy, before: Mapping[str, Any], after: Dict[str, Any]) -> List[str]:
    """What every GPU of this kind or another of its node reports, or this one did before, and is not there now."""
    seen = before.get("seen")
    had = {str(name) for name in seen} if isinstance(seen, list) else set()
    present = names(reading, policy)
    after["seen"] = sorted(had | present)
    return sorted((policy.required | had) - present)


def _score(worst: str, values: Mapping[str, Optional[float]], policy: Policy) -> Optional[int]:
    """From 0 to 100; ours: 0 fails, up to 50 warns, above 60 is nearer to a bound the lower it is."""
    if worst == FAIL:
        return 0
    if worst == UNKNOWN:
        return None
    near = max([soft.pressure(values[name], policy.limits[name]) for name, _, _ in SOFT if name in policy.limits] + [0])
    return min(round(100 - 40 * near), 50 if worst == WARN else 100)
