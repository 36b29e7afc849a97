"""How long `aamic drift` takes over a real Prometheus that holds what 100,000 nodes say of their files.

Run: .venv/bin/python bench/drift.py [--nodes 1000,100000] [--repeat 3] [--quick]

promtool stores `node:aamic_drifted_files:count` and `node:aamic_apply_pending` of every node, one of them of a pair of
servers. Some nodes have files that differ, some a change under way, some a check that failed, and some are silent; what
the command says of each is checked. Needs prometheus and promtool.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import Cost, environment, least
from sites import listed, racks
from tables import machine, table

from aamic.clients.prometheus import Prometheus
from aamic.model.drift import State
from aamic.ops.drift import query
from tests.ops.blocks import stored  # found beside the package only

AAMIC: Final = Path(sys.executable).with_name("aamic")
STATES: Final[dict[int, State]] = {1: "drifted", 2: "pending", 3: "unchecked", 4: "unknown"}
"""What nodes are whose number has this rest, divided by `EVERY`; the others are in sync."""
EVERY: Final = 500
STATES_OF_NO_FILES: Final[tuple[State, ...]] = ("in sync", "pending", "unchecked", "unknown")
FILES: Final = 3
"""Files that differ on a node that drifted."""
STEP: Final = 60
AHEAD: Final = 900
"""Seconds that are stored of the future, as storing and measuring take a while."""
EXIT_DIFFERENT: Final = 16


def main() -> None:
    asked = _asked()
    print(f"{machine()}\n")
    print("`aamic drift --json`, and its query alone as it is answered (checked: what is told of every node):\n")
    rows = [_measure(size, asked.repeat) for size in asked.nodes]
    print(
        table(
            (
                "nodes",
                "series",
                "s cpu",
                "s wall",
                "MB",
                "of it compiling, s cpu",
                "Prometheus, s cpu",
                "query, s wall",
            ),
            rows,
        )
    )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--nodes", type=lambda text: [int(size) for size in text.split(",")], default=[1_000, 10_000, 100_000]
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs; the least counts")
    parser.add_argument("--quick", action="store_true", help="1,000 nodes, once")
    asked = parser.parse_args()
    if asked.quick:
        asked.nodes, asked.repeat = [1_000], 1
    return asked


def _measure(size: int, repeat: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as name:
        folder = Path(name)
        racks(folder, size)
        with stored(folder, Lines(size, time.time() // 1 + AHEAD)) as server:  # type: ignore[arg-type]
            series = _count(server)
            runs = [_run([AAMIC, "drift", "--json", "--prometheus", server.url], folder) for _ in range(repeat)]
            asking = [_asking(server) for _ in range(repeat)]
        _check(size, runs[0][1])
        compiling = least(_run([AAMIC, "validate"], folder)[0] for _ in range(repeat))
        cost = least(run[0] for run in runs)
    costs = (f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.peak / 1e6:.0f}", f"{compiling.cpu:.2f}")
    return f"{size:,}", f"{series:,}", *costs, *(f"{min(each):.2f}" for each in zip(*asking, strict=True))


class Lines:
    """Series and their samples, made as they are written."""

    def __init__(self, nodes: int, end: float) -> None:
        self._nodes, self._end = nodes, end

    def items(self) -> Iterator[tuple[str, Iterable[tuple[float, float]]]]:
        """Half an hour of each."""
        times = [self._end - STEP * back for back in range((AHEAD + 1800) // STEP, -1, -1)]
        for number in range(self._nodes):
            node = listed(number)
            labels = f'cluster="bench",node="{node.name}",rack="{node.rack}",shard="shard-1",replica="a"'
            for name, value in _values(number):
                yield f"{name}{{{labels}}}", ((at, value) for at in times)


def _state(number: int) -> State:
    return STATES.get(number % EVERY, "in sync")


def _values(number: int) -> Iterator[tuple[str, int]]:
    """What a node says, by the state that it is in."""
    state = _state(number)
    if state == "unknown":
        return
    if state != "unchecked":
        yield "node:aamic_drifted_files:count", FILES if state == "drifted" else 0
    yield "node:aamic_apply_pending", int(state == "pending")


def _count(server: Prometheus) -> int:
    return round(server.query('count({__name__=~"node:.+"})')[0].value)


def _asking(server: Prometheus) -> tuple[float, float]:
    """Seconds of processor time that the server takes for the query, and seconds until its answer is read."""
    worked, start = _worked(server), time.perf_counter()
    server.query(query("bench"))
    passed = time.perf_counter() - start
    return _worked(server) - worked, passed


def _worked(server: Prometheus) -> float:
    """Seconds of processor time that the server has used."""
    with urlopen(f"{server.url}/metrics") as page:  # noqa: S310  # it is of our own
        lines = page.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("process_cpu_seconds_total ")))


def _run(command: list[Path | str], folder: Path) -> tuple[Cost, str]:
    """The cost of a command, which ends with 0 or as `aamic drift` does where hosts differ, and what it printed."""
    with (folder / "printed").open("w+b") as printed:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, env=environment(), stdout=printed)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode()
    if child.returncode not in {0, EXIT_DIFFERENT}:
        raise SystemExit(f"{command} ended with {child.returncode}: {text[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024), text


def _check(size: int, text: str) -> None:
    """Stop unless every node is told to be what it is."""
    found: dict[str, Any] = json.loads(text)
    told = {node: (state, 0) for state in STATES_OF_NO_FILES for node in found[state.replace(" ", "_")]}
    told |= {node: ("drifted", files) for node, files in found["drifted"].items()}
    told = {node: state for node, state in told.items() if node.startswith("gpu-")}
    states = {listed(number).name: _state(number) for number in range(size)}
    wanted = {node: (state, FILES if state == "drifted" else 0) for node, state in states.items()}
    if told != wanted:
        wrong = [node for node in wanted if told.get(node) != wanted[node]]
        raise SystemExit(f"of {len(wrong):,} nodes something else is told, such as of {wrong[:1]}")


if __name__ == "__main__":
    main()
