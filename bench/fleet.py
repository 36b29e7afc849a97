"""Measures what a plan of 1,000 and 10,000 hosts costs beside SSH: the hosts are in memory and answer at once.

Run: .venv/bin/python bench/fleet.py [--hosts 1000,10000] [--ssh 8.0] [--quick]

Seconds of processor time, each size in a process of its own: compiling the site, reading and comparing the answers, and
each view. Some hosts have a file that was edited by hand, each another, and some are not reached. With `--ssh`, the
milliseconds of one connection and call as bench/hosts.py measures them, the whole is predicted. Prints a table in
Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from answers import Answers
from measure import cost_of
from sites import racks
from tables import machine, table

from aamic.commands import planning
from aamic.commands.plan import Format, shown
from aamic.compile.compiler import compile_site
from aamic.deploy.observe import Asking
from aamic.model.plan import Plan

HERE: Final = Path(__file__).parent
STAGES: Final = ("compile", "observe and compare", "text", "markdown", "html", "json")
PARALLEL: Final = 50


def main() -> None:
    arguments = _arguments()
    if arguments.measure:
        print(json.dumps(_measure(arguments.measure)))
        return
    print(f"{machine()}\n")
    print("a plan of hosts in memory: s of processor time of each stage, s of wall of all (checked: what it tells)\n")
    rows = [_row(size, arguments) for size in arguments.hosts]
    head = ("hosts", *STAGES, "s cpu", "s wall", "MB", "kB of Markdown")
    print(table((*head, f"with {arguments.ssh:.1f} ms a host for SSH, s") if arguments.ssh else head, rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--hosts", type=lambda text: [int(size) for size in text.split(",")], default=[1_000, 10_000], help="sizes"
    )
    parser.add_argument("--ssh", type=float, help="ms of processor time that a host costs over SSH")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the least counts")
    parser.add_argument("--quick", action="store_true", help="1,000 hosts, once")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.hosts, arguments.repeat = [1_000], 1
    return arguments


def _row(size: int, arguments: argparse.Namespace) -> tuple[str, ...]:
    runs = [_run(size) for _ in range(arguments.repeat)]
    stages = {name: min(found[name] for found, _ in runs) for name in runs[0][0]}
    whole = sum(stages[name] for name in STAGES)
    seconds = (f"{stages[name]:.2f}" for name in STAGES)
    row = (f"{size:,}", *seconds, f"{whole:.2f}", f"{stages['wall']:.2f}")
    sizes = (f"{min(peak for _, peak in runs) / 1e6:.0f}", f"{stages['bytes'] / 1e3:.1f}")
    ssh = (f"{whole + size * arguments.ssh / 1000:.0f}",) if arguments.ssh else ()
    return (*row, *sizes, *ssh)


def _run(size: int) -> tuple[dict[str, float], int]:
    """What one run found, and bytes of memory at its peak."""
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        racks(Path(folder), size)
        cost, printed = cost_of(
            [sys.executable, Path(__file__), "--measure", Path(folder) / "site.yaml"],
            variables={"PYTHONPATH": os.pathsep.join((str(HERE.parent), os.environ.get("PYTHONPATH", "")))},
        )
    found: dict[str, float] = json.loads(printed)
    return found, cost.peak


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
    """The stages of `aamic plan`, in this process; the answers of hosts are not in them."""
    stages, start = _Stages(), time.perf_counter()
    scope = stages.run("compile", _scope, site)
    answers = Answers(scope.desired)
    plan = stages.run("observe and compare", _plan, scope, site, answers)
    stages.seconds["observe and compare"] -= answers.own
    seen = (len(plan.unobserved), sum(len(group.hosts) for group in plan.groups))
    if seen != answers.expected:
        raise SystemExit(f"the plan tells of {seen} hosts lost and changed, not of {answers.expected}")
    views = {name: stages.run(name, shown, plan, Format(name)) for name in ("text", "markdown", "html", "json")}
    wall = time.perf_counter() - start - answers.own
    return {**stages.seconds, "wall": wall, "bytes": len(views["markdown"].encode())}


def _scope(site: Path) -> planning.Scope:
    return planning.scope(compile_site(site), planning.Wish())


def _plan(scope: planning.Scope, site: Path, answers: Answers) -> Plan:
    return planning.live(scope, site, answers, Asking(60.0, PARALLEL), lambda _host, _seen: None).plan


if __name__ == "__main__":
    main()
