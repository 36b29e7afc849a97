"""What a real Prometheus has stored: blocks made from OpenMetrics by promtool, and a server over them."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aamic.clients.base import Track
from aamic.clients.prometheus import Prometheus
from aamic.errors import OutsideError
from aamic.ops.selectors import quoted

START: Final = 1_764_000_000
"""When the stories begin, in seconds since 1970."""
STEP: Final = 15
CLUSTER: Final = "test"

Values = Callable[[int], float | None]
"""From seconds since the start of a story to a value; None where there is no sample."""


@dataclass
class Story:
    """Series of one cluster from 20 min before `start` to `length` seconds after, sampled every `step` seconds."""

    start: int = START
    length: int = 7200
    step: int = STEP
    series: dict[str, list[tuple[dict[str, str], list[tuple[float, float]]]]] = field(default_factory=dict)

    def add(self, name: str, values: Values, **labels: str) -> None:
        """Add a series."""
        moments = range(-1200, self.length, self.step)
        samples = [(float(self.start + at), value) for at in moments if (value := values(at)) is not None]
        self.series.setdefault(name, []).append(({"cluster": CLUSTER, **labels}, samples))

    def nvidia(  # noqa: PLR0913  # what a story may tell of a node
        self,
        node: str,
        *,
        up: Values = lambda _: 1,
        codes: Mapping[int, Values] | None = None,
        gone: Mapping[int, int] | None = None,
        count: int = 8,
        job: str = "",
    ) -> None:
        """Add a node with NVIDIA GPUs: the last XID of each, and from when on a GPU is gone; nothing while down."""
        self.add("up", up, node=node, job="dcgm")
        for gpu in range(count):
            until = (gone or {}).get(gpu, 10**9)

            def alive(values: Values, until: int = until) -> Values:
                return lambda at: values(at) if up(at) == 1 and at < until else None

            labels = {"node": node, "gpu": str(gpu)}
            mapped = {"hpc_job": job} if job and gpu < 2 else {}  # the job's two GPUs
            code = (codes or {}).get(gpu, lambda _: 0)
            self.add("DCGM_FI_DEV_XID_ERRORS", alive(code), **labels, UUID=f"GPU-{gpu}", **mapped)
            for name in ("gpu:present", "gpu:temperature_celsius"):
                value = 1 if name == "gpu:present" else 50
                self.add(name, alive(constant(value)), **labels, vendor="nvidia")

    def amd(self, node: str, *, afids: Mapping[int, Values] | None = None, count: int = 8) -> None:
        """Add a node with AMD GPUs, which show no code before the first."""
        self.add("up", lambda _: 1, node=node, job="amd")
        for gpu in range(count):
            self.add("gpu:present", lambda _: 1, node=node, gpu=str(gpu), vendor="amd")
            if gpu in (afids or {}):
                labels = {"node": node, "gpu_id": str(gpu), "gpu_partition_id": "0", "afid_index": "0"}
                self.add("amd_gpu_afid_errors", (afids or {})[gpu], **labels, severity="fatal")

    def tracks(self) -> Iterator[Track]:
        """The series as a server gives them."""
        for name, those in self.series.items():
            for labels, samples in those:
                yield Track({"__name__": name, **labels}, samples)

    def text(self) -> str:
        """The series as OpenMetrics."""
        lines = [
            f"{name}{{{_written(labels)}}} {value} {at}"
            for name in sorted(self.series)
            for labels, samples in self.series[name]
            for at, value in samples
        ]
        return "\n".join([*lines, "# EOF", ""])


def _written(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={quoted(value)}" for key, value in labels.items())


def constant(value: float) -> Values:
    """The same value all the time."""
    return lambda _: value


def after(moment: int, value: float, before: float = 0) -> Values:
    """A value from a moment on."""
    return lambda at: value if at >= moment else before


def away(*spans: tuple[int, int], value: float | None = 0) -> Values:
    """1, but another value, or no sample, within these spans."""
    return lambda at: value if any(start <= at < end for start, end in spans) else 1


@contextmanager
def served(story: Story, folder: Path) -> Iterator[str]:
    """The URL of a Prometheus that has stored a story; it is gone afterwards."""
    (folder / "story.om").write_text(story.text())
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "story.om"), str(folder / "data")]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text("{}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(command(folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield ready(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def command(folder: Path, port: int) -> Sequence[str]:
    """How the server is started."""
    return (
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    )


def ready(url: str) -> str:
    """The URL, when the server answers."""
    for _ in range(300):
        try:
            Prometheus(url).ready()
        except OutsideError:
            time.sleep(0.05)
        else:
            return url
    raise AssertionError(url)
