"""Programs of a host that stop at a chosen moment of a transaction, so that something can happen just then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.fleet.host import Host

WRAPPER: Final = """#!/bin/sh
# Stops once, the COUNT-th time that it is called with PATTERN among its words.
case " $* " in
*"PATTERN"*)
    echo >>/run/brake.count
    if [ "$(wc -l </run/brake.count)" = COUNT ]; then
        touch /run/brake.on
        ACTION
    fi
    ;;
esac
exec PROGRAM.real "$@"
"""
WAIT: Final = "while [ -e /run/brake.on ]; do sleep 0.1; done"
DIE: Final = "systemctl kill --signal=KILL --kill-whom=all aamic-transaction.service; sleep 60"


@contextmanager
def brake(host: Host, program: str, pattern: str = "", count: int = 1, action: str = WAIT) -> Iterator[None]:
    """Let a program of the host stop (or, with `DIE`, end the whole transaction) at one of its calls."""
    path = host.root / program.lstrip("/")
    real = path.with_name(f"{path.name}.real")
    shutil.copy2(path, real)
    text = WRAPPER.replace("PATTERN", pattern or " ").replace("COUNT", str(count)).replace("PROGRAM", program)
    false = path.with_name(f"{path.name}.false")
    false.write_text(text.replace("ACTION", action))
    false.chmod(0o755)
    false.replace(path)
    try:
        yield
    finally:
        if host.is_on:
            host.run("rm", "-f", "/run/brake.on", "/run/brake.count")
        real.replace(path)


def has_stopped(host: Host) -> bool:
    """Whether the program has reached its moment."""
    return host.run("ls", "/run/brake.on").returncode == 0


def let_go(host: Host) -> None:
    """Let the program go on."""
    host.do("rm", "/run/brake.on")
