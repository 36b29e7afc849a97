"""Measures what a plan of 1,000 and 10,000 hosts costs beside SSH: the hosts are in memory and answer at once.

Run: .venv/bin/python bench/fleet.py [--hosts 1000,10000] [--ssh 8.0]

Seconds of processor time, each size in a process of its own: compiling the site, reading and comparing the answers, and
each view. Some hosts have a file that was edited by hand, each another, and some are not reached. With `--ssh`, the
milliseconds of one connection and call as bench/hosts.py measures them, the whole is predicted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from answers import Answers
from measure import cost_of
from sites import racks

from aamic.commands import planning
from aamic.commands.plan import Format, shown
from aamic.compile.compiler import compile_site
from aamic.deploy.observe import Asking
from aamic.model.plan import Plan

HERE: Final = Path(__file__).parent
PARALLEL: Final = 50


def main() -> None:
    arguments = _arguments()
    if arguments.measure:
        print(json.dumps(_measure(arguments.measure)))
        return
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n"
    )
    print("a plan of hosts in memory: s of processor time")
    for size in arguments.hosts:
        _report(size, arguments.ssh)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--hosts", type=lambda text: [int(size) for size in text.split(",")], default=[1_000, 10_000], help="sizes"
    )
    parser.add_argument("--ssh", type=float, help="ms of processor time that a host costs over SSH")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _report(size: int, ssh: float | None) -> None:
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        racks(Path(folder), size)
        site = Path(folder) / "site.yaml"
        cost, printed = cost_of(
            [sys.executable, Path(__file__), "--measure", site],
            variables={"PYTHONPATH": os.pathsep.join((str(HERE.parent), os.environ.get("PYTHONPATH", "")))},
        )
    stages: dict[str, float] = json.loads(printed)
    print(f"{size:9,} hosts: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items()))
    whole = sum(stages.values())
    print(f"{'':17}{whole:.2f} s in all, {whole / size * 1000:.2f} ms a host; {cost.peak / 1e6:.0f} MB at the peak")
    if ssh is not None:
        print(f"{'':17}with {ssh:.1f} ms a host for SSH: {whole + size * ssh / 1000:.0f} s")
    print(flush=True)


class _Stages:
    """Seconds of processor time of each stage, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, stage: Callable[..., Any], *args: Any) -> Any:
        start = time.process_time()
        value = stage(*args)
        self.seconds[name] = time.process_time() - start
        return value


def _measure(site: Path) -> dict[str, float]:
    """The stages of `aamic plan`, in this process."""
    stages = _Stages()
    scope = stages.run("compile", _scope, site)
    answers = Answers(scope.desired)
    plan = stages.run("observe and compare", _plan, scope, site, answers)
    stages.seconds["observe and compare"] -= answers.own
    seen = (len(plan.unobserved), sum(len(group.hosts) for group in plan.groups))
    if seen != answers.expected:
        raise SystemExit(f"the plan tells of {seen} hosts lost and changed, not of {answers.expected}")
    for name in ("text", "markdown", "html", "json"):
        stages.run(name, shown, plan, Format(name))
    return stages.seconds


def _scope(site: Path) -> planning.Scope:
    return planning.scope(compile_site(site), planning.Wish())


def _plan(scope: planning.Scope, site: Path, answers: Answers) -> Plan:
    return planning.live(scope, site, answers, Asking(60.0, PARALLEL), lambda _host, _seen: None).plan


if __name__ == "__main__":
    main()
