"""Measures `aamic render` from 1,000 to 100,000 nodes, stage by stage, and beside kapitan, Jsonnet and Ansible.

Run: .venv/bin/python bench/compile.py [--nodes 1000,10000,100000] [--quick]

Each run is a process of its own: seconds of processor time (user and system), seconds of wall, peak resident memory;
the least of several runs. Peers go into bench/.venv (see requirements.txt), the first time over the network; Jsonnet is
Debian's package of that name, in C++. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from measure import Cost, cost_of, least
from peers.compare import LeftOutError, cost_of_peer
from sites import FORMS, shard_count
from tables import machine, table

from aamic.compile.compiler import Compiled, compile_site

HERE: Final = Path(__file__).parent
AAMIC: Final = Path(sys.executable).with_name("aamic")
FEW: Final = 1_000
"""Up to this many nodes a YAML list says no more than the other forms."""
PEERS_UP_TO: Final = {"rjsonnet": 100_000, "jsonnet": 100_000, "kapitan": 10_000, "ansible": 10_000}
"""Nodes that each peer can bear in a few minutes."""
REPEAT: Final = 3

Rendered = dict[tuple[str, int], Cost]
Staged = dict[tuple[str, int], dict[str, list[float]]]
"""Processor time and peak memory of each stage, by the form of the site and its nodes."""


def main() -> None:
    arguments = _arguments()
    print(f"{machine()}\n")
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
    print("`aamic render` into an empty folder, then once more with nothing changed (checked: no file was touched):\n")
    rendered: Rendered = {}
    rows = []
    for size, form in _sites(sizes):
        site = folder / f"{form}-{size}" / "site.yaml"
        site.parent.mkdir()
        FORMS[form](site.parent, size)
        if not rendered:
            cost_of([AAMIC, "validate", "--site", site])  # the first run compiles Python's modules
        first, again, files = _render_twice(site, repeat)
        rendered[form, size] = first
        costs = (f"{first.cpu:.2f}", f"{first.wall:.2f}", f"{first.peak / 1e6:.0f}", f"{again.cpu:.2f}")
        rows.append((f"{size:,}", form, shard_count(size), files, *costs))
    print(
        table(("nodes", "given as", "shards", "files", "s cpu", "s wall", "MB", "s cpu again"), rows), "\n", flush=True
    )
    return rendered


def _sites(sizes: Sequence[int]) -> Iterator[tuple[int, str]]:
    return ((size, form) for size in sizes for form in FORMS if form != "yaml" or size > FEW)


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
                growth = f"{large / small:.0f} times the nodes ({small:,} to {large:,})"
                print(f"- {form}, {growth}: {ratio:.1f} times the time")
    print()


def _stages(folder: Path, rendered: Rendered) -> Staged:
    print("The same in one process: s of processor time, and MB at the peak of each stage:\n")
    staged: Staged = {}
    for form, size in rendered:
        site, out = folder / f"{form}-{size}" / "site.yaml", folder / "staged"
        staged[form, size] = json.loads(cost_of([sys.executable, HERE / "stages.py", site, out])[1])
        shutil.rmtree(out)
    names = list(next(iter(staged.values())))
    rows = [
        (f"{size:,}", form, *(f"{seconds:.2f}, {peak / 1e6:.0f}" for seconds, peak in stages.values()))
        for (form, size), stages in staged.items()
    ]
    print(table(("nodes", "given as", *names), rows), "\n", flush=True)
    return staged


def _peers(folder: Path, rendered: Rendered, staged: Staged, repeat: int) -> None:
    print("The file_sd targets and the prometheus.yml of each shard by others, the same values as aamic's (checked).")
    print("They are given which node stands in which shard, on which port, at which address. A whole render by aamic")
    print("reads the site, places nodes, checks, and writes rules, units, Alertmanager and the manifest as well:\n")
    rows = []
    for form, size in rendered:
        if form == "racks":
            compiled = compile_site(folder / f"{form}-{size}" / "site.yaml")
            whole = rendered[form, size]
            rows.append(_row(size, "aamic, whole render", whole, whole))
            cpu, peak = staged[form, size]["render"]
            rows.append(_row(size, "aamic, stage `render`", Cost(cpu, 0.0, int(peak)), whole))
            rows += [_peer(folder, name, compiled, whole, repeat) for name, most in PEERS_UP_TO.items() if size <= most]
    print(table(("nodes", "by", "s cpu", "s wall", "MB", "times aamic's whole render"), rows))


def _row(size: int, name: str, cost: Cost, whole: Cost) -> tuple[str, ...]:
    wall = f"{cost.wall:.2f}" if cost.wall else ""
    return f"{size:,}", name, f"{cost.cpu:.2f}", wall, f"{cost.peak / 1e6:.0f}", f"{cost.cpu / whole.cpu:.2f}"


def _peer(folder: Path, name: str, compiled: Compiled, whole: Cost, repeat: int) -> tuple[str, ...]:
    size = sum(1 for node in compiled.fleet.nodes.values() if node.gpu)
    work = Path(tempfile.mkdtemp(dir=folder))
    try:
        return _row(size, name, cost_of_peer(name, work, compiled, repeat), whole)
    except LeftOutError as error:
        return f"{size:,}", name, f"left out: {error}", "", "", ""


if __name__ == "__main__":
    main()
