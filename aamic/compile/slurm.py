"""`slurm` of a site: which nodes get hooks, how many may be drained, and bounds that can be kept together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.compile.references import References
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.model.fleet import CanaryJob, GpuThresholds, HealthPolicy, Limit, SlurmSettings
from aamic.model.quantities import duration_seconds
from aamic.model.site import GpuLimits, Limits, Site, Slurm

_FASTEST: Final = 10
_SLOWEST: Final = 300
_BOUNDS: Final = ("warn", "fail")
_SHARE_HINT: Final = "write it from 0 to 1: `0.4` is 40 percent of the time"
_SIGNALS: Final = {
    "temperature_celsius": "temperature",
    "memory_temperature_celsius": "memory_temperature",
    "ecc_corrected_per_hour": "corrected_ecc",
    "throttle_ratio": "throttling",
}
"""The signal of each value that has bounds."""
_VALUES: Final = tuple(_SIGNALS)


def resolve_slurm(site: Site, refs: References, vendors: Collection[str], findings: Findings) -> SlurmSettings | None:
    """What the site says of Slurm; None where it says nothing, or its controller is not known."""
    spec = site.slurm
    if spec is None or not spec.enabled:
        return None
    controller = refs.node(spec.controller, "slurm", "controller")
    nodes = _nodes(spec, refs)
    _check(spec, refs, nodes, vendors, findings)
    if controller is None:
        return None
    return SlurmSettings(
        controller=controller,
        nodes=nodes,
        version=_version(spec.version),
        conf_dir=spec.conf_dir,
        endpoint=spec.endpoint,
        user=spec.auth.user if spec.auth else "root",
        token=spec.auth.token if spec.auth else None,
        pre_job_check=spec.pre_job_check,
        post_job_check=spec.post_job_check,
        auto_drain=spec.auto_drain,
        health=_health(spec),
        max_drained=most_drained(spec.max_drained, len(nodes)),
        job_mapping=spec.job_mapping,
        canary_job=_canary_job(spec),
        exporter=spec.exporter,
    )


def _nodes(spec: Slurm, refs: References) -> tuple[str, ...]:
    if spec.nodes is not None:
        return refs.hosts(spec.nodes, "slurm", "nodes")
    return tuple(name for name, node in refs.nodes.items() if node.gpu is not None)


def most_drained(written: int | str, nodes: int) -> int:
    """How many nodes may be out of service at a time: a part is rounded down, but never below one.

    >>> most_drained("5%", 1000), most_drained("5%", 4), most_drained(7, 1000)
    (50, 1, 7)
    """
    return max(1, nodes * int(written[:-1]) // 100) if isinstance(written, str) else written


def _version(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    year, month = written.split(".")
    return int(year), int(month)


def _health(spec: Slurm) -> HealthPolicy:
    return HealthPolicy(
        drain_on=tuple(dict.fromkeys(spec.drain_on)),
        codes={vendor: tuple(sorted(set(codes))) for vendor, codes in spec.drain_codes.items()},
        thresholds=tuple(
            GpuThresholds(each.vendor, each.model, {name: _limit(limits) for name, limits in _written(each)})
            for each in spec.thresholds
        ),
        breaches=spec.hysteresis.breaches,
        clears=spec.hysteresis.clears,
        interval=round(duration_seconds(spec.check_interval)),
    )


def _written(limits: GpuLimits) -> Iterator[tuple[str, Limits]]:
    for name in _VALUES:
        found: Limits | None = getattr(limits, name)
        if found is not None:
            yield name, found


def _limit(limits: Limits) -> Limit:
    bounds = [bound for bound in (limits.warn, limits.fail) if bound is not None]
    return Limit(limits.warn, limits.fail, limits.clear if limits.clear is not None else min(bounds, default=None))


def _canary_job(spec: Slurm) -> CanaryJob | None:
    job = spec.canary_job
    if not job.enabled:
        return None
    return CanaryJob(job.user, job.partition, job.account, job.qos, round(duration_seconds(job.timeout)))


# What cannot be meant


def _check(spec: Slurm, refs: References, nodes: tuple[str, ...], vendors: Collection[str], findings: Findings) -> None:
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
    _check_signals(spec, findings)
    models = {node.gpu.model for name in nodes if (node := refs.nodes[name]).gpu is not None}
    for number, each in enumerate(spec.thresholds):
        _check_thresholds(each, ("slurm", "thresholds", number), models, findings)


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


def _check_signals(spec: Slurm, findings: Findings) -> None:
    """Whether a node can fail by what is written: by any signal, and by each bound from which it is said to."""
    if findings.may_lack("slurm", "drain_on"):
        return
    if not spec.drain_on and spec.auto_drain != "off":
        hint = "name signals such as `fatal_error`, or leave it out: then hard ones drain"
        findings.warn("`drain_on: []` lets no node fail", findings.place("slurm", "drain_on"), hint)
    for number, each in enumerate(spec.thresholds):
        for name, limits in _written(each):
            if limits.fail is not None and _SIGNALS[name] not in spec.drain_on:
                findings.warn(
                    f"no node fails by `fail: {limits.fail:g}`: `{_SIGNALS[name]}` is not in `drain_on`",
                    findings.place("slurm", "thresholds", number, name, "fail"),
                    f"add `{_SIGNALS[name]}` to `slurm.drain_on`, or keep `warn` alone",
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
