"""What servers know of many nodes now: the newest sample of every series, and in which nodes anything happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Final

from aamic.agent.health.exposition import Sample as Read
from aamic.agent.health.nodepolicy import Policy
from aamic.agent.health.readings import Readings, readings
from aamic.clients.base import History, Sample, Track
from aamic.errors import OutsideError
from aamic.ops.replay import SIGNALS, counts
from aamic.ops.selectors import quoted
from aamic.ops.stored import HEAT, NAMES

HOUR: Final = 3600
"""Seconds that are looked back at: the longest that the judge does."""
_CHECK: Final = ("aamic_node_verdict", "aamic_node_check_timestamp_seconds", "aamic_node_failing_signal")
_PATTERN: Final = f"gpu:({'|'.join(NAMES)})"


@dataclass
class Present:
    """What is there of one node: samples that the judge reads, when the newest was, and how many series each GPU has.

    `up` is that of each job, `told` what the node check says: its verdict, its signals, and when that was.
    """

    samples: list[Read] = field(default_factory=list)
    newest: float | None = None
    series: dict[str, int] = field(default_factory=dict)
    up: dict[str, tuple[float, float]] = field(default_factory=dict)
    verdict: str = ""
    signals: list[tuple[str, str]] = field(default_factory=list)
    checked: float | None = None

    def readings(self) -> Readings:
        """What the judge reads."""
        return readings(self.samples, SIGNALS)


def server_time(server: History, name: str) -> float:
    """What time it is for a server, in seconds since 1970; another clock than its own says nothing of its samples.

    Raises:
        OutsideError: It does not answer, or with no time.
    """
    now = next((sample.value for sample in server.query("vector(time())")), nan)
    if not isfinite(now):
        raise OutsideError(f"`{name}` does not say what time it is", "is it the address of another server?")
    return now


def present(server: History, where: str, now: float, lookback: float) -> dict[str, Present]:
    """What was stored of nodes within the last `lookback` seconds, by node; older samples are no data.

    Raises:
        OutsideError: The server does not answer, or refuses the query.
    """
    found: dict[str, Present] = {}
    selector = f'{{__name__=~"{_PATTERN}|up|{"|".join(_CHECK)}",{where}}}'
    for track in server.tracks(selector, now - lookback, now):
        if track.samples:
            _add(found.setdefault(track.labels.get("node", ""), Present()), track)
    return found


def _add(found: Present, track: Track) -> None:
    name, (at, value) = track.labels.get("__name__", ""), track.samples[-1]
    if name.startswith("gpu:"):
        gpu = track.labels.get("gpu", "")
        found.series[gpu] = found.series.get(gpu, 0) + 1
        found.newest = max(at, found.newest or at)
        if counts(track):
            found.samples.append(Read(name.removeprefix("gpu:"), dict(track.labels), value))
    elif name == "up":
        job = track.labels.get("job", "")
        found.up[job] = max(found.up.get(job, (at, value)), (at, value))
    elif name == "aamic_node_check_timestamp_seconds":
        found.checked = value
    elif name == "aamic_node_verdict" and value == 1:
        found.verdict = track.labels.get("verdict", "")
    elif name == "aamic_node_failing_signal" and value == 1:
        found.signals.append((track.labels.get("signal", ""), track.labels.get("gpu", "")))


def usual(server: History, where: str, now: float, lookback: float) -> dict[str, float]:
    """How many GPUs of nodes report each thing that the judge reads; how many report anything at all stands below ''.

    Raises:
        OutsideError: The server does not answer, or refuses the query.
    """
    heat = f'reason=~"|{"|".join(HEAT)}"'  # other series have no reason
    selector = f'last_over_time({{__name__=~"{_PATTERN}",{where},{heat}}}[{lookback:g}s] @ {now:.3f})'
    # NaN and infinity are no readings.
    finite = f"({selector} > -Inf < Inf)"
    each = server.query(f"count by (__name__) (count by (__name__, node, gpu) ({finite}))")
    every = server.query(f"count(count by (node, gpu) ({finite}))")
    counts = {one.labels.get("__name__", "").removeprefix("gpu:"): one.value for one in each}
    return counts | {"": sum(one.value for one in every)}


def eventful(
    server: History, where: str, policy: Policy, now: float, known: Mapping[str, Present]
) -> dict[str, frozenset[str]]:
    """The GPUs, by node, of which the last hour has to be looked at: a judge may remember something of it.

    Of all others it would remember nothing that counts: no bound was reached, no counter grew, no code changed, and
    every series of the hour is there now.

    Raises:
        OutsideError: The server does not answer, or refuses the query.
    """
    over = f"[{HOUR}s] @ {now:.3f}"
    by = "count by (node, gpu)"
    asked = [f"{by} (changes(gpu:{name}{{{where}}}{over}) > 0)" for name in _CHANGING]
    for name, limit in policy.limits.items():
        bounds = [bound for bound in (limit.warn, limit.fail) if bound is not None]
        if name in NAMES and bounds:
            reason = f',reason=~"{"|".join(HEAT)}"' if name == "throttle_ratio" else ""
            asked.append(f"{by} (max_over_time(gpu:{name}{{{where}{reason}}}{over}) >= {min(bounds):.10g})")
    series = server.query(f'{by} (last_over_time({{__name__=~"{_PATTERN}",{where}}}{over}))')
    now_there = {(node, gpu): count for node, each in known.items() for gpu, count in each.series.items()}
    told = {_key(sample) for sample in server.query("\nor\n".join(asked))}
    told |= {key for sample in series if now_there.get(key := _key(sample)) != sample.value}
    found: dict[str, set[str]] = {}
    for node, gpu in told:
        found.setdefault(node, set()).add(gpu)
    return {node: frozenset(gpus) for node, gpus in found.items()}


_CHANGING: Final = ("ecc_corrected_total", "last_error_code")


def _key(sample: Sample) -> tuple[str, str]:
    return sample.labels.get("node", ""), sample.labels.get("gpu", "")


def hour(
    server: History, where: str, gpus: Mapping[str, frozenset[str]], now: float, lookback: float
) -> dict[str, list[Track]]:
    """Everything of the last hour that the judge reads of some GPUs of the nodes that `where` matches, by node.

    Raises:
        OutsideError: The server does not answer, or refuses the query.
    """
    found: dict[str, list[Track]] = {node: [] for node in gpus}
    every = frozenset[str]().union(*gpus.values())
    if all(each.isdecimal() for each in every):
        where += f',gpu=~"{"|".join(sorted(every))}"'
    for track in server.tracks(f'{{__name__=~"{_PATTERN}",{where}}}', now - HOUR - lookback, now):
        node = track.labels.get("node", "")
        if track.labels.get("gpu", "") in gpus.get(node, frozenset()):
            found[node].append(track)
    return found


def matcher(cluster: str, nodes: Sequence[str], more: str = "") -> str:
    """What matches the series of these nodes, and of no other; `more` are further matchers."""
    names = "|".join(each.replace(".", r"\.") for each in nodes)
    return ",".join(filter(None, (f"cluster={quoted(cluster)}", f"node=~{quoted(names)}", more)))
