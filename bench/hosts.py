"""Measures `aamic plan` and `aamic apply` on real sshds, beside Ansible and pyinfra on the same files, and the limit.

Run, as root: .venv/bin/python bench/hosts.py [--hosts 10,50,200] [--skip ansible] [--repeat 3] [--quick]

Each run is a process of its own. Processor time is that of the client and its children (user and system); the hosts
share this machine, and what they use is not in it, but wall time has it. The least of several runs counts, and the
programs take turns. Every outcome is checked on the hosts. Peers go into bench/.venv (see requirements.txt), the first
time over the network.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from contest import Aamic, Bare, Contender, Run
from farm import farm
from measure import Cost, cost_of, least
from peers.compare import LeftOutError, install
from peers.with_ansible import Ansible
from peers.with_pyinfra import Pyinfra
from work import Work, ports, work

REPEAT: Final = 3
NAMES: Final = ("aamic", "aamic, 2 processes", "ansible", "pyinfra", "bare fabric", "bare asyncssh")
KINDS: Final = {"plan": "a plan that finds no change", "change": "a change of three files"}

SLOW_UP_TO: Final = 50
"""Hosts on which a slow program is measured without `--patient`."""

Costs = dict[tuple[str, int, str], Cost]
"""By kind of work, number of hosts, and contender."""


def main() -> None:
    arguments = _arguments()
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n"
    )
    costs: Costs = {}
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        for count in arguments.hosts:
            costs |= _measure(Path(folder) / str(count), count, arguments)
    _growth(costs, arguments.hosts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--hosts", type=lambda text: [int(size) for size in text.split(",")], default=[10, 50, 200], help="farms"
    )
    parser.add_argument("--skip", type=lambda text: text.split(","), default=[], help=f"of {', '.join(NAMES)}")
    parser.add_argument("--repeat", type=int, default=REPEAT, help="runs of each measurement; the least counts")
    parser.add_argument("--patient", action="store_true", help=f"Ansible on more than {SLOW_UP_TO} hosts too")
    parser.add_argument("--quick", action="store_true", help="10 hosts, each measurement once")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.hosts, arguments.repeat = [10], 1
    return arguments


def _measure(folder: Path, count: int, arguments: argparse.Namespace) -> Costs:
    """The costs on so many hosts, which are there for that long."""
    with farm(folder / "farm", count, ports()) as hosts:
        given = work(folder / "work", hosts, count)
        slow = count <= SLOW_UP_TO or arguments.patient
        taking_part = [each for each in _contenders(folder, given, arguments.skip) if slow or not each.is_slow]
        for each in taking_part:
            _prepare(each, given)
        costs = {
            (kind, count, name): least(several)
            for kind in KINDS
            for name, several in _rounds(kind, taking_part, given, arguments.repeat).items()
        }
    for kind in KINDS:
        _table(kind, count, len(given.files), costs)
    return costs


def _prepare(each: Contender, given: Work) -> None:
    """Bring all hosts to the first form: by aamic, which keeps a record there, or for others by hand."""
    if each.place:
        for host, _ in given.hosts:
            given.write(given.farm.root(host) / each.place, 0)
    else:
        _cost(each.change(0))
    _check(each, given, 0)


def _rounds(kind: str, taking_part: Sequence[Contender], given: Work, repeat: int) -> dict[str, list[Cost]]:
    """The costs of each, who take turns."""
    costs: dict[str, list[Cost]] = {}
    for turn in range(repeat):
        for each in taking_part:
            if not (each.is_slow and turn) and kind in each.kinds:
                costs.setdefault(each.name, []).append(_turn(kind, each, given, turn))
    return costs


def _turn(kind: str, each: Contender, given: Work, turn: int) -> Cost:
    if kind == "plan":
        cost, printed = _cost(each.plan(0))
        if not each.found_no_change(printed):
            raise SystemExit(f"{each.name} did not say that nothing changes:\n{printed[-2000:]}")
        return cost
    form = 1 - turn % 2
    cost, _ = _cost(each.change(form))
    _check(each, given, form)
    return cost


def _cost(run: Run) -> tuple[Cost, str]:
    return cost_of(run.command, run.folder, run.environment)


def _check(each: Contender, given: Work, form: int) -> None:
    """Stop unless every host has every file as it should be."""
    for host, _ in given.hosts:
        place = given.farm.root(host) / each.place
        for file in given.files:
            if (place / file.path[1:]).read_bytes() != file.contents[form]:
                raise SystemExit(f"{each.name} did not write {file.path} on {host}")


def _table(kind: str, count: int, files: int, costs: Costs) -> None:
    print(f"{KINDS[kind]}, {count} hosts with {files} files each (checked)")
    print(f"{'':20}{'ms a host':>10}{'s wall':>8}{'times aamic':>13}{'MB':>6}")
    own = costs.get((kind, count, "aamic"))
    for name in NAMES:
        if cost := costs.get((kind, count, name)):
            times = f"{cost.cpu / own.cpu:13.2f}" if own else f"{'':13}"
            print(f"{name:20}{cost.cpu / count * 1000:10.1f}{cost.wall:8.1f}{times}{cost.peak / 1e6:6.0f}")
    print(flush=True)


def _growth(costs: Costs, sizes: Sequence[int]) -> None:
    """What one more host costs, and what a run costs before the first: a line through the two largest sizes."""
    print("a line through the two largest sizes: ms for each host, and s before the first")
    print(f"{'':20}" + "".join(f"{kind:>10}{'':10}" for kind in KINDS))
    for name in NAMES:
        told = [
            _line({size: costs[kind, size, name] for size in sizes if (kind, size, name) in costs}) for kind in KINDS
        ]
        print(f"{name:20}" + "".join(told))


def _line(costs: Mapping[int, Cost]) -> str:
    if len(costs) < 2:  # noqa: PLR2004  # a line goes through two points
        return f"{'':20}"
    few, many = sorted(costs)[-2:]
    each = (costs[many].cpu - costs[few].cpu) / (many - few)
    return f"{each * 1000:10.1f} + {max(0.0, costs[few].cpu - few * each):4.2f}   "


def _contenders(folder: Path, given: Work, skipped: Sequence[str]) -> Iterator[Contender]:
    for name in NAMES:
        place = folder / name.replace(" ", "-")
        if name not in skipped:
            place.mkdir()
            try:
                yield _contender(name, place, given)
            except LeftOutError as error:
                print(f"{name} is left out: {error}")


def _contender(name: str, place: Path, given: Work) -> Contender:
    if name == "ansible":
        return Ansible(place, given)
    if name == "pyinfra":
        return Pyinfra(place, given)
    if name == "bare fabric":
        return Bare(place, given, "fabric", Path(sys.executable))
    if name == "bare asyncssh":
        return Bare(place, given, "asyncssh", install("asyncssh") / "python")
    return Aamic(place, given, processes=2 if "processes" in name else 1)


if __name__ == "__main__":
    main()
