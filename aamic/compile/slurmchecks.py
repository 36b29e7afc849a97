"""`slurm` of a site: what cannot be meant is a fault, what has no effect a warning."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final

from aamic.catalog.base import Contribution
from aamic.catalog.limits import limits as bounds_of
from aamic.compile.findings import Findings, Path
from aamic.compile.references import References
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.model.fleet import GpuThresholds, Limit, SlurmSettings
from aamic.model.quantities import duration_seconds
from aamic.model.site import DrainSignal, GpuLimits, Limits, Slurm

_FASTEST: Final = 10
_SLOWEST: Final = 300
_BOUNDS: Final = ("warn", "fail")
_SHARE_HINT: Final = "write it from 0 to 1: `0.4` is 40 percent of the time"
_VALUES: Final[Mapping[str, DrainSignal]] = {
    "temperature_celsius": "temperature",
    "memory_temperature_celsius": "memory_temperature",
    "ecc_corrected_per_hour": "corrected_ecc",
    "throttle_ratio": "throttling",
}
"""What has bounds, and the signal of what is above them."""


def _written(limits: GpuLimits) -> Iterator[tuple[str, Limits]]:
    for name in _VALUES:
        found: Limits | None = getattr(limits, name)
        if found is not None:
            yield name, found


def thresholds(spec: Slurm) -> tuple[GpuThresholds, ...]:
    """The bounds as they are written."""
    return tuple(
        GpuThresholds(
            each.vendor,
            each.model,
            {name: Limit(limits.warn, limits.fail, limits.clear) for name, limits in _written(each)},
        )
        for each in spec.thresholds
    )


def most_drained(written: int | str, nodes: int) -> int:
    """How many nodes may be out of service at a time: a part is rounded down, but never below one.

    >>> most_drained("5%", 1000), most_drained("5%", 4), most_drained(7, 1000)
    (50, 1, 7)
    """
    return max(1, nodes * int(written[:-1]) // 100) if isinstance(written, str) else written


def check_slurm(
    spec: Slurm, refs: References, nodes: tuple[str, ...], vendors: Collection[str], findings: Findings
) -> None:
    """Report everything in `slurm` that cannot be meant, and warn of what has no effect."""
    if not _FASTEST <= duration_seconds(spec.check_interval) <= _SLOWEST:
        findings.error(
            f"`check_interval: {spec.check_interval}` is not between {_FASTEST}s and {_SLOWEST // 60}m",
            findings.place("slurm", "check_interval"),
            "such as `30s`: exporters are read once in each, and a verdict counts for three of them",
        )
    _check_hooks(spec, nodes, findings)
    _check_auth(spec, findings)
    _check_brake(spec, nodes, findings)
    _check_vendors(spec, vendors, findings)
    models = {node.gpu.model for name in nodes if (node := refs.nodes[name]).gpu is not None}
    for number, each in enumerate(spec.thresholds):
        _check_thresholds(each, ("slurm", "thresholds", number), models, findings)
    _check_sums(spec, findings)
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


def _check_vendors(spec: Slurm, vendors: Collection[str], findings: Findings) -> None:
    named: list[tuple[str, Path]] = [
        (each.vendor, ("slurm", "thresholds", number, "vendor")) for number, each in enumerate(spec.thresholds)
    ]
    named += [(vendor, ("slurm", "drain_codes", vendor)) for vendor in spec.drain_codes]
    for vendor, path in named:
        if vendor not in vendors:
            near = closest(vendor, vendors)
            hint = f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{each}`' for each in vendors)}"
            place = findings.key(*path) if path[1] == "drain_codes" else findings.place(*path)
            findings.error(f"unknown vendor {shown(vendor)}", place, hint)


def _check_thresholds(each: GpuLimits, path: Path, models: Collection[str], findings: Findings) -> None:
    written = list(_written(each))
    if not written and not any(findings.may_lack(*path, name) for name in _VALUES):
        hint = f"add one of {', '.join(f'`{name}`' for name in _VALUES)}, or remove it"
        findings.error("an entry of `slurm.thresholds` bounds no value", findings.place(*path), hint)
    for name, limits in written:
        _check_limits(limits, name, (*path, name), findings)
    if each.model is not None and models and each.model not in models:
        near = closest(each.model, models)
        hint = f"did you mean `{near}`?" if near else f"they have {', '.join(map(shown, sorted(models)))}"
        message = f"no node of `slurm` has the model {shown(each.model)}"
        findings.warn(message, findings.place(*path, "model"), hint)


def _check_sums(spec: Slurm, findings: Findings) -> None:
    """Whether bounds rise with those that an entry leaves as they were."""
    known = thresholds(spec)
    for number, each in enumerate(known):
        sums = bounds_of(each.vendor, each.model, known[: number + 1])
        for name, own in each.limits.items():
            warn, fail = sums[name].warn, sums[name].fail
            if warn is None or fail is None or warn <= fail or None not in {own.warn, own.fail}:
                continue
            written, left = (("warn", warn), ("fail", fail)) if own.fail is None else (("fail", fail), ("warn", warn))
            findings.error(
                f"`{written[0]}: {written[1]:g}` does not go with `{left[0]}: {left[1]:g}`, which stays as it was",
                findings.place("slurm", "thresholds", number, name, written[0]),
                f"write `{left[0]}` too",
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
        for name, limits in _written(each):
            if limits.fail is not None and _VALUES[name] not in spec.drain_on:
                findings.warn(
                    f"`fail` is a warning only: `drain_on` does not name `{_VALUES[name]}`",
                    findings.place("slurm", "thresholds", number, name, "fail"),
                    f"add `{_VALUES[name]}` to `drain_on`, or write `warn` alone",
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


def _check_limits(limits: Limits, name: str, path: Path, findings: Findings) -> None:
    bounds = [(key, bound) for key in ("clear", "warn", "fail") if (bound := getattr(limits, key)) is not None]
    for (low, below), (high, above) in pairwise(bounds):
        if below > above:
            findings.error(
                f"`{low}: {below:g}` is above `{high}: {above:g}`",
                findings.place(*path, low),
                "bounds rise from `clear` over `warn` to `fail`, such as `{clear: 80, warn: 85, fail: 95}`",
            )
    if name == "throttle_ratio" and any(bound > 1 for _, bound in bounds):
        worst = next(key for key, bound in bounds if bound > 1)
        findings.error(
            f"`{worst}: {getattr(limits, worst):g}` is no share of time", findings.place(*path, worst), _SHARE_HINT
        )
    if limits.warn is None and limits.fail is None and not any(findings.may_lack(*path, key) for key in _BOUNDS):
        findings.error("neither `warn` nor `fail` is given", findings.place(*path), "give at least one of them")
