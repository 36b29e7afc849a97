from __future__ import annotations

import json

import pytest

from aamic.model.fleet import AlertRule
from tests.sites import checked, problems, told

FEDERATED = """
    version: 1
    cluster: {name: test, labels: {region: kr}}
    racks:
      r1: {nodes: "n[1-4]", addresses: "198.18.1.[1-4]", gpu: {vendor: nvidia, model: H100, count: 8}}
      r2: {nodes: "n[5-8]", addresses: "198.18.2.[1-4]", gpu: {vendor: amd, model: MI300X, count: 8}}
    nodes:
      "mon[1-3]": {addresses: "198.18.0.[1-3]"}
    alertmanager: {nodes: mon1}
    slurm: {controller: mon1}
    exporters: {node: {textfile_metrics: TEXTFILE}, custom: CUSTOM}
    federation: {central_node: mon1, shards: 2, shard_nodes: "mon[2-3]", by: rack, replicas: 1, match: MATCH}
    alerts: {presets: [node, gpu, slurm, federation, aamic], custom: OWN_ALERTS}
    """


def site(match: object = "aggregates", *alerts: tuple[str, str], **metrics: dict[str, object]) -> str:
    own = [{"name": f"A{number}", "scope": scope, "expr": expr} for number, (scope, expr) in enumerate(alerts)]
    custom = [{"name": "own", "port": 9999, "metrics": metrics["custom"]}] if "custom" in metrics else []
    text = FEDERATED.replace("TEXTFILE", json.dumps(metrics.get("textfile", {})))
    return (
        text.replace("MATCH", json.dumps(match))
        .replace("OWN_ALERTS", json.dumps(own))
        .replace("CUSTOM", json.dumps(custom))
    )


def central(match: object) -> set[str]:
    """The rules of central under these selectors."""
    groups = checked(site(match)).fleet.rules
    rules = [rule for group in groups if group.scope == "central" for rule in group.rules]
    return {rule.name if isinstance(rule, AlertRule) else rule.record for rule in rules}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_rules_of_aamic_warn_of_nothing(*, replicas: int, enabled: bool) -> None:
    text = site().replace("replicas: 1", f"replicas: {replicas}")
    if not enabled:
        text = text.replace("federation: {", "federation: {enabled: false, ").replace("slurm, federation,", "slurm,")
    assert told(text) == []


@pytest.mark.parametrize("seconds", [5, 30, 60, 120])
def test_the_rules_of_aamic_follow_the_intervals(seconds: int) -> None:
    prometheus = f"prometheus: {{scrape_interval: {seconds}s, evaluation_interval: {seconds}s, scrape_timeout: 5s}}"
    central = f"central: {{federate_interval: {2 * seconds}s, federate_timeout: 10s}}"
    text = site().replace("replicas: 1", f"replicas: 2, {central}").replace("slurm: {", f"{prometheus}\n    slurm: {{")
    assert told(text) == []


def test_rules_that_the_selectors_do_not_feed_are_left_out() -> None:
    everything = central("aggregates")
    assert {"ShardEmpty", "cluster:gpu_count", "cluster:nodes_up", "cluster:head_series"} <= everything

    gpus = central(['{gpu!=""}'])
    assert "cluster:gpu_count" in gpus
    assert {"ShardDown", "PrometheusConfigInvalid"} <= gpus
    assert gpus.isdisjoint({"ShardEmpty", "FederationStale", "cluster:nodes_up", "cluster:head_series"})

    nodes = central(['{job="node"}'])
    assert "cluster:nodes_up" in nodes
    assert nodes.isdisjoint({"ShardEmpty", "cluster:gpu_count"})


def test_raw_alone_would_not_bring_what_the_shards_record() -> None:
    sketch = central(['{__name__=~"DCGM.*"}', '{__name__=~"node.*"}', '{job=~".+"}'])
    assert sketch.isdisjoint({"ShardEmpty", "cluster:gpu_count"})
    assert "cluster:cpu_utilization_ratio" in sketch
    assert central("raw") == central("aggregates")


def test_alerts_on_what_is_not_brought_are_refused() -> None:
    alerts = (("central", "shard:head_series > 1"), ("central", "cluster:gpu_count < 1"), ("central", "node_load1 > 1"))
    assert [problem.message for problem in problems(site(['{job="node"}'], *alerts))] == [
        "alert `A0`: metric `shard:head_series` does not reach central",
        "alert `A1`: metric `cluster:gpu_count` is emitted by nothing in this site",
    ]
    hint = problems(site(['{job="node"}'], *alerts))[1].hint
    assert hint is not None
    assert "left out as `federation.match` does not bring what it reads" in hint


def test_a_selector_of_the_site_that_picks_nothing_is_a_warning() -> None:
    (problem,) = problems(site(['{job="node"}', '{job="nodes"}']))
    assert (problem.severity, problem.message) == (
        "warning",
        """selector `{job="nodes"}` picks no series that the shards have""",
    )


def test_warnings_keep_no_site_from_compiling() -> None:
    found = problems(site("aggregates", ("shard", "sum(gpu:power_watts) > 1")))
    assert [(each.severity, each.hint) for each in found] == [
        ("warning", "set `scope: central`, or keep `node` with `by (...)`")
    ]


def test_a_node_that_does_not_exist_is_told_with_the_nearest() -> None:
    (problem,) = problems(site("aggregates", ("shard", 'node_load1{node="mon9"} > 1')))
    assert (problem.message, problem.hint) == (
        'alert `A0`: no series of `node_load1` satisfies `node="mon9"`',
        "did you mean `mon3`?",
    )


def test_nothing_is_said_of_values_where_nodes_are_missing() -> None:
    broken = site("aggregates", ("shard", 'node_load1{node="n9"} > 1')).replace('"n[5-8]"', '"n[5-"')
    assert not any("n9" in line for line in told(broken))


def test_names_that_a_metric_must_not_take() -> None:
    metrics: dict[str, object] = {"up": {}, "a:b": {}, "own_total": {"type": "counter"}, "scrape_duration_seconds": {}}
    found = told(site(custom=metrics, textfile={"ALERTS": {}}))
    assert [line.partition(": ")[2].partition(" (")[0] for line in found] == [
        "metric `ALERTS` is written by Prometheus itself",
        "metric `up` is written by Prometheus itself",
        "metric `a:b` has a colon, which is for what recording rules record",
        "metric `scrape_duration_seconds` is written by Prometheus itself",
    ]


def test_a_metric_of_two_exporters_has_the_labels_of_both() -> None:
    alerts = tuple(("shard", f"node_load1{{{matcher}}} > 1") for matcher in ('zone="a"', 'job="own"', 'job="node"'))
    assert told(site("aggregates", *alerts, custom={"node_load1": {"type": "gauge", "labels": ["zone"]}})) == []


@pytest.mark.parametrize(
    "expr",
    [
        'node_dmi_info{product_name=~"DGX.*", bios_version!=""} == 1',
        'DCGM_FI_DEV_GPU_UTIL{hpc_job!=""} < 5',
        "holt_winters(node_load1[10m], 0.5, 0.5) > 10",
        "node_load1 * on (instance) group_left (nodename) node_uname_info > 10",
        "rate(node_network_receive_bytes_total[5m]) / on (node, device) node_network_speed_bytes > 0.9",
        "gpu:power_watts / on (cluster, node) group_left () node:gpu_power_watts > 0.5",
        "gpu:power_watts > on (cluster, node) group_left () 1.2 * avg by (cluster, node) (gpu:power_watts)",
        "count by (node) (gpu:temperature_celsius) != on (node) group_left () node:gpu_count",
        "node_cpu_seconds_total / ignoring (mode) group_left () sum without (mode) (node_cpu_seconds_total) > 1",
        "vector(1) unless on () up{job='node'}",
    ],
)
def test_what_works_is_accepted(expr: str) -> None:
    assert told(site("aggregates", ("shard", expr))) == []


def test_a_site_without_alerts_counts_none() -> None:
    """Its servers count what fires all the same, for dashboards and other clusters."""
    alone = "version: 1\ncluster: {name: test}\nprometheus: {node: mon}\nnodes: {mon: {address: 198.18.0.1}}\n"
    text = alone + "alerts: {presets: [gpu]}"
    assert [problem.severity for problem in problems(text)] == ["warning"]
    recorded = {
        rule.record for group in checked(text).fleet.rules for rule in group.rules if not isinstance(rule, AlertRule)
    }
    assert {"shard:alerts_firing", "cluster:alerts_firing"} <= recorded
