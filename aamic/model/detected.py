"""What was found on a host that was looked at: its GPUs by vendor, and what else a site says of a node. Frozen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU on the PCI bus: `address` is `0000:1b:00.0`, `device` its number `0x2330`, `driver` what is bound to it."""

    address: str
    device: str
    driver: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The GPUs of one vendor on a host.

    `model` is one of those that `gpu.model` of a site would have, None where it is not known or they differ;
    `perhaps` are the models of which it is one, where a device number is used for several. `driver` is the version of
    the loaded driver, None where none is loaded. `troubles` say what is missing or does not fit, such as a driver that
    is not loaded, or a program that sees fewer GPUs than the PCI bus has.
    """

    vendor: str
    devices: tuple[Device, ...]
    model: str | None
    driver: str | None
    troubles: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many there are; a card with two GPUs, such as an MI250, counts twice, as its exporter counts it."""
        return len(self.devices)


@dataclass(frozen=True, slots=True)
class Detected:
    """A host that answered: `name` as it calls itself, memory in bytes; no `gpus` where it has none."""

    host: str
    name: str
    gpus: tuple[Found, ...]
    threads: int | None
    memory: int | None
