"""`slurm` of a site: what cannot be meant is a fault, what has no effect a warning."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from aamic.catalog.base import Contribution
from aamic.compile.findings import Findings
from aamic.compile.thresholds import VALUES, check_vendor, written
from aamic.model.fleet import SlurmSettings
from aamic.model.quantities import duration_seconds
from aamic.model.site import Slurm

_FASTEST: Final = 10
_SLOWEST: Final = 300


def most_drained(written: int | str, nodes: int) -> int:
    """How many nodes may be out of service at a time: a part is rounded down, but never below one.

    >>> most_drained("5%", 1000), most_drained("5%", 4), most_drained(7, 1000)
    (50, 1, 7)
    """
    return max(1, nodes * int(written[:-1]) // 100) if isinstance(written, str) else written


def check_slurm(spec: Slurm, nodes: tuple[str, ...], vendors: Collection[str], findings: Findings) -> None:
    """Report everything in `slurm` that cannot be meant, and warn of what has no effect; not its thresholds."""
    if not _FASTEST <= duration_seconds(spec.check_interval) <= _SLOWEST:
        findings.error(
            f"`check_interval: {spec.check_interval}` is not between {_FASTEST}s and {_SLOWEST // 60}m",
            findings.place("slurm", "check_interval"),
            "such as `30s`: exporters are read once in each, and a verdict counts for three of them",
        )
    _check_hooks(spec, nodes, findings)
    _check_auth(spec, findings)
    _check_brake(spec, nodes, findings)
    for vendor in spec.drain_codes:
        check_vendor(vendor, findings.key("slurm", "drain_codes", vendor), vendors, findings)
    _check_fails(spec, findings)


def _check_hooks(spec: Slurm, nodes: tuple[str, ...], findings: Findings) -> None:
    asked = spec.pre_job_check or spec.post_job_check or spec.job_mapping
    if asked and not nodes and spec.nodes is None and not findings.lost_nodes():
        findings.error(
            "`slurm` asks for hooks, but no node has GPUs",
            findings.place("slurm"),
            "name the nodes that run slurmd with `nodes:`, or give nodes a `gpu:`",
        )
    if spec.controller in nodes:
        findings.warn(
            f"the controller `{spec.controller}` gets hooks too, as a node that runs jobs",
            findings.place("slurm", "controller"),
            "leave it out of `slurm.nodes` if it runs no slurmd",
        )


def _check_auth(spec: Slurm, findings: Findings) -> None:
    if spec.auth and not spec.endpoint and not findings.may_lack("slurm", "endpoint"):
        findings.warn(
            "`slurm.auth` has no effect without `endpoint`",
            findings.key("slurm", "auth"),
            "name slurmrestd, such as `http://slurm-ctl:6820`, or leave `auth` out",
        )


def _check_brake(spec: Slurm, nodes: tuple[str, ...], findings: Findings) -> None:
    """Whether `max_drained` could ever stop anything; of a single node there is nothing to keep."""
    if spec.auto_drain != "off" and 1 < len(nodes) <= most_drained(spec.max_drained, len(nodes)):
        findings.warn(
            f"`max_drained: {spec.max_drained}` holds nothing back: `slurm` has {len(nodes)} nodes",
            findings.place("slurm", "max_drained"),
            "a common fault, such as a wrong driver, could then drain them all; `5%` is the default",
        )


def _check_fails(spec: Slurm, findings: Findings) -> None:
    """Whether what is written can ever make a node fail."""
    if not spec.drain_on and spec.auto_drain != "off":
        findings.warn(
            "no signal makes a node fail, so nothing is ever drained or refused",
            findings.place("slurm", "drain_on"),
            "name at least `fatal_error` and `lost_gpu`",
        )
    for number, each in enumerate(spec.thresholds):
        for name, limits in written(each):
            if limits.fail is not None and VALUES[name] not in spec.drain_on:
                findings.warn(
                    f"`fail` is a warning only: `drain_on` does not name `{VALUES[name]}`",
                    findings.place("slurm", "thresholds", number, name, "fail"),
                    f"add `{VALUES[name]}` to `drain_on`, or write `warn` alone",
                )


def check_reach(slurm: SlurmSettings, contributions: Iterable[Contribution], findings: Findings) -> None:
    """Whether nodes are checked, and their verdicts seen, where the site counts on it."""
    parts = tuple(contributions)
    probed = {host for part in parts for probe in part.probes for host in probe.hosts}
    seen = any(service.textfiles for part in parts for service in part.services)
    if not slurm.nodes or (slurm.auto_drain != "on" and not slurm.pre_job_check):
        return
    if probed.isdisjoint(slurm.nodes):
        why, hint = "no node of `slurm` has GPUs with an exporter that reads them", "no node is checked without one"
    elif not seen:
        why, hint = "node_exporter, which carries the verdicts, is off", "enable `exporters.node` and its textfiles"
    else:
        return
    if slurm.auto_drain == "on":
        findings.error(f"`auto_drain: on` can do nothing: {why}", findings.place("slurm", "auto_drain"), hint)
    else:
        findings.warn(f"`pre_job_check` has no effect: {why}", findings.place("slurm", "pre_job_check"), hint)
