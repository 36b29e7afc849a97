"""Other clusters as text. What they answer is not trusted: it stands on lines of its own and steers no terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from math import floor
from typing import Final

from rich.cells import cell_len

from aamic.model.api import Alert, AlertCounts, Gpus, Node, Shard, Status
from aamic.model.overview import Absent, Details, FoundAlerts, Listed, Overview, Registry, Seen, Total, Tried
from aamic.views.table import padded, short, table
from aamic.views.terminal import safe, wrapped

DASH: Final = "-"
"""What is not known."""
_COLOURS: Final = {
    "ok": "32", "warning": "33", "critical": "1;31", "unknown": "35", "connected": "32", "fail": "1;31", "warn": "33",
}  # fmt: skip
_NAMES: Final = (40, 24, 16, 12)
"""Cells that names may have."""
_MOST: Final = 20
_LONGEST: Final = 1000
"""Characters of one thing that a cluster says."""
_BLANKS: Final = re.compile(" {2,}")
_LISTED: Final = ("cluster", "kind", "endpoint", "labels", "federated", "credentials")
_SEEN: Final = ("cluster", "verdict", "score", "nodes", "GPUs", "alerts", "state")


def registry_text(registry: Registry) -> str:
    """A line for each cluster, or what to do where there are none."""
    if not registry.clusters:
        return "no other clusters; `aamic clusters add` adds one\n"
    return table([_LISTED, *map(_listed, registry.clusters)])


def overview_text(overview: Overview, width: int, *, colour: bool) -> str:
    """A line for each cluster, the sums of those that are connected, and which are missing and why."""
    if not overview.clusters:
        return "no clusters to ask\n"
    rows = _rows(overview.clusters, width)
    lines = [rows[0], *(_painted(row, each, colour) for row, each in zip(rows[1:], overview.clusters, strict=True))]
    reasons = [line for each in overview.clusters for line in _reasons(each, width)]
    lines += [*reasons, *_total(overview.total, width)]
    return _text([*lines, *_missing(overview.missing, len(overview.clusters), width)])


def alerts_text(found: FoundAlerts, width: int, *, colour: bool) -> str:
    """A line for each alert with its cluster, and how many more there are; nothing where no cluster answered."""
    if not found.connected and not found.missing:
        return "no clusters to ask\n"
    if found.missing and not found.connected:
        return ""
    lines = [line for alert in found.alerts for line in _alert(alert, width, colour, f"{alert.cluster} ")]
    if not found.total:
        lines = ["no alerts in the clusters that answered" if found.missing else "no alerts"]
    if more := found.total - len(found.alerts):
        lines += wrapped(f"and {more:,} more; `--limit` shows more, `--severity` fewer", width)
    lines += [line for each in found.same for line in wrapped(_line(_repeated(each.name, each.same_as)), width)]
    return _text(lines)


def missing_text(missing: Sequence[Absent], of: int, width: int) -> str:
    """Which clusters gave no answer, and why; nothing where all did."""
    return _text(_missing(missing, of, width))


def tried_text(tried: Tried, width: int, *, colour: bool) -> str:
    """A line for each step of a test, what is odd, and the outcome."""
    marks = {True: "ok", False: "fail", None: DASH}
    lines = [
        line for step in tried.steps for line in _marked(marks[step.ok], f"{step.name}: {step.message}", width, colour)
    ]
    lines += [line for warning in tried.warnings for line in _marked("warn", warning, width, colour)]
    lines += wrapped(f"hint: {_line(tried.hint)}", width) if tried.hint else []
    return _text([*lines, f"{tried.name} is connected" if tried.connected else f"{tried.name} is not connected"])


def details_text(details: Details, width: int, *, colour: bool) -> str:
    """Everything that one cluster tells, from the whole to its parts."""
    seen, status = details.seen, details.seen.status
    lines = [f"{seen.name}: {seen.state} at {seen.endpoint}"]
    if status is None:
        lines += _indented([seen.message or "", *([f"hint: {seen.hint}"] if seen.hint else [])], width)
        return _text(lines)
    lines += _indented(_about(details, status), width)
    lines += _headed("GPUs", (f"{each.vendor}: {_gpus_in_words(each)}" for each in status.gpus), width)
    lines += _headed("shards", map(_shard, status.shards), width)
    lines += _headed("other clusters", (f"{each.name}: {each.state}" for each in status.clusters), width)
    lines += _headed("reasons", status.reasons, width)
    bad = [node for node in details.nodes or () if node.verdict != "ok"]
    lines += _headed("nodes that are not ok", map(_node, bad), width)
    if details.alerts:
        lines.append("alerts")
        lines += [line for each in details.alerts[:_MOST] for line in _alert(each, width, colour, "", 2)]
        lines += _more((details.alerts_total or 0) - len(details.alerts[:_MOST]))
    lines += _headed("not known", [*status.missing, *details.missing], width)
    return _text(lines)


# The rows


def _listed(cluster: Listed) -> tuple[str, ...]:
    given = [
        *([f"key ({cluster.api_key})"] if cluster.api_key else []),
        *([f"certificate (key: {cluster.tls_key or 'none'})"] if cluster.tls_cert else []),
        *(["own authorities"] if cluster.tls_ca_cert else []),
    ]
    labels = ",".join(f"{name}={value}" for name, value in cluster.labels.items())
    federated = "yes" if cluster.federate else "no"
    return cluster.name, cluster.kind, cluster.endpoint, short(labels, 40) or DASH, federated, ", ".join(given) or DASH


def _rows(clusters: Sequence[Seen], width: int) -> list[str]:
    """The head and a row for each cluster; names are cut shorter where the lines would be too long."""
    rows = []
    for longest in _NAMES:
        rows = table([_SEEN, *(_seen(each, longest) for each in clusters)]).splitlines()
        if max(map(cell_len, rows)) <= width:
            break
    return rows


def _seen(seen: Seen, longest: int) -> tuple[str, ...]:
    mark = " (own)" if seen.own else ""
    name = short(seen.name, longest - len(mark)) + mark
    status = seen.status
    if status is None:
        return name, *[DASH] * 5, seen.state
    nodes = _share(status.nodes.up, status.nodes.total)
    numbers = (_score(status.score), nodes, _gpus(status.gpus), _alerts(status.alerts))
    return name, status.verdict, *numbers, seen.state


def _painted(row: str, seen: Seen, colour: bool) -> str:  # noqa: FBT001  # private
    """The row with its verdict, or its state if it has none, in colour."""
    word = seen.status.verdict if seen.status else None
    if not colour or word is None:
        return row
    head, _, tail = row.partition(f"  {word}")
    return f"{head}  \033[{_COLOURS[word]}m{word}\033[0m{tail}"


def _reasons(seen: Seen, width: int) -> Iterator[str]:
    """Why a connected cluster is not counted, or is not ok, in one line of several."""
    if seen.same_as is not None:
        yield from wrapped(_line(_repeated(seen.name, seen.same_as)), width, "  ", "    ")
    elif seen.status and seen.status.verdict != "ok" and seen.status.reasons:
        more = len(seen.status.reasons) - 1
        rest = f" (and {more:,} more reasons)" if more > 1 else " (and 1 more reason)" if more else ""
        yield from wrapped(_line(f"{seen.name}: {seen.status.reasons[0]}{rest}"), width, "  ", "    ")


def _total(total: Total, width: int) -> Iterator[str]:
    parts = [
        f"score {_score(total.score)}",
        f"{_share(total.nodes.up, total.nodes.total, ' of ')} nodes up",
        f"{_gpus(total.gpus, ' of ')} GPUs" if total.gpus else "GPUs unknown",
        f"alerts: {_alerts_in_words(total.alerts)}",
    ]
    count = f"{total.connected:,} of {_counted(total.clusters)} connected: "
    yield from wrapped(count + (", ".join(parts) if total.connected else "nothing is known"), width, "", "  ")
    for name, lacks in total.lacks.items():
        yield from wrapped(_line(f"not known of {name}, so that sums lack it: {', '.join(lacks)}"), width, "", "  ")


def _missing(missing: Sequence[Absent], of: int, width: int) -> Iterator[str]:
    if not missing:
        return
    verb = "is" if len(missing) == 1 else "are"
    names = ", ".join(f"{each.name} ({each.state})" for each in missing)
    yield from wrapped(f"{len(missing):,} of {_counted(of)} {verb} missing: {_line(names)}", width, "", "  ")
    for each in missing:
        yield from wrapped(_line(f"{each.name}: {each.message}"), width, "  ", "    ")
        if each.hint:
            yield from wrapped(_line(f"hint: {each.hint}"), width, "    ")


def _alert(alert: Alert, width: int, colour: bool, whose: str, indent: int = 0) -> list[str]:  # noqa: FBT001  # private
    where = " ".join(alert.labels[name] for name in ("node", "gpu") if name in alert.labels)
    about = "" if alert.about is None else f"about {alert.about}"
    parts = (
        f"{whose}{alert.name}",
        about,
        where,
        "suppressed" if alert.state == "suppressed" else "",
        _moment(alert.since),
    )
    text = " · ".join(part for part in parts if part)
    return _marked(
        alert.severity or DASH, f"{text}{': ' if alert.summary else ''}{alert.summary}", width, colour, indent
    )


def _about(details: Details, status: Status) -> Iterator[str]:
    program = details.program
    if program is not None:
        yield f"{f'aamic {program.aamic}, API {program.api}' if program.aamic else program.api}"
    yield f"calls itself {status.cluster}; looked at {_moment(status.at)}"
    if labels := ", ".join(f"{name}={value}" for name, value in details.seen.labels.items()):
        yield f"labels: {labels}"
    yield f"verdict {status.verdict}, score {_score(status.score)}"
    down = f", {status.nodes.down:,} down" if status.nodes.down else ""
    yield f"nodes: {_share(status.nodes.up, status.nodes.total, ' of ')} up{down}"
    if status.verdicts is not None:
        yield "nodes by verdict: " + ", ".join(f"{count:,} {name}" for name, count in status.verdicts if count)
    yield f"alerts: {_alerts_in_words(status.alerts)}"


def _shard(shard: Shard) -> str:
    name = f"{shard.name}/{shard.replica}" if shard.replica else shard.name
    up = {True: "up", False: "down", None: "unknown"}[shard.up]
    targets = f"targets {_number(shard.targets_up)} up, {_number(shard.targets_down)} down"
    series = f"{_number(shard.series)} series"
    return f"{name}: {up}; {_number(shard.nodes)} nodes; {targets}; {series}"


def _node(node: Node) -> str:
    return f"{node.name}: {node.verdict}{': ' if node.reasons else ''}{'; '.join(node.reasons)}"


def _gpus_in_words(gpus: Gpus) -> str:
    use = "unknown" if gpus.utilization is None else f"{gpus.utilization:.0%}"
    watts = "" if gpus.power_watts is None else f", {gpus.power_watts / 1000:,.1f} kW"
    return (
        f"{_share(gpus.present, gpus.expected, ' of ')} present, {_number(gpus.unhealthy)} unhealthy, use {use}{watts}"
    )


# Pieces


def _repeated(name: str, same_as: str) -> str:
    return f"{name}: the same cluster as {same_as}: not counted again"


def _line(text: str) -> str:
    """What a cluster says as one line that fills no window, however much it is and with however many blanks."""
    line = _BLANKS.sub(" ", text)
    return safe(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…")


def _headed(title: str, items: Iterable[str], width: int) -> Iterator[str]:
    listed = list(items)
    if listed:
        yield title
        yield from _indented(listed[:_MOST], width)
        yield from _more(len(listed) - _MOST)


def _more(number: int) -> Iterator[str]:
    if number > 0:
        yield f"  and {number:,} more; `--json` has what was read"


def _indented(texts: Iterable[str], width: int) -> list[str]:
    return [line for text in texts for line in wrapped(_line(text), width, "  ", "    ")]


def _marked(mark: str, text: str, width: int, colour: bool, indent: int = 0) -> list[str]:  # noqa: FBT001  # private
    """Lines of which the first begins with a word that may have a colour."""
    word = short(mark, 10)
    lead = f"{' ' * indent}{padded(word, 8)}  "
    first, *others = wrapped(_line(text), width, lead, " " * cell_len(lead))
    if colour and (code := _COLOURS.get(mark)):
        first = first.replace(word, f"\033[{code}m{word}\033[0m", 1)
    return [first, *others]


def _gpus(gpus: Sequence[Gpus], between: str = "/") -> str:
    """GPUs of all vendors together; what is not known of one is left out."""
    if not gpus:
        return DASH
    return _share(_sum(each.present for each in gpus), _sum(each.expected for each in gpus), between)


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _share(part: int | None, whole: int | None, between: str = "/") -> str:
    return f"{_number(part)}{between}{_number(whole)}"


def _number(number: int | None) -> str:
    return DASH if number is None else f"{number:,}"


def _score(score: float | None) -> str:
    """The score, rounded down: nothing but 100 is 100."""
    return DASH if score is None else f"{floor(score * 10) / 10:.1f}"


def _alerts(counts: AlertCounts | None) -> str:
    if counts is None:
        return DASH
    letters = ((counts.critical, "c"), (counts.warning, "w"), (counts.info, "i"))
    return " ".join(f"{number:,}{letter}" for number, letter in letters if number) or "0"


def _alerts_in_words(counts: AlertCounts | None) -> str:
    if counts is None:
        return "unknown"
    return ", ".join(f"{number:,} {name}" for name, number in counts if number) or "none"


def _counted(clusters: int) -> str:
    return f"{clusters:,} cluster" + ("" if clusters == 1 else "s")


def _moment(time: float) -> str:
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # a number that no clock shows
        return DASH


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
