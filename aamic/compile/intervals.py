"""Durations that must fit into each other, and into what Prometheus remembers."""

from __future__ import annotations

from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.model.quantities import duration_seconds
from aamic.model.site import Site
from aamic.model.types import FOREVER

LONGEST_INTERVAL: Final = "2m"
"""Prometheus forgets a series 5 minutes after its last sample: two reads must fit, and rates need several."""
LONGEST_FEDERATION: Final = "4m"
SHORTEST_RETENTION: Final = "2d"
"""Alerts of the presets look back a day."""


def check_intervals(site: Site, findings: Findings) -> None:
    """Report timeouts above their interval, and intervals with which rules cannot work."""
    shared = site.prometheus
    _check_timeout(shared.scrape_timeout, shared.scrape_interval, ("prometheus", "scrape_timeout"), findings)
    for key in ("scrape_interval", "evaluation_interval"):
        _check_longest(getattr(shared, key), LONGEST_INTERVAL, ("prometheus", key), findings)
    _check_retention(shared.retention, ("prometheus", "retention"), findings)
    if site.federation is None or not site.federation.enabled:
        return
    central, path = site.federation.central, ("federation", "central")
    _check_timeout(central.federate_timeout, central.federate_interval, (*path, "federate_timeout"), findings)
    _check_longest(central.federate_interval, LONGEST_FEDERATION, (*path, "federate_interval"), findings)
    if central.retention_raw is not None and central.retention_raw != FOREVER:
        _check_retention(central.retention_raw, (*path, "retention_raw"), findings)
    if isinstance(site.federation.shards, list):
        for index, spec in enumerate(site.federation.shards):
            if spec.prometheus.retention is not None:
                where = ("federation", "shards", index, "prometheus", "retention")
                _check_retention(spec.prometheus.retention, where, findings)


def _check_timeout(timeout: str, interval: str, path: Path, findings: Findings) -> None:
    """Prometheus refuses to start with a timeout above its interval."""
    if duration_seconds(timeout) > duration_seconds(interval):
        findings.error(
            f"`{'.'.join(map(str, path))}` is {timeout}, longer than its interval of {interval}",
            findings.place(*path),
            "a read must end before the next one begins",
        )


def _check_longest(interval: str, longest: str, path: Path, findings: Findings) -> None:
    if duration_seconds(interval) > duration_seconds(longest):
        findings.error(
            f"`{'.'.join(map(str, path))}` is {interval}, longer than {longest}",
            findings.place(*path),
            "Prometheus forgets a series 5 minutes after its last sample; rules would miss it between two of them",
        )


def _check_retention(retention: str, path: Path, findings: Findings) -> None:
    if duration_seconds(retention) < duration_seconds(SHORTEST_RETENTION):
        findings.warn(
            f"`{'.'.join(map(str, path))}` is {retention}; alerts of the presets look back as far as a day",
            findings.place(*path),
            f"keep samples for {SHORTEST_RETENTION} or more",
        )
