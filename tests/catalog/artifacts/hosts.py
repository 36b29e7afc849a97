"""Puts the rendered files of a host below a folder and runs its services there, on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from aamic.catalog.artifacts.alertmanager import artifact as alertmanager
from aamic.catalog.artifacts.drift import artifact as drift
from aamic.catalog.artifacts.grafana import artifact as grafana
from aamic.catalog.artifacts.prometheus import artifact as prometheus
from aamic.catalog.artifacts.serve import artifact as serve
from aamic.catalog.artifacts.targets import artifact as targets
from aamic.catalog.artifacts.thanos import artifact as thanos
from aamic.catalog.artifacts.units import artifact as units
from aamic.catalog.base import Artifact
from aamic.compile.render import render
from aamic.model.fleet import Fleet
from aamic.model.tree import Tree
from aamic.twin.units import read_unit

Answer = TypeVar("Answer")
ARTIFACTS = [
    Artifact(module.__name__, module.render)
    for module in (prometheus, targets, units, alertmanager, drift, serve, grafana, thanos)
]


def tree(fleet: Fleet) -> Tree:
    return render(fleet, ARTIFACTS)


def install(rendered: Tree, host: str, root: Path) -> None:
    """Write every file of a host below `root`, and make the files name each other there; secrets are empty."""
    for bundle in rendered.bundles:
        for file in bundle.files if host in bundle.hosts else ():
            path = root / file.path[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            moved = file.content
            for folder in (b"/etc/aami", b"/var/lib/aami"):
                moved = moved.replace(folder, str(root).encode() + folder)
            path.write_bytes(moved)
        for secret in bundle.secrets if host in bundle.hosts else ():
            (root / secret[1:]).parent.mkdir(parents=True, exist_ok=True)
            (root / secret[1:]).touch()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running(root: Path, unit: str, address: str = "127.0.0.1") -> Iterator[None]:
    """Run the service of an installed unit, with HTTP on one loopback address instead of all."""
    text = (root / "etc/systemd/system" / unit).read_text()
    command = [
        argument.replace("--web.listen-address=:", f"--web.listen-address={address}:")
        for argument in read_unit(text, {}).command
    ]
    with (root / f"{unit}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # loopback
        body = answer.read()
    return json.loads(body) if body.startswith((b"{", b"[")) else body.decode()


def post(url: str, body: Any) -> None:
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=5):  # noqa: S310  # loopback
        pass


def until(wanted: Callable[[], Answer | None], seconds: float = 15) -> Answer:
    """The first answer that is true; what fails meanwhile is tried again."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if answer := wanted():
                return answer
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)
