"""`aamic serve` on its host: unit, configuration, the nodes that the site has, certificates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from aamic.catalog.nodechecks import checked
from aamic.catalog.staleness import federation_stale
from aamic.catalog.units import account_files, install_entry, unit_file
from aamic.model.clusters import ServeKey
from aamic.model.fleet import Fleet, Node, Serve, Server, Unit
from aamic.model.quantities import duration_seconds
from aamic.model.serveconfig import RemoteEntry, ServeConfig, ShardEntry, Tls
from aamic.model.tree import File, OnChange, Part

NAME: Final = "aami-serve"
FOLDER: Final = "/etc/aami/serve"
STORAGE: Final = "/var/lib/aami/serve"
TLS_KEY: Final = "/etc/aami/secrets/serve-tls-key"
_CERTIFICATE: Final = f"{FOLDER}/cert.pem"
_AUTHORITIES: Final = f"{FOLDER}/client-ca.pem"
_RESTART: Final = OnChange("restart", f"{NAME}.service")
_SEEN: Final = 300.0
"""Seconds for which Prometheus shows a sample that nothing follows; what it scrapes itself is no older."""


def render(fleet: Fleet) -> Iterable[Part]:
    """One bundle on one host; none where nothing is served."""
    if fleet.serve is None:
        return
    serve = fleet.serve
    unit = unit_of(fleet, serve)
    yield Part(
        bundle="serve",
        hosts=(serve.host,),
        files=(unit_file(unit), *account_files(NAME, NAME, unit.writable), *_files(fleet, serve)),
        services={unit.file_name: "started"},
        installs=() if serve.install is None else (install_entry(serve.install),),
        secrets=_secrets(serve),
        ports={unit.file_name: (serve.port,)},
        stage="central",
    )


def unit_of(fleet: Fleet, serve: Serve) -> Unit:
    """The systemd service. A program that is one file unpacks itself into a folder of its own at its first start."""
    return Unit(
        name=NAME,
        description=f"API and status page of cluster {fleet.cluster}",
        command=(serve.program, "serve", "--config", f"{FOLDER}/serve.json"),
        user=NAME,
        environment={"PEX_ROOT": f"{STORAGE}/pex"},
        writable=(STORAGE,),
    )


def _files(fleet: Fleet, serve: Serve) -> Iterator[File]:
    config = orjson.dumps(config_of(fleet, serve).model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    yield File(f"{FOLDER}/serve.json", config + b"\n", on_change=_RESTART)
    yield File(f"{FOLDER}/nodes.json", inventory(fleet), on_change=_RESTART)
    for path, text in ((_CERTIFICATE, serve.certificate), (_AUTHORITIES, serve.client_authorities)):
        if text is not None:
            yield File(path, text, on_change=_RESTART)


def _secrets(serve: Serve) -> Mapping[str, Mapping[str, Any]]:
    """The reference to the private key; a new one restarts the service, as its bundle's files do."""
    return {} if serve.tls_key is None else {TLS_KEY: {**serve.tls_key.model_dump(), "owner": NAME}}


def config_of(fleet: Fleet, serve: Serve) -> ServeConfig:
    """What it reads at its start."""
    return ServeConfig(
        cluster=fleet.cluster,
        labels=dict(fleet.labels),
        address=serve.address,
        port=serve.port,
        tls=_tls(serve),
        keys=[ServeKey(name=name, sha256=sha256) for name, sha256 in serve.keys],
        rate=serve.rate,
        timeout=serve.timeout,
        prometheus=next(_url(fleet, serve, each.host, each.port) for each in fleet.servers if each.role != "shard"),
        alertmanagers=[_url(fleet, serve, each.host, each.port) for each in fleet.alertmanagers],
        node_checks=bool(checked(fleet)),
        staleness=_staleness(fleet),
        federated=fleet.federation is not None,
        shards=[_shard(each) for each in fleet.servers if each.role != "central"],
        clusters=[
            RemoteEntry(
                name=each.name,
                endpoint=each.endpoint,
                kind=each.kind,
                labels=dict(each.labels),
                federate=each.federate,
            )
            for each in fleet.clusters
        ],
    )


def _tls(serve: Serve) -> Tls | None:
    if serve.certificate is None:
        return None
    authorities = None if serve.client_authorities is None else _AUTHORITIES
    return Tls(certificate=_CERTIFICATE, key=TLS_KEY, client_authorities=authorities)


def _url(fleet: Fleet, serve: Serve, host: str, port: int) -> str:
    """Where a server of the cluster answers, seen from the host that serves: its own are asked over loopback."""
    return f"http://127.0.0.1:{port}" if host == serve.host else f"http://{fleet.address(host, port)}"


def _shard(server: Server) -> ShardEntry:
    return ShardEntry(
        name=server.name,
        replica=server.replica,
        host=server.host,
        nodes=len(server.nodes),
        predicted_series=server.load.series,
    )


def _staleness(fleet: Fleet) -> float:
    """Seconds for which a sample counts: until the alert on old data of a shard would be due."""
    if fleet.federation is None:
        return _SEEN
    evaluation = max(duration_seconds(each.evaluation_interval) for each in fleet.servers)
    return federation_stale(duration_seconds(fleet.federation.interval), evaluation)


def inventory(fleet: Fleet) -> bytes:
    """The nodes as the site has them, one on each line: what of `NodeEntry` is not its default."""
    judged = frozenset(checked(fleet))
    lines = (orjson.dumps(_entry(node, judged)) for node in fleet.nodes.values())
    return b'{"nodes": [\n%b\n]}\n' % b",\n".join(lines)


def _entry(node: Node, judged: Collection[str]) -> dict[str, Any]:
    gpu = {} if node.gpu is None else {"vendor": node.gpu.vendor, "model": node.gpu.model, "gpus": node.gpu.count}
    rack = {} if node.rack is None else {"rack": node.rack}
    return {"name": node.name, **rack, **gpu, **({"checked": False} if _left_out(node, judged) else {})}


def _left_out(node: Node, judged: Collection[str]) -> bool:
    """Whether others judge themselves, and this node does not; without any nobody asks."""
    return bool(judged) and node.gpu is not None and node.name not in judged
