"""The counters CSV of dcgm-exporter: the rows that a site collects, and what they mean for its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from aamic.catalog import emits
from aamic.catalog.vendors.nvidia.options import Counter, DcgmOptions
from aamic.model.fleet import Metric

_FOLDER: Final = Path(__file__).parent
HEALTH_WATCHES: Final = (
    "PCIE", "NVLINK", "PMU", "MCU", "MEM", "SM", "INFOROM", "THERMAL", "POWER", "DRIVER", "ALL",
)  # fmt: skip
"""Values of `health_watch`: internal/pkg/collector/gpu_health_collector.go of dcgm-exporter; ALL since 4.8.2."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the CSV: `type` is `label` for a field that becomes a label of all others."""

    name: str
    type: Literal["gauge", "counter", "label"]
    help: str
    unit: str
    labels: tuple[str, ...] = ()

    def series(self, gpus: int) -> int:
        """Series of this row on one idle GPU of a node with `gpus` of them."""
        if self.type == "label":
            return 0
        if self.name == "DCGM_EXP_GPU_HEALTH_STATUS":
            return len(HEALTH_WATCHES)
        return gpus - 1 if self.name == "DCGM_EXP_P2P_STATUS" else 1


def known() -> Mapping[str, Any]:
    """The table of emits.yaml."""
    return emits.table(_FOLDER)


def rows(options: DcgmOptions) -> tuple[Row, ...]:
    """The rows that the options select: the catalog's in its order, then the site's by name."""
    table = known()
    omitted = set(options.counters.omit)
    added = options.counters.add
    own = (_row(name, spec) for name, spec in table["fields"].items() if name not in omitted and name not in added)
    further = (_added(name, added[name], table) for name in sorted(added))
    return (*own, *further)


def _row(name: str, spec: Mapping[str, Any]) -> Row:
    return Row(name, spec["type"], spec["help"], spec["unit"], tuple(spec.get("labels", ())))


def _added(name: str, counter: Counter, table: Mapping[str, Any]) -> Row:
    spec = {"type": "gauge", "help": name, "unit": "unknown"}
    spec |= table["fields"].get(name) or table["optional_fields"].get(name, {})
    return _row(name, spec | counter.model_dump(exclude_none=True))


def csv(selected: Iterable[Row]) -> bytes:
    """The file that `-f` names: three columns, comments begin with `#`.

    >>> csv([Row("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature", "celsius")]).decode().splitlines()[-1]
    'DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature'
    """
    head = "# Rendered by aamic from its catalog and `exporters.dcgm.counters`; a change made here is undone.\n"
    head += "# field, Prometheus type, help\n"
    return (head + "".join(f"{row.name}, {row.type}, {row.help}\n" for row in selected)).encode()


def metrics(selected: Iterable[Row]) -> Iterator[Metric]:
    """What the exporter emits with these rows."""
    selected = tuple(selected)
    labels = known()["labels"]
    sometimes = {*labels["host"], *labels["mig"], *labels["job"]}
    common = {*labels["gpu"], *sometimes, *(row.name for row in selected if row.type == "label")}
    for row in selected:
        if row.type != "label":
            yield Metric(row.name, row.type, frozenset(common.union(row.labels)), "dcgm")
