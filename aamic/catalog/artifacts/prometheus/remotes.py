"""Other clusters whose aggregates central reads: a scrape job for each, with its certificates and secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from aamic.model.fleet import Fleet, RemoteCluster
from aamic.model.quantities import duration_seconds
from aamic.model.secret import Secret
from aamic.model.tree import File

JOB: Final = "remote-clusters"
DEFAULT_INTERVAL: Final = "60s"
SAMPLE_LIMIT: Final = 1000
BODY_SIZE_LIMIT: Final = "4MB"
"""A cluster has some thirty aggregates, however large it is; more than this is not what was asked for."""
_PORTS: Final = {"http": 80, "https": 443}
_PATHS: Final = {"aami": "/api/v1/metrics", "prometheus": "/federate"}
_MATCH: Final = (f'{{__name__=~"cluster:.*",job!="{JOB}"}}',)
"""Its own aggregates; those that it has from others have a job, which is the same in every cluster."""


@dataclass(frozen=True, slots=True)
class Target:
    """One scrape job. `tls` maps settings of `tls_config` to paths, and is empty where the system's authorities do."""

    job_name: str
    scheme: str
    target: str
    path: str
    interval: str
    timeout: str
    match: tuple[str, ...]
    labels: Mapping[str, str]
    credentials: str | None
    tls: Mapping[str, str]
    sample_limit: int = SAMPLE_LIMIT
    body_size_limit: str = BODY_SIZE_LIMIT


def federated(fleet: Fleet) -> tuple[RemoteCluster, ...]:
    """The other clusters that central reads."""
    return tuple(remote for remote in fleet.clusters if remote.federate)


def targets(fleet: Fleet) -> tuple[Target, ...]:
    """The job of each, in the order of the site. All have one label `job`, and names of their own in the file."""
    interval = fleet.federation.interval if fleet.federation else DEFAULT_INTERVAL
    return tuple(_target(remote, interval) for remote in federated(fleet))


def _target(remote: RemoteCluster, interval: str) -> Target:
    url = urlsplit(remote.endpoint)
    port = url.port if url.port is not None else _PORTS[url.scheme]
    return Target(
        job_name=f"{JOB}/{remote.name}",
        scheme=url.scheme,
        target=f"{_host(url.hostname or '')}:{port}",
        path=unquote(url.path).rstrip("/") + _PATHS[remote.kind],
        interval=interval,
        timeout=_seconds(min(remote.timeout, duration_seconds(interval))),
        match=_MATCH if remote.kind == "prometheus" else (),
        labels={"cluster": remote.name, "job": JOB},
        credentials=_key(remote) if remote.api_key is not None else None,
        tls=dict(_tls(remote)) if url.scheme == "https" else {},
    )


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _seconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{round(seconds)}s"


def _tls(remote: RemoteCluster) -> Iterator[tuple[str, str]]:
    if remote.authorities is not None:
        yield "ca_file", f"{_folder(remote)}/ca.pem"
    if remote.certificate is not None and remote.tls_key is not None:
        yield "cert_file", f"{_folder(remote)}/cert.pem"
        yield "key_file", _tls_key(remote)


def _folder(remote: RemoteCluster) -> str:
    return f"/etc/aami/clusters/{remote.name}"


def _key(remote: RemoteCluster) -> str:
    return f"/etc/aami/secrets/cluster-key-{remote.name}"


def _tls_key(remote: RemoteCluster) -> str:
    return f"/etc/aami/secrets/cluster-tls-key-{remote.name}"


def files(fleet: Fleet) -> Iterator[File]:
    """Their certificates. Prometheus reads them again by itself when it connects."""
    for remote in federated(fleet):
        for name, text in (("ca", remote.authorities), ("cert", remote.certificate)):
            if text is not None:
                yield File(f"{_folder(remote)}/{name}.pem", text)


def secrets(fleet: Fleet, owner: str) -> Mapping[str, Mapping[str, Any]]:
    """References to their keys, by the paths where `owner` reads what they stand for."""
    found: dict[str, Secret | None] = {}
    for remote in federated(fleet):
        found |= {_key(remote): remote.api_key, _tls_key(remote): remote.tls_key}
    return {path: {**secret.model_dump(), "owner": owner} for path, secret in found.items() if secret is not None}
