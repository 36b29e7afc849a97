"""What pages read, held by promtool: of Slurm, of alerts and of releases."""

from __future__ import annotations

from pathlib import Path

from aamic.model.fleet import AlertRule, RuleGroup
from tests.catalog.rules.ground import FULL, KINDS, measured
from tests.catalog.rules.prom import evaluates

CONTROLLER = 'cluster="c",node="ctl",job="slurm",instance="i"'
NODE_OF_CONTROLLER = 'cluster="c",node="ctl",rack="r9",job="node",instance="j"'


def group(name: str, scope: str) -> RuleGroup:
    groups = measured(FULL).select().groups
    return next(each for each in groups if (each.name, each.scope) == (name, scope))


def records(found: RuleGroup) -> RuleGroup:
    return RuleGroup(found.name, found.scope, tuple(rule for rule in found.rules if not isinstance(rule, AlertRule)))


def test_jobs_and_nodes_of_slurm_and_what_jobs_wait_for(tmp_path: Path) -> None:
    series = {
        f'slurm_partition_job_state_total{{{CONTROLLER},partition="gpu",state="RUNNING"}}': "3",
        f'slurm_partition_job_state_total{{{CONTROLLER},partition="cpu",state="PENDING"}}': "4",
        f'slurm_node_count_per_state{{{CONTROLLER},state="idle"}}': "6",
        f'slurm_pending_reason_total{{{CONTROLLER},reason="ReqNodeNotAvail, UnavailableNodes:n[1-3]"}}': "2",
        f'slurm_pending_reason_total{{{CONTROLLER},reason="ReqNodeNotAvail, UnavailableNodes:n7"}}': "1",
        f'slurm_pending_reason_total{{{CONTROLLER},reason="Priority"}}': "5",
        f"slurm_cpus_idle{{{CONTROLLER}}}": "25",
        f"slurm_cpus_total{{{CONTROLLER}}}": "100",
    }
    expected = {
        "shard:slurm_jobs": {
            'shard:slurm_jobs{cluster="c",partition="gpu",state="RUNNING"}': 3.0,
            'shard:slurm_jobs{cluster="c",partition="cpu",state="PENDING"}': 4.0,
        },
        "shard:slurm_nodes": {'shard:slurm_nodes{cluster="c",state="idle"}': 6.0},
        "shard:slurm_pending_jobs": {
            'shard:slurm_pending_jobs{cluster="c",waits_for="ReqNodeNotAvail"}': 3.0,
            'shard:slurm_pending_jobs{cluster="c",waits_for="Priority"}': 5.0,
        },
        "shard:slurm_cpus_idle_ratio": {'shard:slurm_cpus_idle_ratio{cluster="c"}': 0.25},
    }

    evaluates(tmp_path, [records(group("slurm", "shard"))], series, expected, at="0m")


def test_a_drained_node_is_of_its_own_and_gone_when_the_controller_is_silent(tmp_path: Path) -> None:
    name = "aamic_slurm_out_of_service_timestamp_seconds"
    labels = 'slurm_node="gpu-7",state="drained",by="others",user="ann",reason="disk full"'
    series = {
        f"{name}{{{NODE_OF_CONTROLLER},{labels}}}": "1000+0x100",
        f"aamic_drain_timestamp_seconds{{{NODE_OF_CONTROLLER}}}": "0+60x5 300+0x100",
    }
    shown = 'cluster="c",node="gpu-7",state="drained",by="others",user="ann",reason="disk full"'
    out = "node:slurm_out_of_service_timestamp_seconds"
    groups = [records(group("node", "shard"))]

    evaluates(tmp_path, groups, series, {out: {f"{out}{{{shown}}}": 1000.0}}, at="10m")
    evaluates(tmp_path, groups, series, {out: {}}, at="30m")


def test_nodes_are_counted_by_release(tmp_path: Path) -> None:
    series = {
        f'aamic_release_info{{cluster="c",node="{node}",job="node",release="{release}"}}': "1"
        for node, release in (("a", "r1"), ("b", "r1"), ("d", "r2"), ("e", ""))
    }
    expected = {
        'shard:aamic_releases{cluster="c",release="r1"}': 2.0,
        'shard:aamic_releases{cluster="c",release="r2"}': 1.0,
        'shard:aamic_releases{cluster="c"}': 1.0,
    }

    evaluates(tmp_path, [records(group("shard", "shard"))], series, {"shard:aamic_releases": expected}, at="0m")


OWN = 'up{cluster="c",job="prometheus",node="mon"}'
SOME = (
    'ALERTS{alertname="A",alertstate="firing",severity="critical",cluster="c",node="n1"}',
    'ALERTS{alertname="A",alertstate="firing",severity="critical",cluster="c",node="n2"}',
    'ALERTS{alertname="B",alertstate="firing",severity="critical",cluster="other"}',
    'ALERTS{alertname="C",alertstate="firing",severity="warning"}',
    'ALERTS{alertname="D",alertstate="pending",severity="warning",cluster="c"}',
)


def test_a_single_server_counts_each_alert_once_and_as_its_own(tmp_path: Path) -> None:
    groups = measured(KINDS[4]).select().groups
    chosen = [
        records(each) for each in groups if (each.name, each.scope) in {("shard", "shard"), ("cluster", "central")}
    ]
    expected = {
        'cluster:alerts_firing{cluster="c",severity="critical"}': 3.0,
        'cluster:alerts_firing{cluster="c",severity="warning"}': 1.0,
    }

    # The groups of a server are evaluated apart: the second evaluation sees what the first recorded.
    evaluates(
        tmp_path, chosen, {OWN: "1+0x9", **dict.fromkeys(SOME, "1+0x9")}, {"cluster:alerts_firing": expected}, "5m"
    )


def test_central_adds_what_shards_count_and_its_own_and_takes_one_of_a_pair(tmp_path: Path) -> None:
    count = 'shard:alerts_firing{cluster="c",alertname="A",severity="critical"'
    series = {
        OWN: "1+0x9",
        f'{count},shard="s1",replica="a"}}': "2+0x9",
        f'{count},shard="s1",replica="b"}}': "2+0x9",
        f'{count},shard="s2",replica="a"}}': "1+0x9",
        'ALERTS{alertname="ShardDown",alertstate="firing",severity="critical",cluster="c",shard="s3"}': "1+0x9",
        'ALERTS{alertname="RemoteClusterDown",alertstate="firing",severity="critical",cluster="other"}': "1+0x9",
    }
    expected = {'cluster:alerts_firing{cluster="c",severity="critical"}': 5.0}

    evaluates(tmp_path, [records(group("cluster", "central"))], series, {"cluster:alerts_firing": expected}, at="5m")
