"""What the GPUs of each job do. Where jobs share a GPU, it counts for each of them."""

from __future__ import annotations

from typing import Final

from aamic.catalog.dashboards.choices import IN_CLUSTER
from aamic.model.dashboard import Column, Panel, Query

_GPU: Final = "cluster, node, gpu, gpu_uuid"
_JOB: Final = f"max by ({_GPU}, slurm_job) (gpu:job{{{IN_CLUSTER}}})"
_GPUS: Final = f"count by (cluster, slurm_job) ({_JOB})"
_IDLE: Final = 0.05
"""A job whose GPUs were busy for less than this share of a quarter of an hour is called idle: our policy."""
_LEAST: Final = 30
_LARGEST: Final = 20


def panels() -> tuple[Panel, ...]:
    """The panels on jobs; a site that tells no exporter of its jobs can feed none of them."""
    return (_idle(), _with_a_job(), _largest(), _least())


def _of_job(series: str) -> str:
    """A vector of each GPU of each job."""
    return f"{_JOB} * on ({_GPU}) group_left () max by ({_GPU}) ({series})"


def _mean(span: str = "") -> str:
    series = f"gpu:utilization_ratio{{{IN_CLUSTER}}}"
    return f"avg by (cluster, slurm_job) ({_of_job(f'avg_over_time({series}[{span}])' if span else series)})"


def _idle() -> Panel:
    query = Query(f"sum by (cluster) ({_mean('15m')} < bool {_IDLE})", "{{cluster}}", instant=True)
    about = "Jobs whose GPUs were busy for less than 5 % of the last 15 minutes."
    return Panel("Jobs with idle GPUs", "stat", (query,), about, width=4, height=4, empty="no job is known")


def _with_a_job() -> Panel:
    taken = f"count by (cluster) (max by ({_GPU}) (gpu:job{{{IN_CLUSTER}}}))"
    every = f"sum by (cluster) (max by (cluster, vendor) (cluster:gpu_count{{{IN_CLUSTER}}}))"
    return Panel(
        "GPUs with a job",
        "stat",
        (Query(f"{taken} / {every}", "{{cluster}}", instant=True),),
        "Share of all GPUs that a job of Slurm has.",
        unit="percentunit",
        width=4,
        height=4,
        least=0,
        most=1,
        empty="no job is known",
    )


def _largest() -> Panel:
    return Panel(
        "GPU utilization by job",
        "timeseries",
        (Query(f"{_mean()} and on (cluster, slurm_job) topk({_LARGEST}, {_GPUS})", "job {{slurm_job}}"),),
        "Mean of the GPUs of each of the jobs with most GPUs.",
        unit="percentunit",
        width=16,
        least=0,
        most=1,
    )


def _least() -> Panel:
    least = f"bottomk({_LEAST}, {_mean('15m')})"
    chosen = f"and on (cluster, slurm_job) {least}"
    power = f"sum by (cluster, slurm_job) ({_of_job(f'gpu:power_watts{{{IN_CLUSTER}}}')})"
    nodes = f"count by (cluster, slurm_job) (max by (cluster, node, slurm_job) (gpu:job{{{IN_CLUSTER}}}))"
    return Panel(
        "Jobs whose GPUs do least",
        "table",
        (
            Query(least, instant=True),
            Query(f"{_GPUS} {chosen}", instant=True),
            Query(f"{nodes} {chosen}", instant=True),
            Query(f"{power} {chosen}", instant=True),
        ),
        "Utilization is the mean of the last 15 minutes, also where the job is younger than that.",
        width=24,
        columns=(
            Column("slurm_job", "Job"),
            Column("Value #A", "Utilization", "percentunit"),
            Column("Value #B", "GPUs"),
            Column("Value #C", "Nodes"),
            Column("Value #D", "Power", "watt"),
        ),
    )
