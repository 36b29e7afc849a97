"""`rollout` of a site: times that leave room for one another."""

from __future__ import annotations

from typing import Final

from aamic.compile.findings import Findings
from aamic.model.fleet import Rollout
from aamic.model.quantities import duration_seconds
from aamic.model.site import Prometheus, Site, Slurm

MIN_CONFIRM: Final = 30.0
"""Policy: below this a slow connection is enough to undo a good change."""
_CONFIRM: Final = 120.0
_GATE: Final = 45.0
_AROUND_A_JOB: Final = 45.0
"""Policy: for looking at nodes before and after a test job, and waiting for its epilog."""
_WITHOUT_JOB: Final = "`ready_timeout`, `settle` and `gate_timeout`"
_WITH_JOB: Final = (
    f"`ready_timeout`, `settle`, `gate_timeout`, `slurm.canary_job.timeout` and {_AROUND_A_JOB:g}s around that job"
)


def resolve_rollout(site: Site, findings: Findings) -> Rollout:
    """How the hosts are changed; times that cannot be kept together are faults."""
    spec = site.rollout
    gate = duration_seconds(spec.gate_timeout) if spec.gate_timeout else max(_GATE, 2 * _one_scrape(site.prometheus))
    settle, ready = duration_seconds(spec.settle), duration_seconds(spec.ready_timeout)
    job = _job(site.slurm)
    needed = ready + settle + gate + job
    confirm = duration_seconds(spec.confirm_timeout) if spec.confirm_timeout else max(_CONFIRM, needed)
    if spec.confirm_timeout:
        _check_confirm(spec.confirm_timeout, needed, findings, with_job=job > 0)
    if spec.gate_timeout:
        _check_gate(spec.gate_timeout, site.prometheus, findings)
    return Rollout(spec.canary, spec.batch, spec.max_failures, confirm, settle, ready, gate, job)


def _job(slurm: Slurm | None) -> float:
    """Seconds that a test job and the questions around it may take; 0 where no hooks are rolled out, or without one."""
    if slurm is None or not (slurm.enabled and slurm.canary_job.enabled):
        return 0.0
    hooks = slurm.pre_job_check or slurm.post_job_check or slurm.job_mapping
    return duration_seconds(slurm.canary_job.timeout) + _AROUND_A_JOB if hooks else 0.0


def _one_scrape(prometheus: Prometheus) -> float:
    """Seconds within which every target has been scraped, or has failed to be."""
    return duration_seconds(prometheus.scrape_interval) + duration_seconds(prometheus.scrape_timeout)


def _check_confirm(written: str, needed: float, findings: Findings, *, with_job: bool) -> None:
    place = findings.place("rollout", "confirm_timeout")
    if duration_seconds(written) < MIN_CONFIRM:
        findings.error(
            f"`confirm_timeout: {written}` is below {MIN_CONFIRM:.0f}s",
            place,
            "hosts go back by themselves after this; a slow connection alone must not do that",
        )
    elif needed > duration_seconds(written):
        findings.error(
            f"`confirm_timeout: {written}` is shorter than {_WITH_JOB if with_job else _WITHOUT_JOB} together "
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
