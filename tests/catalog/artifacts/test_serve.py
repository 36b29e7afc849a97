from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from aamic.catalog.artifacts.serve.artifact import config_of, inventory, render
from aamic.model.fleet import Fleet, GpuProbe, Package, Serve
from aamic.model.secret import SecretFile
from aamic.model.serveconfig import Inventory, NodeEntry, ServeConfig
from aamic.model.tree import OnChange, Part
from tests import fleets
from tests.catalog.artifacts import hosts


def part(fleet: Fleet) -> Part:
    (only,) = render(fleet)
    return only


def config(fleet: Fleet, **changes: object) -> ServeConfig:
    """What the server reads, as it stands in its file, for the fleet's `serve` with changes."""
    assert fleet.serve is not None
    files = {file.path: file.content for file in part(replace(fleet, serve=replace(fleet.serve, **changes))).files}  # type: ignore[arg-type]
    return ServeConfig.model_validate_json(files["/etc/aami/serve/serve.json"])


def served(fleet: Fleet) -> Serve:
    assert fleet.serve is not None
    return fleet.serve


def test_it_is_one_bundle_on_its_host_with_all_it_needs() -> None:
    found = part(fleets.sharded())
    restart = OnChange("restart", "aami-serve.service")
    assert (found.bundle, found.hosts, found.stage) == ("serve", ("mon-02",), "central")
    assert {file.path: file.on_change for file in found.files} == {
        "/etc/systemd/system/aami-serve.service": restart,
        "/etc/sysusers.d/aami-serve.conf": OnChange("sysusers"),
        "/etc/tmpfiles.d/aami-serve.conf": OnChange("tmpfiles"),
        "/etc/aami/serve/serve.json": restart,
        "/etc/aami/serve/nodes.json": restart,
        "/etc/aami/serve/cert.pem": restart,
        "/etc/aami/serve/client-ca.pem": restart,
    }
    assert found.services == {"aami-serve.service": "started"}
    assert found.ports == {"aami-serve.service": (9443,)}
    assert [each["installs_to"] for each in found.installs] == ["/opt/aami/bin/aamic"]
    assert found.secrets == {"/etc/aami/secrets/serve-tls-key": {"file": "secrets/serve.key", "owner": "aami-serve"}}


def test_nothing_is_rendered_where_nothing_is_served() -> None:
    assert list(render(replace(fleets.sharded(), serve=None))) == []


def test_on_loopback_it_needs_neither_certificate_nor_key() -> None:
    found = part(fleets.single())
    assert {file.path for file in found.files if file.path.endswith(".pem")} == set()
    assert (found.secrets, found.installs) == ({}, ())
    assert config(fleets.single()).tls is None


def test_a_package_is_installed() -> None:
    fleet = replace(fleets.single(), serve=fleets.serve(install=Package("aamic", "0.1.0")))
    assert part(fleet).installs == ({"package": "aamic", "version": "0.1.0"},)


def test_its_own_host_is_asked_over_loopback_and_others_by_address() -> None:
    away, here = config(fleets.sharded()), config(fleets.sharded(), host="mon-01")
    assert (away.prometheus, away.alertmanagers) == ("http://10.10.0.1:9092", ["http://10.10.0.1:9093"])
    assert (here.prometheus, here.alertmanagers) == ("http://127.0.0.1:9092", ["http://127.0.0.1:9093"])
    assert config(fleets.single()).prometheus == "http://127.0.0.1:9090"


def test_shards_are_those_that_scrape_nodes() -> None:
    paired, alone = config(fleets.paired()), config(fleets.single())
    assert [(each.name, each.replica, each.nodes) for each in paired.shards] == [
        ("shard-1", "a", 3), ("shard-1", "b", 3), ("shard-2", "a", 3), ("shard-2", "b", 3),
    ]  # fmt: skip
    assert [(each.name, each.replica, each.nodes) for each in alone.shards] == [("prometheus", None, 5)]
    assert (paired.federated, alone.federated) == (True, False)


def test_other_clusters_are_known_by_name_alone() -> None:
    fleet = fleets.sharded()
    text = part(fleet).files[-3].content
    assert [(each.name, each.kind, each.federate) for each in config(fleet).clusters] == [
        ("busan", "aami", True), ("jeju", "prometheus", True), ("not-read", "aami", False),
    ]  # fmt: skip
    assert b"KEY" not in text


def test_data_are_old_when_the_alert_on_shards_says_so() -> None:
    assert (config(fleets.sharded()).staleness, config(fleets.single()).staleness) == (230.0, 300.0)


def test_it_is_told_which_nodes_judge_themselves() -> None:
    fleet = fleets.single()
    gpus = frozenset(name for name, node in fleet.nodes.items() if node.gpu is not None)
    fleet = replace(fleet, probes=(GpuProbe("nvidia", 9400, "/metrics", gpus),))
    every, one = (replace(fleet, slurm=fleets.slurm(nodes=tuple(sorted(gpus)[:count]))) for count in (len(gpus), 1))
    nobody = replace(fleet, slurm=fleets.slurm(nodes=tuple(sorted(gpus)), auto_drain="off"))
    checks = [config_of(each, served(each)).node_checks for each in (every, one, nobody, fleet)]
    assert checks == [True, True, False, False]
    for each, count in ((every, len(gpus)), (one, 1)):
        told = Inventory.model_validate_json(inventory(each)).nodes
        assert len([node for node in told if node.checked and node.gpus]) == count


def test_every_node_is_a_line_of_its_own() -> None:
    fleet = fleets.paired()
    every = fleet.nodes
    written = inventory(fleet)
    read = Inventory.model_validate_json(written)
    assert [each.name for each in read.nodes] == list(every)
    assert read.nodes[-2] == NodeEntry(name="v6", rack="yes", vendor="nvidia", model=fleets.HOSTILE, gpus=1)
    assert read.nodes[2] == NodeEntry(name="mon-01")
    assert len(written.splitlines()) == len(every) + 2
    fewer = {name: node for name, node in every.items() if name != "mon-01"}
    assert set(inventory(replace(fleet, nodes=fewer)).splitlines()) < set(written.splitlines())


def test_a_change_of_the_key_alone_restarts_it() -> None:
    """A secret is read again by the units that the files of its bundle are for."""
    one, other = (
        part(replace(fleets.sharded(), serve=fleets.serve(tls_key=SecretFile(file=name)))) for name in ("a", "b")
    )
    assert one.secrets != other.secrets
    assert {file.on_change.unit for file in one.files if file.on_change.action == "restart"} == {"aami-serve.service"}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", fleets.FLEETS)
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    fleet = fleets.FLEETS[name]()
    hosts.install(
        hosts.tree(replace(fleet, serve=replace(served(fleet), program="/bin/true"))), served(fleet).host, tmp_path
    )
    unit = tmp_path / "etc/systemd/system/aami-serve.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "aami-serve" in line] == []
