from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from aamic.agent.health import budget
from aamic.catalog.artifacts.rules import examples, presets
from aamic.catalog.artifacts.rules.artifact import once, rule_file
from aamic.catalog.table import CATALOG, EXPORTERS
from aamic.compile.provenance import check
from aamic.model.fleet import THANOS_JOBS, AlertRule, RecordingRule, RuleGroup
from tests.catalog.rules.ground import FULL, KINDS, TARGET_LABELS, Kind, measured
from tests.catalog.rules.prom import evaluates, promtool

HERE = Path(presets.__file__).parent


def alerts(groups: tuple[RuleGroup, ...]) -> list[AlertRule]:
    return [rule for group in groups for rule in group.rules if isinstance(rule, AlertRule)]


def named(groups: tuple[RuleGroup, ...], name: str) -> AlertRule:
    return next(alert for alert in alerts(groups) if alert.name == name)


def test_a_full_site_has_every_alert_and_aggregate() -> None:
    selection = measured(FULL).select()
    assert selection.skipped == ()
    assert selection.faults == ()


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_every_alert_has_both_cases(preset: str) -> None:
    stated = {spec["name"] for spec in yaml.safe_load((HERE / f"presets/{preset}.yaml").read_bytes())["alerts"]}
    assert set(yaml.safe_load((HERE / f"examples/{preset}.yaml").read_bytes())["alerts"]) == stated
    fires = {name: [bool(case.labels) for case in examples.cases(preset, name)[:2]] for name in stated}
    assert fires == {name: [True, False] for name in stated}


def test_every_alert_fires_and_stays_quiet_as_its_cases_say(tmp_path: Path) -> None:
    site = measured(FULL)
    groups = (*site.vendor_groups, *site.select().groups)
    files = []
    for group in groups:
        for alert in alerts((group,)):
            name = f"{group.scope}-{alert.name}"
            cases = examples.cases(alert.origin, alert.name)
            (tmp_path / f"{name}.yml").write_bytes(rule_file(examples.closure(alert, groups)))
            (tmp_path / f"{name}.test.yml").write_bytes(examples.unit_test(alert, f"{name}.yml", cases))
            files.append(f"{name}.test.yml")
    promtool("test", "rules", *files, folder=tmp_path)


def test_every_alert_is_as_bad_and_as_patient_as_its_examples_say() -> None:
    found = {
        (alert.origin, alert.name): examples.Stated(alert.severity, alert.for_)
        for alert in alerts(measured(FULL).select().groups)
    }
    assert found == {key: examples.stated(*key) for key in found}


def test_every_branch_of_an_alert_is_needed_by_its_cases(tmp_path: Path) -> None:
    """A branch that could go unnoticed is one that no case holds; without it, less can fire and never more."""
    site = measured(FULL)
    groups = (*site.vendor_groups, *site.select().groups)
    unnoticed = []
    for alert in alerts(groups):
        branches = alert.expr.split("\nor\n")
        for number in range(len(branches)) if len(branches) > 1 else ():
            kept = "\nor\n".join(branches[:number] + branches[number + 1 :])
            closed = examples.closure(alert, groups)
            mutant = [
                replace(group, rules=tuple(replace(rule, expr=kept) if rule is alert else rule for rule in group.rules))
                for group in closed
            ]
            (tmp_path / "rules.yml").write_bytes(rule_file(mutant))
            cases = [case for case in examples.cases(alert.origin, alert.name) if case.labels]
            (tmp_path / "test.yml").write_bytes(examples.unit_test(alert, "rules.yml", cases))
            done = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True)  # noqa: PLW1510  # it has to fail
            if done.returncode == 0:
                unnoticed.append((alert.name, branches[number]))
    assert unnoticed == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_promtool_accepts_the_rules_of_every_kind_of_site(kind: Kind, tmp_path: Path) -> None:
    site = measured(kind)
    groups = once((*site.vendor_groups, *site.select().groups))
    files = [f"{group.scope}-{group.name}.yml" for group in groups if group.rules]
    for group, name in zip([group for group in groups if group.rules], files, strict=True):
        (tmp_path / name).write_bytes(rule_file([group]))
    promtool("check", "rules", *files, folder=tmp_path)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_nothing_is_rendered_that_the_site_cannot_feed(kind: Kind) -> None:
    site = measured(kind)
    groups = (*site.vendor_groups, *site.select().groups)
    findings = check(groups, site.available, site.ground.match, TARGET_LABELS, jobs=site.ground.jobs)
    assert findings == []


def test_a_site_of_one_vendor_leaves_the_others_alerts_out_and_says_why() -> None:
    skipped = {each.name: each.missing for each in measured(KINDS[2]).select("gpu").skipped}
    assert skipped["GpuRowRemapFailure"] == ("gpu:row_remap_failure",)
    assert skipped["GpuApplicationError"] == ('vendor="nvidia"',)
    assert "nvidia" not in named(measured(KINDS[2]).select("gpu").groups, "GpuFatalError").expr


def test_without_federation_its_alerts_are_left_out() -> None:
    selection = measured(KINDS[4]).select()
    assert {each.preset for each in selection.skipped} == {"federation"}
    assert [(fault.key, fault.index) for fault in selection.faults] == [
        ("presets", presets.PRESETS.index("federation"))
    ]


def test_one_replica_leaves_the_alert_on_the_other_out() -> None:
    site = measured(FULL).ground
    ground = presets.Ground(site.metrics, site.match, site.jobs, site.vendors, site.features - {"replicas"})
    skipped = presets.groups(["federation"], [], "https://x", ground).skipped
    assert [(each.name, each.missing) for each in skipped] == [("ShardReplicaDown", ("replicas",))]


def test_a_single_server_evaluates_no_rule_twice() -> None:
    groups = once(measured(KINDS[4]).select().groups)
    rules = [rule.name if isinstance(rule, AlertRule) else rule.record for group in groups for rule in group.rules]
    assert sorted(set(rules)) == sorted(rules)


def test_a_disabled_alert_is_gone_and_an_unknown_one_is_told() -> None:
    selection = measured(FULL).select("node", disable=("NodeRebooted", "NodeDwn"))
    assert "NodeRebooted" not in {alert.name for alert in alerts(selection.groups)}
    assert selection.faults == (
        presets.Fault("disable", 1, "no preset has an alert `NodeDwn`", "did you mean `NodeDown`?"),
    )


def test_a_preset_without_alerts_is_told() -> None:
    assert measured(KINDS[1]).select("node", "slurm").faults == (
        presets.Fault(
            "presets",
            1,
            "preset `slurm` yields no alert: this site emits nothing it reads",
            "enable `slurm:`, or take `slurm` out of `alerts.presets`",
        ),
    )


def test_the_presets_name_our_own_jobs_and_leave_those_of_vendors_to_terms() -> None:
    texts = [path.read_text() for path in (*HERE.glob("presets/*.yaml"), HERE / "aggregates.yaml")]
    used = {job for text in texts for value in re.findall(r'job[=!]~?"([^"]+)"', text) for job in value.split("|")}
    known = {"prometheus", "alertmanager", "federate", "central", "remote-clusters", "$gpu_jobs", "$exporter_jobs"}
    known |= {*THANOS_JOBS.values(), "thanos-.+"}
    assert used - known <= {exporter.name for exporter in EXPORTERS}
    jobs = [each.name for each in CATALOG.exporters if each not in EXPORTERS]
    assert measured(FULL).ground.terms()["gpu_jobs"].split("|") == jobs


def test_alerts_of_a_node_say_which() -> None:
    """Inhibition silences a node's alerts while it is down, and matches `cluster` and `node`."""
    site = measured(FULL)
    shown = {
        alert.name
        for alert in alerts(site.select("node", "gpu", "slurm").groups)
        if "$labels.node" not in alert.summary + alert.description
    }
    assert shown == {
        "SlurmNodesDown",
        "SlurmManyNodesDown",
        "SlurmNodesDrained",
        "SlurmJobsLostNodes",
        "SlurmQueueStuck",
        "NetworkFilesystemFull",
        "NetworkFilesystemInodesLow",
    }


def test_the_cluster_counts_a_series_of_both_servers_of_a_pair_once(tmp_path: Path) -> None:
    site = measured(FULL)
    cluster = [group for group in site.select().groups if group.name == "cluster"]
    gpu = (
        'cluster="c",node="n1",rack="r",vendor="nvidia",gpu="%d",gpu_uuid="u%d",shard="s1",replica="%s",job="federate"'
    )
    both = [(number, replica) for number in (0, 1) for replica in "ab"]
    series = {f"gpu:temperature_celsius{{{gpu % (n, n, replica)}}}": f"{40 + n}+0x10" for n, replica in both}
    series |= {f"gpu:present{{{gpu % (n, n, replica)}}}": "1+0x10" for n, replica in both}
    series |= {f"gpu:power_watts{{{gpu % (n, n, replica)}}}": "300+0x10" for n, replica in both}
    head = 'shard:head_series{cluster="c",node="mon-%s",shard="s1",replica="%s",job="federate"}'
    series |= {head % (replica, replica): "1000+0x10" for replica in "ab"}
    series |= {
        f'up{{cluster="c",node="n1",job="node",instance="n1:9100",shard="s1",replica="{replica}"}}': "1+0x10"
        for replica in "ab"
    }
    series['up{cluster="c",node="n2",job="node",instance="n2:9100",shard="s1",replica="a"}'] = "0+0x10"
    vendor = '{cluster="c",vendor="nvidia"}'
    expected = {
        "cluster:gpu_count": {f"cluster:gpu_count{vendor}": 2.0},
        "cluster:gpu_power_watts": {f"cluster:gpu_power_watts{vendor}": 600.0},
        "cluster:gpu_temperature_celsius": {f"cluster:gpu_temperature_celsius{vendor}": 41.0},
        "cluster:head_series": {'cluster:head_series{cluster="c"}': 1000.0},
        "cluster:nodes_up": {'cluster:nodes_up{cluster="c"}': 1.0},
        "cluster:nodes_down": {'cluster:nodes_down{cluster="c"}': 1.0},
    }
    evaluates(tmp_path, cluster, series, expected)


UP = 'up{cluster="c",node="%s",job="%s",instance="%s"}'


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (
            {("n1", "dcgm"): 1, ("n1", "node"): 1},
            {"targets_up": 1, "targets_down": 0, "exporters_down": 0, "nodes_up": 1, "nodes_down": 0},
        ),
        (
            {("n1", "dcgm"): 0, ("n1", "node"): 1, ("n2", "dcgm"): 0, ("n2", "node"): 1},
            {"targets_up": 0, "targets_down": 2, "exporters_down": 2, "nodes_up": 2, "nodes_down": 0},
        ),
        # A node that is down is counted once, as a node.
        (
            {("n1", "dcgm"): 0, ("n1", "node"): 0, ("mon", "central"): 0, ("mon", "prometheus"): 1},
            {"targets_up": 0, "targets_down": 1, "exporters_down": 0, "nodes_up": 0, "nodes_down": 1},
        ),
    ],
)
def test_a_shard_counts_nothing_as_0(
    series: dict[tuple[str, str], int], values: dict[str, float], tmp_path: Path
) -> None:
    shard = [group for group in measured(FULL).select().groups if group.name == "shard"]
    samples = {UP % (node, job, node + job): f"{value}+0x10" for (node, job), value in series.items()}
    expected = {
        f'shard:{name}{{job=~"dcgm|"}}': {
            f'shard:{name}{{cluster="c"' + (',job="dcgm"}' if "nodes" not in name else "}"): float(value)
        }
        for name, value in values.items()
    }
    evaluates(tmp_path, shard, samples, expected)


@pytest.mark.parametrize("value", [0, 1])
def test_the_cluster_has_a_count_of_nodes_when_it_is_0(value: int, tmp_path: Path) -> None:
    cluster = [group for group in measured(FULL).select().groups if group.name == "cluster"]
    expected = {
        "cluster:nodes_up": {'cluster:nodes_up{cluster="c"}': float(value)},
        "cluster:nodes_down": {'cluster:nodes_down{cluster="c"}': 1.0 - value},
    }
    evaluates(tmp_path, cluster, {UP % ("n1", "node", "x"): f"{value}+0x10"}, expected)


def test_a_file_server_that_many_nodes_mount_is_one_series(tmp_path: Path) -> None:
    shard = [group for group in measured(FULL).select().groups if group.name == "shard"]
    mount = 'cluster="c",node="n%d",job="node",device="nas:/home",fstype="nfs4",mountpoint="/home"'
    series = {f"node_filesystem_avail_bytes{{{mount % number}}}": f"{number}+0x10" for number in (4, 5)}
    series |= {f"node_filesystem_size_bytes{{{mount % number}}}": "100+0x10" for number in (4, 5)}
    name = "shard:network_filesystem_available_ratio"
    out = f'{name}{{cluster="c",device="nas:/home",fstype="nfs4"}}'
    evaluates(tmp_path, shard, series, {name: {out: 0.04}})


def test_nodes_are_summed_up_from_raw_series(tmp_path: Path) -> None:
    site = measured(FULL)
    groups = [group for group in site.select().groups if (group.name, group.scope) == ("node", "shard")]
    records = [
        RuleGroup(group.name, group.scope, tuple(rule for rule in group.rules if isinstance(rule, RecordingRule)))
        for group in groups
    ]
    node = 'cluster="c",node="n",rack="r",job="node",instance="n:9100"'
    series = {
        f'node_cpu_seconds_total{{{node},cpu="0",mode="idle"}}': "0+15x20",
        f'node_cpu_seconds_total{{{node},cpu="1",mode="idle"}}': "0+45x20",
        f"node_load1{{{node}}}": "3+0x20",
        f"node_memory_MemTotal_bytes{{{node}}}": "1000+0x20",
        f"node_memory_MemAvailable_bytes{{{node}}}": "250+0x20",
        f'node_filesystem_avail_bytes{{{node},device="a",fstype="ext4",mountpoint="/"}}': "25+0x20",
        f'node_filesystem_size_bytes{{{node},device="a",fstype="ext4",mountpoint="/"}}': "100+0x20",
        f'node_filesystem_avail_bytes{{{node},device="t",fstype="tmpfs",mountpoint="/run"}}': "0+0x20",
        f'node_filesystem_size_bytes{{{node},device="t",fstype="tmpfs",mountpoint="/run"}}': "100+0x20",
        f'node_network_receive_bytes_total{{{node},device="eth0"}}': "0+600x20",
        f'node_network_receive_bytes_total{{{node},device="lo"}}': "0+6000x20",
    }
    out = '{cluster="c",node="n",rack="r"}'
    values = {
        "node:cpu_utilization_ratio": 0.5,
        "node:load1_per_cpu": 1.5,
        "node:memory_total_bytes": 1000,
        "node:memory_utilization_ratio": 0.75,
        "node:filesystem_utilization_ratio": 0.75,
        "node:network_receive_bytes_per_second": 10,
    }
    evaluates(tmp_path, records, series, {name: {name + out: value} for name, value in values.items()})


def test_a_node_is_told_by_the_records_what_its_brake_asks_for(tmp_path: Path) -> None:
    groups = [group for group in measured(FULL).select().groups if (group.name, group.scope) == ("node", "shard")]

    def node(name: str) -> str:
        return f'cluster="c",node="{name}",rack="r",job="node"'

    series = {
        f'aamic_node_verdict{{{node("bad")},verdict="fail"}}': "1+0x200",
        f'aamic_node_verdict{{{node("bad")},verdict="ok"}}': "0+0x200",
        f"aamic_node_check_timestamp_seconds{{{node('bad')}}}": "0+60x200",
        f'aamic_node_verdict{{{node("well")},verdict="fail"}}': "0+0x200",
        f"aamic_node_check_timestamp_seconds{{{node('well')}}}": "0+60x200",
        f'aamic_node_verdict{{{node("gone")},verdict="fail"}}': "1+0x200",
        f"aamic_node_check_timestamp_seconds{{{node('gone')}}}": "0+60x10 600+0x190",
        f"aamic_node_refused_timestamp_seconds{{{node('refused')}}}": "6000+0x200",
        f"aamic_node_refused_timestamp_seconds{{{node('long-ago')}}}": "60+0x200",
        'aamic_node_verdict{cluster="d",node="elsewhere",rack="r",job="node",verdict="fail"}': "1+0x200",
        f'aamic_drain_nodes{{{node("ctl")},by="aamic"}}': "3+0x200",
        f"aamic_drain_success{{{node('ctl')}}}": "1+0x200",
        f"aamic_drain_timestamp_seconds{{{node('ctl')}}}": "0+60x200",
        f"aamic_drain_breaker_tripped{{{node('ctl')}}}": "0+0x200",
    }
    rest = 'cluster="c",rack="r"'
    expected = {
        f'node:aamic_node_verdict{{{rest},fact="failing",node="bad",verdict="fail"}}': 1.0,
        f'{{{rest},fact="refused",node="refused"}}': 1200.0,
        f'node:aamic_drain_nodes{{{rest},fact="drained",node="ctl"}}': 3.0,
        f'node:aamic_drain_breaker_tripped{{{rest},fact="tripped",node="ctl"}}': 0.0,
    }

    evaluates(tmp_path, groups, series, {budget.question("c"): expected}, at="2h")
