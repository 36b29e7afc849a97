"""Measures `aamic render` of sites that are odd in one way each, and how time grows as the odd part doubles twice.

Run: .venv/bin/python bench/odd.py [--only overrides,alerts] [--repeat 3]

Seconds of processor time with n, 2n and 4n of what is odd. The last column is what the second doubling added over what
the first did: 2 is linear, 4 is quadratic. The largest of each is as large as a site can sensibly get, or larger.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from measure import cost_of, least

HEAD: Final = """\
version: 1
cluster: {name: bench}
federation: {central_node: mon, shards: 2, shard_nodes: mon, by: count}
alertmanager: {nodes: mon}
"""
PRESETS: Final = "alerts: {presets: [node, gpu, federation, aamic]}\n"
GPU: Final = "gpu: {vendor: nvidia, model: H100, count: 8}"
NOISE: Final = 0.05
"""Seconds that a doubling must add before its growth is told."""
MON: Final = "  mon: {address: 10.250.0.1}\n"


def main() -> None:
    arguments = _arguments()
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"{'odd in':22}{'the largest':>12}{'s with n':>10}{'2n':>8}{'4n':>8}{'MB':>6}{'growth':>8}")
    for name in arguments.only:
        largest, write = ODD[name]
        costs = [_cost(write, largest // part, arguments.repeat) for part in (4, 2, 1)]
        first, second, third = (cpu for cpu, _ in costs)
        growth = f"{(third - second) / (second - first):.1f}" if second - first > NOISE else "-"
        print(
            f"{name:22}{largest:12,}{first:10.2f}{second:8.2f}{third:8.2f}{costs[-1][1] / 1e6:6.0f}{growth:>8}",
            flush=True,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(ODD), help=", ".join(ODD))
    parser.add_argument("--repeat", type=int, default=2, help="runs of each measurement; the least counts")
    return parser.parse_args()


def _cost(write: Callable[[int], str], size: int, repeat: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        site = Path(folder) / "site.yaml"
        site.write_text(write(size), encoding="utf-8")
        command = [sys.executable, "-m", "aamic", "render", "--site", site]
        cost = least(cost_of(command)[0] for _ in range(repeat))
    return cost.cpu, cost.peak


def _site(lines: Iterable[str], nodes: int = 1_000, presets: str = PRESETS) -> str:
    """A site of so many plain nodes in one rack, with these lines between head and nodes."""
    return "".join((HEAD, presets, *lines, "racks:\n", *_racks(nodes, nodes), "nodes:\n", MON))


def _racks(nodes: int, size: int) -> Iterator[str]:
    for start in range(0, nodes, size):
        last = min(size, nodes - start)
        yield f'  r{start:06}: {{nodes: "n{start:06}-[00001-{last:05}]", {GPU}}}\n'


def one_rack(size: int) -> str:
    """All nodes in one rack."""
    return _site((), size)


def many_racks(size: int) -> str:
    """A rack for each two nodes."""
    return "".join((HEAD, PRESETS, "racks:\n", *_racks(2 * size, 2), "nodes:\n", MON))


def shards(size: int) -> str:
    """Very many shards on one host."""
    return _site((), 20_000).replace("shards: 2", f"shards: {size}")


def listed_shards(size: int) -> str:
    """Shards that name their nodes."""
    listed = "".join(f'  - {{name: s{number}, nodes: "n000000-{number:05}"}}\n' for number in range(1, size))
    rest = f'  - {{name: rest, nodes: "mon,n000000-[{size:05}-20000]"}}\n'
    federation = f"federation:\n  central_node: mon\n  shard_nodes: mon\n  shards:\n{listed}{rest}"
    return _site((), 20_000).replace(HEAD.splitlines()[2] + "\n", federation.replace("\n  - ", "\n    - "))


def exporters(size: int) -> str:
    """Custom exporters that run everywhere."""
    return _site(("exporters:\n  custom:\n", *map(_exporter, range(size))))


def _exporter(number: int) -> str:
    return (
        f"    - {{name: own{number}, port: {20000 + number}, command: [/usr/bin/own, --number={number}], "
        f"metrics: {{own{number}_total: {{type: counter}}, own{number}_seconds: {{type: gauge, labels: [a, b]}}}}}}\n"
    )


def alerts(size: int) -> str:
    """Alerts of the site's own."""
    presets = "alerts:\n  presets: [node, gpu, federation, aamic]\n  custom:\n"
    return _site(map(_alert, range(size)), presets=presets)


def _alert(number: int) -> str:
    return (
        f"    - {{name: Own{number}, expr: 'avg by (rack) (gpu:temperature_celsius) > {number} and on (rack) "
        f"count by (rack) (up == 0) > {number % 7}', for: 10m, summary: 'Rack {{{{ $labels.rack }}}}'}}\n"
    )


def overrides(size: int) -> str:
    """Nodes of a rack with labels of their own."""
    return _site((), size) + "".join(
        f"  n000000-{number:05}: {{labels: {{slot: s{number}}}}}\n" for number in range(1, size + 1)
    )


def names(size: int) -> str:
    """A host list of names without any order."""
    listed = ",".join(f"x{number * 7919 % 1_000_003}y{number % 7}z" for number in range(size))
    return "".join((HEAD, PRESETS, f'racks:\n  all: {{nodes: "{listed}", {GPU}}}\n', "nodes:\n", MON))


def different(size: int) -> str:
    """Nodes with threads, memory, ports and GPUs, each different."""
    return "".join((HEAD, PRESETS, "nodes:\n", MON, *map(_different, range(size))))


def _different(number: int) -> str:
    return (
        f"  d{number}: {{address: 10.{number // 65536}.{number // 256 % 256}.{number % 256}, threads: {number + 1}, "
        f"memory: {number + 1}GB, reserved_ports: [{30000 + number % 30000}], labels: {{owner: o{number}}}, "
        f"gpu: {{vendor: amd, model: M{number}, count: {number % 16 + 1}}}}}\n"
    )


ODD: Final[dict[str, tuple[int, Callable[[int], str]]]] = {
    "one-rack": (60_000, one_rack),
    "racks": (20_000, many_racks),
    "shards": (1_000, shards),
    "listed-shards": (1_000, listed_shards),
    "exporters": (1_000, exporters),
    "alerts": (600, alerts),
    "overrides": (40_000, overrides),
    "names": (60_000, names),
    "different": (40_000, different),
}


if __name__ == "__main__":
    main()
