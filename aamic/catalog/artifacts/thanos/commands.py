"""The command line of each process of Thanos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aamic.catalog.artifacts.thanos.paths import RULES, alert_labels_file, bucket_file, data_folder, endpoints_file
from aamic.catalog.artifacts.thanos.versions import endpoint_options, store_options
from aamic.model.fleet import Fleet, Thanos, ThanosComponent, ThanosKind
from aamic.model.quantities import go_duration

RULER_REPLICA: Final = "ruler"
"""The external label `replica` of the ruler's own series; Query takes it away, and alerts are sent without it."""

_Options = Callable[[Fleet, Thanos, ThanosComponent], Iterator[str]]


def command(fleet: Fleet, thanos: Thanos, component: ThanosComponent) -> tuple[str, ...]:
    """The arguments after the program."""
    grpc = () if component.grpc_port is None else (f"--grpc-address=:{component.grpc_port}",)
    options = _OPTIONS[component.kind](fleet, thanos, component)
    return (component.kind, f"--http-address=:{component.http_port}", *grpc, *options)


def _sidecar(_: Fleet, thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    if component.server is None:
        raise ValueError(f"{component.name} has no server")
    yield f"--prometheus.url=http://127.0.0.1:{component.server.port}"
    yield f"--tsdb.path={component.server.storage_path}"
    yield from _bucket(thanos, component)


def _query(fleet: Fleet, thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    yield "--query.replica-label=replica"
    if thanos.bucket is not None:
        yield "--query.auto-downsampling"
    yield from endpoint_options(thanos.version, endpoints_file(component), addresses(fleet, thanos))


def addresses(fleet: Fleet, thanos: Thanos) -> tuple[str, ...]:
    """Every process that has samples, as Query reaches it."""
    return tuple(
        fleet.address(each.host, each.grpc_port)
        for each in thanos.components
        if each.kind != "query" and each.grpc_port is not None
    )


def _store(_: Fleet, thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    yield f"--data-dir={data_folder(component)}"
    yield from _bucket(thanos, component)
    yield from store_options(thanos.version)


def _compact(_: Fleet, thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    yield "--wait"
    yield f"--data-dir={data_folder(component)}"
    yield from _bucket(thanos, component)
    yield f"--retention.resolution-raw={thanos.retention_raw}"
    yield f"--retention.resolution-5m={thanos.retention_downsampled}"
    yield f"--retention.resolution-1h={thanos.retention_downsampled}"
    # Its page could otherwise be used by whoever reaches it to have blocks deleted.
    yield "--disable-admin-operations"


def _rule(fleet: Fleet, thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    queries = [fleet.address(each.host, each.http_port) for each in thanos.of("query")]
    yield f"--data-dir={data_folder(component)}"
    yield f"--rule-file={RULES}"
    yield f"--eval-interval={go_duration(fleet.servers[0].evaluation_interval)}"
    yield f"--tsdb.retention={go_duration(thanos.ruler_retention or '48h')}"
    yield from (f"--query={address}" for address in queries)
    yield f"--alert.query-url=http://{queries[0]}"
    yield from (f"--alertmanagers.url=http://{fleet.address(each.host, each.port)}" for each in fleet.alertmanagers)
    yield f'--label=replica="{RULER_REPLICA}"'
    yield "--alert.label-drop=replica"
    yield f"--alert.relabel-config-file={alert_labels_file(component)}"
    yield from _bucket(thanos, component)


def _bucket(thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    if thanos.bucket is not None:
        yield f"--objstore.config-file={bucket_file(thanos, component)}"


_OPTIONS: Final[Mapping[ThanosKind, _Options]] = {
    "sidecar": _sidecar,
    "query": _query,
    "store": _store,
    "compact": _compact,
    "rule": _rule,
}
