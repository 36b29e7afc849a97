"""Thanos of a site: which processes there are, where, and with which ports and retentions."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.model.fleet import Thanos
from tests.sites import checked, problems

SITE = """
version: 1
cluster: {name: test, labels: {region: north}}
racks:
  r1: {nodes: "gpu-[1-2]", addresses: "198.18.1.[1-2]"}
nodes:
  mon: {address: 198.18.0.1}
  mon2: {address: 198.18.0.2}
federation: {type: thanos, central_node: mon, shards: 2, shard_nodes: "mon,mon2", replicas: 2%s}
thanos: {version: "0.42.5"%s}
"""
BUCKET = ", objstore: {env: BUCKET}"
KEPT = ", central: {retention_raw: 30d, retention_downsampled: 1y}"


def thanos(federation: str = "", more: str = "") -> Thanos:
    found = checked(SITE % (federation, more)).fleet.thanos
    assert found is not None
    return found


def where(found: Thanos) -> list[tuple[str, str]]:
    return [(each.name, each.host) for each in found.components]


def test_without_a_bucket_there_are_sidecars_and_query() -> None:
    found = thanos()

    assert where(found) == [
        ("query", "mon"),
        ("sidecar-central", "mon"),
        ("sidecar-shard-1", "mon"),
        ("sidecar-shard-1", "mon2"),
        ("sidecar-shard-2", "mon2"),
        ("sidecar-shard-2", "mon"),
    ]
    assert [each.server.title for each in found.of("sidecar") if each.server] == [
        "central",
        "shard-1/a",
        "shard-1/b",
        "shard-2/a",
        "shard-2/b",
    ]


def test_a_bucket_brings_one_store_and_one_compactor_where_they_are_asked_for() -> None:
    found = thanos(KEPT, BUCKET + ", query_nodes: mon, store_node: mon2, compact_node: mon2, ruler: {node: mon2}")

    assert where(found)[:4] == [("query", "mon"), ("store", "mon2"), ("compact", "mon2"), ("rule", "mon2")]
    assert (found.of("compact")[0].grpc_port, found.retention_raw, found.retention_downsampled) == (None, "30d", "1y")


def test_it_waits_while_the_type_is_prometheus_and_without_federation() -> None:
    text = SITE % ("", BUCKET + ", ruler: {}")

    assert checked(text.replace("type: thanos", "type: prometheus")).fleet.thanos is None
    assert checked(text.replace("type: thanos", "type: thanos, enabled: false")).fleet.thanos is None


def test_a_site_that_is_ready_for_the_move_says_nothing_of_it() -> None:
    ready = (SITE % (KEPT, BUCKET)).replace("type: thanos", "type: prometheus")

    assert problems(ready) == ()
    (warning,) = problems(ready[: ready.index("thanos:")])
    assert warning.message == "`retention_downsampled` has no effect: Prometheus keeps raw samples only"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("retention_raw: 30d", ("30d", "30d")),
        ("retention_downsampled: 2y", ("2y", "2y")),
        ("retention_raw: 0d", ("0d", "0d")),
        ("retention_raw: 30d, retention_downsampled: 0d", ("30d", "0d")),
        ("federate_interval: 90s", ("0d", "0d")),
    ],
)
def test_a_retention_that_is_not_said_is_as_the_other(written: str, expected: tuple[str, str]) -> None:
    found = thanos(f", central: {{{written}}}", BUCKET)

    assert (found.retention_raw, found.retention_downsampled) == expected


@pytest.mark.parametrize(("written", "expected"), [("90d", "90d"), ("0d", "15d")])
def test_central_keeps_what_it_kept(written: str, expected: str) -> None:
    fleet = checked(SITE % (f", central: {{retention_raw: {written}}}", BUCKET)).fleet

    assert [server.retention for server in fleet.servers] == ["15d"] * 4 + [expected]


def test_a_move_leaves_the_ports_of_prometheus_as_they_were() -> None:
    text = SITE % (KEPT, BUCKET + ", ruler: {}")
    before = checked(text.replace("type: thanos", "type: prometheus")).fleet
    after = checked(text).fleet

    assert [server.port for server in before.servers] == [server.port for server in after.servers]


def test_external_labels_are_unique_and_none_is_empty() -> None:
    labels = [tuple(server.external_labels.items()) for server in checked(SITE % ("", "")).fleet.servers]

    assert labels[-1] == (("replica", "central"),)
    assert len(set(labels)) == len(labels)
    assert all(labels)


def test_a_bucket_that_keeps_everything_is_worth_a_word() -> None:
    (warning,) = problems(SITE % ("", BUCKET))

    assert warning.severity == "warning"
    assert warning.message == "the bucket keeps everything for ever: nothing says for how long"


def test_a_folder_on_several_hosts_is_worth_a_word() -> None:
    (warning,) = problems(SITE % (KEPT, ", objstore: {directory: /srv/bucket}"))

    assert warning.message == "bucket `/srv/bucket` is a folder that `mon,mon2` must all mount"


def test_years_on_a_server_are_many_blocks_and_worth_a_word() -> None:
    years = SITE % (", central: {retention_raw: 2y}", BUCKET)
    (central,) = problems(years)
    (shards,) = problems(SITE % (KEPT, BUCKET) + "prometheus: {retention: 61d}")

    assert (central.severity, shards.severity) == ("warning", "warning")
    assert central.message == "Prometheus `central` keeps 2y of samples in 8,760 blocks, which all stay open"
    assert "`retention_downsampled`" in (central.hint or "")
    assert shards.message == "Prometheus `shard-2` keeps 61d of samples in 732 blocks, which all stay open"
    assert problems(years.replace(BUCKET, "")) == ()


@pytest.mark.parametrize("version", ["0.36.0", "0.42.9", "0.39.2"])
def test_a_known_release_says_nothing(version: str) -> None:
    assert problems(SITE.replace("0.42.5", version) % (KEPT, BUCKET)) == ()


@given(
    shards=st.integers(1, 12),
    replicas=st.integers(1, 2),
    hosts=st.integers(2, 3),
    ports=st.lists(st.sampled_from(range(10_899, 10_915)), max_size=6, unique=True),
    base=st.sampled_from([9090, 10_900, 10_902, 65_530]),
)
@settings(max_examples=25, deadline=None)
def test_no_two_programs_share_a_port(shards: int, replicas: int, hosts: int, ports: list[int], base: int) -> None:
    nodes = "".join(f"  mon{number}: {{address: 198.18.0.{number}, reserved_ports: {ports}}}\n" for number in range(3))
    text = f"""
version: 1
cluster: {{name: test}}
racks:
  r1: {{nodes: "gpu-[1-12]", addresses: "198.18.1.[1-12]"}}
nodes:
{nodes}
prometheus: {{port: {base}}}
federation: {{type: thanos, central_node: mon0, shards: {shards}, shard_nodes: "mon[0-{hosts - 1}]",
  replicas: {replicas}, central: {{retention_raw: 30d}}}}
alertmanager: {{nodes: mon1}}
thanos: {{version: "0.42.5", objstore: {{env: B}}, query_nodes: "mon[0-1]", query_port: 10920, ruler: {{node: mon1}}}}
"""
    fleet = checked(text).fleet
    assert fleet.thanos is not None
    taken = [(server.host, server.port) for server in fleet.servers]
    taken += [(each.host, each.http_port) for each in fleet.thanos.components]
    taken += [(each.host, each.grpc_port) for each in fleet.thanos.components if each.grpc_port is not None]
    taken += [(f"mon{number}", port) for number in range(3) for port in ports]
    taken += [("mon1", 9093)]

    assert [place for place, times in Counter(taken).items() if times > 1] == []


@given(st.integers(1, 8))
@settings(max_examples=8, deadline=None)
def test_a_further_shard_moves_no_port(shards: int) -> None:
    text = SITE.replace("gpu-[1-2]", "gpu-[1-9]").replace("1.[1-2]", "1.[1-9]") % (KEPT, BUCKET + ", ruler: {}")

    def ports(count: int) -> dict[tuple[str, str], tuple[int, int | None]]:
        found = checked(text.replace("shards: 2", f"shards: {count}")).fleet.thanos
        assert found is not None
        return {(each.name, each.host): (each.http_port, each.grpc_port) for each in found.components}

    before, after = ports(shards), ports(shards + 1)

    assert {key: after[key] for key in before} == before
