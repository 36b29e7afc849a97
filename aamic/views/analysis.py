"""Analyses of jobs and nodes as text and JSON: the verdict first, then why, then a short time line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from aamic.model.analysis import CORRELATIONS, Analysis, Correlation, Event, Gap, NodeAnalysis
from aamic.model.slurm import Job
from aamic.views.hosts import Fold
from aamic.views.slurm import job_json
from aamic.views.terminal import safe, wrapped

_MOST: Final = 20
"""Lines of a time line, and of gaps; JSON has all."""
_WHOLE: Final = 5
"""Tasks or runs that are told in full."""
_VERDICT: Final[dict[Correlation, str]] = {
    "none": "no sign that a GPU did this",
    "unknown": "not known whether a GPU did this",
    "possible": "a GPU may have done this",
    "likely": "a GPU likely did this",
    "confirmed": "a GPU did this",
}

Line = tuple[int, str]


def jobs_text(analyses: Sequence[Analysis], fold: Fold, width: int = 100) -> str:
    """Every run of a job; of several a line that sums up, then those worth a look, the worst first."""
    if len(analyses) == 1:
        return _lines_text(_job(analyses[0], fold), width)
    ordered = sorted(analyses, key=lambda each: -CORRELATIONS.index(each.correlation))
    whole = min(_WHOLE, sum(each.correlation != "none" for each in ordered))
    loud, rest = ordered[:whole], ordered[whole:]
    parts = [_lines_text([(0, _summary(analyses))], width), *(_lines_text(_job(each, fold), width) for each in loud)]
    lines = [(0, f"{each.correlation}: {_head(each, fold)}") for each in rest[:_MOST]]
    if len(rest) > _MOST:
        lines.append((0, f"and {len(rest) - _MOST:,} more; --json has them all"))
    return "\n".join([*parts, _lines_text(lines, width)] if lines else parts)


def _summary(analyses: Sequence[Analysis]) -> str:
    counts = {level: sum(each.correlation == level for each in analyses) for level in reversed(CORRELATIONS)}
    told = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    return f"{len(analyses)} tasks or runs: {told}"


def _job(found: Analysis, fold: Fold) -> Iterator[Line]:
    yield 0, f"{found.correlation}: {_VERDICT[found.correlation]}{_confidence(found)}"
    yield 0, _head(found, fold)
    yield 0, "why:"
    yield from ((2, reason) for reason in found.reasons)
    yield 0, f"do: {found.recommendation}"
    if found.window is not None and found.events:
        yield 0, "time line (UTC):"
        yield from _time_line(found)
    yield from _gaps(found.gaps, fold)
    yield from ((0, f"note: {note}") for note in found.notes)


def _confidence(found: Analysis) -> str:
    return f" ({found.confidence} %)" if found.correlation != "unknown" else ""


def _head(found: Analysis, fold: Fold) -> str:
    job = found.job
    where = f" on {fold(job.nodes)}" if job.nodes else ""
    again = f", run {job.restarts + 1}" if job.restarts else ""
    return f"job {job.shown} ({job.name}, {job.user}{again}): {_outcome(job)}{where}"


def _outcome(job: Job) -> str:
    if job.exit is None or job.ended is None:
        return job.state
    by = f" by signal {job.exit.signal}" if job.exit.signal else ""
    return f"{job.state}, exit {job.exit.code}{by}"


def _time_line(found: Analysis) -> Iterator[Line]:
    job = found.job
    marks = [(job.started, "started"), (job.ended, f"ended: {_outcome(job)}")]
    lines = [(at, 0, text) for at, text in marks if at is not None]
    lines += [(event.at, 1, _event(event)) for event in found.events]
    yield from _dated(sorted(lines))


def _dated(lines: Sequence[tuple[float, int, str]]) -> Iterator[Line]:
    """Lines with their times; of many the first and last ones."""
    shown = lines if len(lines) <= _MOST else [*lines[: _MOST // 2], *lines[-_MOST // 2 :]]
    day = ""
    for number, (at, _, text) in enumerate(shown):
        if len(lines) > _MOST and number == _MOST // 2:
            yield 2, f"... {len(lines) - _MOST} more; --json has them all"
        moment = datetime.fromtimestamp(at, UTC)
        if f"{moment:%Y-%m-%d}" != day:
            day = f"{moment:%Y-%m-%d}"
            yield 2, day
        yield 2, f"{moment:%H:%M:%S}  {text}"


def _event(event: Event) -> str:
    return f"{event.node} GPU {event.gpu}  {event.severity}  {event.what}"


def _gaps(gaps: Sequence[Gap], fold: Fold) -> Iterator[Line]:
    """What is not known, each thing once with all nodes of which it is not."""
    same: dict[tuple[float, float, str], list[str]] = {}
    for gap in gaps:
        same.setdefault((gap.start, gap.end, gap.why), []).append(gap.node)
    if same:
        yield 0, "not known (UTC):"
    for (start, end, why), nodes in list(same.items())[:_MOST]:
        yield 2, f"{fold(dict.fromkeys(nodes))} {_moment(start)} to {_moment(end)}: {why}"
    if len(same) > _MOST:
        yield 2, f"and {len(same) - _MOST:,} more; --json has them all"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def affected_text(node: str, since: float, jobs: Sequence[Analysis], fold: Fold, width: int = 100) -> str:
    """The jobs of a node, those first that its events may have hit."""
    hit = [each for each in jobs if each.correlation not in {"none", "unknown"}]
    unsure = [each for each in jobs if each.correlation == "unknown"]
    lines: list[Line] = [
        (0, f"{node} since {_moment(since)} UTC: {_counted(len(jobs), 'job')}, {len(hit)} may be affected")
    ]
    if unsure:
        lines.append((0, f"{len(unsure)} of them are not known: data are missing for part of their time"))
    for each in sorted(jobs, key=lambda each: (-CORRELATIONS.index(each.correlation), each.job.started or 0.0)):
        lines.append((2, f"{each.correlation}{_confidence(each)}: {_head(each, fold)}"))
        lines += [(4, reason) for reason in each.reasons[:1] if each.correlation not in {"none", "unknown"}]
    lines += _gaps(tuple(dict.fromkeys(gap for each in jobs for gap in each.gaps)), fold)
    return _lines_text(lines, width)


def node_text(found: NodeAnalysis, fold: Fold, width: int = 100) -> str:
    """A node: who is suspected, how Slurm has it, its time line, and the jobs that ran."""
    return _lines_text(_node(found, fold), width)


def _node(found: NodeAnalysis, fold: Fold) -> Iterator[Line]:
    yield 0, f"{found.node}: {_node_verdict(found)}"
    for suspect in found.suspects:
        jobs = f"; jobs {', '.join(suspect.jobs[:_MOST])}" if suspect.jobs else ""
        yield 2, f"GPU {suspect.gpu}: {suspect.worst}, {_counted(suspect.events, 'event')}{jobs}"
    yield 0, _in_slurm(found)
    for event in found.older:
        yield 0, f"older than {_moment(found.start)} UTC: {_event(event)}"
    if found.events:
        yield 0, "time line (UTC):"
        yield from _dated([(event.at, 0, _event(event)) for event in found.events])
    if found.jobs:
        yield 0, f"{_counted(len(found.jobs), 'job')} ran:"
        yield from ((2, f"{each.correlation}: {_head(each, fold)}") for each in found.jobs[:_MOST])
    if len(found.jobs) > _MOST:
        yield 2, f"and {len(found.jobs) - _MOST} more; --json has them all"
    yield from _gaps(found.gaps, fold)
    yield from ((0, f"note: {note}") for note in found.notes)


def _node_verdict(found: NodeAnalysis) -> str:
    if found.suspects:
        count = len(found.suspects)
        return f"{count} GPU{' is' if count == 1 else 's are'} suspected"
    return "not known: data are missing" if found.gaps else "no GPU is suspected"


def _in_slurm(found: NodeAnalysis) -> str:
    if found.slurm is None:
        return "in Slurm: not known"
    state = "+".join((found.slurm.state, *found.slurm.flags))
    if not found.slurm.reason:
        return f"in Slurm: {state}"
    at = f" at {_moment(found.slurm.reason_at)} UTC" if found.slurm.reason_at is not None else ""
    by = f", by {found.slurm.reason_by}{at}" if found.slurm.reason_by else at
    return f"in Slurm: {state}: {found.slurm.reason}{by}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _lines_text(lines: Iterable[Line], width: int) -> str:
    pieces = (wrapped(safe(line), width, " " * indent, " " * (indent + 2)) for indent, line in lines)
    return "".join(f"{piece}\n" for those in pieces for piece in those)


def jobs_json(analyses: Sequence[Analysis]) -> dict[str, Any]:
    """Every run of a job as a value for JSON; times are seconds since 1970."""
    return {"version": 1, "jobs": [job_analysis_json(each) for each in analyses]}


def job_analysis_json(found: Analysis) -> dict[str, Any]:
    """One run of a job as a value for JSON."""
    return {
        "job": job_json(found.job),
        "start": found.window.start if found.window else None,
        "end": found.window.end if found.window else None,
        "correlation": found.correlation,
        "confidence": found.confidence,
        "reasons": list(found.reasons),
        "recommendation": found.recommendation,
        "gpus_known_from": found.known,
        "events": [asdict(event) for event in found.events],
        "elsewhere": [asdict(event) for event in found.elsewhere],
        "older": [asdict(event) for event in found.older],
        "gaps": [asdict(gap) for gap in found.gaps],
        "notes": list(found.notes),
    }


def affected_json(node: str, since: float, jobs: Sequence[Analysis]) -> dict[str, Any]:
    """The jobs of a node as a value for JSON."""
    return {"version": 1, "node": node, "since": since, "jobs": [job_analysis_json(each) for each in jobs]}


def node_json(found: NodeAnalysis) -> dict[str, Any]:
    """A node as a value for JSON."""
    return {
        "version": 1,
        "node": found.node,
        "start": found.start,
        "end": found.end,
        "suspects": [{**asdict(each), "jobs": list(each.jobs)} for each in found.suspects],
        "events": [asdict(event) for event in found.events],
        "older": [asdict(event) for event in found.older],
        "jobs": [job_analysis_json(each) for each in found.jobs],
        "gaps": [asdict(gap) for gap in found.gaps],
        "notes": list(found.notes),
        "slurm": asdict(found.slurm) if found.slurm else None,
    }
