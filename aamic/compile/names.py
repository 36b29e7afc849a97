"""Names that become bundles, units, users and jobs: none may mean two things."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from aamic.catalog.base import Catalog
from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import HostListError, expand
from aamic.compile.references import References
from aamic.compile.text import shown
from aamic.model.fleet import Endpoint
from aamic.model.site import CustomExporter, MetricSpec, ShardSpec, Site

OWN_BUNDLES: Final = frozenset(
    {"alertmanager", "central", "drift", "grafana", "prometheus", "prometheus-base", "serve", "shards"}
)
MANIFEST: Final = "manifest.json"
"""Stands among the folders of the bundles."""
OWN_JOBS: Final = frozenset({"alertmanager", "central", "federate", "prometheus", "remote-clusters"})
TARGET_LABELS: Final = frozenset({"cluster", "gpu_count", "gpu_model", "gpu_vendor", "instance", "job", "node", "rack"})
"""Labels of the targets, which win over an exporter's own."""
LONGEST_BUNDLE: Final = 200
"""A bundle is a folder; file systems take names of up to 255 bytes."""
NOBODY: Final = "nobody"
LONGEST_USER: Final = 31
"""systemd-sysusers takes user names of up to 31 characters."""

_PROGRAM: Final = re.compile("(/[A-Za-z0-9_@][A-Za-z0-9._@+-]*)+")


def check_names(site: Site, catalog: Catalog, units: Collection[str], findings: Findings) -> None:
    """Report names of shards and exporters that aamic itself, or another of them, has.

    `units` are the names of the units of the catalog's exporters on this site.
    """
    if site.federation is not None and site.federation.enabled and isinstance(site.federation.shards, list):
        _check_shards(site.federation.shards, site.federation.replicas, catalog, findings)
    for index, spec in enumerate(site.exporters.custom):
        path: Path = ("exporters", "custom", index)
        _check_exporter(spec, path, catalog, units, findings)
        _check_command(spec, path, findings)
    for where, metrics in _declared(site, catalog):
        _check_labels(metrics, where, findings)


def _check_shards(shards: list[ShardSpec], replicas: int, catalog: Catalog, findings: Findings) -> None:
    vendors = {f"gpu-{vendor.name}" for vendor in catalog.vendors}
    taken = OWN_BUNDLES | vendors | {MANIFEST} | {exporter.name for exporter in catalog.own_exporters}
    names: dict[str, str] = {}
    for spec in shards:
        names.setdefault(spec.name.lower(), spec.name)
    for index, spec in enumerate(shards):
        name = spec.name.lower()
        pair = names.get(name[:-2]) if replicas > 1 and name.endswith(("-a", "-b")) else None
        if name in taken or name.startswith(("custom-", "alertmanager-", "thanos-")):
            message = f"shard name `{spec.name}` is used by aamic itself"
        elif pair is not None:
            message = f"shard name `{spec.name}` is that of a replica of `{pair}`"
        elif names[name] != spec.name:
            message = f"shard names `{names[name]}` and `{spec.name}` are one folder where case does not count"
        else:
            continue
        findings.error(message, findings.place("federation", "shards", index, "name"), "choose another name")


def check_bundles(hosts: Sequence[str], prefix: str, program: str, path: Path, findings: Findings) -> None:
    """Report nodes of a program on several hosts whose names are too long for the folders that bear them.

    `prefix` stands before the name of the host, `path` is that of the host list.
    """
    for host in hosts if len(hosts) > 1 else ():
        if len(prefix + host) > LONGEST_BUNDLE:
            findings.error(
                f"node name {shown(host)} of {len(host)} characters is too long for a node of {program}",
                findings.place(*path),
                f"at most {LONGEST_BUNDLE - len(prefix)} are allowed: folders of outputs/ are named after it",
            )


def _check_exporter(
    spec: CustomExporter, path: Path, catalog: Catalog, units: Collection[str], findings: Findings
) -> None:
    own = OWN_JOBS | {exporter.name for exporter in catalog.exporters}
    has_unit = spec.command is not None and f"aami-{spec.name}" in units
    if spec.name in own or spec.name.startswith(("prometheus-", "alertmanager-", "thanos-")) or has_unit:
        findings.error(
            f"exporter name `{spec.name}` is used by aamic itself",
            findings.place(*path, "name"),
            "choose another name",
        )


def _check_command(spec: CustomExporter, path: Path, findings: Findings) -> None:
    """Report a user or program with which systemd would not start the exporter."""
    user = spec.user or f"aami-{spec.name}"
    if user == NOBODY:
        findings.error(
            f"exporter `{spec.name}` cannot run as `{NOBODY}`, the user of what belongs to no one",
            findings.place(*path, "user"),
            "remove the key, and it gets a user of its own",
        )
    if spec.command is not None and len(user) > LONGEST_USER:
        findings.error(
            f"user `{user}` of exporter `{spec.name}` is longer than {LONGEST_USER} characters",
            findings.place(*path, "name"),
            "set a shorter `user`",
        )
    from_tarball = spec.source is not None and hasattr(spec.source, "tarball")
    if spec.command is not None and not from_tarball and _PROGRAM.fullmatch(spec.command[0]) is None:
        findings.error(
            f"program of exporter `{spec.name}` is no absolute path",
            findings.place(*path, "command", 0),
            "write it as `/usr/bin/...`; arguments are further items of the list",
        )


def _declared(site: Site, catalog: Catalog) -> Iterator[tuple[Path, Mapping[str, MetricSpec]]]:
    """The metrics that the site declares, those of custom exporters and those in options of the catalog's."""
    for index, spec in enumerate(site.exporters.custom):
        yield ("exporters", "custom", index, "metrics"), spec.metrics
    for exporter in catalog.exporters:
        for key, value in getattr(site.exporters, exporter.name):
            if isinstance(value, dict):
                metrics = {name: spec for name, spec in value.items() if isinstance(spec, MetricSpec)}
                yield ("exporters", exporter.name, key), metrics


def _check_labels(metrics: Mapping[str, MetricSpec], path: Path, findings: Findings) -> None:
    """Report labels that Prometheus would rename, for the target has one of that name."""
    for name, spec in metrics.items():
        for index, label in enumerate(spec.labels or ()):
            if label in TARGET_LABELS:
                findings.error(
                    f"label `{label}` of metric `{name}` is one that every target has",
                    findings.place(*path, name, "labels", index),
                    f"leave it out: Prometheus renames the metric's own to `exported_{label}`",
                )


def check_target_labels(site: Site, endpoints: Iterable[Endpoint], refs: References, findings: Findings) -> None:
    """Report labels of racks and nodes that an exporter there puts on its own series.

    The target's label would win, the exporter's be renamed, and rules that read it would find nothing.
    """
    declared = [(endpoint, _labels(endpoint)) for endpoint in endpoints]
    labelled: list[tuple[Path, Iterable[str], frozenset[str]]] = [
        (("racks", name), rack.labels, frozenset(refs.racks.get(name, ()))) for name, rack in site.racks.items()
    ]
    labelled += [(("nodes", hosts), spec.labels, _hosts(hosts)) for hosts, spec in site.nodes.items() if spec.labels]
    for path, labels, hosts in labelled:
        for label in labels:
            for endpoint, known in declared:
                if label in known and not endpoint.hosts.isdisjoint(hosts):
                    findings.error(
                        f"label `{label}` is one that exporter `{endpoint.job}` puts on its own series",
                        findings.key(*path, "labels", label),
                        "choose another name",
                    )
                    break


def _labels(endpoint: Endpoint) -> frozenset[str]:
    return frozenset(label for metric in endpoint.metrics for label in metric.labels or ())


def _hosts(hostlist: str) -> frozenset[str]:
    """The names of a host list; none of one that cannot be read, of which others tell."""
    try:
        return frozenset(expand(hostlist))
    except HostListError:
        return frozenset()
