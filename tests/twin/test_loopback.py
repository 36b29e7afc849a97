import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.compile.compiler import Checked, check_document, shipped_catalog
from aamic.compile.folder import Folder
from aamic.compile.parse import parse
from aamic.model.fleet import Fleet
from aamic.twin.loopback import Stage, interval_for, loopback_addresses, ports_needed, twin_document
from aamic.twin.sample import choose_nodes
from aamic.twin.stage import staged
from tests.sites import checked
from tests.twin.fleets import fleet, node, server

RACKS = """
    version: 1
    cluster: {name: seoul, labels: {region: kr-1}}
    racks:
      r01:
        nodes: "gpu-[001-012]"
        addresses: "10.1.1.[1-12]"
        gpu: {vendor: nvidia, model: H100, count: 8}
        labels: {row: a}
      r02: {nodes: "mi-[001-012]", gpu: {vendor: amd, model: MI300X, count: 4}}
    nodes:
      mon-01: {address: 10.1.0.1, memory: 64GB, disk: 1TB, threads: 8, reserved_ports: [8080]}
      "mon-[02-04]": {addresses: "10.1.0.[2-4]"}
      gpu-003: {labels: {quarantine: "yes"}}
    alerts: {presets: [node, gpu]}
    notifications: {slack: {webhook_url: {file: secrets/slack}}}
"""
SITES = {
    "count": """
    federation: {central_node: mon-01, shards: 3, by: count, shard_nodes: "mon-[02-04]"}
    alertmanager: {nodes: "mon-[01-02]", port: 9999}
""",
    "pairs": """
    federation: {central_node: mon-01, shards: 2, by: rack, shard_nodes: "mon-[02-04]", replicas: 2}
    exporters:
      node: {port: 9110}
      custom: [{name: ipmi, port: 9290, racks: [r02], nodes: mon-01, metrics: {ipmi_up: {type: gauge}}}]
""",
    "listed": """
    federation:
      central_node: mon-01
      central: {port: 9500, retention_raw: 90d}
      shards:
        - {name: west, racks: [r01], host: gpu-001, prometheus: {port: 9400, retention: 3d}}
        - {name: east, racks: [r02], nodes: "mon-[01-04]", host: mon-03}
    slurm: {controller: mon-04}
    exporters: {dcgm: {port: 9401}}
""",
    "single": "    prometheus: {node: mon-02, retention: 2d}\n",
    "switched off": "    federation: {enabled: false, central_node: mon-03, shards: 3}\n",
}


def twin_of(whole: Checked, limit: int) -> tuple[dict[str, Any], Checked]:
    names = choose_nodes(whole.site, whole.fleet, limit)
    ports = tuple(range(21_000, 21_000 + ports_needed(whole.site, whole.fleet)))
    document = twin_document(whole.site, whole.fleet, Stage(loopback_addresses(names), ports))
    parsed = parse(json.dumps(document).encode(), "site.yaml", Folder(Path("no-such-folder")))
    return document, check_document(parsed, shipped_catalog())


@pytest.fixture(scope="module")
def wholes() -> dict[str, Checked]:
    return {name: checked(RACKS + text) for name, text in SITES.items()}


def test_a_twin_asks_no_other_cluster_serves_nobody_and_shows_nothing(tmp_path: Path) -> None:
    """Rules may ask for what other clusters give; it just never comes."""
    text = """
    prometheus: {node: mon-02}
    serve: {address: 127.0.0.1}
    grafana: {admin_password: {env: P}}
    clusters:
      - {name: busan, endpoint: "https://mon.busan.example", api_key: {env: K}, federate: true}
      - {name: jeju, endpoint: "https://mon.jeju.example", kind: prometheus}
    """
    alert = "{name: Few, expr: 'cluster:gpu_count{cluster=\"busan\"} < 1', severity: info, scope: central}"
    whole = checked(RACKS.replace("presets: [node, gpu]", f"presets: [clusters], custom: [{alert}]") + text)
    with staged(whole, 4, (), tmp_path) as twin:
        files = twin.tree.files()
    rules = files["prometheus/etc/aami/rules/central/custom.yml"]
    assert b'cluster="busan"' in rules
    assert not [
        path
        for path, content in files.items()
        if path.startswith(("serve/", "grafana/")) or b"remote-clusters/" in content
    ]
    assert not any(b"busan.example" in content or b"jeju" in content for content in files.values())
    assert (twin.fleet.clusters, twin.fleet.grafana, twin.fleet.dashboards) == ((), None, ())
    assert twin.warnings == ()


THANOS = """
    federation:
      {type: thanos, central_node: mon-01, by: count, shards: 2, shard_nodes: "mon-[02-03]",
       central: {retention_raw: 0d, retention_downsampled: 0d}}
    thanos: {version: "0.42.5", objstore: {file: secrets/bucket}, query_port: 9999, ruler: {}, program: PROGRAM}
    alertmanager: {nodes: mon-01}
"""
GLOBAL = "presets: [node, gpu], custom: [{name: Up, expr: up == 0, severity: info, scope: global}]"


def with_thanos(program: str) -> Checked:
    return checked(RACKS.replace("presets: [node, gpu]", GLOBAL) + THANOS.replace("PROGRAM", program))


def test_thanos_gets_ports_and_a_bucket_of_its_own(tmp_path: Path) -> None:
    with staged(with_thanos("/bin/true"), 4, (), tmp_path) as twin:
        thanos = twin.fleet.thanos
        assert thanos is not None
        ports = [port for each in thanos.components for port in (each.http_port, each.grpc_port) if port is not None]
        ports += [server.port for server in twin.fleet.servers]
        files = twin.tree.files()

    assert (len(set(ports)), min(ports) >= 21_000) == (len(ports), True)
    assert (thanos.bucket, thanos.program) == (str(tmp_path / "bucket"), "/bin/true")
    assert not [path for path, content in files.items() if b"secrets/bucket" in content]


def test_where_thanos_cannot_run_the_twin_is_the_site_before_it_moved(tmp_path: Path) -> None:
    with staged(with_thanos("/nowhere/no-such-program"), 4, (), tmp_path) as twin:
        assert twin.fleet.thanos is None
        assert [server.name for server in twin.fleet.servers] == ["shard-1", "shard-2", "central"]
        assert {group.scope for group in twin.fleet.rules} == {"shard", "central"}


@pytest.mark.parametrize("name", SITES)
@given(limit=st.integers(1, 40))
@settings(deadline=None, max_examples=10)
def test_a_twin_is_the_same_site_elsewhere(wholes: dict[str, Checked], name: str, limit: int) -> None:
    whole = wholes[name].fleet
    twin = twin_of(wholes[name], limit)[1].fleet

    assert twin.warnings == ()
    assert [n.name for n in twin.nodes.values()] == [n for n in whole.nodes if n in twin.nodes]
    for ours in twin.nodes.values():
        same = whole.nodes[ours.name]
        assert (ours.rack, ours.gpu, ours.labels, ours.threads) == (same.rack, same.gpu, same.labels, same.threads)
    assert [(s.name, s.replica, s.host, s.external_labels, s.retention, s.storage_path) for s in twin.servers] == [
        (s.name, s.replica, s.host, s.external_labels, s.retention, s.storage_path) for s in whole.servers
    ]
    for shard, same_shard in zip(twin.servers, whole.servers, strict=True):
        assert list(shard.nodes) == [name for name in same_shard.nodes if name in twin.nodes]
    assert {e.job: e.hosts for e in twin.endpoints} == {e.job: e.hosts & twin.nodes.keys() for e in whole.endpoints}
    assert [each.host for each in twin.alertmanagers] == [each.host for each in whole.alertmanagers]


@pytest.mark.parametrize("name", SITES)
def test_it_stays_on_this_machine_and_is_quick(wholes: dict[str, Checked], name: str) -> None:
    document, twin = twin_of(wholes[name], 40)

    addresses = [ipaddress.ip_address(each.address) for each in twin.fleet.nodes.values()]
    assert all(address.is_loopback for address in addresses)
    assert len(set(addresses)) == len(addresses)
    assert "notifications" not in document
    assert {server.scrape_interval for server in twin.fleet.servers} == {"2s"}
    ports = [server.port for server in twin.fleet.servers if not server.replica or server.replica == "a"]
    ports += [endpoint.port for endpoint in twin.fleet.endpoints]
    ports += [port for each in twin.fleet.alertmanagers[:1] for port in (each.port, each.cluster_port)]
    assert len(set(ports)) == len(ports)
    assert all(port >= 21_000 for port in ports)


@given(st.integers(0, 70_000))
@settings(max_examples=10, deadline=None)
def test_every_name_has_an_address_of_its_own(count: int) -> None:
    addresses = loopback_addresses(tuple(map(str, range(count))))

    assert len(set(addresses.values())) == count
    assert all(address.split(".")[0] == "127" for address in addresses.values())
    assert all(0 < int(address.split(".")[3]) < 255 for address in addresses.values())


def test_many_targets_are_read_less_often(wholes: dict[str, Checked]) -> None:
    small = wholes["pairs"].fleet

    assert (interval_for(small, []), interval_for(small, small.nodes)) == (2, 2)
    assert interval_for(large_fleet(1000), [f"n{number}" for number in range(1000)]) == 10


def large_fleet(count: int) -> Fleet:
    nodes = [node(f"n{number}") for number in range(count)]
    names = [each.name for each in nodes]
    return fleet(*nodes, servers=[server("prometheus", "single", "n0", names)], jobs={"node": names})
