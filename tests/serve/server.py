"""The server as it is, on a socket of loopback, over a cluster that a test makes up."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from threading import Thread
from time import monotonic, sleep
from typing import Final

from fastapi import FastAPI

from aamic.clients.base import Sample
from aamic.model.api import (
    Alert,
    AlertCounts,
    Alerts,
    Gpus,
    Group,
    Health,
    Node,
    NodeCounts,
    Status,
    VerdictCounts,
)
from aamic.model.clusters import ServeKey
from aamic.ops.clusterview import View
from aamic.serve.app import Source, application, paths_of
from aamic.serve.gate import Gate, Guard
from aamic.serve.keyring import Keyring
from aamic.serve.limiting import WRONG_KEYS, Limiter
from aamic.serve.server import Server, Terms
from aamic.serve.snapshot import Snapshot

KEY: Final = "a-key-of-somebody-0123456789"
CLUSTER: Final = 'te"st'
AT: Final = 1_764_000_000.0


def keys(**own: str) -> list[ServeKey]:
    """Keys by the names of those who have them."""
    return [ServeKey(name=name, sha256=sha256(key.encode()).hexdigest()) for name, key in own.items()]


def view() -> View:
    """A cluster of 25 nodes in two racks, one of them down, with two alerts and three aggregates."""
    nodes = tuple(_node(number) for number in range(25))
    verdicts = VerdictCounts(ok=24, critical=1)
    status = Status(
        cluster=CLUSTER,
        at=AT,
        verdict="critical",
        reasons=["1 node is down"],
        nodes=NodeCounts(total=25, up=24, down=1),
        verdicts=verdicts,
        score=96.0,
        gpus=[Gpus(vendor="nvidia", expected=200, present=192, unhealthy=0, utilization=0.5)],
        alerts=AlertCounts(critical=1, warning=1),
    )
    racks = [Group(name="r1", nodes=verdicts)]
    health = Health(cluster=CLUSTER, at=AT, overall="critical", score=96.0, nodes=verdicts, racks=racks)
    alerts = tuple(
        Alert(name=name, severity=severity, state="firing", since=AT, labels={"node": "gpu-01"})
        for name, severity in (("Down", "critical"), ("Hot", "page"))
    )
    aggregates = [
        Sample({"__name__": "cluster:gpus", "cluster": CLUSTER, "vendor": 'n\\v"\n'}, 192.0),
        Sample({"__name__": "cluster:gpus", "cluster": "busan"}, 8.0),
        Sample({"__name__": "cluster:broken", "cluster": CLUSTER}, float("nan")),
    ]
    return View(status, health, nodes, alerts, aggregates)


def _node(number: int) -> Node:
    return Node(
        name=f"gpu-{number:02}",
        rack=f"r{number % 2 + 1}",
        up=number != 1,
        verdict="critical" if number == 1 else "ok",
        vendor="nvidia",
        model="H100",
        gpus_expected=8,
        gpus_present=None if number == 1 else 8,
    )


@dataclass(frozen=True, slots=True)
class Setup:
    """How a server is set up."""

    look: Callable[[], View] = view
    keys: tuple[ServeKey, ...] = field(default_factory=lambda: tuple(keys(busan=KEY)))
    rate: int = 1_000_000
    wrong: int = WRONG_KEYS
    timeout: float = 5.0
    open: bool = False
    terms: Terms = field(default_factory=Terms)
    tls: ssl.SSLContext | None = None


def page(status: Status, health: Health | None, alerts: Alerts | None) -> str:
    """A page that says whether all of it is there."""
    return f"<title>{escape(status.cluster)}</title>{health is not None} {alerts is not None}"


def app_of(setup: Setup) -> FastAPI:
    """The application without its guard."""
    snapshot = Snapshot(setup.look, setup.timeout)
    return application(Source(CLUSTER, frozenset({"r1", "r2"}), "0.1.0", snapshot.view, page, "default-src 'none'"))


def guarded(setup: Setup) -> Gate:
    """The application behind its guard."""
    app = app_of(setup)
    return Gate(app, Guard(Keyring.of(setup.keys), Limiter(setup.rate, setup.wrong), open=setup.open), paths_of(app))


@contextmanager
def running(setup: Setup) -> Iterator[int]:
    """The port of a server; it is gone afterwards."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(guarded(setup), [listening], setup.tls, setup.terms)
    thread = Thread(target=server.run)
    thread.start()
    try:
        until = monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert monotonic() < until
            sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
