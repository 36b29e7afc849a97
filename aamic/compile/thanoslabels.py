"""Labels that Thanos takes from series: external labels replace a series' own, and that of replicas is taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.model.fleet import Endpoint
from aamic.model.site import Site

SERVER_LABELS: Final = ("replica", "shard")
"""Labels of each server of a shard, whatever its series have."""
_WHY: Final = "Thanos puts its own in its place, and series that only differ by it would be one"


def check_labels(site: Site, endpoints: Iterable[Endpoint], findings: Findings) -> None:
    """Report labels with which several series would be one in Thanos, and sums of them wrong."""
    _check_metrics(site, findings)
    declared = {label: endpoint.job for endpoint in endpoints for label in _labels(endpoint)}
    for label in site.cluster.labels:
        if label in declared:
            findings.error(
                f"label `{label}` is one that exporter `{declared[label]}` puts on its own series",
                findings.key("cluster", "labels", label),
                f"choose another name: {_WHY}",
            )
    for path, labels in _of_targets(site):
        for label in sorted(site.cluster.labels.keys() & labels.keys()):
            findings.error(
                f"label `{label}` is one of `cluster.labels` as well",
                findings.key(*path, "labels", label),
                f"choose another name: {_WHY}",
                (findings.key("cluster", "labels", label),),
            )


def _labels(endpoint: Endpoint) -> frozenset[str]:
    return frozenset(label for metric in endpoint.metrics for label in metric.labels or ())


def _check_metrics(site: Site, findings: Findings) -> None:
    for index, exporter in enumerate(site.exporters.custom):
        for name, spec in exporter.metrics.items():
            labels = spec.labels or []
            for number in (number for number, label in enumerate(labels) if label in SERVER_LABELS):
                findings.error(
                    f"label `{labels[number]}` of metric `{name}` is lost in Thanos",
                    findings.place("exporters", "custom", index, "metrics", name, "labels", number),
                    f"rename it at the exporter: {_WHY}",
                )


def _of_targets(site: Site) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """The labels of racks and nodes."""
    yield from ((("racks", name), rack.labels) for name, rack in site.racks.items())
    yield from ((("nodes", hosts), node.labels) for hosts, node in site.nodes.items())
