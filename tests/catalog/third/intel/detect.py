"""How Intel's data center GPUs are told on a host.

What `discovery -j` answers: intel/xpumanager v1.3.7, doc/smi_user_guide.md and doc/CLI_user_guide.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from aamic.catalog.base import Asked, Detector, pci_address
from aamic.catalog.devices import numbers

_PROGRAMS: Final = (("xpu-smi", "discovery", "-j"), ("xpumcli", "discovery", "-j"))


def read(program: tuple[str, ...], output: str) -> Asked:
    """The names and addresses of the GPUs, in the order of their device ids; it does not tell the driver."""
    try:
        devices: list[dict[str, Any]] = sorted(json.loads(output)["device_list"], key=lambda each: each["device_id"])
        models = tuple(_model(str(each["device_name"])) for each in devices)
        addresses = tuple(pci_address(str(each["pci_bdf_address"])) for each in devices)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"`{program[0]}` said {output[:80]!r}") from error
    return Asked(None, models, addresses)


def _model(name: str) -> str:
    """`Max 1550` of `Intel(R) Data Center GPU Max 1550`."""
    return name.rpartition("Data Center GPU ")[2]


DETECTOR: Final = Detector(
    pci="0x8086",
    # Most of Intel's display controllers are no GPUs of a data center, so the number decides alone.
    classes=frozenset(),
    modules=("i915", "xe"),
    devices=numbers(Path(__file__).parent),
    programs=_PROGRAMS,
    read=read,
)
