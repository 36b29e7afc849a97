"""Measures `aamic render` from 1,000 to 100,000 nodes, stage by stage, and beside kapitan and rjsonnet.

Run: .venv/bin/python bench/compile.py [--nodes 1000,10000,100000] [--quick]

Each run is a process of its own: seconds of processor time (user and system), seconds of wall, peak resident memory;
the least of several runs. Peers go into bench/.venv (see requirements.txt), the first time over the network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from measure import Cost, cost_of, least
from peers.compare import LeftOutError, cost_of_peer
from sites import FORMS, shard_count

from aamic.compile.compiler import Compiled, compile_site

HERE: Final = Path(__file__).parent
AAMIC: Final = Path(sys.executable).with_name("aamic")
FEW: Final = 1_000
"""Up to this many nodes a YAML list says no more than the other forms."""
PEERS_UP_TO: Final = {"kapitan": 10_000, "rjsonnet": 100_000}
"""Nodes that each peer can bear in a minute."""
REPEAT: Final = 3

Rendered = dict[tuple[str, int], Cost]
Staged = dict[tuple[str, int], dict[str, list[float]]]
"""Processor time and peak memory of each stage, by the form of the site and its nodes."""


def main() -> None:
    arguments = _arguments()
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n"
    )
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        _help(arguments.repeat)
        rendered = _render(Path(folder), arguments.nodes, arguments.repeat)
        _growth(rendered, arguments.nodes)
        stages = _stages(Path(folder), rendered)
        _peers(Path(folder), rendered, stages, arguments.repeat)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--nodes", type=lambda text: [int(size) for size in text.split(",")], default=[1_000, 10_000, 100_000]
    )
    parser.add_argument("--repeat", type=int, default=REPEAT, help="runs of each measurement; the least counts")
    parser.add_argument("--quick", action="store_true", help="1,000 nodes, each measurement once")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.nodes, arguments.repeat = [1_000], 1
    return arguments


def _help(repeat: int) -> None:
    cost_of([AAMIC, "--help"])
    cost = least(cost_of([AAMIC, "--help"])[0] for _ in range(repeat))
    print(f"aamic --help: {cost.cpu:.2f} s of processor time, {cost.wall:.2f} s of wall\n")


def _render(folder: Path, sizes: Sequence[int], repeat: int) -> Rendered:
    print("aamic render: into an empty folder, then once more with nothing changed (checked: no file was touched)")
    print(f"{'nodes':>9} {'given as':9}{'shards':>7}{'files':>7}{'s cpu':>8}{'s wall':>8}{'MB':>6}{'s again':>9}")
    rendered: Rendered = {}
    for size in sizes:
        for form, write in FORMS.items():
            if form == "yaml" and size <= FEW:
                continue
            site = folder / f"{form}-{size}" / "site.yaml"
            site.parent.mkdir()
            write(site.parent, size)
            if not rendered:
                cost_of([AAMIC, "validate", "--site", site])  # the first run compiles Python's modules
            first, again, files = _render_twice(site, repeat)
            rendered[form, size] = first
            print(
                f"{size:9,} {form:9}{shard_count(size):7}{files:7}{first.cpu:8.2f}{first.wall:8.2f}"
                f"{first.peak / 1e6:6.0f}{again.cpu:9.2f}",
                flush=True,
            )
    print()
    return rendered


def _render_twice(site: Path, repeat: int) -> tuple[Cost, Cost, int]:
    """The cost of a first render, of one with nothing changed, and the number of files."""
    out = site.parent / "outputs"
    firsts, seconds = [], []
    for _ in range(repeat):
        shutil.rmtree(out, ignore_errors=True)
        firsts.append(cost_of([AAMIC, "render", "--site", site])[0])
        written = _marks(out)
        seconds.append(cost_of([AAMIC, "render", "--site", site])[0])
        if _marks(out) != written:
            raise SystemExit(f"the second render of {site} wrote something")
    return least(firsts), least(seconds), sum(path.is_file() for path in written)


def _marks(out: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of change of every file and folder, `out` itself included."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (out, *out.rglob("*"))}


def _growth(rendered: Rendered, sizes: Sequence[int]) -> None:
    for form in FORMS:
        for small, large in pairwise(sizes):
            if (form, small) in rendered and (form, large) in rendered:
                ratio = rendered[form, large].cpu / rendered[form, small].cpu
                print(
                    f"{form:6} {large / small:.0f} times the nodes ({small:,} to {large:,}): {ratio:.1f} times the time"
                )
    print()


def _stages(folder: Path, rendered: Rendered) -> Staged:
    print("the same pipeline in one process: s of processor time, and MB at the peak of each stage")
    staged: Staged = {}
    for form, size in rendered:
        site, out = folder / f"{form}-{size}" / "site.yaml", folder / "staged"
        stages = json.loads(cost_of([sys.executable, HERE / "stages.py", site, out])[1])
        shutil.rmtree(out)
        if not staged:
            print(f"{'nodes':>9} {'given as':9}" + "".join(f"{name:>14}" for name in stages))
        staged[form, size] = stages
        costs = (f"{seconds:7.2f} {peak / 1e6:3.0f} MB" for seconds, peak in stages.values())
        print(f"{size:9,} {form:9}" + "".join(f"{cost:>14}" for cost in costs), flush=True)
    print()
    return staged


def _peers(folder: Path, rendered: Rendered, staged: Staged, repeat: int) -> None:
    print("peers, given which node stands in which shard, on which port, at which address: they write each shard's")
    print("file_sd targets and prometheus.yml alone, the same values as aamic's (checked). A whole render by aamic")
    print("reads the site, places nodes, checks, and writes rules, units, Alertmanager and the manifest as well.")
    for form, size in rendered:
        if form == "racks":
            compiled = compile_site(folder / f"{form}-{size}" / "site.yaml")
            whole, render = rendered[form, size].cpu, staged[form, size]["render"][0]
            print(f"{size:9,} aamic     {whole:8.2f} s, of which the stage `render` {render:.2f} s")
            for name, most in PEERS_UP_TO.items():
                if size <= most:
                    print(f"{size:9,} {name:9} {_peer(folder, name, compiled, whole, repeat)}", flush=True)


def _peer(folder: Path, name: str, compiled: Compiled, whole: float, repeat: int) -> str:
    work = Path(tempfile.mkdtemp(dir=folder))
    try:
        cost = cost_of_peer(name, work, compiled, repeat)
    except LeftOutError as error:
        return f"left out: {error}"
    return f"{cost.cpu:8.2f} s, {cost.cpu / whole:.2f} times a whole render by aamic; {cost.peak / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
