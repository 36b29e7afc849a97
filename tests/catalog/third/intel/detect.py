"""How Intel's data center GPUs are told on a host.

Sources: intel/xpumanager v1.3.7, core/resources/config/pci.ids (device numbers), doc/smi_user_guide.md and
doc/CLI_user_guide.md (what `discovery -j` answers).
"""

from __future__ import annotations

import json
from typing import Any, Final

from aamic.catalog.base import Asked, Detector, pci_address

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
    classes=frozenset(),  # integrated ones have those of data center GPUs
    modules=("i915", "xe"),
    devices={
        "0x0b69": ("Max 1450",),
        "0x0b6e": ("Max 1100C",),
        "0x0bd4": ("Max 1550VG",),
        "0x0bd5": ("Max 1550",),
        "0x0bd6": ("Max 1550",),
        "0x0bd7": ("Max 1350",),
        "0x0bd8": ("Max 1350",),
        "0x0bd9": ("Max 1100",),
        "0x0bda": ("Max 1100",),
        "0x0bdb": ("Max 1100",),
        "0x56c0": ("Flex 170",),
        "0x56c1": ("Flex 140",),
        "0x56c2": ("Flex 170V",),
    },
    programs=_PROGRAMS,
    read=read,
)
