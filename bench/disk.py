"""Measures what a sample of this machine's own node_exporter takes in a block of a real Prometheus.

Run: .venv/bin/python bench/disk.py [--interval 1] [--samples 480]

A block of 2 hours has 480 samples of a series that is scraped each 15 s. Here it has as many in less time, of values
that are real but closer together. Needs prometheus and prometheus-node-exporter, and half as long again as a block.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tables import machine, table

from aamic.clients.processes import Processes, find_program
from aamic.clients.prometheus import Prometheus
from aamic.errors import OutsideError
from aamic.twin.ports import reserved_ports

CONFIG: Final = """\
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}
scrape_configs:
  - {{job_name: prometheus, static_configs: [{{targets: ["{own}"]}}]}}
  - {{job_name: node, static_configs: [{{targets: ["{node}"]}}]}}
"""
ADDRESS: Final = "127.0.0.2"
PATIENCE: Final = 3
"""Blocks' lengths until one must have been cut."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=int, default=1, help="seconds between scrapes")
    parser.add_argument("--samples", type=int, default=480, help="samples of a series in a block")
    asked = parser.parse_args()
    print(f"{machine()}\n")
    length = asked.interval * asked.samples
    with (
        tempfile.TemporaryDirectory(prefix="aamic-bench-") as name,
        _running(Path(name), asked.interval, length) as one,
    ):
        block = _block(Path(name) / "data", one, length * PATIENCE)
        samples = _value(one, "prometheus_tsdb_compaction_chunk_samples_sum")
        series = _value(one, "prometheus_tsdb_compaction_chunk_samples_count")
        sizes = {part: sum(path.stat().st_size for path in block.glob(part)) for part in ("chunks/*", "index")}
    rows = [(part, f"{size:,}", f"{size / samples:.2f}") for part, size in sizes.items()]
    whole = sum(sizes.values())
    print(f"a block of {samples:,.0f} samples in {series:,.0f} chunks:\n")
    print(table(("", "bytes", "a sample"), [*rows, ("block", f"{whole:,}", f"{whole / samples:.2f}")]))


@contextmanager
def _running(folder: Path, interval: int, length: int) -> Iterator[Prometheus]:
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
        yield Prometheus(f"http://{own}", 10.0)


def _block(data: Path, server: Prometheus, seconds: float) -> Path:
    """The first block, once it is written and the server tells of it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(2.0)
        found = [path.parent for path in data.glob("*/meta.json")]
        if found and _value(server, "prometheus_tsdb_compaction_chunk_samples_sum"):
            return found[0]
    raise SystemExit("no block was cut")


def _value(server: Prometheus, query: str) -> float:
    try:
        return next((sample.value for sample in server.query(query)), 0.0)
    except OutsideError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
