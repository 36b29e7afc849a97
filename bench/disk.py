"""Measures what a sample of this machine's own node_exporter takes in a block of a real Prometheus.

Run: .venv/bin/python bench/disk.py [--interval 1] [--samples 480]

A block of 2 hours has 480 samples of a series that is scraped each 15 s. Here it has as many in less time, of values
that are real but closer together. Needs prometheus and prometheus-node-exporter, and takes up to
three times as long as a block.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tables import machine, table

from aamic.clients.processes import Processes, find_program
from aamic.twin.ports import reserved_ports

CONFIG: Final = """\
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}
scrape_configs:
  - {{job_name: prometheus, static_configs: [{{targets: ["{own}"]}}]}}
  - {{job_name: node, static_configs: [{{targets: ["{node}"]}}]}}
"""
ADDRESS: Final = "127.0.0.2"
PATIENCE: Final = 4
"""Lengths of blocks until one must have been cut."""
WHOLE: Final = 0.9
"""Of all samples that a whole block could have: a scrape may be late."""
PARTS: Final = ("chunks/*", "index")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=int, default=1, help="seconds between scrapes")
    parser.add_argument("--samples", type=int, default=480, help="samples of a series in a block")
    asked = parser.parse_args()
    print(f"{machine()}\n")
    length = asked.interval * asked.samples
    with (
        tempfile.TemporaryDirectory(prefix="aamic-bench-") as name,
        _running(Path(name), asked.interval, length),
    ):
        stats, sizes = _block(Path(name) / "data", asked.samples, length * PATIENCE)
    series, samples = stats["numSeries"], stats["numSamples"]
    rows = [(part, f"{size:,}", f"{size / samples:.2f}") for part, size in sizes.items()]
    print(f"a block of {series:,} series with {samples / series:.0f} samples each:\n")
    print(table(("", "bytes", "a sample"), rows))


@contextmanager
def _running(folder: Path, interval: int, length: int) -> Iterator[None]:
    """A Prometheus that scrapes itself and a node_exporter."""
    with reserved_ports(2, [ADDRESS]) as ports, Processes() as processes:
        own, node = (f"{ADDRESS}:{port}" for port in ports)
        (folder / "prometheus.yml").write_text(CONFIG.format(interval=interval, own=own, node=node))
        exporter = find_program("/usr/bin/prometheus-node-exporter", "prometheus-node-exporter")
        processes.start("node_exporter", [exporter, f"--web.listen-address={node}"], folder, folder / "node.log")
        server = [
            find_program("/usr/bin/prometheus", "prometheus"),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--storage.tsdb.min-block-duration={length}s",
            f"--web.listen-address={own}",
        ]
        processes.start("prometheus", server, folder, folder / "prometheus.log")
        yield


def _block(data: Path, samples: int, seconds: float) -> tuple[dict[str, int], dict[str, int]]:
    """What Prometheus says of the first block that is whole, and the bytes of its parts; the first of all is not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(2.0)
        for path in data.glob("*/meta.json"):
            stats = json.loads(path.read_bytes())["stats"]
            if stats["numSamples"] > WHOLE * samples * stats["numSeries"]:
                sizes = {part: sum(each.stat().st_size for each in path.parent.glob(part)) for part in PARTS}
                return stats, sizes | {"both": sum(sizes.values())}
    raise SystemExit("no whole block was cut")


if __name__ == "__main__":
    main()
