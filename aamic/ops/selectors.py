"""What is asked of Prometheus for one node: exact matchers only, so that `node1` never means `node10` too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.catalog import neutral
from aamic.model.fleet import Endpoint, Fleet, GpuProbe

PRESENT: Final = "gpu:present"
COUNTED: Final = "gpu:error_window_count"
COUNTERS: Final = (
    "gpu:ecc_corrected_total",
    "gpu:ecc_uncorrected_total",
    "gpu:ecc_deferred_total",
    "gpu:fabric_errors_total",
)
FLAGS: Final = ("gpu:row_remap_failure", "gpu:row_remap_pending", "gpu:unhealthy")
THROTTLE: Final = "gpu:throttle_ratio"
THROTTLED: Final = 0.1
"""Share of time slowed down by heat from which it is a sign; our policy, as in the alerts."""
CODE: Final = "gpu:last_error_code"
"""Read raw, as a record of it loses the time. The other neutral series keep their meaning as records."""


@dataclass(frozen=True, slots=True)
class CodeSource:
    """One raw metric of a vendor whose value is an error code; `labels` are ours -> the exporter's."""

    metric: str
    where: str
    labels: Mapping[str, str]


def probe_of(fleet: Fleet, node: str) -> GpuProbe | None:
    """How the GPUs of a node are read; None where nothing of this site does."""
    gpu = fleet.nodes[node].gpu
    return next((probe for probe in fleet.probes if gpu and probe.vendor == gpu.vendor and node in probe.hosts), None)


def endpoint_of(fleet: Fleet, probe: GpuProbe, node: str) -> Endpoint | None:
    """The endpoint that is scraped for these GPUs."""
    found = (each for each in fleet.endpoints if node in each.hosts)
    return next((each for each in found if (each.port, each.path) == (probe.port, probe.path)), None)


def code_sources(probe: GpuProbe) -> Iterator[CodeSource]:
    """The raw metrics from which a vendor's last error code is read."""
    for row in neutral.rows(probe.vendor):
        for source in row.sources if row.record == CODE else ():
            for metric in source.metrics:
                yield CodeSource(probe.prefix + metric, source.where, source.labels)


def up(fleet: Fleet, node: str, job: str) -> str:
    """The selector of the exporter's `up`."""
    return f"up{{{_node(fleet, node)},job={quoted(job)}}}"


def sieve(fleet: Fleet, node: str, span: tuple[float, float], limits: Mapping[str, float]) -> str:
    """PromQL that gives one series for each neutral record, in its label `record`, of which anything is to be told.

    Those are counters that grew, flags that are up, heat above its limit, counted codes; and the presence of GPUs. All
    others are not read: of a healthy node they are many, and say nothing. `limits` are degrees by record.
    """
    where, end = _node(fleet, node), f"{span[1]:.3f}"
    window = f"[{round((span[1] - span[0]) * 1000)}ms] @ {end}"
    told = [
        *(_told(name, f"changes({name}{{{where}}}{window}) > 0") for name in COUNTERS),
        *(_told(name, f"max_over_time({name}{{{where}}}{window}) > 0") for name in FLAGS),
        *(_told(name, f"max_over_time({name}{{{where}}}{window}) >= {limit:g}") for name, limit in limits.items()),
        _told(THROTTLE, f"max_over_time({THROTTLE}{{{where}}}{window}) > {THROTTLED}"),
        *(_told(name, f"present_over_time({name}{{{where}}}{window})") for name in (COUNTED, PRESENT)),
    ]
    return "\nor\n".join(told)


def _told(name: str, expr: str) -> str:
    return f'label_replace(group({expr}), "record", "{name}", "", "")'


def records(fleet: Fleet, node: str, names: Iterable[str]) -> str:
    """The selector of some neutral series of a node."""
    return f'{{__name__=~"{"|".join(names)}",{_node(fleet, node)}}}'


def codes(fleet: Fleet, node: str, source: CodeSource) -> str:
    """The selector of the raw codes of a node."""
    where = f",{source.where}" if source.where else ""
    return f"{source.metric}{{{_node(fleet, node)}{where}}}"


def quoted(text: str) -> str:
    r"""A text as PromQL's string; JSON's quoting is the same but for characters beyond ASCII, which stay.

    >>> print(quoted('a"b'))
    "a\"b"
    """
    return json.dumps(text, ensure_ascii=False)


def _node(fleet: Fleet, node: str) -> str:
    return f"cluster={quoted(fleet.cluster)},node={quoted(node)}"
