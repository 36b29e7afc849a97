"""How the vendor's GPUs are told on a host.

amd-smi prints a list of GPUs; from version 26 on, `static` prints it as `gpu_data` of a mapping (ROCm/amdsmi,
amdsmi_cli/amdsmi_logger.py; ROCm/rocm-systems, pull request 223). A user without the groups of the devices gets a
warning in front of it. The versions of ROCm 5 say `driver_version` for `version`. rocm-smi prints a mapping with
`card0`, `card1` and so on, and `system`; ROCm 5 wrote `Card series` for `Card Series`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aamic.catalog.base import Asked, Detector, pci_address
from aamic.catalog.devices import numbers

_BRANDS: Final = re.compile(r"^(?:AMD\s+)?(?:Instinct\s+)?", re.IGNORECASE)
_BEGINS: Final = re.compile(r"^\s*[\[{]", re.MULTILINE)
_CARD: Final = re.compile(r"card([0-9]{1,4})")
_UNNAMED: Final = re.compile(r"|N/A|0x[0-9a-f]+|GENERIC RM IMAGE", re.IGNORECASE)
"""What stands in the place of a name that the program does not know."""


def read(program: tuple[str, ...], output: str) -> Asked:
    """Understand the JSON of one of the programs.

    Raises:
        ValueError: It is something else.
    """
    document = _json(output)
    return _of_cards(document) if program[0] == "rocm-smi" else _of_gpus(document)


def _json(output: str) -> Any:
    begin = _BEGINS.search(output)
    if begin is None:
        raise ValueError("there is no JSON in it")
    try:
        return json.loads(output[begin.start() :])
    except RecursionError as error:
        raise ValueError("its JSON is too deep") from error


def _of_gpus(document: Any) -> Asked:
    gpus = document.get("gpu_data") if isinstance(document, dict) else document
    if not isinstance(gpus, list) or not all(isinstance(gpu, dict) for gpu in gpus):
        raise ValueError("it holds no list of GPUs")
    drivers = {driver for gpu in gpus if (driver := _driver(gpu))}
    addresses = (_text(gpu.get("bdf")) or _text(_part(gpu, "bus").get("bdf")) for gpu in gpus)
    return Asked(
        driver=drivers.pop() if len(drivers) == 1 else None,
        models=tuple(_named(_text(_part(gpu, "asic").get("market_name")) for gpu in gpus)),
        addresses=tuple(pci_address(address) for address in addresses if address),
    )


def _of_cards(document: Any) -> Asked:
    keys = [key for key in document if _CARD.fullmatch(key)] if isinstance(document, dict) else []
    if not keys:
        raise ValueError("it holds no cards")
    cards = [_part(document, key) for key in sorted(keys, key=lambda key: int(key.removeprefix("card")))]
    addresses = (_text(card.get("PCI Bus")) for card in cards)
    return Asked(
        driver=_text(_part(document, "system").get("Driver version")) or None,
        models=tuple(_named(_text(card.get("Card Series") or card.get("Card series")) for card in cards)),
        addresses=tuple(pci_address(address) for address in addresses if address),
    )


def _part(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = of.get(key)
    return part if isinstance(part, dict) else {}


def _driver(gpu: Mapping[str, Any]) -> str:
    part = _part(gpu, "driver")
    return _text(part.get("version")) or _text(part.get("driver_version"))


def _text(value: Any) -> str:
    """A text that says something."""
    return value.strip() if isinstance(value, str) and value.strip() != "N/A" else ""


def _named(names: Iterator[str]) -> Iterator[str]:
    return (_BRANDS.sub("", name) for name in names if not _UNNAMED.fullmatch(name))


DETECTOR: Final = Detector(
    pci="0x1002",
    classes=frozenset({"0x1200"}),
    modules=("amdgpu",),
    devices=numbers(Path(__file__).parent),
    programs=(
        ("amd-smi", "static", "--asic", "--bus", "--driver", "--json"),
        ("amd-smi", "list", "--json"),
        ("rocm-smi", "--showproductname", "--showdriverversion", "--showbus", "--json"),
    ),
    read=read,
    folders=("/opt/rocm/bin",),
)
