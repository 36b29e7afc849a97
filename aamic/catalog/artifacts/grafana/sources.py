"""What Grafana reads: Prometheus or Thanos, each server by itself, and the Alertmanagers, as provisioning files.

The format is that of https://grafana.com/docs/grafana/v11.6/administration/provisioning/. Grafana reads the files at
its start alone. It deletes what an earlier one had and the newest has not (`prune`), by name, then looks for each by
name; it does not start where a new name has a uid that is taken, or an old name another uid. So a name is that of one
uid, whatever a site was before (pkg/services/provisioning/datasources/datasources.go).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from aamic.catalog.artifacts.grafana.settings import DASHBOARDS
from aamic.catalog.artifacts.grafana.words import provisioned
from aamic.model.fleet import Fleet, Grafana, Server
from aamic.model.quantities import duration_seconds

DEFAULT: Final = "aamic"
"""The uid that every dashboard names, and the name: it stays whether that is Prometheus or Thanos."""
_HEADER: Final = "# Rendered by aamic; a change made here is undone by the next apply.\n"
_LONGEST: Final = 40
"""Characters of a uid; Grafana refuses a longer one."""
_UID: Final = re.compile(r"[A-Za-z0-9_-]+")
_CHECK_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Source:
    """One data source. `lists_alerts`: Grafana shows the alerts of its rules; of a pair one does, or all came twice."""

    uid: str
    name: str
    url: str
    kind: str = "Prometheus"
    interval: str = ""
    lists_alerts: bool = False


def uid(*parts: str) -> str:
    """A uid of names: as they are where Grafana takes them, else cut, with a digest that keeps two apart.

    >>> uid("aamic", "shard-1", "a"), uid("aamic", "mon.example.com")
    ('aamic-shard-1-a', 'aamic-mon-example-com-8a11ce61')
    """
    name = "-".join(parts)
    if _UID.fullmatch(name) and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{re.sub('[^A-Za-z0-9_-]', '-', name)[: _LONGEST - len(digest) - 1]}-{digest}"


def sources(fleet: Fleet, grafana: Grafana) -> tuple[Source, ...]:
    """Every data source, the default one first; the names and the uids of two are never the same.

    No shard may be named `alertmanager...`, `central` or `thanos-...` (aamic/compile/names.py).
    """
    main = next(server for server in fleet.servers if server.role != "shard")
    default = list(_queries(fleet, grafana, main)) or [_main(fleet, grafana, main)]
    return (*default, *_servers(fleet, grafana), *_alertmanagers(fleet, grafana))


def _queries(fleet: Fleet, grafana: Grafana, main: Server) -> Iterator[Source]:
    """Thanos Query on each of its hosts; the default is that of Grafana's own host, or the first."""
    queries = () if fleet.thanos is None else fleet.thanos.of("query")
    for number, query in enumerate(sorted(queries, key=lambda each: each.host != grafana.host)):
        own = () if number == 0 else (query.host,)
        yield Source(
            uid(DEFAULT, "thanos", *own) if own else DEFAULT,
            " ".join(("Thanos", *own)) if own else DEFAULT,
            _url(fleet, grafana, query.host, query.http_port),
            "Thanos",
            _interval(fleet, main),
            lists_alerts=number == 0,
        )


def _main(fleet: Fleet, grafana: Grafana, main: Server) -> Source:
    """Central, or the single server."""
    url = _url(fleet, grafana, main.host, main.port)
    return Source(DEFAULT, DEFAULT, url, interval=_interval(fleet, main), lists_alerts=True)


def _servers(fleet: Fleet, grafana: Grafana) -> Iterator[Source]:
    """Each server that is not the default, so that a shard can be looked into."""
    through_query = fleet.thanos is not None and bool(fleet.thanos.of("query"))
    seen: set[str] = set()
    for server in fleet.servers:
        if server.role == "shard" or (server.role == "central" and through_query):
            yield Source(
                uid(DEFAULT, *filter(None, (server.name, server.replica))),
                f"Prometheus {server.title}",
                _url(fleet, grafana, server.host, server.port),
                interval=_interval(fleet, server),
                lists_alerts=not through_query and server.name not in seen,
            )
            seen.add(server.name)


def _alertmanagers(fleet: Fleet, grafana: Grafana) -> Iterator[Source]:
    several = len(fleet.alertmanagers) > 1
    for each in fleet.alertmanagers:
        own = (each.host,) if several else ()
        name = " ".join(("Alertmanager", *own))
        yield Source(
            uid(DEFAULT, "alertmanager", *own), name, _url(fleet, grafana, each.host, each.port), "Alertmanager"
        )


def _url(fleet: Fleet, grafana: Grafana, host: str, port: int) -> str:
    """Where a server answers, seen from Grafana: those of its own host are asked over loopback."""
    return f"http://127.0.0.1:{port}" if host == grafana.host else f"http://{fleet.address(host, port)}"


def _interval(fleet: Fleet, server: Server) -> str:
    """How far apart samples are: Grafana computes rates over at least four of them."""
    if server.role == "central" and fleet.federation is not None:
        return _go(fleet.federation.interval)
    return _go(server.scrape_interval)


def _go(duration: str) -> str:
    """A duration in one unit, which is what Grafana reads.

    >>> _go("1m30s"), _go("500ms")
    ('90s', '500ms')
    """
    seconds = duration_seconds(duration)
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"


def sources_file(fleet: Fleet, grafana: Grafana) -> bytes:
    """The provisioning file of the data sources; nobody changes one in Grafana, as it would not last."""
    every = sources(fleet, grafana)
    teller = next((each.uid for each in every if each.kind == "Alertmanager"), "")
    return _yaml({"apiVersion": 1, "prune": True, "datasources": [_entry(each, teller) for each in every]})


def _entry(source: Source, teller: str) -> dict[str, Any]:
    kind = "alertmanager" if source.kind == "Alertmanager" else "prometheus"
    return {
        "name": provisioned(source.name),
        "uid": source.uid,
        "type": kind,
        "access": "proxy",
        "orgId": 1,
        "url": provisioned(source.url),
        **({"isDefault": True} if source.uid == DEFAULT else {}),
        "editable": False,
        "jsonData": dict(_ALERTMANAGER) if kind == "alertmanager" else _prometheus(source, teller),
    }


_ALERTMANAGER: Final = {"implementation": "prometheus", "handleGrafanaManagedAlerts": False}


def _prometheus(source: Source, teller: str) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "prometheusType": source.kind,
        "timeInterval": source.interval,
        "manageAlerts": source.lists_alerts,
        **({"alertmanagerUid": teller} if teller else {}),
    }


def folders_file(grafana: Grafana) -> bytes:
    """The provisioning file of the dashboards: read again by itself, and what is no longer there goes."""
    provider = {
        "name": DEFAULT,
        "orgId": 1,
        "type": "file",
        "folder": provisioned(grafana.folder),
        "folderUid": DEFAULT,
        "allowUiUpdates": False,
        "disableDeletion": False,
        "updateIntervalSeconds": _CHECK_SECONDS,
        "options": {"path": DASHBOARDS, "foldersFromFilesStructure": False},
    }
    return _yaml({"apiVersion": 1, "providers": [provider]})


def _yaml(value: Sequence[Any] | dict[str, Any]) -> bytes:
    return (_HEADER + yaml.dump(value, Dumper=yaml.SafeDumper, sort_keys=False, width=1_000_000)).encode()
