"""Other clusters on loopback: servers with TLS that answer documents of the API, and end with their test."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aamic.model.api import (
    Alert,
    AlertCounts,
    Alerts,
    Document,
    Gpus,
    Health,
    Node,
    NodeCounts,
    Nodes,
    Ping,
    Shard,
    Status,
    VerdictCounts,
    Version,
)

KEY = "k3y-of-busan"
Asked = Mapping[str, str]
Page = Document | tuple[int, str] | Callable[[Asked], str]
"""A document; a status with a reason; or what makes JSON text of a query."""


@dataclass
class Far:
    """A cluster far away: its URL, and the paths that were asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def far(documents: Mapping[str, Page], tls: ssl.SSLContext | None = None, key: str | None = None) -> Iterator[Far]:
    """A server that answers these documents, or a status with a reason; with `key`, to those alone who have it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            wanted = documents.get(urlsplit(self.path).path.removeprefix("/api/v1/"), (404, "no such page"))
            if key is not None and self.headers["Authorization"] != f"Bearer {key}":
                wanted = (401, "no such key")
            status, body = wanted if isinstance(wanted, tuple) else (200, page(wanted, self.path))
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status == 200 else "text/plain")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        found = Far(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def page(document: Document | Callable[[Asked], str], path: str) -> str:
    """The document, or that part of it that is asked for."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    if not isinstance(document, Document):
        return document(asked)
    if isinstance(document, Nodes):
        start, limit = int(asked.get("offset", 0)), int(asked.get("limit", 100))
        document = document.model_copy(update={"nodes": document.nodes[start : start + limit], "offset": start})
    if isinstance(document, Alerts):
        kept = [each for each in document.alerts if asked.get("severity") in (None, each.severity)]
        document = document.model_copy(update={"alerts": kept[: int(asked.get("limit", 100))], "total": len(kept)})
    return document.model_dump_json()


def status(cluster: str, total: int = 10, down: int = 0, **given: Any) -> Status:
    """A cluster of which all is known."""
    plain: dict[str, Any] = {
        "cluster": cluster,
        "at": 1_790_000_000.0,
        "verdict": "critical" if down else "ok",
        "reasons": [f"{down} nodes are down"] if down else [],
        "nodes": NodeCounts(total=total, up=total - down, down=down),
        "verdicts": VerdictCounts(ok=total - down, critical=down),
        "score": 100.0 * (total - down) / total,
        "gpus": [gpus(total * 8, (total - down) * 8)],
        "alerts": AlertCounts(critical=down),
        "shards": [Shard(name="shard-1", replica="a", up=True, nodes=total, targets_up=3, targets_down=0, series=9000)],
    }
    return Status(**{**plain, **given})


def prometheus(series: Mapping[str, Sequence[tuple[dict[str, str], float]]]) -> dict[str, Page]:
    """A Prometheus that has these series, by a piece of the expressions that ask for them, and one alert."""

    def query(asked: Asked) -> str:
        expr = asked["query"].replace(" ", "")
        samples = next((found for part, found in series.items() if f"({part}" in expr), [])
        return data({
            "resultType": "vector",
            "result": [{"metric": labels, "value": [1.0, str(value)]} for labels, value in samples],
        })  # fmt: skip

    full = {"labels": {"alertname": "Full", "severity": "warning"}, "annotations": {"summary": "it is full"}}
    alerts = [full | {"state": "firing", "activeAt": "2026-01-01T00:00:00Z", "value": "1"}]
    return {
        "query": query,
        "alerts": lambda _: data({"alerts": alerts}),
        "status/buildinfo": lambda _: data({"version": "2.42.0"}),
    }


def data(found: Any) -> str:
    """An answer of Prometheus' API."""
    return json.dumps({"status": "success", "data": found})


def gpus(expected: int, present: int, utilization: float | None = 0.5) -> Gpus:
    return Gpus(
        vendor="nvidia",
        expected=expected,
        present=present,
        unhealthy=0,
        utilization=utilization,
        power_watts=400.0 * present,
    )


def alert(name: str, severity: str, since: float, summary: str = "", **labels: str) -> Alert:
    return Alert(name=name, severity=severity, state="firing", since=since, labels=labels, summary=summary)


def answers(cluster: str, found: Status, alerts: list[Alert], nodes: list[Node] | None = None) -> dict[str, Document]:
    """Every document of a cluster, by its path."""
    at = found.at
    return {
        "ping": Ping(cluster=cluster),
        "version": Version(aamic="0.1.0", cluster=cluster),
        "status": found,
        "health": Health(
            cluster=cluster,
            at=at,
            overall=found.verdict,
            score=found.score,
            nodes=found.verdicts or VerdictCounts(),
            racks=[],
        ),
        "alerts": Alerts(cluster=cluster, at=at, alerts=alerts, total=len(alerts)),
        "nodes": Nodes.model_construct(cluster=cluster, at=at, nodes=nodes or [], total=len(nodes or [])),
    }


def node(name: str, *reasons: str) -> Node:
    """A node that is well unless there are reasons."""
    return Node(
        name=name,
        rack="r1",
        up=True,
        verdict="critical" if reasons else "ok",
        reasons=list(reasons),
        vendor="nvidia",
        model="H100",
        gpus_expected=8,
        gpus_present=8,
    )
