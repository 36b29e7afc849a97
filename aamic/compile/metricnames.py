"""Names that a site's own metrics must not take: those of records, and of what Prometheus writes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aamic.catalog.artifacts.rules.presets import SYNTHETIC
from aamic.compile.findings import Findings, Path
from aamic.model.site import MetricSpec, Site


def check_metric_names(site: Site, findings: Findings) -> None:
    """Report declared metrics that no exporter can emit under that name."""
    for path, metrics in _declared(site):
        for name in metrics:
            place = findings.key(*path, name)
            if ":" in name:
                findings.error(
                    f"metric `{name}` has a colon, which is for what recording rules record",
                    place,
                    "write the name as the exporter shows it",
                )
            elif name in SYNTHETIC:
                findings.error(
                    f"metric `{name}` is written by Prometheus itself", place, "remove it: rules may read it anyway"
                )


def _declared(site: Site) -> Iterator[tuple[Path, Mapping[str, MetricSpec]]]:
    for index, spec in enumerate(site.exporters.custom):
        yield ("exporters", "custom", index, "metrics"), spec.metrics
    yield ("exporters", "node", "textfile_metrics"), site.exporters.node.textfile_metrics
