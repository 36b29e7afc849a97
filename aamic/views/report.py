"""A report for a terminal, and for a machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from aamic.model.report import HostReport, HostState, Report, WaveReport
from aamic.views.hosts import Fold, collapsed
from aamic.views.terminal import safe, wrapped

_ORDER: Final[tuple[HostState, ...]] = (
    "unknown",
    "half restored",
    "restored",
    "refused",
    "not reached",
    "not started",
    "already",
    "done",
)


def text(report: Report, fold: Fold, *, width: int = 100) -> str:
    """The report in lines of at most `width` cells: what became of the hosts, what was told, and the outcome last."""
    lines: list[tuple[int, str]] = []
    for state in _ORDER:
        lines += _state(state, [each for each in report.hosts if each.state == state], fold)
    lines += [(0, line) for line in _noted(report, fold)]
    lines += [(0, f"note: {note}") for note in report.notes]
    lines.append((0, _outcome(report)))
    pieces = (wrapped(safe(line), width, " " * indent, " " * (indent + 2)) for indent, line in lines)
    return "".join(f"{piece}\n" for those in pieces for piece in those)


def wave_line(wave: WaveReport) -> str:
    """What became of one wave.

    >>> wave_line(WaveReport("exporters", True, ("a", "b"), 1, 7.31, "passed"))
    '1 of 2 done in 7.3 s; gate: passed'
    """
    good = len(wave.hosts) - wave.failed
    gate = f"; gate: {wave.gate}" if wave.gate else ""
    return f"{good:,} of {len(wave.hosts):,} done in {wave.seconds:.1f} s{gate}"


def summary(report: Report) -> dict[str, Any]:
    """What was done, by whom, from what, and whether it went well; for the report and the journal."""
    origin = report.origin
    return {
        "action": report.action,
        "release": origin.release,
        "who": origin.who,
        "revision": origin.revision,
        "plan": origin.plan,
        "tree": origin.tree,
        "ok": report.ok,
        "stopped": report.stopped,
        "interrupted": report.interrupted,
    }


def to_json(report: Report) -> dict[str, Any]:
    """The report as a value for JSON."""
    return {
        "version": 1,
        **summary(report),
        "notes": list(report.notes),
        "held": list(report.held),
        "hosts": {
            each.host: {"state": each.state, "message": each.message, "notes": list(each.notes)}
            for each in report.hosts
        },
        "waves": [
            {
                "stage": wave.stage,
                "canary": wave.canary,
                "hosts": list(wave.hosts),
                "failed": wave.failed,
                "seconds": round(wave.seconds, 3),
                "gate": wave.gate,
            }
            for wave in report.waves
        ],
    }


def _state(state: HostState, reports: Iterable[HostReport], fold: Fold) -> Iterator[tuple[int, str]]:
    for message, hosts in collapsed((each.host, each.message) for each in reports):
        yield 0, f"{state} · {counted(len(hosts))} · {fold(hosts)}"
        if message:
            yield 2, message


def _noted(report: Report, fold: Fold) -> Iterator[str]:
    for note, hosts in collapsed((each.host, note) for each in report.hosts for note in each.notes):
        yield f"note: {note} ({fold(hosts)})"


def _outcome(report: Report) -> str:
    counts = report.counts()
    good = counts.get("done", 0) + counts.get("already", 0)
    head = f"{report.action} {report.origin.release}: {good:,} of {counted(len(report.hosts))} done"
    others = [f"{counts[state]:,} {state}" for state in _ORDER[:-2] if state in counts]
    end = "; interrupted" if report.interrupted else f"; {report.stopped}" if report.stopped else ""
    held = f"; held back: {', '.join(report.held)}" if report.held else ""
    return ", ".join([head, *others]) + held + end


def counted(hosts: int) -> str:
    """A number of hosts.

    >>> counted(1), counted(2000)
    ('1 host', '2,000 hosts')
    """
    return f"{hosts:,} host{'' if hosts == 1 else 's'}"
