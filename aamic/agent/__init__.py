"""Programs that run on managed hosts, shipped as files.

POSIX sh with coreutils, tar and systemd alone; and `health`, a package of Python 3.6 with its own library alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
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
def site() -> bytes:
    """Return the program that keeps a copy of the site on a central host, and shows it."""
    return _joined(("base.sh", "site.sh"))


@cache
def check() -> bytes:
    """Return the program that a host's timer runs: it compares what is managed with the manifest."""
    return _joined(("check.sh",))


@cache
def detect() -> bytes:
    """Return the program that looks for GPUs; it changes no file."""
    return _joined(("detect.sh",))


def command(program: bytes, verb: str, *words: str) -> tuple[str, ...]:
    """Return the command line that reads a program from its standard input and runs one of its verbs.

    The program does not stand in the command line itself, as sudo would write all of it to the host's log.
    """
    return ("sh", "-c", f'eval "$(head -c {len(program)})"; main "$@"', "aamic", verb, *words)


@cache
def health_files() -> Mapping[str, bytes]:
    """Return the modules of `health` by file name; on hosts they are the package `aamic_health`."""
    folder = files("aamic.agent") / "health"
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir(), key=lambda each: each.name)
            if each.name.endswith(".py")}  # fmt: skip


def starter(module: str) -> bytes:
    """Return a program that runs `main` of a module of `aamic_health`, which stands in the same folder.

    `-I`: neither the environment nor the folder it is called from decides what is imported.
    """
    return f"""#!/usr/bin/python3 -IB
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from aamic_health.{module} import main

sys.exit(main())
""".encode()


@dataclass(frozen=True)
class Hooks:
    """What prolog and epilog are to do, and where: `check` and `journal`, `mapping`, and the mode of refusals.

    `run` is a folder of a tmpfs, `state` one that stays. `jobs` are the scripts that let a vendor's exporter know which
    job has which GPU, by vendor; hook.sh says what they define.
    """

    check: bool = False
    journal: bool = False
    mapping: bool = False
    mode: str = "off"
    run: str = "/run/aamic"
    state: str = "/var/lib/aamic"
    logger: str = "/usr/bin/logger"
    uptime: str = "/proc/uptime"
    jobs: Mapping[str, bytes] = field(default_factory=dict)


def prolog(hooks: Hooks) -> bytes:
    """Return Slurm's prolog; it ends with 1 only where it refuses a job, and with 0 whatever else happens."""
    return _hook("prolog.sh", hooks)


def epilog(hooks: Hooks) -> bytes:
    """Return Slurm's epilog; it ends with 0."""
    return _hook("epilog.sh", hooks)


def _hook(name: str, hooks: Hooks) -> bytes:
    values = {
        "CHECK": "yes" if hooks.check else "no",
        "JOURNAL": "yes" if hooks.journal else "no",
        "MAPPING": "yes" if hooks.mapping else "no",
        "MODE": hooks.mode,
        "RUN": hooks.run,
        "STATE": hooks.state,
        "LOGGER": hooks.logger,
        "UPTIME": hooks.uptime,
    }
    used = {key: value for key, value in values.items() if key not in _UNUSED[name]}
    head = "".join(f"{key}={shlex.quote(value)}\n" for key, value in used.items())
    return b"#!/bin/sh\n" + head.encode() + b"\n" + _joined(("hook.sh",)) + _jobs(hooks.jobs) + b"\n" + _joined((name,))


def _jobs(scripts: Mapping[str, bytes]) -> bytes:
    """Return the vendors' scripts, and the functions that call those of all of them."""
    calls = "".join(
        f"\nall_{step}() {{\n    :\n" + "".join(f"    {vendor}_{step}{given}\n" for vendor in scripts) + "}\n"
        for step, given in (("begin", ""), ("show", ' "$1"'), ("end", ""))
    )
    return b"".join(b"\n" + script for script in scripts.values()) + calls.encode()


_UNUSED: Final = {"prolog.sh": {"JOURNAL", "STATE"}, "epilog.sh": {"CHECK", "MODE"}}


def _joined(names: tuple[str, ...]) -> bytes:
    return b"\n".join(files("aamic.agent").joinpath(name).read_bytes() for name in names)
