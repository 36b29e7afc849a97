"""What happened on a node's GPUs beside error codes: counters that grew, flags, lost GPUs, heat."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aamic.clients.base import Track
from aamic.model.analysis import Bearing, Event, EventKind, Window
from aamic.model.gpuerror import Severity
from aamic.ops.evidence import Evidence
from aamic.ops.selectors import THROTTLED
from aamic.ops.tracks import growths, joined, pauses, rises

_FEW: Final = 100
"""Corrected errors in a window, and resent packets of a link, up to which they are a note; our policy."""
_SEEN: Final = 3
"""Answers of the exporter without a GPU that tell that it is lost, and not merely late."""
_DRAIN: Final = "Drain the node, and validate the GPU before it is used again."
_WATCH: Final = "Watch whether they become more."
_COOL: Final = "Check cooling and air flow of the node."
_FIND: Final = "Drain the node, look for the GPU with lspci and in the kernel log, and reboot the node."
_SEVERITY: Final[Mapping[Bearing, Severity]] = {
    "fatal": "critical",
    "hard": "critical",
    "sign": "warning",
    "application": "info",
    "note": "info",
}


@dataclass(frozen=True, slots=True)
class _Sign:
    """What such an event is and says."""

    kind: EventKind
    what: str
    bearing: Bearing
    action: str


def counters(evidence: Evidence, window: Window) -> Iterator[Event]:
    """Each growth of a counter of errors; corrected ones weigh more where there are many within the window."""
    for (record, gpu, kind), samples in joined(of(evidence, *_GROWING), _record_key).items():
        grown = list(growths(samples))
        total = sum(by for _, at, by in grown if window.start < at <= window.end + window.lag)
        for since, at, by in grown:
            yield _event(evidence, gpu, (since, at), _growth(_GROWING[record], kind, by, total))


_GROWING: Final[Mapping[str, _Sign]] = {
    "gpu:ecc_uncorrected_total": _Sign("ecc_uncorrected", "uncorrected memory errors", "hard", _DRAIN),
    "gpu:ecc_deferred_total": _Sign("ecc_deferred", "memory errors found but not yet read", "sign", _WATCH),
    "gpu:ecc_corrected_total": _Sign("ecc_corrected", "corrected memory errors", "note", _WATCH),
    "gpu:fabric_errors_total": _Sign("fabric", "errors of the links between GPUs", "note", _WATCH),
}


def _growth(sign: _Sign, label: str, by: float, total: float) -> _Sign:
    what = f"{by:,.0f} more {sign.what}" + (f" ({label})" if label else "")
    if sign.kind == "fabric" and label == "uncorrected":
        return replace(sign, what=what, bearing="hard", action=_DRAIN)
    if sign.bearing == "note" and (total > _FEW or label == "recovery"):
        return replace(sign, what=what, bearing="sign")
    return replace(sign, what=what)


_FLAGS: Final[Mapping[str, _Sign]] = {
    "gpu:row_remap_failure": _Sign("remap_failure", "a memory row could not be replaced", "fatal", _DRAIN),
    "gpu:row_remap_pending": _Sign(
        "remap_pending", "a memory row waits to be replaced", "sign", "Reset the GPU when no job runs on it."
    ),
    "gpu:unhealthy": _Sign("unhealthy", "its exporter calls the GPU unhealthy", "hard", _DRAIN),
}


def flags(evidence: Evidence) -> Iterator[Event]:
    """Each time that a flag of a GPU becomes 1."""
    for (record, gpu, _), samples in joined(of(evidence, *_FLAGS), _record_key).items():
        for since, at in rises(samples):
            yield _event(evidence, gpu, (since, at), _FLAGS[record])


def lost(evidence: Evidence, window: Window, count: int) -> Iterator[Event]:
    """GPUs that stop reporting while their exporter answers, and those of the site's `count` that do not at all."""
    good = evidence.good()
    present = presence(evidence)
    gone = _Sign("lost", "the GPU is not reported any more", "fatal", _FIND)
    for gpu, times in present.items():
        for since, until in pauses(times, evidence.slack, good[-1] if good else times[-1]):
            answers = good[bisect_right(good, since) : bisect_left(good, until) + 1]
            if len(answers) >= _SEEN and answers[-1] - since > evidence.slack:
                yield _event(evidence, gpu, (since, answers[0]), gone)
    # An exporter that names GPUs otherwise than by numbers does not tell which one is missing.
    expected = map(str, range(count)) if all(gpu.isdecimal() for gpu in present) else ()
    yield from _missing(evidence, window, {*present, *expected}, present)


def _missing(
    evidence: Evidence, window: Window, gpus: Iterable[str], present: Mapping[str, list[float]]
) -> Iterator[Event]:
    """GPUs that were not there all the time of a window, whether they were ever seen before or not."""
    answers = [at for at in evidence.good() if window.start < at <= window.end]
    missing = _Sign("lost", "the GPU is not reported at all", "fatal", _FIND)
    for gpu in sorted(gpus) if len(answers) >= _SEEN else ():
        if not any(window.start - window.slack <= at <= window.end for at in present.get(gpu, ())):
            yield _event(evidence, gpu, (None, answers[0]), missing)


def presence(evidence: Evidence) -> dict[str, list[float]]:
    """When each GPU was seen, in order."""
    times: dict[str, set[float]] = {}
    for track in evidence.records:
        times.setdefault(track.labels.get("gpu", ""), set()).update(at for at, _ in track.samples)
    for codes in evidence.codes:
        for track in codes.tracks:
            gpu = track.labels.get(codes.source.labels["gpu"], "")
            times.setdefault(gpu, set()).update(at for at, _ in track.samples)
    return {gpu: sorted(found) for gpu, found in times.items() if found}


def hot(evidence: Evidence, window: Window, limits: Mapping[str, float]) -> Iterator[Event]:
    """GPUs and their memories that reach their limits within the window; the first moment, and the most."""
    for name, limit in limits.items():
        words = "memory" if name.startswith("memory") else "GPU"
        for (_, gpu, _), samples in joined(of(evidence, f"gpu:{name}"), _record_key).items():
            above = [(at, value) for at, value in samples if window.start < at <= window.end and value >= limit]
            if above:
                hottest = max(value for _, value in above)
                sign = _Sign("temperature", f"{words} at {hottest:.0f} °C (limit {limit:.0f} °C)", "sign", _COOL)
                yield _event(evidence, gpu, (above[0][0], above[0][0]), sign)


def throttled(evidence: Evidence, window: Window) -> Iterator[Event]:
    """GPUs that are slowed down for more than a tenth of the time; at its power limit that is usual."""
    for (gpu, reason), samples in joined(of(evidence, "gpu:throttle_ratio"), _throttle_key).items():
        above = [(at, value) for at, value in samples if window.start < at <= window.end and value > THROTTLED]
        if above:
            what = (
                f"slowed down by {reason.replace('_', ' ')}, up to {max(value for _, value in above):.0%} of the time"
            )
            usual = reason == "power"
            sign = _Sign("throttle", what, "note" if usual else "sign", "Nothing to do." if usual else _COOL)
            yield _event(evidence, gpu, (above[0][0], above[0][0]), sign)


def of(evidence: Evidence, *names: str) -> list[Track]:
    """The neutral series of these names."""
    return [track for track in evidence.records if track.labels.get("__name__") in names]


def _event(evidence: Evidence, gpu: str, when: tuple[float | None, float], sign: _Sign) -> Event:
    return Event(
        at=when[1],
        since=when[0],
        node=evidence.node,
        gpu=gpu,
        kind=sign.kind,
        what=sign.what,
        meaning=f"{sign.what[0].upper()}{sign.what[1:]}.",
        severity=_SEVERITY[sign.bearing],
        bearing=sign.bearing,
        action=sign.action,
        vendor=evidence.vendor,
    )


def _record_key(labels: Mapping[str, str]) -> tuple[str, str, str]:
    return labels["__name__"], labels.get("gpu", ""), labels.get("kind", "")


def _throttle_key(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("gpu", ""), labels.get("reason", "")
