from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.model.fleet import Fleet, Rollout, SshSettings
from tests.sites import MINIMAL, checked, problems, told

FEDERATED = """
    version: 1
    cluster: {name: test, labels: {region: kr}}
    racks:
      r1: {nodes: "n[1-4]", addresses: "198.18.1.[1-4]", gpu: {vendor: nvidia, model: H100, count: 8}}
      r2: {nodes: "n[5-8]", addresses: "198.18.2.[1-4]", gpu: {vendor: amd, model: MI300X, count: 8}}
    nodes:
      "mon[1-3]": {addresses: "198.18.0.[1-3]"}
    alertmanager: {nodes: mon1}
    federation: {central_node: mon1, shards: 2, shard_nodes: "mon[2-3]", by: rack}
    """


def fleet(text: str) -> Fleet:
    return checked(text).fleet


def test_without_federation_one_server_scrapes_everything() -> None:
    (server,) = fleet(MINIMAL).servers

    assert (server.name, server.role, server.host, server.port) == ("prometheus", "single", "mon", 9090)
    assert server.nodes == ("mon",)
    assert server.external_labels == {"cluster": "test"}


def test_switching_federation_off_needs_no_other_change() -> None:
    (server,) = fleet(FEDERATED.replace("federation: {", "federation: {enabled: false, ")).servers

    assert (server.host, len(server.nodes)) == ("mon1", 11)


def test_racks_stay_whole_and_servers_stand_round_robin() -> None:
    made = fleet(FEDERATED)

    shards = [server for server in made.servers if server.role == "shard"]
    assert [server.host for server in shards] == ["mon2", "mon3"]
    for rack in ("r1", "r2"):
        holders = {server.name for server in shards for name in server.nodes if made.nodes[name].rack == rack}
        assert len(holders) == 1
    assert sorted(name for server in shards for name in server.nodes) == sorted(made.nodes)


def test_external_labels_are_unique() -> None:
    made = fleet(FEDERATED.replace("by: rack", "by: rack, replicas: 2"))

    labels = [tuple(server.external_labels.items()) for server in made.servers]
    assert len(set(labels)) == len(labels) == 5
    assert labels[1] == (("cluster", "test"), ("region", "kr"), ("shard", "shard-1"), ("replica", "b"))
    pairs: dict[str, set[str]] = {server.name: set() for server in made.servers}
    for server in made.servers:
        pairs[server.name].add(server.host)
    assert pairs["shard-1"] == pairs["shard-2"] == {"mon2", "mon3"}


def test_raw_federation_warns_with_the_predicted_series() -> None:
    (warning,) = problems(FEDERATED.replace("by: rack", "by: rack, match: raw"))

    assert warning.severity == "warning"
    assert "central read every series of every shard" in warning.message


def test_a_warning_where_plain_prometheus_cannot_downsample() -> None:
    (warning,) = problems(FEDERATED.replace("by: rack", "by: rack, central: {retention_downsampled: 90d}"))

    assert warning.severity == "warning"
    assert "`retention_downsampled` has no effect" in warning.message


def test_capacity_is_held_against_what_the_host_states() -> None:
    text = FEDERATED.replace('{addresses: "198.18.0.[1-3]"}', '{addresses: "198.18.0.[1-3]", memory: 10MB, disk: 1TB}')

    found = told(text)

    assert len(found) == 3
    assert all("of RAM; the host has 10 MiB" in line for line in found)


def test_shards_more_than_racks() -> None:
    assert (
        "10 shards are more than the 5 racks (a node in no rack counts as one)"
        in told(FEDERATED.replace("shards: 2", "shards: 10"))[0]
    )


@settings(max_examples=20, deadline=None)
@given(st.permutations(["r1", "r2", "r3"]), st.sampled_from(["auto", "rack", "count"]))
def test_the_order_of_racks_in_the_file_changes_nothing(order: list[str], by: str) -> None:
    racks = {name: f'{{nodes: "{name}-[1-9]", addresses: "198.18.{name[1]}.[1-9]"}}' for name in ("r1", "r2", "r3")}
    lines = "".join(f"  {name}: {racks[name]}\n" for name in order)
    head = "version: 1\ncluster: {name: test}\nnodes: {mon: {address: 198.18.0.1}}\n"
    text = f"{head}federation: {{central_node: mon, shards: 3, by: {by}}}\nracks:\n{lines}"
    same = text.replace(lines, "".join(f"  {name}: {racks[name]}\n" for name in sorted(order)))

    assert fleet(text) == fleet(same)


def test_a_rollout_is_what_the_site_says_in_seconds() -> None:
    said = """
    rollout: {canary: 0, batch: 7, max_failures: 3, confirm_timeout: 5m, settle: 500ms, ready_timeout: 1m30s,
              gate_timeout: 2m}"""

    assert fleet(f"{MINIMAL.rstrip()}{said}\n").rollout == Rollout(0, 7, 3, 300.0, 0.5, 90.0, 120.0)


def test_a_rollout_waits_for_as_long_as_scrapes_take() -> None:
    slow = MINIMAL.replace("{node: mon}", "{node: mon, scrape_interval: 1m, scrape_timeout: 10s}")

    assert fleet(MINIMAL).rollout == Rollout(1, "20%", 0, 120.0, 5.0, 60.0, 50.0)
    assert (fleet(slow).rollout.gate_timeout, fleet(slow).rollout.confirm_timeout) == (140.0, 205.0)


def test_a_rollout_of_hooks_has_time_for_a_test_job() -> None:
    slurm = "\n    slurm: {controller: mon, nodes: mon, exporter: false, post_job_check: true, canary_job: {%s}}\n"

    with_job = fleet(MINIMAL.rstrip() + slurm % "timeout: 30s").rollout
    without = fleet(MINIMAL.rstrip() + slurm % "enabled: false").rollout

    assert (with_job.job_timeout, with_job.confirm_timeout) == (75.0, 190.0)
    assert (without.job_timeout, without.confirm_timeout) == (0.0, 120.0)


def test_ssh_has_its_defaults_in_seconds() -> None:
    assert fleet(MINIMAL).ssh == SshSettings()


def test_ssh_is_what_the_site_says() -> None:
    said = """
    ssh: {user: ops, port: 2222, key: keys/a, agent: false, known_hosts: known, become: none, gateway: "j@g:22",
          config: false, max_parallel: 9, connect_timeout: 1m, command_timeout: 1h,
          retry: {max_attempts: 5, backoff_base: 500ms, backoff_max: 1m30s}}"""

    assert fleet(f"{MINIMAL.rstrip()}{said}\n").ssh == SshSettings(
        user="ops",
        port=2222,
        key="keys/a",
        agent=False,
        known_hosts="known",
        become="none",
        gateway="j@g:22",
        config=None,
        max_parallel=9,
        connect_timeout=60.0,
        command_timeout=3600.0,
        max_attempts=5,
        backoff_base=0.5,
        backoff_max=90.0,
    )


def test_central_is_predicted_by_what_its_selectors_read_and_not_by_how_they_are_written() -> None:
    def series(match: str) -> int:
        found = checked(FEDERATED.replace("by: rack", f"by: rack, match: {match}")).fleet
        return next(server.load.series for server in found.servers if server.role == "central")

    listed = """['{__name__=~"(cluster|node|gpu|shard):.*"}', 'up{job!="prometheus"}']"""
    raw = """['{__name__=~"(cluster|node|gpu|shard):.*"}', 'node_load1']"""

    assert series(listed) == series("aggregates")
    assert series(raw) == series("raw") > series("aggregates")
