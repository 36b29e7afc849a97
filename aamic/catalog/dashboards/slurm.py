"""Slurm: its jobs and nodes, why nodes take no jobs, what the node checks and the drain controller think."""

from __future__ import annotations

from typing import Final

from aamic.catalog.dashboards import jobs
from aamic.catalog.dashboards.asking import CHECK_ALERTS
from aamic.catalog.dashboards.choices import IN_CLUSTER, IN_PARTITION, PARTITION, cluster
from aamic.catalog.dashboards.drawing import NONE_FOUND, stat
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import AlertBound, Column, Dashboard, Named, Panel, Query, Row

_ANSWERS: Final = f"max by (cluster) (shard:slurm_cpus_idle_ratio{{{IN_CLUSTER}}})"
"""There while Slurm answers: what it lists none of is 0 then, and not known otherwise."""
_DOWN: Final = 'state=~"(?i).*(down|fail|not_responding|[*]).*",state!~"(?i).*power.*"'
_DRAINED: Final = 'state=~"(?i).*drain.*"'
"""As the alerts of Slurm have them."""


def build(ground: Ground) -> Dashboard:
    """The page of Slurm."""
    return Dashboard(
        uid="aamic-slurm",
        title="Slurm",
        about="Jobs, nodes and why they take none, health checks and draining, and what the GPUs of each job do.",
        variables=(cluster(ground), PARTITION),
        rows=(
            Row("Jobs", (*_numbers(), *_jobs())),
            Row("Nodes", _nodes()),
            Row("Health of nodes", _health()),
            Row("Drain controller", _drain()),
            Row("GPUs of jobs", jobs.panels()),
        ),
        others=("aamic-overview", "aamic-node", "aamic-gpu"),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        _count("Running jobs", 'state="RUNNING"', "Jobs that run now, of the chosen partitions."),
        _count("Waiting jobs", 'state="PENDING"', "Jobs that wait now, of the chosen partitions."),
        stat(
            "CPUs with a job",
            [Query(f"1 - {_ANSWERS}", "{{cluster}}", instant=True)],
            "Share of Slurm's CPUs on which a job runs.",
            unit="percentunit",
            width=4,
            alerts=("SlurmControllerUnreachable",),
        ),
        _share("Nodes down", _DOWN, "SlurmNodesDown", "SlurmManyNodesDown"),
        _share("Nodes drained", _DRAINED, "SlurmNodesDrained"),
    )


def _count(title: str, state: str, about: str) -> Panel:
    found = f"sum by (cluster) (max by (cluster, partition, state) (shard:slurm_jobs{{{IN_PARTITION},{state}}}))"
    return stat(title, [Query(f"{found} or {_ANSWERS} * 0", "{{cluster}}", instant=True)], about, width=4)


def _share(title: str, states: str, *alerts: str) -> Panel:
    some, every = (
        f"sum by (cluster) (max by (cluster, state) (shard:slurm_nodes{{{matchers}}}))"
        for matchers in (f"{IN_CLUSTER},{states}", IN_CLUSTER)
    )
    return stat(
        title,
        [Query(f"{some} / {every} or {_ANSWERS} * 0", "{{cluster}}", instant=True)],
        "Share of all nodes of Slurm.",
        unit="percentunit",
        wanted=tuple(map(AlertBound, alerts)),
        width=4,
    )


def _jobs() -> tuple[Panel, ...]:
    return (
        Panel(
            "Jobs by state",
            "timeseries",
            (Query(_by("state", ""), "{{state}}"),),
            "Slurm forgets a job some minutes after its end.",
            alerts=("SlurmJobsLostNodes",),
            stacked=True,
        ),
        Panel(
            "What jobs wait for",
            "timeseries",
            (
                Query(
                    f"sum by (waits_for) (max by (cluster, waits_for) (shard:slurm_pending_jobs{{{IN_CLUSTER}}}))",
                    "{{waits_for}}",
                ),
            ),
            "Jobs of all partitions, by the reason that Slurm gives.",
            alerts=("SlurmQueueStuck",),
            stacked=True,
        ),
        Panel(
            "Running jobs by partition",
            "timeseries",
            (Query(_by("partition", ',state="RUNNING"'), "{{partition}}"),),
            stacked=True,
        ),
        Panel(
            "Waiting jobs by partition",
            "timeseries",
            (Query(_by("partition", ',state="PENDING"'), "{{partition}}"),),
            stacked=True,
        ),
    )


def _by(label: str, state: str) -> str:
    return f"sum by ({label}) (max by (cluster, partition, state) (shard:slurm_jobs{{{IN_PARTITION}{state}}}))"


def _nodes() -> tuple[Panel, ...]:
    out = (
        f"max by (cluster, node, state, by, user, reason) (node:slurm_out_of_service_timestamp_seconds{{{IN_CLUSTER}}})"
    )
    return (
        Panel(
            "Nodes by state",
            "timeseries",
            (Query(f"sum by (state) (max by (cluster, state) (shard:slurm_nodes{{{IN_CLUSTER}}}))", "{{state}}"),),
            "As sinfo calls the states; a node with two of them has both, joined by `&`.",
            alerts=("SlurmExporterErrors",),
            width=10,
            stacked=True,
        ),
        Panel(
            "Nodes that take no jobs",
            "table",
            (Query(f"{out} * 1000", instant=True),),
            "Who drained them and why, as the drain controller last saw it; `aamic` is the controller itself.",
            unit="dateTimeFromNow",
            width=14,
            columns=(
                Column("node", "Node", link="aamic-node", variable="node"),
                Column("state", "State"),
                Column("by", "By"),
                Column("user", "User"),
                Column("reason", "Reason"),
                Column("Value #A", "Since", "dateTimeFromNow"),
            ),
            mappings=(Named(0, "unknown", "unknown"),),
            empty=NONE_FOUND,
        ),
    )


def _health() -> tuple[Panel, ...]:
    return (
        Panel(
            "Nodes by verdict",
            "timeseries",
            (
                Query(
                    f"sum by (verdict) (max by (cluster, verdict) (cluster:node_verdicts{{{IN_CLUSTER}}}))",
                    "{{verdict}}",
                ),
            ),
            "What the node checks think of their nodes; `unknown` is no good sign.",
            alerts=CHECK_ALERTS,
            width=10,
            stacked=True,
        ),
        Panel(
            "What node checks find",
            "table",
            (
                Query(
                    f"max by (cluster, node, signal, gpu) (node:aamic_failing_signal{{{IN_CLUSTER}}}) > 0",
                    instant=True,
                ),
            ),
            "Each thing that is wrong, or of which nothing is known.",
            width=14,
            columns=(
                Column("node", "Node", link="aamic-node", variable="node"),
                Column("signal", "Finding"),
                Column("gpu", "GPU"),
            ),
            empty=NONE_FOUND,
        ),
    )


def _drain() -> tuple[Panel, ...]:
    on, shadow = (
        f'max by (cluster) (node:aamic_drain_mode{{{IN_CLUSTER},mode="{mode}"}})' for mode in ("on", "shadow")
    )
    return (
        stat(
            "Mode",
            [Query(f"{on} * 2 + {shadow}", "{{cluster}}", instant=True)],
            "`shadow` says what it would do and does nothing.",
            unit="none",
            mappings=(Named(0, "off", "unknown"), Named(1, "shadow", "info"), Named(2, "on", "ok")),
            alerts=("DrainControllerSilent",),
            width=4,
        ),
        stat(
            "Breaker",
            [
                Query(
                    f"max by (cluster) (node:aamic_drain_breaker_tripped{{{IN_CLUSTER}}})", "{{cluster}}", instant=True
                )
            ],
            "A tripped one decides nothing until `aamic slurm breaker --reset`.",
            unit="none",
            wanted=(AlertBound("DrainBreakerTripped"),),
            mappings=(Named(0, "closed", "ok"), Named(1, "tripped", "critical")),
            width=4,
        ),
        Panel(
            "Drained nodes and the budget",
            "timeseries",
            tuple(
                Query(f"max by (cluster) (node:aamic_drain_{name}{{{IN_CLUSTER}}})", legend)
                for name, legend in (("nodes", "drained by aamic"), ("wanted", "to be drained"), ("cap", "at most"))
            ),
            "`slurm.max_drained` is the most that may be out of service by aamic's doing.",
            width=16,
            least=0,
        ),
    )
