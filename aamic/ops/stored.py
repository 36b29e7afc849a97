"""The `gpu:*` series that servers stored of nodes, with what may be missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, TypeVar

from aamic.agent.health.nodepolicy import Policy
from aamic.clients.base import History, Sample, Track
from aamic.errors import OutsideError

NAMES: Final = (
    "temperature_celsius",
    "memory_temperature_celsius",
    "ecc_corrected_total",
    "ecc_uncorrected_total",
    "row_remap_failure",
    "row_remap_pending",
    "unhealthy",
    "health_warning",
    "last_error_code",
    "error_window_count",
    "throttle_ratio",
)
"""What the judge reads, without the prefix `gpu:`."""
HEAT: Final = ("thermal", "memory_thermal")
"""Reasons of `gpu:throttle_ratio` that the judge counts."""
_FLAGS: Final = {
    "uncorrected_ecc": "ecc_uncorrected_total",
    "row_remap_failure": "row_remap_failure",
    "unhealthy": "unhealthy",
}
_LONG: Final = 16
"""Digits of a code that is none."""
_PIECE: Final = 6 * 3600
_SMALL_PIECE: Final = 2 * 3600
"""Seconds that are counted at once: of 1,000 nodes with 8 GPUs a tenth, or half, of what Prometheus holds in memory."""
_T = TypeVar("_T")
_SOFT: Final = {"temperature": "temperature_celsius", "memory_temperature": "memory_temperature_celsius"}


@dataclass(frozen=True, slots=True)
class Holder:
    """Servers that hold the series of the same nodes; `lookback` is how long a sample counts, in seconds."""

    name: str
    nodes: tuple[str, ...]
    servers: tuple[History, ...]
    lookback: float


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the past, looked at every `step` seconds."""

    start: float
    end: float
    step: int

    @property
    def steps(self) -> int:
        """How many looks it has; what is left of a step has none."""
        return int((self.end - self.start) // self.step)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a server says of a whole span at once, by node.

    `seen` is the share of the span with a temperature, `fewest` the least GPUs at a time, `most` the highest reading of
    each name, and `codes` every error code that may have been shown; a code that is not known is None.
    """

    seen: Mapping[str, float]
    fewest: Mapping[str, float]
    most: Mapping[tuple[str, str], float]
    codes: Mapping[str, frozenset[int | None]]

    def known(self, node: str) -> bool:
        """Whether anything is stored of a node."""
        return node in self.seen or node in self.codes or any((node, name) in self.most for name in _FLAGS.values())

    def may_fail(self, node: str, policy: Policy) -> bool:
        """Whether a judge with this policy could call the node failing at any time of the span; if in doubt, yes."""
        signals = policy.drain_on
        lost = "lost_gpu" in signals and self.fewest.get(node, 0) < policy.gpus
        fatal = "fatal_error" in signals and not self.codes.get(node, frozenset()).isdisjoint(
            policy.fatal_codes | {None}
        )
        flagged = any(signal in signals and self.most.get((node, name), 0) > 0 for signal, name in _FLAGS.items())
        return lost or fatal or flagged or any(self._crossed(node, policy, *each) for each in _SOFT.items())

    def _crossed(self, node: str, policy: Policy, signal: str, name: str) -> bool:
        limit = policy.limits.get(name)
        if signal not in policy.drain_on or limit is None or limit.fail is None:
            return False
        return self.most.get((node, name), 0) >= limit.fail


def glance(holder: Holder, cluster: str, span: Span) -> Glance:
    """Ask for the whole of a span at once, which is a few answers of a line for each GPU.

    Raises:
        OutsideError: No server of the holder answers.
    """
    return _first(holder, lambda server: _glance(server, cluster, span))


def _glance(server: History, cluster: str, span: Span) -> Glance:
    where, seconds, at = _cluster(cluster), round(span.end - span.start), f"@ {span.end:.3f}"

    def over(function: str, name: str, by: str = "node") -> Sequence[Sample]:
        return server.query(f"{function} by ({by}) ({function}_over_time(gpu:{name}{{{where}}}[{seconds}s] {at}))")

    names = (*_FLAGS.values(), *_SOFT.values())
    seen, fewest = _counted(server, where, span)
    return Glance(
        seen={node: min(1.0, count / span.steps) for node, count in seen.items()},
        fewest=fewest,
        most={(node, name): value for name in names for node, value in _by_node(over("max", name)).items()},
        codes=_joined(
            _codes(over("min", "last_error_code", "node, gpu"), over("max", "last_error_code", "node, gpu")),
            _windows(over("max", "error_window_count", "node, code, error_severity")),
        ),
    )


def _counted(server: History, where: str, span: Span) -> tuple[dict[str, float], dict[str, float]]:
    """In how many looks a node had a temperature, and how few GPUs it had at the least.

    Where some look has none, which GPUs have anything at all must be asked too, as that is how the judge counts them.
    """
    seen: dict[str, float] = {}
    fewest: dict[str, float] = {}
    for looks in _looks(f"count by (node) (gpu:temperature_celsius{{{where}}})", span, _PIECE):
        for node, count in _by_node(server.query(f"count_over_time({looks})")).items():
            seen[node] = seen.get(node, 0) + count
        _lower(fewest, server.query(f"min_over_time({looks})"))
    if min(seen.values(), default=0) < span.steps:
        fewest = {}
        anything = f'{{__name__=~"gpu:({"|".join(NAMES)})",{where}}}'
        for looks in _looks(f"count by (node) (count by (node, gpu) ({anything}))", span, _SMALL_PIECE):
            _lower(fewest, server.query(f"min_over_time({looks})"))
    return seen, fewest


def _lower(fewest: dict[str, float], samples: Sequence[Sample]) -> None:
    for node, least in _by_node(samples).items():
        fewest[node] = min(least, fewest.get(node, least))


def _looks(expr: str, span: Span, seconds: int) -> Iterator[str]:
    """An expression at each look of a span, in pieces that a server can hold in memory."""
    start, long = span.start, max(span.step, seconds // span.step * span.step)
    while start < span.end:
        end = min(start + long, span.end)
        yield f"({expr})[{round(end - start)}s:{span.step}s] @ {end:.3f}"
        start = end


def _by_node(samples: Sequence[Sample]) -> dict[str, float]:
    return {each.labels.get("node", ""): each.value for each in samples}


Codes = Mapping[str, frozenset[int | None]]


def _joined(one: Codes, other: Codes) -> Codes:
    return {node: one.get(node, frozenset()) | other.get(node, frozenset()) for node in {*one, *other}}


def _codes(lowest: Sequence[Sample], highest: Sequence[Sample]) -> Codes:
    """A code that never changed is known; of others it is only known that there were several."""
    low = {tuple(sorted(each.labels.items())): each.value for each in lowest}
    found: dict[str, set[int | None]] = {}
    for each in highest:
        same = low.get(tuple(sorted(each.labels.items()))) == each.value
        own = found.setdefault(each.labels.get("node", ""), set())
        if each.value > 0:
            own.add(int(each.value) if same and isfinite(each.value) else None)
    return {node: frozenset(codes) for node, codes in found.items()}


def _windows(samples: Sequence[Sample]) -> Codes:
    found: dict[str, set[int | None]] = {}
    for each in samples:
        code = each.labels.get("code", "")
        known = code.isascii() and code.isdigit() and len(code) < _LONG and each.labels.get("error_severity") != "fatal"
        if each.value > 0:
            found.setdefault(each.labels.get("node", ""), set()).add(int(code) if known else None)
    return {node: frozenset(codes) for node, codes in found.items()}


def tracks(holder: Holder, cluster: str, node: str, start: float, end: float) -> Sequence[Track]:
    """Everything that the judge reads of one node.

    Raises:
        OutsideError: No server of the holder answers.
    """
    names = "|".join(NAMES)
    selector = f'{{__name__=~"gpu:({names})",{_cluster(cluster)},node={json.dumps(node)}}}'
    return _first(holder, lambda server: server.tracks(selector, start, end))


def _cluster(cluster: str) -> str:
    return f"cluster={json.dumps(cluster)}"  # JSON's quoting of a text is PromQL's


def _first(holder: Holder, ask: Callable[[History], _T]) -> _T:
    """The answer of the first server that gives one."""
    faults = []
    for server in holder.servers:
        try:
            return ask(server)
        except OutsideError as error:
            faults.append(str(error))
    raise OutsideError("; ".join(faults) or f"no server holds the series of `{holder.name}`")
