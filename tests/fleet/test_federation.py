"""Federation by command on real hosts with real Prometheus: enabled, looked at, rebalanced, and disabled again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.fleet.clusters import stopped
from tests.fleet.controller import ROLLOUT, Controller, wait_until
from tests.fleet.host import Host, wipe_all
from tests.fleet.rack import Rack

SITE = """\
version: 1
cluster: {{name: fleet}}
{ssh}rollout: {rollout}
nodes:
{nodes}
prometheus: {{node: mon-01, scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
federation:
  enabled: false
  central: {{federate_interval: 1s, federate_timeout: 1s}}
alerts: {{presets: []}}
"""


@pytest.fixture(scope="module")
def site(hosts: Mapping[str, Host], rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """A site with one Prometheus server, applied to hosts that had nothing."""
    wipe_all(list(hosts.values()))
    made = Controller(tmp_path_factory.mktemp("site"), rack, hosts)
    nodes = "\n".join(f"  {name}: {{address: {host.address}}}" for name, host in hosts.items())
    ssh = rack.site_ssh(made.user, connect_timeout="3s", command_timeout="60s")
    (made.folder / "site.yaml").write_text(SITE.format(ssh=ssh, rollout=ROLLOUT, nodes=nodes))
    made.apply_all()
    yield made
    wipe_all(list(hosts.values()))


def said(site: Controller, *words: str) -> dict[str, Any]:
    """What a command says as JSON, with its exit code."""
    done = site.run("federation", *words, "--json")
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"exit": done.returncode}


def states(site: Controller) -> dict[str, str]:
    return {each["name"]: each["state"] for each in said(site, "status")["servers"]}


def units(host: Host) -> set[str]:
    """The Prometheus servers that a host runs, by the names of their units."""
    shown = host.do("systemctl", "list-units", "--plain", "--no-legend", "aami-prometheus*").splitlines()
    return {line.split()[0].removesuffix(".service") for line in shown}


def folders(host: Host) -> set[str]:
    """The data folders of servers that a host has."""
    return set(host.do("sh", "-c", "cd /var/lib/aami && ls -d prometheus*/wal").split())


def test_to_shards_and_back(site: Controller, hosts: Mapping[str, Host]) -> None:
    shards = ("--shards", "2", "--by", "count", "--shard-nodes", "gpu-[01-02]")
    enabled = said(site, "enable", *shards, "--no-plan", "--yes")
    assert (enabled["written"], enabled["moved"]["nodes"]) == (True, 3)
    site.apply_all()
    assert [units(host) for host in hosts.values()] == [
        {"aami-prometheus-central"}, {"aami-prometheus-shard-1"}, {"aami-prometheus-shard-2"}
    ]  # fmt: skip

    wait_until(lambda: states(site) == dict.fromkeys(("shard-1", "shard-2", "central"), "ok"), 30)
    seen = {each["name"]: each for each in said(site, "status", "--exit-code")["servers"]}
    nodes = {name: each["targets"]["jobs"].get("node", {}).get("up") for name, each in seen.items()}
    assert nodes == {"shard-1": 1, "shard-2": 2, "central": None}
    assert all(seen[name]["federation"]["newest_sample_seconds_ago"] < 30 for name in ("shard-1", "shard-2"))

    with stopped(hosts["gpu-02"], "aami-prometheus-shard-2.service"):
        wait_until(lambda: states(site) == {"shard-1": "ok", "shard-2": "unknown", "central": "warning"}, 30)
        assert said(site, "status", "--exit-code")["exit"] == 16

    level = said(site, "rebalance", "--live")
    assert (level["proposed"], {each["worth"] for each in level["candidates"]}) == (None, {False})
    assert level["present"]["measured_series"].keys() == {"shard-1", "shard-2"}

    disabled = site.run("federation", "disable", "--yes")
    assert disabled.returncode == 0, disabled.stderr
    for host, name in (("gpu-01", "shard-1"), ("gpu-02", "shard-2"), ("mon-01", "central")):
        assert f"kept: /var/lib/aami/prometheus-{name} on {host}" in disabled.stdout
    site.apply_all()
    assert [units(host) for host in hosts.values()] == [{"aami-prometheus"}, set(), set()]
    assert [folders(host) for host in hosts.values()] == [
        {"prometheus/wal", "prometheus-central/wal"}, {"prometheus-shard-1/wal"}, {"prometheus-shard-2/wal"}
    ]  # fmt: skip
    wait_until(lambda: states(site) == {"prometheus": "ok"}, 30)
    assert said(site, "status")["servers"][0]["targets"]["jobs"]["node"]["up"] == 3
