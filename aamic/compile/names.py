"""Names that become bundles, units, users and jobs: none may mean two things."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from aamic.catalog.base import Catalog
from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import HostListError, expand
from aamic.compile.references import References
from aamic.model.fleet import Endpoint
from aamic.model.site import CustomExporter, ShardSpec, Site

OWN_BUNDLES: Final = frozenset({"alertmanager", "central", "prometheus", "prometheus-base", "shards"})
OWN_JOBS: Final = frozenset({"alertmanager", "federate", "prometheus"})
LONGEST_USER: Final = 31
"""systemd-sysusers takes user names of up to 31 characters."""

_PROGRAM: Final = re.compile("(/[A-Za-z0-9_@][A-Za-z0-9._@+-]*)+")


def check_names(site: Site, catalog: Catalog, findings: Findings) -> None:
    """Report names of shards and exporters that aamic itself, or another of them, has."""
    if site.federation is not None and site.federation.enabled and isinstance(site.federation.shards, list):
        _check_shards(site.federation.shards, site.federation.replicas, catalog, findings)
    for index, spec in enumerate(site.exporters.custom):
        _check_exporter(spec, ("exporters", "custom", index), catalog, findings)


def _check_shards(shards: list[ShardSpec], replicas: int, catalog: Catalog, findings: Findings) -> None:
    vendors = {f"gpu-{vendor.name}" for vendor in catalog.vendors}
    taken = OWN_BUNDLES | vendors | {exporter.name for exporter in catalog.own_exporters}
    names = {spec.name for spec in shards}
    for index, spec in enumerate(shards):
        pair = spec.name[:-2] if replicas > 1 and spec.name.endswith(("-a", "-b")) else None
        if spec.name in taken or spec.name.startswith(("custom-", "alertmanager-")):
            message = f"shard name `{spec.name}` is used by aamic itself"
        elif pair in names:
            message = f"shard name `{spec.name}` is that of a replica of `{pair}`"
        else:
            continue
        findings.error(message, findings.place("federation", "shards", index, "name"), "choose another name")


def _check_exporter(spec: CustomExporter, path: Path, catalog: Catalog, findings: Findings) -> None:
    own = OWN_JOBS | {exporter.name for exporter in catalog.exporters}
    if spec.name in own or spec.name.startswith(("prometheus-", "alertmanager-")):
        findings.error(
            f"exporter name `{spec.name}` is used by aamic itself",
            findings.place(*path, "name"),
            "choose another name",
        )
    user = spec.user or f"aami-{spec.name}"
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
