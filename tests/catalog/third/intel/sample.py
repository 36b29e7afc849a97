"""What XPU Manager's exporter would answer on a healthy node, and with a fault injected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from aamic.catalog.base import Fault
from aamic.catalog.exposition import Family as Shown
from aamic.catalog.exposition import Sample, between, share, text
from aamic.catalog.faults import on_gpu
from aamic.model.fleet import Node

from .metrics import Family, families, tiles
from .options import XpumOptions

_STARTED: Final = 1_700_000_000.0
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "ratio": (0.3, 0.95),
    "watt": (150.0, 500.0),
    "celsius": (35.0, 66.0),
    "megahertz": (900.0, 1600.0),
    "byte": (8e9, 5e10),
}
_RATES: Final[Mapping[str, float]] = {"joule": 400.0, "byte_total": 1e9}


def sample(options: XpumOptions, node: Node, faults: tuple[Fault, ...], seconds: float) -> str:
    """The exposition text of a node; empty where the exporter does not run."""
    if not options.enabled or node.gpu is None or node.gpu.vendor != "intel":
        return ""
    gpus = [index for index in range(node.gpu.count) if "lost" not in on_gpu(faults, index)]
    return text(
        shown
        for family in families()
        for shown in _shown(family, [line for gpu in gpus for line in _lines(family, node, gpu, faults, seconds)])
    )


def _shown(family: Family, lines: list[Sample]) -> Iterator[Shown]:
    words = family.name.replace("_", " ")
    yield Shown(family.shown, family.type, words, tuple(lines))
    if family.type == "counter":
        created = tuple(Sample(line.labels, _STARTED) for line in lines)
        yield Shown(f"{family.name}_created", "gauge", words, created)


def _lines(family: Family, node: Node, gpu: int, faults: tuple[Fault, ...], seconds: float) -> Iterator[Sample]:
    model = node.gpu.model if node.gpu else ""
    shows = on_gpu(faults, gpu)
    for tile in family.parts(tiles(model)):
        source = {"src": "direct"} if tile is not None or family.level != "summed" else {"src": "sum"}
        part = {} if tile is None else {"sub_dev": str(tile)}
        for own in family.labels():
            labels = {**_labels(node.name, gpu, model), **part, **own, **source}
            yield Sample(labels, _value(family, own, shows, f"{node.name}/{gpu}/{tile}", seconds))


def _labels(node: str, gpu: int, model: str) -> dict[str, str]:
    return {
        "uuid": str(uuid5(NAMESPACE_DNS, f"{node}/{gpu}")),
        "dev_name": f"Intel(R) Data Center GPU {model}",
        "pci_dev": "0xbd5",
        "vendor": "Intel(R) Corporation",
        "pci_bdf": f"0000:{0x10 + gpu:02x}:00.0",
        "dev_file": f"card{gpu}",
    }


def _value(family: Family, own: Mapping[str, str], shows: Mapping[str, str], key: str, seconds: float) -> float:
    if "temperature" in shows and family.unit == "celsius" and own["location"] == "gpu":
        return float(shows["temperature"])
    if "ecc" in shows and family.name == "xpum_cache_errors" and own["type"] == "uncorrectable":
        return float(shows["ecc"])
    if family.unit in _RATES:
        return round(share(key, family.name) * 1e9 + seconds * _RATES[family.unit], 3)
    if family.unit in _RANGES:
        return round(between(*_RANGES[family.unit], key, family.name, *own.values(), seconds=seconds), 3)
    return 0.0
