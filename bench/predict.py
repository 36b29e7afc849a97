"""Prints what aamic predicts for a complete site of 100,000 GPUs: shards, RAM and disk.

Run: .venv/bin/python bench/predict.py [--gpus 100000] [--shards 25,50]

Nodes have 8 GPUs and 192 CPU threads; shards are pairs, on hosts of 64 GB. bench/load.py holds the same prediction
against real servers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from measure import Cost, cost_of
from sites import whole
from tables import machine, table

from aamic.compile.compiler import Checked, check_site
from aamic.model.fleet import Server

AAMIC: Final = Path(sys.executable).with_name("aamic")
GPUS_OF_A_NODE: Final = 8
GIB: Final = 1024**3


def main() -> None:
    asked = _asked()
    nodes = asked.gpus // GPUS_OF_A_NODE
    print(f"{machine()}\n")
    print(
        f"a complete site of {nodes:,} nodes with 8 GPUs each, each shard a pair, scraped each 15 s, kept for 15 d:\n"
    )
    rows, notes = [], []
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        for shards in asked.shards:
            site = whole(Path(folder), nodes, shards)
            checked, cost = check_site(site), cost_of([AAMIC, "validate", "--site", site])[0]
            rows += list(_rows(shards, checked))
            notes.append(_note(shards, checked, cost))
    head = ("", "nodes", "series", "samples/s", "RAM, GiB", "disk, GiB")
    print(table(head, rows))
    print("", *notes, sep="\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, default=100_000)
    parser.add_argument("--shards", type=lambda text: [int(size) for size in text.split(",")], default=[25, 50])
    return parser.parse_args()


def _rows(count: int, checked: Checked) -> Iterator[tuple[str, ...]]:
    shards = sorted((each for each in checked.fleet.servers if each.role == "shard"), key=lambda each: each.load.series)
    yield _row(f"{count} shards, the emptiest", shards[0])
    yield _row(f"{count} shards, the fullest", shards[-1])
    yield _row("central", next(each for each in checked.fleet.servers if each.role == "central"))
    servers = checked.fleet.servers
    loads = [each.load for each in servers]
    sums = (sum(each.series for each in loads), sum(each.samples_per_second for each in loads))
    sizes = (sum(each.memory for each in loads) / GIB, sum(each.disk for each in loads) / GIB)
    yield f"all {len(servers)} servers", "", *(f"{each:,.0f}" for each in (*sums, *sizes))


def _row(name: str, server: Server) -> tuple[str, ...]:
    load = server.load
    nodes = f"{len(server.nodes):,}" if server.nodes else ""
    return (
        name,
        nodes,
        *(f"{each:,.0f}" for each in (load.series, load.samples_per_second)),
        f"{load.memory / GIB:,.1f}",
        f"{load.disk / GIB:,.0f}",
    )


def _note(count: int, checked: Checked, cost: Cost) -> str:
    told = "; ".join(problem.message for problem in checked.warnings) or "nothing"
    return f"- {count} shards: `aamic validate` takes {cost.cpu:.2f} s of processor time, and warns of: {told}"


if __name__ == "__main__":
    main()
