"""Hosts as their /sys and /proc show them: folders made of what `lspci -Dnn` printed on real ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded/gpus"
_LINE = re.compile(r"(\S+) .*? \[([0-9a-f]{4})\]: .* \[([0-9a-f]{4}):([0-9a-f]{4})\]")
BUS = "sys/bus/pci/devices"


def lspci(name: str) -> str:
    """What a recorded host printed."""
    return (RECORDED / f"{name}.lspci").read_text()


def machine(
    root: Path, listing: str = "", drivers: Mapping[str, str] | None = None, modules: Mapping[str, str] | None = None
) -> Path:
    """Make a host of a listing; `drivers` are bound to vendors (`10de`) or addresses, `modules` have versions or ''."""
    (root / BUS).mkdir(parents=True)
    bound = {"10de": "nvidia", "1002": "amdgpu", "1a03": "ast"} if drivers is None else drivers
    for address, kind, vendor, number in _LINE.findall(listing):
        add_device(root, address, f"0x{kind}00", f"0x{vendor}", f"0x{number}", bound.get(address, bound.get(vendor)))
    for module, version in (modules or {}).items():
        write(root, f"sys/module/{module}/version", version) if version else folder(root, f"sys/module/{module}")
    write(root, "proc/sys/kernel/hostname", root.name)
    write(root, "proc/sys/kernel/osrelease", "6.8.0-55-generic")
    write(root, "proc/meminfo", "MemTotal:       1584505288 kB\nMemFree:        1408361652 kB")
    write(root, "sys/devices/system/cpu/online", "0-191")
    return root


def add_device(  # noqa: PLR0913, PLR0917  # what a device has
    root: Path, address: str, kind: str, vendor: str, number: str, driver: str | None = None, part_of: str | None = None
) -> None:
    """Put a device on the bus; `part_of` is the address of the one that it is a virtual function of."""
    path = f"{BUS}/{address}"
    for name, value in (("class", kind), ("vendor", vendor), ("device", number)):
        write(root, f"{path}/{name}", value)
    if driver:
        (root / path / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
    if part_of:
        (root / path / "physfn").symlink_to(f"../{part_of}")


def write(root: Path, path: str, text: str) -> None:
    """Write a file of a line."""
    folder(root, str(Path(path).parent))
    (root / path).write_text(f"{text}\n")


def folder(root: Path, path: str) -> None:
    """Make a folder."""
    (root / path).mkdir(parents=True, exist_ok=True)


def program(folder: Path, name: str, script: str) -> Path:
    """A program of a vendor, as a script; the folder goes into PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return folder
