"""What errors of GPUs mean, and which a log tells of, as text and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from aamic.model.gpuerror import POLICY_MEANING, Culprit, GpuError, Severity
from aamic.model.gpulog import GpuLog, Sight
from aamic.views.terminal import safe, wrapped

_STYLE: Final[dict[Severity, str]] = {"critical": "1;31", "warning": "33", "info": "2"}
_FAULT: Final[dict[Culprit, str]] = {
    "application": "most likely of the program",
    "hardware": "most likely of the hardware",
    "driver": "most likely of the driver or firmware",
    "link": "most likely of a link between GPUs, on either end",
    "unknown": "not known",
}
Asked = tuple[GpuError, str | None]
"""An error, and for one that is not known the nearest that is."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line before it is wrapped; the severity that it begins with has a colour."""

    text: str
    indent: int = 0
    after: int = 2
    severity: Severity | None = None


def errors_text(asked: Iterable[Asked], *, width: int = 100, colour: bool = False) -> str:
    """Each error in a paragraph of its own."""
    return "\n".join(_printed(_error(*each), width, colour=colour) for each in asked)


def _error(error: GpuError, near: str | None = None) -> Iterator[_Line]:
    yield _Line(f"{error.severity}: {error}", severity=error.severity)
    yield _Line(error.meaning, 2, 0)
    if near:
        yield _Line(f"did you mean `{near}`?", 2)
    if error.known:
        yield _Line(f"fault: {_FAULT[error.fault]}", 2)
    if error.causes:
        yield _Line("possible causes:", 2)
        yield from (_Line(f"- {cause}", 4) for cause in error.causes)
    yield _Line("what to do:", 2)
    yield from (_Line(f"{number}. {step}", 4, 3) for number, step in enumerate(error.actions, 1))
    yield _Line(f"policy of aamic: {error.policy}, {POLICY_MEANING[error.policy]}", 2)
    yield _Line(f"source: {error.source}", 2)


def log_text(log: GpuLog, *, width: int = 100, colour: bool = False) -> str:
    """A line that sums up, one for each error of each GPU, then what each of these errors means."""
    if not log.lines:
        return "the log is empty, so nothing is known; `dmesg` and `journalctl -k` may want root\n"
    if not log.sights:
        marks = " or ".join(f"`{each}`" for each in log.markers)
        return f"no error of a GPU in {_counted(log.lines, 'line')}; looked at are those with {marks}\n"
    head = [_Line(_summary(log)), *(line for sight in log.sights for line in _sight(sight))]
    if log.dropped:
        head.append(_Line(f"{_counted(log.dropped, 'line')} more told of errors of yet other GPUs"))
    listed = _printed(head, width, colour=colour)
    return f"{listed}\n{errors_text(((error, None) for error in log.errors), width=width, colour=colour)}"


def _summary(log: GpuLog) -> str:
    gpus = len({(sight.host, sight.pci) for sight in log.sights})
    return f"{_counted(len(log.errors), 'error')} on {_counted(gpus, 'GPU')} in {_counted(log.lines, 'line')}"


def _sight(sight: Sight) -> Iterator[_Line]:
    severity = sight.error.severity
    yield _Line(f"{severity}: {sight.error} on {_where(sight)}", 2, severity=severity)
    yield _Line(f"{_often(sight)}{_when(sight)}{f': {sight.said}' if sight.said else ''}", 4)


def _where(sight: Sight) -> str:
    gpu = f"GPU {sight.pci}" if sight.pci else "a GPU that is not named"
    return f"{gpu} of {sight.host}" if sight.host else gpu


def _often(sight: Sight) -> str:
    if sight.count != sight.lines:
        return f"{_counted(sight.count, 'error')} in {_counted(sight.lines, 'line')}"
    return "once" if sight.count == 1 else f"{sight.count:,} times"


def _when(sight: Sight) -> str:
    if sight.first is None:
        return ""
    return f" at {sight.first}" if sight.first == sight.last else f" from {sight.first} to {sight.last}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def list_text(errors: Sequence[GpuError], *, width: int = 100, colour: bool = False) -> str:
    """A line for each error: code, severity, policy and name."""
    codes = max((len(f"{error.kind} {error.code}") for error in errors), default=0)
    lines = (
        _Line(
            f"{error.severity:8}  {f'{error.kind} {error.code}':{codes}}  {error.policy:11}  {error.name}",
            after=codes + 25,
            severity=error.severity,
        )
        for error in errors
    )
    return _printed(lines, width, colour=colour) or "no error is like that\n"


def _printed(lines: Iterable[_Line], width: int, *, colour: bool) -> str:
    return "".join(f"{piece}\n" for line in lines for piece in _pieces(line, width, colour=colour))


def _pieces(line: _Line, width: int, *, colour: bool) -> Iterator[str]:
    lead, after = " " * line.indent, " " * (line.indent + line.after)
    for number, piece in enumerate(wrapped(safe(line.text), width, lead, after)):
        if colour and line.severity and number == 0:
            yield piece.replace(line.severity, f"\x1b[{_STYLE[line.severity]}m{line.severity}\x1b[0m", 1)
        else:
            yield piece


def errors_json(asked: Iterable[tuple[str, GpuError, str | None]]) -> dict[str, Any]:
    """What was typed, what it means, and the nearest word where it is not known."""
    found = [{"asked": typed, **asdict(error), "did_you_mean": near} for typed, error, near in asked]
    return {"version": 1, "errors": found}


def list_json(errors: Iterable[GpuError]) -> dict[str, Any]:
    """Errors as a value for JSON."""
    return {"version": 1, "errors": [asdict(error) for error in errors]}


def log_json(log: GpuLog) -> dict[str, Any]:
    """Everything that was found, as a value for JSON; times are as the log wrote them."""
    return {"version": 1, "lines": log.lines, "dropped": log.dropped, "found": [asdict(each) for each in log.sights]}
