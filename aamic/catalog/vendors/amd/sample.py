"""What AMD's exporter would answer on a healthy node, and with a fault injected.

It answers through Prometheus' Go client: families and labels stand in order of name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from aamic.catalog.base import Fault
from aamic.catalog.exposition import Family, Sample, between, share, text
from aamic.catalog.faults import on_gpu
from aamic.catalog.vendors.amd.fields import CLOCKS, XGMI_LINKS, GpuField, fields, reported
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.model.fleet import Node

HANDLER_ERRORS: Final = ("encoding", "gathering")
_MEMORY_MIB: Final = 196_592
_MEGAHERTZ: Final = {"system": (1200, 2100), "memory": (1300, 1300), "video": (29, 29), "soc": (29, 29)}

Reading = Callable[[str, float], float]
"""From a key that stands for the reading, and seconds since start, to its value."""

_READINGS: Final[Mapping[str, Reading]] = {
    "celsius": lambda key, seconds: round(between(38, 68, key, seconds=seconds)),
    "watt": lambda key, seconds: round(between(180, 700, key, seconds=seconds)),
    "microjoule": lambda key, seconds: round(5e12 * (1 + share(key)) + 1e6 * seconds * between(250, 600, key)),
    "percent": lambda key, seconds: round(between(35, 98, key, seconds=seconds)),
    "kilobyte": lambda key, seconds: round(1e9 * share(key) + 1e5 * seconds * share(key, "rate")),
}


def sample(options: AmdOptions, node: Node, faults: tuple[Fault, ...], seconds: float) -> str:
    """The exposition text of a node; empty where the exporter does not run."""
    if not options.enabled or node.gpu is None or node.gpu.vendor != "amd":
        return ""
    gpus = [_Gpu(node, index, faults, seconds) for index in range(node.gpu.count)]
    present = [gpu for gpu in gpus if "lost" not in gpu.faults]
    families = [_family(options, field, node, present) for field in reported(fields(options), node.gpu.model)]
    errors = tuple(Sample({"cause": cause}, 0.0) for cause in HANDLER_ERRORS)
    help_ = "Total number of internal errors encountered by the promhttp metric handler."
    return text((*families, Family("promhttp_metric_handler_errors_total", "counter", help_, errors)))


def _family(options: AmdOptions, field: GpuField, node: Node, present: list[_Gpu]) -> Family:
    if field.per_host:
        samples: tuple[Sample, ...] = (Sample({"hostname": node.name}, float(len(present))),)
    else:
        samples = tuple(sample for gpu in present for sample in gpu.samples(field))
    words = field.name.replace("_", " ")
    return Family(options.prefix + field.name, "gauge", f"{words} ({field.unit})", samples)


class _Gpu:
    """One GPU at one moment."""

    def __init__(self, node: Node, index: int, faults: tuple[Fault, ...], seconds: float) -> None:
        assert node.gpu is not None  # noqa: S101  # the caller has looked
        self.faults = on_gpu(faults, index)
        self._seconds = seconds
        self._key = f"{node.name}/{index}"
        self._base = {
            "card_model": node.gpu.model,
            "container": "",
            "deployment_mode": "baremetal",
            "gpu_compute_partition_type": "spx",
            "gpu_id": str(index),
            "gpu_memory_partition_type": "nps1",
            "gpu_partition_id": "0",
            "gpu_uuid": str(uuid5(NAMESPACE_DNS, self._key)),
            "hostname": node.name,
            "job_id": self.faults.get("job", ""),
            "job_partition": "",
            "job_user": "",
            "namespace": "",
            "pod": "",
            "serial_number": f"{int(share(self._key) * 1e12):012d}",
        }

    def samples(self, field: GpuField) -> Iterator[Sample]:
        """The lines of one field."""
        if field.name == "gpu_clock":
            for index, kind in CLOCKS:
                value = round(between(*_MEGAHERTZ[kind], self._key, index, seconds=self._seconds))
                yield self._line(value, {"clock_index": str(index), "clock_type": kind})
        elif "link_index" in field.labels:
            for link in range(XGMI_LINKS):
                value = round(_READINGS["kilobyte"](f"{self._key}/{field.name}/{link}", self._seconds))
                yield self._line(value, {"link_index": str(link)})
        elif field.name == "gpu_afid_errors":
            if "afid" in self.faults:
                yield self._line(float(self.faults["afid"]), {"severity": "fatal", "afid_index": "0"})
        else:
            yield self._line(self._value(field), {})

    def _line(self, value: float, labels: Mapping[str, str]) -> Sample:
        return Sample(dict(sorted({**self._base, **labels}.items())), float(value))

    def _value(self, field: GpuField) -> float:
        if field.name in ("gpu_junction_temperature", "gpu_edge_temperature") and "temperature" in self.faults:
            return float(self.faults["temperature"])
        if field.name in ("gpu_ecc_uncorrect_total", "gpu_ecc_uncorrect_umc"):
            return float(self.faults.get("ecc", 0))
        if field.name == "gpu_health":
            return float(not self.faults.keys() & {"ecc", "afid"})
        if field.unit == "mebibyte":
            return self._memory(field.name)
        if field.name.startswith("gpu_violation_"):
            return 0.0
        reading = _READINGS.get(field.unit)
        return float(reading(f"{self._key}/{field.name}", self._seconds)) if reading else 0.0

    def _memory(self, name: str) -> float:
        used = float(round(between(0.3, 0.95, self._key, seconds=self._seconds) * _MEMORY_MIB))
        return {"gpu_used_vram": used, "gpu_free_vram": _MEMORY_MIB - used}.get(name, float(_MEMORY_MIB))
