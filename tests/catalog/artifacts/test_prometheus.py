from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from aamic.catalog.artifacts.prometheus.artifact import render
from aamic.model.fleet import Endpoint, Fleet
from aamic.model.tree import OnChange, Part
from tests import fleets
from tests.catalog.artifacts import hosts

CHECKS = sorted({(name, server.host) for name, make in fleets.FLEETS.items() for server in make().servers})


def parts(fleet: Fleet) -> dict[str, Part]:
    return {part.bundle: part for part in render(fleet)}


def config(fleet: Fleet, bundle: str) -> dict[str, Any]:
    (found,) = (file for file in parts(fleet)[bundle].files if file.path.endswith("/prometheus.yml"))
    loaded: dict[str, Any] = yaml.safe_load(found.content)
    return loaded


def jobs(loaded: Mapping[str, Any]) -> dict[str, Any]:
    return {job["job_name"]: job for job in loaded["scrape_configs"]}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(("name", "host"), CHECKS)
def test_promtool_accepts_every_configuration(name: str, host: str, tmp_path: Path) -> None:
    hosts.install(hosts.tree(fleets.FLEETS[name]()), host, tmp_path)
    configs = sorted((tmp_path / "etc/aami").rglob("prometheus.yml"))
    assert configs
    for path in configs:
        run = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert "SUCCESS" in run.stdout
        assert "WARNING" not in run.stdout


def test_a_shard_reads_only_the_jobs_that_its_nodes_have() -> None:
    fleet = fleets.sharded()
    assert list(jobs(config(fleet, "shard-1"))) == ["prometheus", "node", "dcgm", "amd"]
    without_amd = [each for each in fleet.nodes if "amd" not in str(fleet.nodes[each].gpu)]
    one = fleets.fleet(fleet.nodes, [fleets.server(nodes=tuple(without_amd))])
    assert list(jobs(config(one, "prometheus"))) == ["prometheus", "node", "dcgm"]


def test_a_job_keeps_the_targets_of_its_port() -> None:
    amd = jobs(config(fleets.sharded(), "shard-1"))["amd"]
    assert amd["metrics_path"] == "/gpumetrics"
    assert amd["file_sd_configs"] == [{"files": ["/var/lib/aami/targets/shard-1-nodes.json"]}]
    assert amd["relabel_configs"] == [{"source_labels": ["__address__"], "regex": ".+:5000", "action": "keep"}]


def test_central_federates_from_every_server_of_every_shard() -> None:
    federate = jobs(config(fleets.paired(), "central"))["federate"]
    assert (federate["honor_labels"], federate["metrics_path"]) == (True, "/federate")
    assert (federate["scrape_interval"], federate["scrape_timeout"]) == ("60s", "50s")
    assert federate["params"] == {"match[]": ['{__name__=~"(cluster|node):.*"}', "up"]}
    assert [each["labels"] for each in federate["static_configs"]] == [
        {"cluster": "seoul-gpu-1", "shard": "shard-1", "replica": "a", "node": "mon-01"},
        {"cluster": "seoul-gpu-1", "shard": "shard-1", "replica": "b", "node": "mon-02"},
        {"cluster": "seoul-gpu-1", "shard": "shard-2", "replica": "a", "node": "mon-02"},
        {"cluster": "seoul-gpu-1", "shard": "shard-2", "replica": "b", "node": "mon-03"},
    ]


def test_a_shard_on_another_host_watches_central() -> None:
    watching = {name: "central" in jobs(config(fleets.sharded(), name)) for name in ("shard-1", "shard-2", "central")}
    assert watching == {"shard-1": False, "shard-2": True, "central": False}
    central = jobs(config(fleets.sharded(), "shard-2"))["central"]
    assert central["static_configs"] == [
        {"targets": ["10.10.0.1:9092"], "labels": {"cluster": "seoul-gpu-1", "node": "mon-01"}}
    ]
    assert central["metric_relabel_configs"] == [{"source_labels": ["__name__"], "regex": ".+", "action": "drop"}]


def test_both_servers_of_a_pair_watch_central() -> None:
    fleet = fleets.paired()
    found = [name for name in parts(fleet) if name != "prometheus-base" and "central" in jobs(config(fleet, name))]
    assert found == ["shard-1-a", "shard-1-b"]


def test_the_only_host_watches_its_own_central_and_a_single_server_nothing() -> None:
    every = fleets.nodes(2, hosts=1)
    alone = fleets.fleet(every, fleets.shards(tuple(every), count=2, hosts=("mon-01",)))
    assert ["central" in jobs(config(alone, name)) for name in ("shard-1", "shard-2")] == [True, False]
    assert "central" not in jobs(config(fleets.single(), "prometheus"))


def test_only_servers_of_a_pair_drop_the_replica_from_alerts() -> None:
    fleet = fleets.paired()
    dropped = [{"action": "labeldrop", "regex": "replica"}]
    assert config(fleet, "shard-1-a")["alerting"]["alert_relabel_configs"] == dropped
    assert "alert_relabel_configs" not in config(fleet, "central")["alerting"]


def test_every_server_tells_every_alertmanager() -> None:
    (group,) = config(fleets.paired(), "shard-2-b")["alerting"]["alertmanagers"]
    assert group == {"static_configs": [{"targets": ["10.10.0.1:9093", "10.10.0.2:9093", "10.10.0.13:9093"]}]}


def test_without_an_alertmanager_nobody_is_told() -> None:
    every = fleets.nodes(1, hosts=1)
    loaded = config(fleets.fleet(every, [fleets.server(nodes=tuple(every))]), "prometheus")
    assert "alerting" not in loaded
    assert list(jobs(loaded)) == ["prometheus", "node", "dcgm"]


def test_alertmanager_is_scraped_once_in_a_site() -> None:
    fleet = fleets.sharded()
    scraping = [name for name in ("shard-1", "shard-2", "central") if "alertmanager" in jobs(config(fleet, name))]
    assert scraping == ["central"]
    assert "alertmanager" in jobs(config(fleets.single(), "prometheus"))


def test_rules_are_loaded_where_their_data_is() -> None:
    shard, central = "/etc/aami/rules/shard/*.yml", "/etc/aami/rules/central/*.yml"
    assert config(fleets.sharded(), "shard-1")["rule_files"] == [shard]
    assert config(fleets.sharded(), "central")["rule_files"] == [central]
    assert config(fleets.single(), "prometheus")["rule_files"] == [shard, central]


def test_hostile_labels_stay_values() -> None:
    labels = config(fleets.paired(), "shard-1-a")["global"]["external_labels"]
    assert labels["quirk"] == fleets.HOSTILE
    assert labels["on"] == "y"


def test_a_changed_configuration_reloads_and_a_changed_unit_restarts() -> None:
    changes = {file.path: file.on_change for file in parts(fleets.sharded())["shard-2"].files}
    unit = "aami-prometheus-shard-2.service"
    assert changes == {
        "/etc/aami/prometheus-shard-2/prometheus.yml": OnChange("reload", unit),
        f"/etc/systemd/system/{unit}": OnChange("restart", unit),
        "/etc/tmpfiles.d/aami-prometheus-shard-2.conf": OnChange("tmpfiles"),
    }


def test_what_the_servers_of_a_host_share_is_rendered_once() -> None:
    base = parts(fleets.sharded())["prometheus-base"]
    assert base.hosts == ("mon-01", "mon-02")
    assert [file.path for file in base.files] == ["/etc/sysusers.d/aami-prometheus.conf"]
    assert base.services == {"prometheus.service": "masked"}
    assert base.installs == ({"package": "prometheus", "version": None},)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed")
def test_prometheus_runs_with_it_and_reads_hostile_labels_as_they_are(tmp_path: Path) -> None:
    port, closed = hosts.free_ports(2)
    every = {
        "mon-01": fleets.node("mon-01", "127.0.0.1", "yes", quirk=fleets.HOSTILE, on="1:20"),
        "v6": fleets.node("v6", "::1"),
    }
    labels = {"cluster": "no", "quirk": fleets.HOSTILE}
    one = fleets.server(port=port, nodes=tuple(every), external_labels=labels, retention_size="1GB")
    endpoint = Endpoint("closed", closed, "/x", frozenset(every), ())
    hosts.install(hosts.tree(fleets.fleet(every, [one], endpoints=(endpoint,), services=())), "mon-01", tmp_path)
    with hosts.running(tmp_path, "aami-prometheus.service"):
        url = f"http://127.0.0.1:{port}"
        hosts.until(lambda: "Ready" in hosts.get(f"{url}/-/ready"))
        found = hosts.until(lambda: _targets(url))
        loaded = yaml.safe_load(hosts.get(f"{url}/api/v1/status/config")["data"]["yaml"])
    assert loaded["global"]["external_labels"] == labels
    assert found["closed", f"127.0.0.1:{closed}"] == {
        "cluster": "seoul-gpu-1", "node": "mon-01", "rack": "yes", "quirk": fleets.HOSTILE, "on": "1:20",
        "job": "closed", "instance": f"127.0.0.1:{closed}",
    }  # fmt: skip
    assert set(found) == {
        ("closed", f"127.0.0.1:{closed}"), ("closed", f"[::1]:{closed}"), ("prometheus", f"127.0.0.1:{port}"),
    }  # fmt: skip


def _targets(url: str) -> dict[tuple[str, str], dict[str, str]] | None:
    """Labels of the active targets, once service discovery has found them all."""
    active = [target["labels"] for target in hosts.get(f"{url}/api/v1/targets")["data"]["activeTargets"]]
    return {(each["job"], each["instance"]): each for each in active} if len(active) == 3 else None
