"""`rollout` of a site: times that leave room for one another."""

from __future__ import annotations

from typing import Final

from aamic.compile.findings import Findings
from aamic.model.fleet import Rollout
from aamic.model.quantities import duration_seconds
from aamic.model.site import Prometheus, Site

MIN_CONFIRM: Final = 30.0
"""Policy: below this a slow connection is enough to undo a good change."""
_CONFIRM: Final = 120.0
_GATE: Final = 45.0


def resolve_rollout(site: Site, findings: Findings) -> Rollout:
    """How the hosts are changed; times that cannot be kept together are faults."""
    spec = site.rollout
    gate = duration_seconds(spec.gate_timeout) if spec.gate_timeout else max(_GATE, 2 * _one_scrape(site.prometheus))
    settle, ready = duration_seconds(spec.settle), duration_seconds(spec.ready_timeout)
    needed = ready + settle + gate
    confirm = duration_seconds(spec.confirm_timeout) if spec.confirm_timeout else max(_CONFIRM, needed)
    if spec.confirm_timeout:
        _check_confirm(spec.confirm_timeout, needed, findings)
    if spec.gate_timeout:
        _check_gate(spec.gate_timeout, site.prometheus, findings)
    return Rollout(spec.canary, spec.batch, spec.max_failures, confirm, settle, ready, gate)


def _one_scrape(prometheus: Prometheus) -> float:
    """Seconds within which every target has been scraped, or has failed to be."""
    return duration_seconds(prometheus.scrape_interval) + duration_seconds(prometheus.scrape_timeout)


def _check_confirm(written: str, needed: float, findings: Findings) -> None:
    place = findings.place("rollout", "confirm_timeout")
    if duration_seconds(written) < MIN_CONFIRM:
        findings.error(
            f"`confirm_timeout: {written}` is below {MIN_CONFIRM:.0f}s",
            place,
            "hosts go back by themselves after this; a slow connection alone must not do that",
        )
    elif needed > duration_seconds(written):
        findings.error(
            f"`confirm_timeout: {written}` is shorter than `ready_timeout`, `settle` and `gate_timeout` together "
            f"({needed:g}s)",
            place,
            "a host that takes all of them goes back before it can be confirmed: raise it, or lower the others",
        )


def _check_gate(written: str, prometheus: Prometheus, findings: Findings) -> None:
    if duration_seconds(written) < _one_scrape(prometheus):
        findings.error(
            f"`gate_timeout: {written}` is shorter than one scrape ({_one_scrape(prometheus):g}s)",
            findings.place("rollout", "gate_timeout"),
            "Prometheus needs its scrape interval and timeout to see a changed host: raise it",
        )
