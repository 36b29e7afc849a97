"""Thanos: units, folders, the bucket's configuration, and what Query is to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from aamic import templates
from aamic.catalog.artifacts.thanos.commands import addresses, command
from aamic.catalog.artifacts.thanos.paths import (
    BUCKET_GROUP,
    SERVERS_USER,
    USER,
    alert_labels_file,
    bucket_file,
    data_folder,
    endpoints_file,
)
from aamic.catalog.artifacts.thanos.versions import has_endpoint_file
from aamic.catalog.units import install_entry, sysusers_file, unit_file
from aamic.model.fleet import Fleet, Thanos, ThanosComponent, Unit
from aamic.model.tree import File, OnChange, Part, Stage

BASE: Final = "thanos-base"
SIDECAR_STOP: Final = 15
"""Seconds until systemd ends a sidecar: while its Prometheus does not answer it ends by itself after minutes alone.

Nothing is lost by that, as uploads are taken up again (0.42.5, measured).
"""
_HEADER: Final = "# Rendered by aamic; a change made here is undone by the next apply.\n"


def render(fleet: Fleet) -> Iterable[Part]:
    """A bundle for each process, and one for what all hosts share; none where there is no Thanos."""
    if fleet.thanos is None:
        return
    yield _base(fleet.thanos)
    for component in fleet.thanos.components:
        unit = unit_of(fleet, fleet.thanos, component)
        yield Part(
            bundle=bundle(fleet.thanos, component),
            hosts=(component.host,),
            files=(unit_file(unit), *_folders(fleet.thanos, component), *_files(fleet, fleet.thanos, component)),
            services={unit.file_name: "started"},
            secrets=_secrets(fleet.thanos, component),
            ports={unit.file_name: ports_of(component)},
            stage=_stage(component),
        )


def bundle(thanos: Thanos, component: ThanosComponent) -> str:
    """The bundle of one process: `thanos-sidecar-shard-1-a`; several Querys are told apart by their hosts."""
    if component.server is not None:
        replica = f"-{component.server.replica}" if component.server.replica else ""
        return f"thanos-{component.name}{replica}"
    several = len(thanos.of(component.kind)) > 1
    return f"thanos-{component.name}-{component.host}" if several else f"thanos-{component.name}"


def ports_of(component: ThanosComponent) -> tuple[int, ...]:
    """Where it listens."""
    return (component.http_port,) if component.grpc_port is None else (component.http_port, component.grpc_port)


def _stage(component: ThanosComponent) -> Stage:
    return component.server.stage if component.server is not None else "central"


def _base(thanos: Thanos) -> Part:
    return Part(
        bundle=BASE,
        hosts=tuple(dict.fromkeys(component.host for component in thanos.components)),
        files=sysusers_file("aami-thanos", USER),
        installs=() if thanos.install is None else (install_entry(thanos.install),),
        stage="shards",
    )


def unit_of(fleet: Fleet, thanos: Thanos, component: ThanosComponent) -> Unit:
    """The systemd service. A sidecar runs as the servers' user, since it writes into the data folder of its own."""
    server = component.server
    before = () if server is None else (f"{server.unit_name}.service",)
    return Unit(
        name=component.unit_name,
        description=f"Thanos {component.name.replace('-', ' ', 1)} of cluster {fleet.cluster}",
        command=(thanos.program, *command(fleet, thanos, component)),
        user=USER if server is None else SERVERS_USER,
        reload=component.kind == "rule",
        after=("network-online.target", *before),
        writable=tuple(_writable(thanos, component)),
        supplementary_groups=(BUCKET_GROUP,) if _in_folder(thanos, component) and server is not None else (),
        umask="0002" if _in_folder(thanos, component) else None,
        stop_seconds=None if server is None else SIDECAR_STOP,
    )


def _in_folder(thanos: Thanos, component: ThanosComponent) -> bool:
    """Whether it reads or writes a bucket that is a folder."""
    return isinstance(thanos.bucket, str) and component.kind != "query"


def _writable(thanos: Thanos, component: ThanosComponent) -> Iterator[str]:
    if component.kind != "query":
        yield data_folder(component)
    if isinstance(thanos.bucket, str) and component.kind != "query":
        yield thanos.bucket


def _folders(thanos: Thanos, component: ThanosComponent) -> Iterator[File]:
    """The folders that systemd makes; blocks in a folder belong to a group, as several users write and delete them."""
    owner = USER if component.server is None else SERVERS_USER
    lines = [] if component.kind == "query" else [f"d {_word(data_folder(component))} 0750 {owner} - -\n"]
    if isinstance(thanos.bucket, str) and component.kind != "query":
        lines.append(f"d {_word(thanos.bucket)} 2775 {USER} {BUCKET_GROUP} -\n")
    if lines:
        path = f"/etc/tmpfiles.d/{component.unit_name}.conf"
        yield File(path, "".join(lines).encode(), on_change=OnChange("tmpfiles"))


def _word(path: str) -> str:
    return str(templates.systemd_word(path))


def _files(fleet: Fleet, thanos: Thanos, component: ThanosComponent) -> Iterator[File]:
    restart = OnChange("restart", f"{component.unit_name}.service")
    if component.kind == "query" and has_endpoint_file(thanos.version):
        yield File(endpoints_file(component), endpoints(fleet, thanos))
    elif _in_folder(thanos, component):
        yield File(bucket_file(thanos, component), _folder_bucket(str(thanos.bucket)), on_change=restart)
    if component.kind == "rule":
        yield File(alert_labels_file(component), _alert_labels(fleet), on_change=restart)


def endpoints(fleet: Fleet, thanos: Thanos) -> bytes:
    """Whom Query asks; it looks at the file again by itself."""
    return _yaml({"endpoints": [{"address": address, "strict": True} for address in addresses(fleet, thanos)]})


def _folder_bucket(folder: str) -> bytes:
    return _yaml({"type": "FILESYSTEM", "config": {"directory": folder}})


def _alert_labels(fleet: Fleet) -> bytes:
    """Labels of the cluster on alerts that have none of that name: an external label would replace those of others."""
    labels = {"cluster": fleet.cluster, **dict(sorted(fleet.labels.items()))}
    rules = [
        {"source_labels": [name], "regex": "", "target_label": name, "replacement": value.replace("$", "$$")}
        for name, value in labels.items()
    ]
    return _yaml(rules)


def _yaml(value: Sequence[Any] | Mapping[str, Any]) -> bytes:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1_000_000)
    return (_HEADER + text).encode()


def _secrets(thanos: Thanos, component: ThanosComponent) -> Mapping[str, Mapping[str, Any]]:
    """The reference to the bucket's configuration, a file for each that reads it; a new one restarts that."""
    if thanos.bucket is None or isinstance(thanos.bucket, str) or component.kind == "query":
        return {}
    owner = USER if component.server is None else SERVERS_USER
    return {bucket_file(thanos, component): {**thanos.bucket.model_dump(), "owner": owner}}
