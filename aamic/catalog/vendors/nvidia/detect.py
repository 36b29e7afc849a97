"""How the vendor's GPUs are told on a host.

What nvidia-smi prints for `--query-gpu` is said by `nvidia-smi --help-query-gpu`: PCI addresses are
`domain:bus:device.function` in upper case, with a domain of eight digits.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from aamic.catalog.base import Asked, Detector, pci_address
from aamic.catalog.devices import numbers

_BRANDS: Final = re.compile(r"^(?:NVIDIA|Tesla)\s+")
_UNNAMED: Final = frozenset({"Graphics Device", "[N/A]", "N/A", "ERR!", "[Unknown Error]"})
"""What the driver calls a GPU that it has no name for."""
_FIELDS: Final = 3
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{4,8}:")


def read(_program: tuple[str, ...], output: str) -> Asked:
    """Understand lines of `address, driver, name`, one for each GPU; a name may hold commas.

    Messages on a GPU that is lost may stand among them, and are passed over.

    Raises:
        ValueError: It is something else.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    rows = [[cell.strip() for cell in line.split(",", _FIELDS - 1)] for line in lines]
    whole = [row for row in rows if len(row) == _FIELDS]
    if rows and not whole:
        raise ValueError("a line does not have three values")
    rows = [row for row in whole if _ADDRESS.match(row[0])] or whole
    drivers = {driver for _, driver, _ in rows}
    return Asked(
        driver=drivers.pop() if len(drivers) == 1 else None,
        models=tuple(name for _, _, full in rows if (name := _BRANDS.sub("", full)) not in _UNNAMED),
        addresses=tuple(pci_address(address) for address, _, _ in rows),
    )


DETECTOR: Final = Detector(
    pci="0x10de",
    classes=frozenset({"0x0300", "0x0302"}),
    modules=("nvidia",),
    devices=numbers(Path(__file__).parent),
    programs=(("nvidia-smi", "--query-gpu=pci.bus_id,driver_version,name", "--format=csv,noheader,nounits"),),
    read=read,
    ignored=frozenset({"0x1fb0"}),  # the display of a DGX Station
)
