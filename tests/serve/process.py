"""`aamic serve` as a process, over a real Prometheus that knows a small cluster."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.ops.history import command, ready
from tests.serve.server import KEY, keys

CLUSTER: Final = "test"
NODES: Final = 4
_READY: Final = re.compile(r"serving \S+ at (\S+)")
_SPAN: Final = 1800
_STEP: Final = 15


@contextmanager
def prometheus(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The URL and process of a Prometheus that knows a cluster as it is from now on for half an hour."""
    (folder / "samples.om").write_text(_samples(int(time.time())))
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples.om"), str(folder / "data")]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(command(folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield ready(f"http://127.0.0.1:{port}"), process
    finally:
        process.kill()
        process.wait()


def _samples(now: int) -> str:
    series = {f'up{{cluster="{CLUSTER}",node="gpu-{n}",job="node"}}': 1 for n in range(NODES)}
    series |= {f'node:gpu_count{{cluster="{CLUSTER}",node="gpu-{n}"}}': 8 for n in range(NODES)}
    series |= {f'cluster:{name}{{cluster="{CLUSTER}"}}': NODES for name in ("nodes_up", "gpu_count")}
    series['cluster:nodes_up{cluster="busan",job="remote-clusters"}'] = 99
    lines = [
        f"{name} {value} {at}" for name, value in sorted(series.items()) for at in range(now - 60, now + _SPAN, _STEP)
    ]
    return "\n".join([*lines, "# EOF", ""])


def write_config(folder: Path, url: str, **changes: Any) -> Path:
    """The configuration of a server, as it stands on its host, with its nodes beside it."""
    nodes = [{"name": f"gpu-{n}", "rack": "r1", "vendor": "amd", "model": "MI300X", "gpus": 8} for n in range(NODES)]
    (folder / "nodes.json").write_text(json.dumps({"nodes": nodes}))
    config = {
        "cluster": CLUSTER,
        "address": "127.0.0.1",
        "port": 9443,
        "tls": None,
        "keys": [key.model_dump() for key in keys(busan=KEY)],
        "rate": 1_000_000,
        "timeout": 5.0,
        "prometheus": url,
        "alertmanagers": [],
        "node_checks": False,
        "staleness": 300.0,
        "federated": False,
        "shards": [],
        "clusters": [],
    }
    path = folder / "serve.json"
    path.write_text(json.dumps(config | changes))
    return path


@dataclass
class Running:
    """A server that runs: where, and what it has logged so far."""

    url: str
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])


@contextmanager
def serving(*arguments: str, cwd: Path | None = None) -> Iterator[Running]:
    """The command, as far as it answers; ended afterwards."""
    words = [sys.executable, "-m", "aamic", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=cwd)
    assert process.stderr is not None
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            if match := _READY.search(line):
                running = Running(match[1], process, lines)
                reader = threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True)
                reader.start()
                yield running
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
