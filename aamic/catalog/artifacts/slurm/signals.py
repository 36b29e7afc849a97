"""What the node check reads of a vendor's exporter: the rows of its `metrics.yaml` that decide, as plain values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from aamic.catalog import neutral
from aamic.catalog.gpuerrors import always_shown

_READ: Final = (
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
"""Names of `gpu:*` series, without that prefix."""
_HEAT: Final = frozenset({"thermal", "memory_thermal"})
_REQUIRED: Final = "temperature_celsius"
"""Every product has it, so a GPU without it is one of which nothing is known."""
_MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_OPERATION: Final = re.compile(r"([*/]|[<>]=?|[=!]=) (?:bool )?([0-9.]+)")


def signals(vendor: str, prefix: str, emitted: Collection[str]) -> list[dict[str, Any]]:
    """The signals of a vendor whose metrics are emitted; rows of one name are one signal, the worst of them counts."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in neutral.rows(vendor):
        name = row.record.removeprefix("gpu:")
        if name in _READ and (name != "throttle_ratio" or row.labels["reason"] in _HEAT):
            for source in row.sources:
                metrics = [prefix + metric for metric in source.metrics]
                if emitted and set(metrics) <= set(emitted):
                    kind = "throttle_seconds_total" if source.rate else name
                    found.setdefault(kind, []).append(_source(source, metrics))
    return [_signal(vendor, name, sources) for name, sources in sorted(found.items())]


def _signal(vendor: str, name: str, sources: list[dict[str, Any]]) -> dict[str, Any]:
    signal: dict[str, Any] = {"name": name, "sources": sources}
    if name == _REQUIRED or (name == "last_error_code" and always_shown(vendor)):
        signal["required"] = True
    elif name in {"last_error_code", "error_window_count"}:
        signal["sometimes"] = True
    return signal


def _source(source: neutral.Source, metrics: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"metrics": metrics, "labels": dict(source.labels)}
    if source.where:
        out["where"] = [list(matcher) for matcher in _parsed(_MATCHER, source.where)]
    if source.across:
        out["across"] = list(source.across)
    if source.value:
        out["value"] = [[sign, float(number)] for sign, number in _parsed(_OPERATION, source.value)]
    return out


def _parsed(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, ...]]:
    """Everything in a text that the pattern finds; anything else in it is a fault of the catalog."""
    if pattern.sub("", text).strip(" ,"):
        raise ValueError(f"the node check cannot read {text!r}")
    yield from (match.groups() for match in pattern.finditer(text))


def document(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds as plain values; those that are never crossed are left out."""
    return {name: _bounds(limit) for name, limit in limits.items()}


def _bounds(limit: Any) -> dict[str, float]:
    every: Iterable[tuple[str, float | None]] = (
        ("warn", limit.warn),
        ("fail", limit.fail),
        ("clear", limit.clear),
    )
    return {name: bound for name, bound in every if bound is not None}
