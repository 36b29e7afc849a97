"""A real Prometheus over blocks made from samples, and what it is asked through."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aamic.clients.prometheus import Prometheus
from aamic.errors import OutsideError

Samples = Mapping[str, Iterable[tuple[float, float]]]
"""By series, as it is written in an exposition: samples as (seconds since 1970, value), in order."""


@contextmanager
def stored(folder: Path, samples: Samples) -> Iterator[Prometheus]:
    """A Prometheus that has these samples and scrapes nothing."""
    text = folder / "samples.om"
    with text.open("w") as file:
        for series, own in samples.items():
            file.writelines(f"{series} {value} {at:.3f}\n" for at, value in own)
        file.write("# EOF\n")
    make = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=24h",
        str(text),
        f"{folder}/data",
    ]
    subprocess.run(make, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    with _running(folder) as url:
        yield Prometheus(url, 60.0)


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *(f"--{k}={v}" for k, v in options.items())], stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}", folder / "log", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _wait(url: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            return Prometheus(url).ready()
        except OutsideError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
