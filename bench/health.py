"""How long `aamic health` takes over a real Prometheus that has stored an hour of many nodes with 8 GPUs.

Run: .venv/bin/python bench/health.py [--nodes 1000] [--eventful 50]

Of the eventful nodes the hour is replayed, as a GPU of theirs was hot. Prints seconds, memory and the size of the
answer. Needs prometheus and promtool.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.ops.blocks import stored

STEP = 30
AHEAD = 900
"""Seconds that are stored of the future, as storing takes a while."""
FLAT = {
    "memory_temperature_celsius": 60, "ecc_corrected_total": 3, "ecc_uncorrected_total": 0, "row_remap_failure": 0,
    "row_remap_pending": 0, "unhealthy": 0, "health_warning": 0, "last_error_code": 0,
}  # fmt: skip
SITE = """\
version: 1
cluster: {{name: bench}}
prometheus: {{node: mon, port: 9090, scrape_interval: 30s, evaluation_interval: 30s}}
nodes:
  mon: {{address: 198.18.0.1}}
racks:
"""


def site(nodes: int) -> str:
    """A site with racks of 32 nodes."""
    racks = []
    for rack in range(0, nodes, 32):
        last = min(rack + 32, nodes)
        where = f"198.18.{1 + rack // 32}.[1-{last - rack}]"
        racks.append(
            f'  r{rack // 32:03}: {{nodes: "n[{rack:05}-{last - 1:05}]", addresses: "{where}", '
            "gpu: {vendor: nvidia, model: H100, count: 8}}\n"
        )
    return SITE.format() + "".join(racks)


def samples(nodes: int, eventful: int, end: float, minutes: int) -> Iterator[tuple[str, Iterator[tuple[float, float]]]]:
    """The series of an hour."""
    times = [end - STEP * back for back in range((AHEAD + 60 * minutes) // STEP, -1, -1)]
    for number in range(nodes):
        own = f'cluster="bench",node="n{number:05}",rack="r{number // 32:03}"'
        yield f'up{{{own},job="dcgm"}}', ((at, 1) for at in times)
        for gpu in range(8):
            labels = f'{own},vendor="nvidia",gpu="{gpu}",gpu_uuid="GPU-{number:05}-{gpu}-4b6e-9a01-5b7c9d2e4f60"'
            hot = 90 if number < eventful and gpu == 0 else 55
            yield f"gpu:temperature_celsius{{{labels}}}", ((at, hot) for at in times)
            for name, value in FLAT.items():
                yield f"gpu:{name}{{{labels}}}", ((at, value) for at in times)
            for reason in ("power", "thermal"):
                yield f'gpu:throttle_ratio{{{labels},reason="{reason}"}}', ((at, 0) for at in times)


class Lines:
    """Samples that are made as they are written, as they would not fit into memory."""

    def __init__(self, nodes: int, eventful: int, end: float, minutes: int) -> None:
        self._asked = nodes, eventful, end, minutes

    def items(self) -> Iterator[tuple[str, Iterator[tuple[float, float]]]]:
        return samples(*self._asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--eventful", type=int, default=50)
    parser.add_argument("--minutes", type=int, default=60, help="how much is stored of the past")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as name:
        folder = Path(name)
        (folder / "site.yaml").write_text(site(asked.nodes))
        started = time.monotonic()
        with stored(folder, Lines(asked.nodes, asked.eventful, time.time() // 1 + AHEAD, asked.minutes)) as server:  # type: ignore[arg-type]
            (folder / "samples.om").unlink()
            print(f"{asked.nodes} nodes stored in {time.monotonic() - started:.0f} s")
            for options in ((), ("--json",), ("--json", "--detailed"), ("n00007",)):
                measure(folder, server.url, options)


def measure(folder: Path, url: str, options: tuple[str, ...]) -> None:
    """Run the command once and print what it took."""
    command = [sys.executable, "-m", "aamic", "health", *options, "--prometheus", url]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env={**os.environ, "COLUMNS": "80"})
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    print(
        f"{' '.join(('aamic health', *options))}: {time.monotonic() - started:.1f} s, "
        f"{used.ru_utime + used.ru_stime:.1f} s of processor time, {used.ru_maxrss >> 10} MiB, "
        f"{len(output):,} bytes, exit {os.waitstatus_to_exitcode(status)}; {output.splitlines()[0][:90].decode()}"
    )


if __name__ == "__main__":
    main()
