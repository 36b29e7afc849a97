"""Each check fails for a fleet that has what it is about; the compiler would have refused most of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from aamic.compile.compiler import Checked
from aamic.errors import Place, Problem
from aamic.model.fleet import Fleet, Server, ThanosComponent
from aamic.model.rebalance import Check
from aamic.ops.federationcheck import (
    capacity_holds,
    central_rules,
    check_all,
    compiles,
    hosts_apart,
    intervals_fit,
    labels_unique,
    nodes_once,
    ports_free,
    selectors_bring,
)
from tests.fleets import thanos_of
from tests.sites import checked

SITE = """
    version: 1
    cluster: {name: test}
    nodes:
      "mon-[1-3]": {memory: 64GB, disk: 1TB}
      "gpu-[1-4]": {gpu: {vendor: nvidia, model: H100, count: 8}}
    alertmanager: {nodes: mon-1}
    federation: {central_node: mon-1, shard_nodes: "mon-[2-3]", shards: 2}
    """


@pytest.fixture(scope="module")
def made() -> Checked:
    return checked(SITE)


def changed(fleet: Fleet, change: Callable[[Server], Server]) -> Fleet:
    return replace(fleet, servers=tuple(map(change, fleet.servers)))


def test_a_right_federation_is_ok_in_everything(made: Checked) -> None:
    found = check_all(made.site, made.fleet, (), ())

    assert [(each.name, each.details) for each in found if each.state != "ok"] == []
    assert len({each.name for each in found}) == len(found) == 8


def test_nodes_in_no_shard_in_two_and_in_no_site(made: Checked) -> None:
    def change(server: Server) -> Server:
        members = {"shard-1": ("gpu-1", "gpu-2", "old"), "shard-2": ("gpu-2", "mon-1", "mon-2")}
        return replace(server, nodes=members.get(server.name, ()))

    assert nodes_once(changed(made.fleet, change)) == Check(
        "every node is in exactly one shard",
        "fail",
        ("in no shard: gpu-[3-4],mon-3", "in several shards: gpu-2", "not in the site: old"),
    )


def test_servers_of_the_same_labels(made: Checked) -> None:
    found = labels_unique([replace(server, external_labels={"cluster": "x"}) for server in made.fleet.servers])

    assert (found.state, found.details) == ("fail", ("the same: shard-1, shard-2, central",))


def test_a_port_that_is_given_twice(made: Checked) -> None:
    found = ports_free(changed(made.fleet, lambda server: replace(server, host="mon-1", port=9093)))

    assert (found.state, found.details) == ("fail", ("mon-1:9093",))


def test_a_port_of_thanos_that_a_server_has_as_well(made: Checked) -> None:
    sidecar = ThanosComponent("sidecar", "sidecar-central", "mon-1", 9100, 10_901, made.fleet.servers[-1])
    found = ports_free(replace(made.fleet, thanos=thanos_of((), components=(sidecar,))))

    assert (found.state, found.details) == ("fail", ("mon-1:9100",))


def test_shards_of_one_host(made: Checked) -> None:
    found = hosts_apart(changed(made.fleet, lambda server: replace(server, host="mon-1")))

    assert found.state == "warn"
    assert found.details == ("`mon-1` carries all shards", "`mon-1` carries central as well")
    assert found.hint == "name more hosts in `federation.shard_nodes`"


def test_hosts_that_are_nearly_full_and_those_of_which_nothing_is_known(made: Checked) -> None:
    tight = changed(made.fleet, lambda server: replace(server, load=replace(server.load, memory=60 * 1024**3)))
    nodes = dict(made.fleet.nodes) | {"mon-3": replace(made.fleet.nodes["mon-3"], disk=None)}
    unknown = capacity_holds(replace(made.fleet, nodes=nodes))

    assert capacity_holds(tight).state == "warn"
    assert "`mon-1` is predicted to need 60.0 GiB of RAM, and has 64.0 GiB" in capacity_holds(tight).details
    assert (unknown.state, unknown.details) == ("warn", ("the site does not say what these have: mon-3",))


def test_rules_that_central_lost_are_named(made: Checked) -> None:
    narrow = SITE.replace("shards: 2", "shards: 2, match: ['up']")
    lost = central_rules(made.fleet) - central_rules(checked(narrow).fleet)
    found = selectors_bring(made.site, made.fleet, lost)

    assert "ShardEmpty" in lost
    assert found.state == "warn"
    assert found.details == (f"left out of central: {', '.join(sorted(lost))}",)


def test_shards_that_are_read_more_often_than_they_scrape() -> None:
    often = checked(SITE.replace("shards: 2", "shards: 2, central: {federate_interval: 10s, federate_timeout: 5s}"))

    assert intervals_fit(often.site).state == "warn"


def test_problems_of_the_compiler() -> None:
    error, warning = Problem("bad", Place("site.yaml", 1, 2), "mend it"), Problem("hm", severity="warning")

    assert compiles([warning]) == Check("the site compiles", "warn", ("hm",))
    assert compiles([warning, error]).details == ("hm", "site.yaml:1:2: bad (hint: mend it)")
    assert compiles([warning, error]).state == "fail"


ALL = '{__name__=~"(cluster|node|gpu|shard):.*"}'


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ([ALL, 'up{job!="prometheus"}'], []),
        ([ALL, 'up{job!="prometheus"}', 'node_load1{node="gpu-1"}'], []),
        ([ALL, "up", 'node:cpu_count{node="gpu-1"}'], []),
        ([ALL, 'up{job="dcgm"}'], ['`up{job="dcgm"}` leaves out some series of up']),
        ([ALL, 'up{job="prometheus"}'], ['`up{job="prometheus"}` leaves out some series of up']),
        (['{__name__=~"shard:.*",node="gpu-1"}', "up"], ['`{__name__=~"shard:.*",node="gpu-1"}` leaves out some']),
    ],
)
def test_selectors_that_bring_only_some_series_are_told(made: Checked, match: list[str], told: list[str]) -> None:
    assert made.fleet.federation is not None
    fleet = replace(made.fleet, federation=replace(made.fleet.federation, match=tuple(match)))
    found = selectors_bring(made.site, fleet, ())

    assert found.state == ("warn" if told else "ok")
    for each, start in zip(found.details, told, strict=False):
        assert not told or each.startswith(start)
