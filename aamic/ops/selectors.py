"""What is asked of Prometheus for one node: exact matchers only, so that `node1` never means `node10` too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.catalog import neutral
from aamic.model.fleet import Endpoint, Fleet, GpuProbe

RECORDS: Final = (
    "gpu:present",
    "gpu:temperature_celsius",
    "gpu:memory_temperature_celsius",
    "gpu:ecc_corrected_total",
    "gpu:ecc_uncorrected_total",
    "gpu:ecc_deferred_total",
    "gpu:fabric_errors_total",
    "gpu:row_remap_failure",
    "gpu:row_remap_pending",
    "gpu:throttle_ratio",
    "gpu:error_window_count",
    "gpu:unhealthy",
)
"""Neutral series that keep their meaning as records. The last error code does not: a record loses its time."""
CODE: Final = "gpu:last_error_code"


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


def records(fleet: Fleet, node: str) -> str:
    """The selector of all neutral series of a node that are of use."""
    return f'{{__name__=~"{"|".join(RECORDS)}",{_node(fleet, node)}}}'


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
