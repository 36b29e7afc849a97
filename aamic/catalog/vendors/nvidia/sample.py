"""What dcgm-exporter would answer on a healthy node, and with a fault injected.

The order of labels, and which labels there are, follow internal/pkg/rendermetrics of dcgm-exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import NAMESPACE_DNS, uuid5

from aamic.catalog.base import Fault
from aamic.catalog.exposition import Family, Sample, between, share, text
from aamic.catalog.faults import on_gpu
from aamic.catalog.vendors.nvidia.counters import HEALTH_WATCHES, Row, rows
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.model.fleet import Node

_FIELD_LABELS: Final = {"DCGM_FI_DRIVER_VERSION": "550.90.07"}
_WINDOW_MS: Final = "300000"
_MEMORY_MIB: Final = 81_920.0
_RESERVED_MIB: Final = 540.0
_XID_MESSAGES: Final = {
    0: "No Error",
    48: "Double Bit ECC Error",
    74: "NVLINK Error",
    79: "GPU has fallen off the bus",
}
_FALLEN_OFF: Final = "79"

Reading = Callable[[str, float], float]
"""From a key that stands for the reading, and seconds since start, to its value."""

_READINGS: Final[Mapping[str, Reading]] = {
    "celsius": lambda key, seconds: round(between(32, 64, key, seconds=seconds)),
    "watt": lambda key, seconds: round(between(180, 560, key, seconds=seconds), 3),
    "millijoule": lambda key, seconds: round(5e9 * (1 + share(key)) + 1000 * seconds * between(250, 500, key)),
    "megahertz": lambda key, _: round(between(1200, 1980, key)),
    "percent": lambda key, seconds: round(between(35, 98, key, seconds=seconds)),
    "ratio": lambda key, seconds: round(between(0.15, 0.9, key, seconds=seconds), 6),
    "byte_per_second": lambda key, seconds: round(between(1e9, 4e10, key, seconds=seconds)),
}


def sample(options: DcgmOptions, node: Node, faults: tuple[Fault, ...], seconds: float) -> str:
    """The exposition text of a node; empty where the exporter does not run."""
    if not options.enabled or node.gpu is None or node.gpu.vendor != "nvidia":
        return ""
    selected = rows(options)
    fields = {row.name: _FIELD_LABELS.get(row.name, "unknown") for row in selected if row.type == "label"}
    host = options.hostengine.rpartition(":")[0] if options.hostengine else node.name
    gpus = [_Gpu(node, index, on_gpu(faults, index), seconds) for index in range(node.gpu.count)]
    present = [(gpu, gpu.labels(host)) for gpu in gpus if "lost" not in gpu.faults]
    return text(
        Family(row.name, row.type, row.help, tuple(_samples(row, present, fields)))
        for row in selected
        if row.type != "label"
    )


def _samples(row: Row, gpus: list[tuple[_Gpu, dict[str, str]]], fields: dict[str, str]) -> Iterator[Sample]:
    for gpu, labels in gpus:
        for line in gpu.lines(row):
            own = dict(sorted({**fields, **line.labels}.items()))
            yield Sample({**labels, **own, **gpu.job, **line.attributes}, line.value)


class _Line(NamedTuple):
    """A value with the labels that a field has of its own; attributes stand last."""

    value: float
    labels: Mapping[str, str] = {}
    attributes: Mapping[str, str] = {}


@dataclass(frozen=True)
class _Gpu:
    """One GPU at one moment."""

    node: Node
    index: int
    faults: Mapping[str, str]
    seconds: float

    @property
    def key(self) -> str:
        """Stands for this GPU in its readings."""
        return f"{self.node.name}/{self.index}"

    def labels(self, host: str) -> dict[str, str]:
        """The labels of every series of the GPU."""
        return {
            "gpu": str(self.index),
            "UUID": f"GPU-{uuid5(NAMESPACE_DNS, self.key)}",
            "pci_bus_id": f"00000000:{0x10 + self.index:02X}:00.0",
            "device": f"nvidia{self.index}",
            "modelName": f"NVIDIA {self.node.gpu.model if self.node.gpu else ''}",
            "Hostname": host,
        }

    @property
    def job(self) -> dict[str, str]:
        """The label of the job that has the GPU, where the exporter was told."""
        return {"hpc_job": self.faults["job"]} if "job" in self.faults else {}

    def lines(self, row: Row) -> Iterator[_Line]:
        """The lines of one field."""
        if row.name == "DCGM_FI_DEV_XID_ERRORS":
            code = int(self.faults.get("xid", 0))
            message = _XID_MESSAGES.get(code, "Unknown Error")
            yield _Line(float(code), attributes={"err_code": str(code), "err_msg": message})
        elif row.name == "DCGM_EXP_XID_ERRORS_COUNT":
            found = {"xid": self.faults["xid"]} if "xid" in self.faults else {}
            yield _Line(float(bool(found)), {"window_size_in_ms": _WINDOW_MS, **found})
        elif row.name == "DCGM_EXP_GPU_HEALTH_STATUS":
            yield from (self._health(watch) for watch in HEALTH_WATCHES)
        elif row.name == "DCGM_EXP_P2P_STATUS":
            peers = range(self.node.gpu.count if self.node.gpu else 0)
            yield from (
                _Line(0.0, {"peer_gpu": str(peer), "link_status": "OK"}) for peer in peers if peer != self.index
            )
        elif row.name == "DCGM_EXP_CLOCK_EVENTS_COUNT":
            yield _Line(0.0, {"window_size_in_ms": _WINDOW_MS})
        else:
            yield _Line(self._value(row))

    def _health(self, watch: str) -> _Line:
        failed = {
            "ALL": "DCGM_FR_FALLEN_OFF_BUS" if self.faults.get("xid") == _FALLEN_OFF else None,
            "MEM": "DCGM_FR_VOLATILE_DBE_DETECTED" if "ecc" in self.faults else None,
        }.get(watch)
        return _Line(20.0 if failed else 0.0, {"health_watch": watch, "health_error_code": failed or "DCGM_FR_OK"})

    def _value(self, row: Row) -> float:
        if row.name == "DCGM_FI_DEV_GPU_TEMP" and "temperature" in self.faults:
            return float(self.faults["temperature"])
        if row.name in ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL"):
            return float(self.faults.get("ecc", 0))
        if row.unit == "mebibyte":
            return self._memory(row.name)
        reading = _READINGS.get(row.unit)
        return float(reading(f"{self.key}/{row.name}", self.seconds)) if reading else 0.0

    def _memory(self, name: str) -> float:
        used = float(round(between(0.3, 0.95, self.key, seconds=self.seconds) * (_MEMORY_MIB - _RESERVED_MIB)))
        known = {"FB_USED": used, "FB_RESERVED": _RESERVED_MIB, "FB_FREE": _MEMORY_MIB - _RESERVED_MIB - used}
        return known.get(name.removeprefix("DCGM_FI_DEV_"), _MEMORY_MIB)
