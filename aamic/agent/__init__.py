"""Programs that run on managed hosts: POSIX sh with coreutils, tar and systemd alone; shipped as files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

_LOOK: Final = ("base.sh", "observe.sh")
_CHANGE: Final = ("base.sh", "observe.sh", "apply.sh", "restore.sh")


@cache
def read_only() -> bytes:
    """Return the program that only looks: the verbs `observe` and `fetch`."""
    return _joined(_LOOK)


@cache
def whole() -> bytes:
    """Return the program with every verb; a release leaves a copy of it on the host."""
    return _joined(_CHANGE)


@cache
def slurm() -> bytes:
    """Return the program that asks Slurm while its hooks are rolled out; it changes no file."""
    return _joined(("base.sh", "slurm.sh"))


@cache
def check() -> bytes:
    """Return the program that a host's timer runs: it compares what is managed with the manifest."""
    return _joined(("check.sh",))


def _joined(names: tuple[str, ...]) -> bytes:
    return b"\n".join(files("aamic.agent").joinpath(name).read_bytes() for name in names)
