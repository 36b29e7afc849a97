"""Looks at one GPU: what its reading says, and what it said before. Pure."""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from . import series, soft
from .nodepolicy import HARD, Policy
from .readings import LAST_CODE, Reading

OK, WARN, UNKNOWN, FAIL = "ok", "warn", "unknown", "fail"
WORSE = (OK, WARN, UNKNOWN, FAIL)
"""From good to bad."""

_FLAGS = (
    ("ecc_uncorrected_total", "uncorrected_ecc", "uncorrected memory errors"),
    ("row_remap_failure", "row_remap_failure", "no spare memory rows"),
    ("unhealthy", "unhealthy", "unhealthy by its exporter"),
    ("row_remap_pending", "row_remap_pending", "a memory row waits for a reset"),
    ("health_warning", "health_warning", "health watch warns"),
)
"""Reading, signal and text of what is bad above zero."""
_SOFT = (
    ("temperature_celsius", "temperature", "temperature {value:g} C"),
    ("memory_temperature_celsius", "memory_temperature", "memory temperature {value:g} C"),
    ("ecc_corrected_per_hour", "corrected_ecc", "{value:g} corrected memory errors in an hour"),
    ("throttle_ratio", "throttling", "slowed down by heat for {value:.0%} of the time"),
)
"""Value with limits, signal and text."""
_HOUR = 3600.0
_THROTTLE_SPAN = 300.0
_THROTTLE_LEAST = 60.0

__all__ = ["FAIL", "HARD", "OK", "UNKNOWN", "WARN", "WORSE", "Finding", "look"]


class Finding(NamedTuple):
    """Something that is wrong with a GPU, or with the node where `gpu` is ''."""

    gpu: str
    signal: str
    level: str
    text: str


def look(
    gpu: str, reading: Reading, policy: Policy, before: Dict[str, Any], now: float
) -> Tuple[List[Finding], Optional[int], Dict[str, Any]]:
    """Return what is wrong with a GPU, its score, and what to remember of it."""
    values, after = _values(reading, before, now)
    after["gpu"] = gpu
    findings = [Finding(gpu, *each) for each in _hard(reading, policy, before, after)]
    findings += [Finding(gpu, *each) for each in _soft(values, policy, before, after)]
    missing = _missing(reading, policy, before, after)
    if missing:
        findings.append(Finding(gpu, "no_data", UNKNOWN, "no data: " + ", ".join(missing)))
    return findings, _score(findings, values, policy), after


def _values(
    reading: Reading, before: Mapping[str, Any], now: float
) -> Tuple[Dict[str, Optional[float]], Dict[str, Any]]:
    """The values that have limits: those that are read, and those that a counter's past gives."""
    values: Dict[str, Optional[float]] = {name: reading.get(name) for name, _, _ in _SOFT}
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
        return [[float(time), float(value)] for time, value in before.get(name, ())]
    except (TypeError, ValueError):
        return []


Found = Tuple[str, str, str]
"""Signal, level and text."""


def _hard(reading: Reading, policy: Policy, before: Mapping[str, Any], after: Dict[str, Any]) -> List[Found]:
    after["fatal"] = _fatal(reading, policy, before)
    level = _level("fatal_error", policy)
    found = [("fatal_error", level, policy.names.get(code, f"error code {code}")) for code in after["fatal"]]
    for name, signal, text in _FLAGS:
        if (reading.get(name) or 0) > 0:
            said = f"{reading[name]:g} {text}" if name.endswith("_total") else text
            found.append((signal, _level(signal, policy), said))
    return found


def _fatal(reading: Reading, policy: Policy, before: Mapping[str, Any]) -> List[int]:
    """The fatal codes that the GPU shows, and those it showed before another took their place."""
    shown = set(reading.get("codes", ()))
    if LAST_CODE in reading and not shown and int(reading[LAST_CODE]) > 0:
        shown = {int(reading[LAST_CODE])}
    now = {code for code in shown if code in policy.fatal_codes} | set(reading.get("fatal", ()))
    silent = LAST_CODE not in reading and LAST_CODE not in policy.sometimes
    remembered = before.get("fatal", ()) if shown or silent else ()
    try:
        return sorted(now | {int(code) for code in remembered})
    except (TypeError, ValueError):
        return sorted(now)


def _level(signal: str, policy: Policy) -> str:
    return FAIL if signal in policy.drain_on else WARN


def _soft(
    values: Mapping[str, Optional[float]], policy: Policy, before: Mapping[str, Any], after: Dict[str, Any]
) -> List[Found]:
    found: List[Found] = []
    states = before.get("soft")
    after["soft"] = {}
    for name, signal, text in _SOFT:
        if name not in policy.limits:
            continue
        state = _state(states, name)
        state = soft.step(state, values[name], policy.limits[name], policy.breaches, policy.clears)
        after["soft"][name] = state
        if state["level"]:
            value = values[name]
            said = text.format(value=value) if value is not None else f"{signal} as before, now without a value"
            found.append((signal, _level(signal, policy) if state["level"] == soft.FAIL else WARN, said))
    return found


def _state(states: Any, name: str) -> Dict[str, int]:
    own = states.get(name) if isinstance(states, dict) else None
    try:
        return {key: int(own[key]) for key in soft.QUIET} if isinstance(own, dict) else dict(soft.QUIET)
    except (KeyError, TypeError, ValueError):
        return dict(soft.QUIET)


def _missing(reading: Reading, policy: Policy, before: Mapping[str, Any], after: Dict[str, Any]) -> List[str]:
    """What every GPU of this kind reports, or this one did before, and is not there now."""
    seen = before.get("seen")
    had = {str(name) for name in seen} if isinstance(seen, list) else set()
    present = {
        name for name, value in reading.items() if isinstance(value, (int, float)) and name not in policy.sometimes
    }
    after["seen"] = sorted(had | present)
    return sorted((policy.required | had) - present)


def _score(findings: List[Finding], values: Mapping[str, Optional[float]], policy: Policy) -> Optional[int]:
    """From 0 to 100; ours: 0 fails, up to 50 warns, above 60 is nearer to a bound the lower it is."""
    worst = max((each.level for each in findings), key=WORSE.index, default=OK)
    if worst == FAIL:
        return 0
    if worst == UNKNOWN:
        return None
    near = max(
        [soft.pressure(values[name], policy.limits[name]) for name, _, _ in _SOFT if name in policy.limits] + [0]
    )
    return min(round(100 - 40 * near), 50 if worst == WARN else 100)
