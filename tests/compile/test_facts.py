from __future__ import annotations

from aamic.compile.facts import facts_of
from tests.sites import checked

SITE = """
    version: 1
    cluster: {name: test, labels: {region: kr, row: z}}
    racks:
      r1: {nodes: "n[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}, labels: {row: a}}
      r2: {nodes: "n3", gpu: {vendor: amd, model: MI300X, count: 1}}
    nodes:
      "mon[1-3]": {}
    federation: {central_node: mon1, shards: SHARDS, shard_nodes: "mon[2-3]", by: rack, replicas: 2}
    """


def test_what_a_site_says_of_its_targets() -> None:
    made = checked(SITE.replace("SHARDS", "2"))
    facts = facts_of(made.site, made.fleet.endpoints, made.fleet.nodes)

    assert {job: len(hosts) for job, hosts in facts.hosts.items()} == {"node": 6, "dcgm": 2, "amd": 1}
    assert facts.values["rack"] == {"r1", "r2"}
    assert facts.values["gpu_count"] == {"8", "1"}
    assert len(facts.values["node"]) == 6
    assert facts.dense == {"node", "dcgm"}
    assert facts.external == {"region"}
    assert (facts.shards, facts.replicas, facts.whole_racks) == (2, 2, True)
    assert (facts.scrape, facts.evaluate, facts.federate) == (15, 15, 60)


def test_listed_shards_keep_racks_where_they_name_racks_alone() -> None:
    listed = "[{name: a, racks: [r1]}, {name: b, racks: [r2], nodes: 'mon[1-3]'}]"
    facts = facts_of(checked(SITE.replace("SHARDS", listed)).site, (), None)

    assert (facts.shards, facts.whole_racks, facts.values["node"]) == (2, False, frozenset())


def test_without_federation_there_is_one_server() -> None:
    text = SITE.replace("SHARDS", "2").replace("federation: {", "federation: {enabled: false, ")
    facts = facts_of(checked(text).site, (), None)

    assert (facts.shards, facts.replicas, facts.federate) == (1, 1, None)
