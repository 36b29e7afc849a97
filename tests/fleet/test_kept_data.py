"""Shards that come and go on real hosts: their servers stop, their data stay, and the plan named them before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from aamic.clients.prometheus import Prometheus
from aamic.errors import OutsideError
from tests.fleet.controller import Controller, wait_until
from tests.fleet.host import Host
from tests.fleet.rack import Rack

SHARDS = "federation: {central_node: mon-01, by: count, shards: 2, shard_nodes: 'mon-01,gpu-01'}\n"
PORT = 9090
DATA = {
    "prometheus-central": "mon-01",
    "prometheus-shard-1": "mon-01",
    "prometheus-shard-2": "gpu-01",
}


@pytest.fixture
def controller(fresh_hosts: Mapping[str, Host], rack: Rack, tmp_path: Path) -> Controller:
    """A controller whose hosts carry two shards and central."""
    made = Controller(tmp_path, rack, fresh_hosts)
    made.write(SHARDS)
    made.apply_all()
    return made


def stored(host: Host, name: str) -> str:
    """The files of a server's data, with their numbers on the disk."""
    return host.do("find", f"/var/lib/aami/{name}", "-type", "f", "-name", "0*", "-printf", "%p %i\\n")


def count_up(url: str) -> int:
    """How many targets a server has that are up; none while it does not answer."""
    try:
        return len(Prometheus(url).query("up == 1"))
    except OutsideError:
        return 0


def test_servers_go_and_their_data_stay_as_the_plan_said(controller: Controller) -> None:
    hosts = controller.hosts
    before = {name: stored(hosts[host], name) for name, host in DATA.items()}
    assert all(before.values()), before
    controller.write()

    planned = json.loads(controller.run("plan", "--format", "json").stdout)
    shown = " ".join(controller.run("plan").stdout.split())
    assert [(each["path"], each["service"], each["hosts"]) for each in planned["kept"]] == [
        (f"/var/lib/aami/{name}", f"aami-{name}", host) for name, host in DATA.items()
    ]
    assert "kept: /var/lib/aami/prometheus-shard-2 on gpu-01, data of aami-prometheus-shard-2" in shown

    controller.apply_all()

    for name, host in DATA.items():
        assert stored(hosts[host], name) == before[name]
        assert hosts[host].run("systemctl", "is-active", f"aami-{name}").stdout.strip() in {"inactive", "unknown"}
        assert hosts[host].run("ls", f"/etc/systemd/system/aami-{name}.service").returncode != 0
    url = f"http://{hosts['mon-01'].address}:{PORT}"
    wait_until(lambda: count_up(url) == len(hosts) + 1)
    assert json.loads(controller.run("plan", "--format", "json").stdout)["kept"] == []
