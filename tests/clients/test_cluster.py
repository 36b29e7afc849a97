"""What is asked of another cluster, and the documents that come back."""

from __future__ import annotations

import re
import socket

from tests.clients.peers import PING, cluster, http, opened, peer


def test_documents_come_as_they_are() -> None:
    asked: list[str] = []
    bodies = {
        "ping": PING,
        "version": b'{"aamic":"0.1.0","cluster":"busan","new":1}',
        "alerts": b'{"cluster":"busan","at":1,"alerts":[],"total":0}',
        "nodes": b'{"cluster":"busan","at":1,"nodes":[],"total":0}',
        "health": b'{"cluster":"busan","at":1,"overall":"ok","score":null,"nodes":{},"racks":[]}',
        "status": b'{"cluster":"busan","at":1,"verdict":"ok","nodes":{"total":null,"up":1,"down":0},"verdicts":null,'
        b'"score":null,"gpus":[],"alerts":null,"shards":[],"clusters":[]}',
    }

    def answer(connected: socket.socket) -> None:
        path = there.requests[-1].split()[1].decode()
        asked.append(path)
        connected.sendall(http(200, bodies[re.split("[/?]", path)[3 + path.count("/site")]]))

    with peer(answer) as there, opened(cluster(f"{there.url}/site/")) as remote:
        found = (remote.ping(), remote.version(), remote.status(), remote.health())
        alerts = remote.alerts("critical", 7)
        nodes = remote.nodes(1000, 2000)
        remote.alerts(None, 1)

    assert [each.cluster for each in (*found, alerts, nodes)] == ["busan"] * 6
    assert asked == [
        "/site/api/v1/ping",
        "/site/api/v1/version",
        "/site/api/v1/status",
        "/site/api/v1/health",
        "/site/api/v1/alerts?severity=critical&limit=7",
        "/site/api/v1/nodes?limit=1000&offset=2000",
        "/site/api/v1/alerts?limit=1",
    ]
    assert there.connections == 1
