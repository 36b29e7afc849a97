"""The fields that AMD's exporter is asked for, and config.json that asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from aamic.catalog import emits
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.model.fleet import Metric

_FOLDER: Final = Path(__file__).parent
PROFILER: Final = "gpu_prof_"
AFID: Final = "gpu_afid_errors"
CLOCKS: Final = (*((i, "system") for i in range(8)), (8, "memory"), *((i, "video") for i in range(9, 13)), (13, "soc"))
"""Index and type of each clock of an MI3xx; eight compute dies come first, then memory. An estimate beyond those:
docs/configuration/metricslist.md shows examples, no list."""
XGMI_LINKS: Final = 8
"""Links of one GPU, "usually 8 in an MI300X system": docs/configuration/metricslist.md."""


@dataclass(frozen=True, slots=True)
class GpuField:
    """One metric of the exporter, without prefix; no platforms means that none reports it."""

    name: str
    unit: str
    platforms: frozenset[str]
    labels: tuple[str, ...]
    per_host: bool
    cumulative: bool

    def series(self) -> int:
        """Series on one idle GPU, or on the host."""
        if self.name == AFID:
            return 0  # there from the first event on
        return {("clock_index", "clock_type"): len(CLOCKS), ("link_index",): XGMI_LINKS}.get(self.labels, 1)


def platform(model: str) -> str | None:
    """The product line that decides which metrics a GPU has; None if the model does not tell.

    >>> platform("MI300X"), platform("AMD Instinct MI250"), platform("W7900")
    ('MI3xx', 'MI2xx', None)
    """
    return next((f"{line}xx" for line in ("MI2", "MI3") if line in model.upper()), None)


def known() -> Mapping[str, Any]:
    """The table of emits.yaml."""
    return emits.table(_FOLDER)


def fields(options: AmdOptions) -> tuple[GpuField, ...]:
    """The fields that the options ask for, by name."""
    return tuple(
        field
        for field in _collected()
        if (options.profiler or not field.name.startswith(PROFILER)) and (options.cper or field.name != AFID)
    )


@cache
def _collected() -> tuple[GpuField, ...]:
    specs = known()["metrics"]
    return tuple(_field(name, specs[name]) for name in sorted(specs) if specs[name].get("collect"))


def _field(name: str, spec: Mapping[str, Any]) -> GpuField:
    return GpuField(
        name=name,
        unit=spec["unit"],
        platforms=frozenset(spec["platforms"]),
        labels=tuple(spec.get("labels", ())),
        per_host=spec.get("scope") == "host",
        cumulative=spec.get("cumulative", False),
    )


def reported(selected: Iterable[GpuField], model: str) -> tuple[GpuField, ...]:
    """Those that a GPU of this model reports; all that any reports if the model does not tell."""
    line = platform(model)
    return tuple(field for field in selected if field.platforms and (line is None or line in field.platforms))


def config(options: AmdOptions) -> bytes:
    """config.json. An unknown key is ignored by the exporter, so the keys are those of exporterconfig.proto."""
    labels = known()["labels"]["collect"]
    document = {
        "ServerPort": options.port,
        "CommonConfig": {
            "MetricsFieldPrefix": options.prefix,
            "HealthService": {"Enable": True, "PollingRate": "30s"},
            "Logging": {"Level": "INFO", "MaxFileSizeMB": 10, "MaxBackups": 3, "MaxAgeDays": 7},
            "Debug": {"EnableAPI": False},
        },
        "GPUConfig": {
            "Fields": [field.name.upper() for field in fields(options)],
            "Labels": [label.upper() for label in labels],
            "ProfilerMetrics": {"all": options.profiler},
        },
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def metrics(options: AmdOptions, models: Iterable[str]) -> Iterator[Metric]:
    """What the exporter emits on GPUs of these models.

    It declares all of them gauges; those that only grow count as counters here, as rates of them are right.
    """
    labels = known()["labels"]
    common = frozenset((*labels["gpu"], *labels["collect"]))
    selected = fields(options)
    present = {field.name for model in models for field in reported(selected, model)}
    for field in selected:
        if field.name in present:
            own = frozenset(labels["host"]) if field.per_host else common.union(field.labels)
            yield Metric(options.prefix + field.name, "counter" if field.cumulative else "gauge", own, "amd")
    for name, spec in known()["exporter"].items():
        yield from emits.metric("amd", name, spec["type"], spec.get("labels", ()))
