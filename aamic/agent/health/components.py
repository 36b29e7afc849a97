"""What is looked at of a GPU, whether it is good or bad: its value, its bounds, and what to say of it. Pure."""

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional

from . import soft
from .nodepolicy import Policy
from .readings import LAST_CODE, Reading

OK, WARN, UNKNOWN, FAIL = "ok", "warn", "unknown", "fail"
WORSE = (OK, WARN, UNKNOWN, FAIL)
"""From good to bad."""
UNMEASURED = "unmeasured"
"""Neither good nor bad: what is not shown says nothing; where it should be shown, `no_data` says so."""

SOFT = (
    ("temperature_celsius", "temperature", "temperature {value:g} C"),
    ("memory_temperature_celsius", "memory_temperature", "memory temperature {value:g} C"),
    ("ecc_corrected_per_hour", "corrected_ecc", "{value:g} corrected memory errors in an hour"),
    ("throttle_ratio", "throttling", "slowed down by heat for {value:.0%} of the time"),
)
"""Value with limits, signal and text."""
_FLAGS = (
    ("ecc_uncorrected_total", "uncorrected_ecc", "uncorrected memory errors", "no uncorrected memory errors"),
    ("row_remap_failure", "row_remap_failure", "no spare memory rows", "memory rows could be replaced"),
    ("unhealthy", "unhealthy", "unhealthy by its exporter", "not unhealthy by its exporter"),
    ("row_remap_pending", "row_remap_pending", "a memory row waits for a reset", "no memory row waits for a reset"),
    ("health_warning", "health_warning", "health watch warns", "no health watch warns"),
)
"""Reading, signal, what is said above zero, and at zero."""


class Component(NamedTuple):
    """One thing that is looked at; `signal` is its name, as in `drain_on`. Bounds are None where none is crossed."""

    signal: str
    level: str
    text: str
    value: Optional[float] = None
    warn: Optional[float] = None
    fail: Optional[float] = None


def level(signal: str, policy: Policy) -> str:
    """Return what a signal makes of a GPU that has it."""
    return FAIL if signal in policy.drain_on else WARN


def worst(components: Iterable[Component]) -> str:
    """Return the worst level of them; what is not measured does not count.

    >>> worst([Component("temperature", OK, ""), Component("throttling", UNMEASURED, "")])
    'ok'
    """
    return max((each.level for each in components if each.level in WORSE), key=WORSE.index, default=OK)


def codes(reading: Reading, fatal: List[int], doubtful: List[int], policy: Policy) -> List[Component]:
    """Return a component for each fatal or doubtful code; if there is none, one that names what is shown."""
    bad = level("fatal_error", policy)
    found = [Component("fatal_error", bad, _name(code, policy), float(code)) for code in fatal]
    found += [Component("error_code", WARN, _doubt(code, policy), float(code)) for code in doubtful]
    now = sorted(shown(reading))
    if found:
        return found if fatal else [Component("fatal_error", OK, "no code that is fatal by itself", 0.0), *found]
    if now:
        said = ", ".join(_name(code, policy) for code in now)
        return [Component("fatal_error", OK, f"{said}: not fatal", float(now[-1]))]
    if LAST_CODE in reading or LAST_CODE in policy.sometimes:
        return [Component("fatal_error", OK, "no error code", 0.0)]
    return [Component("fatal_error", UNMEASURED, "error codes are not reported")]


def shown(reading: Reading) -> "set[int]":
    """Return the error codes that a GPU shows."""
    value = reading.get(LAST_CODE, 0.0)
    return {*reading.get("codes", ()), *([int(value)] if 0 < value < float("inf") else ())}


def _name(code: int, policy: Policy) -> str:
    own = policy.names.get(code)
    return own or f"{policy.kind} {code}" + ("" if code in policy.quiet_codes | policy.fatal_codes else " (unknown)")


def _doubt(code: int, policy: Policy) -> str:
    only = ": only the kernel's line says whether it is fatal: `dmesg | aamic explain`"
    return _name(code, policy) + (only if code in policy.line_codes else "")


def flags(reading: Reading, policy: Policy) -> List[Component]:
    """Return what is bad above zero."""
    found = []
    for name, signal, bad, good in _FLAGS:
        value = reading.get(name)
        if value is None:
            found.append(Component(signal, UNMEASURED, "not reported"))
            continue
        said = f"{value:g} {bad}" if name.endswith("_total") else bad
        bound = {"fail" if level(signal, policy) == FAIL else "warn": 1.0}
        found.append(
            Component(signal, level(signal, policy), said, value, **bound)
            if value > 0
            else Component(signal, OK, good, value, **bound)
        )
    return found


def bounded(
    values: Mapping[str, Optional[float]], states: Mapping[str, Dict[str, Any]], policy: Policy
) -> List[Component]:
    """Return what has bounds; `states` are those of `soft` after this check."""
    found = []
    for name, signal, text in SOFT:
        if name in policy.limits:
            limit, value, state = policy.limits[name], values[name], states[name]
            if state["level"]:
                own = level(signal, policy) if state["level"] == soft.FAIL else WARN
                said = text.format(value=value) if value is not None else f"{signal} as before, now without a value"
            else:
                own = OK if value is not None else UNMEASURED
                said = text.format(value=value) + _pending(state, policy) if value is not None else "not reported"
            # A bound at which nothing fails, as the site does not count this signal for that, is none.
            fail = limit.fail if level(signal, policy) == FAIL else None
            bounds = [bound for bound in (limit.warn, limit.fail) if bound is not None]
            warn = limit.warn if fail is not None else min(bounds) if bounds else None
            found.append(Component(signal, own, said, value, warn, fail))
    return found


def _pending(state: Mapping[str, Any], policy: Policy) -> str:
    """What crosses a bound, but not yet in enough checks."""
    runs = max(state["warn"], state["fail"])
    return f": too much in {runs} checks, counts from {policy.breaches}" if runs else ""


def data(missing: List[str]) -> Component:
    """Return whether there is all that must be there."""
    if missing:
        return Component("no_data", UNKNOWN, "no data: " + ", ".join(missing))
    return Component("no_data", OK, "every reading is there")
