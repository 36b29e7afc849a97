"""`slurm` of a site: which nodes get hooks, how many may be drained, and bounds that can be kept together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aamic.compile.findings import Findings
from aamic.compile.references import References
from aamic.compile.slurmchecks import check_slurm, most_drained
from aamic.compile.thresholds import Section, check_thresholds, thresholds
from aamic.model.fleet import CanaryJob, GpuThresholds, HealthPolicy, SlurmSettings
from aamic.model.quantities import duration_seconds
from aamic.model.site import Site, Slurm


def resolve_slurm(site: Site, refs: References, vendors: Collection[str], findings: Findings) -> SlurmSettings | None:
    """What the site says of Slurm; None where it says nothing, or its controller is not known."""
    spec = site.slurm
    if spec is None or not spec.enabled:
        return None
    controller = refs.node(spec.controller, "slurm", "controller")
    nodes = _nodes(spec, refs)
    check_slurm(spec, nodes, vendors, findings)
    models = {node.gpu.model for name in nodes if (node := refs.nodes[name]).gpu is not None}
    above = thresholds(site.health.thresholds)
    check_thresholds(spec.thresholds, Section("slurm", "`slurm`", models), above, vendors, findings)
    if controller is None:
        return None
    return SlurmSettings(
        controller=controller,
        nodes=nodes,
        version=_version(spec.version),
        conf_dir=spec.conf_dir,
        shared_conf=spec.shared_conf,
        endpoint=spec.endpoint,
        user=spec.auth.user if spec.auth else "root",
        token=spec.auth.token if spec.auth else None,
        pre_job_check=spec.pre_job_check,
        post_job_check=spec.post_job_check,
        auto_drain=spec.auto_drain,
        health=_health(spec, above),
        max_drained=most_drained(spec.max_drained, len(nodes)),
        job_mapping=spec.job_mapping,
        canary_job=_canary_job(spec),
        exporter=spec.exporter,
    )


def _nodes(spec: Slurm, refs: References) -> tuple[str, ...]:
    if spec.nodes is not None:
        return refs.hosts(spec.nodes, "slurm", "nodes")
    return tuple(name for name, node in refs.nodes.items() if node.gpu is not None)


def _version(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    year, month = written.split(".")
    return int(year), int(month)


def resolve_health(
    site: Site, slurm: SlurmSettings | None, refs: References, vendors: Collection[str], findings: Findings
) -> HealthPolicy:
    """How every node of the site is judged: as the node check does where there is Slurm."""
    models = {node.gpu.model for node in refs.nodes.values() if node.gpu is not None}
    check_thresholds(site.health.thresholds, Section("health", "the site", models), (), vendors, findings)
    return slurm.health if slurm else HealthPolicy(thresholds=thresholds(site.health.thresholds))


def _health(spec: Slurm, before: Sequence[GpuThresholds]) -> HealthPolicy:
    return HealthPolicy(
        drain_on=tuple(dict.fromkeys(spec.drain_on)),
        codes={vendor: tuple(sorted(set(codes))) for vendor, codes in spec.drain_codes.items()},
        thresholds=(*before, *thresholds(spec.thresholds)),
        breaches=spec.hysteresis.breaches,
        clears=spec.hysteresis.clears,
        interval=round(duration_seconds(spec.check_interval)),
    )


def _canary_job(spec: Slurm) -> CanaryJob | None:
    job = spec.canary_job
    if not job.enabled:
        return None
    return CanaryJob(job.user, job.partition, job.account, job.qos, round(duration_seconds(job.timeout)))
