"""Programs that run on managed hosts: POSIX sh with coreutils, tar and systemd alone; shipped as files."""

from __future__ import annotations

from importlib.resources import files


def program(name: str) -> bytes:
    """Return the text of a shipped program, such as `host.sh`."""
    return files("aamic.agent").joinpath(name).read_bytes()
