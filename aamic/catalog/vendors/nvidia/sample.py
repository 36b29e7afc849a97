"""What dcgm-exporter would answer on a healthy node, and with a fault injected.

The order of labels, and which labels there are, follow internal/pkg/rendermetrics of dcgm-exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from aamic.catalog.base import Fault
from aamic.catalog.exposition import Family, Sample, between, share, text
from aamic.catalog.faults import on_gpu
from aamic.catalog.vendors.nvidia.counters import HEALTH_WATCHES, Row, rows
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.model.fleet import Node

_DRIVER: Final = "550.90.07"
_XID_WINDOW_MS: Final = "300000"
_MEMORY_MIB: Final = 81_920
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
    names = sorted(row.name for row in selected if row.type == "label")
    gpus = [_Gpu(options, node, index, names, faults, seconds) for index in range(node.gpu.count)]
    present = [gpu for gpu in gpus if "lost" not in gpu.faults]
    return text(
        Family(row.name, row.type, row.help, tuple(line for gpu in present for line in gpu.samples(row)))
        for row in selected
        if row.type != "label"
    )


class _Gpu:
    """One GPU at one moment."""

    def __init__(
        self,
        options: DcgmOptions,
        node: Node,
        index: int,
        label_fields: list[str],
        faults: tuple[Fault, ...],
        seconds: float,
    ) -> None:
        assert node.gpu is not None  # noqa: S101  # the caller has looked
        self.index = index
        self.peers = node.gpu.count
        self.faults = on_gpu(faults, index)
        self._seconds = seconds
        self._key = f"{node.name}/{index}"
        self._base = {
            "gpu": str(index),
            "UUID": f"GPU-{uuid5(NAMESPACE_DNS, self._key)}",
            "pci_bus_id": f"00000000:{0x1B + 0x10 * index:02X}:00.0",
            "device": f"nvidia{index}",
            "modelName": f"NVIDIA {node.gpu.model}",
            "Hostname": options.hostengine.rpartition(":")[0] if options.hostengine else node.name,
        }
        self._fields = {name: _DRIVER if name == "DCGM_FI_DRIVER_VERSION" else "unknown" for name in label_fields}

    def samples(self, row: Row) -> Iterator[Sample]:
        """The lines of one field."""
        if row.name == "DCGM_FI_DEV_XID_ERRORS":
            code = int(self.faults.get("xid", 0))
            message = _XID_MESSAGES.get(code, "Unknown Error")
            yield self._line(float(code), {}, {"err_code": str(code), "err_msg": message})
        elif row.name == "DCGM_EXP_XID_ERRORS_COUNT":
            found = {"xid": self.faults["xid"]} if "xid" in self.faults else {}
            yield self._line(float(bool(found)), {"window_size_in_ms": _XID_WINDOW_MS, **found})
        elif row.name == "DCGM_EXP_GPU_HEALTH_STATUS":
            yield from (self._health(watch) for watch in HEALTH_WATCHES)
        elif row.name == "DCGM_EXP_P2P_STATUS":
            for peer in range(self.peers):
                if peer != self.index:
                    yield self._line(0.0, {"peer_gpu": str(peer), "link_status": "OK"})
        elif row.name == "DCGM_EXP_CLOCK_EVENTS_COUNT":
            yield self._line(0.0, {"window_size_in_ms": _XID_WINDOW_MS})
        else:
            yield self._line(self._value(row), {})

    def _health(self, watch: str) -> Sample:
        failed = {
            "ALL": "DCGM_FR_FALLEN_OFF_BUS" if self.faults.get("xid") == _FALLEN_OFF else None,
            "MEM": "DCGM_FR_VOLATILE_DBE_DETECTED" if "ecc" in self.faults else None,
        }.get(watch)
        labels = {"health_watch": watch, "health_error_code": failed or "DCGM_FR_OK"}
        return self._line(20.0 if failed else 0.0, labels)

    def _line(self, value: float, labels: Mapping[str, str], attributes: Mapping[str, str] | None = None) -> Sample:
        further = dict(sorted({**self._fields, **labels}.items()))
        return Sample({**self._base, **further, **(attributes or {})}, value)

    def _value(self, row: Row) -> float:
        if row.name == "DCGM_FI_DEV_GPU_TEMP" and "temperature" in self.faults:
            return float(self.faults["temperature"])
        if row.name in ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL"):
            return float(self.faults.get("ecc", 0))
        if row.unit == "mebibyte":
            return self._memory(row.name)
        reading = _READINGS.get(row.unit)
        return float(reading(f"{self._key}/{row.name}", self._seconds)) if reading else 0.0

    def _memory(self, name: str) -> float:
        reserved = 540.0
        used = float(round(between(0.3, 0.95, self._key, seconds=self._seconds) * (_MEMORY_MIB - reserved)))
        known = {"FB_USED": used, "FB_RESERVED": reserved, "FB_FREE": _MEMORY_MIB - reserved - used}
        return known.get(name.removeprefix("DCGM_FI_DEV_"), float(_MEMORY_MIB))
