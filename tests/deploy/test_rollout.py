from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.deploy.desired import desired_hosts
from aamic.deploy.rollout import ORDER, Candidate, Pace, Wave, batch_size, plan_waves, stage_of
from aamic.model.plan import Change
from tests.deploy.trees import tree

STAGES = ORDER[:4]


def candidate(host: str, *bundles: str, stage: str = "exporters", rack: str = "") -> Candidate:
    return Candidate(host, frozenset(bundles), stage, rack)  # type: ignore[arg-type]


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(0, 60))
    bundles = st.frozensets(st.sampled_from("abcde"), min_size=1)
    return [
        Candidate(f"h{number}", draw(bundles), draw(st.sampled_from(STAGES)), draw(st.sampled_from(["", "r1", "r2"])))
        for number in range(count)
    ]


paces = st.builds(
    Pace,
    st.integers(0, 4),
    st.one_of(st.integers(1, 80), st.integers(1, 100).map(lambda number: f"{number}%")),
    st.integers(1, 20),
)


@given(candidates(), paces)
def test_every_host_is_in_one_wave_and_stages_follow_each_other(members: list[Candidate], pace: Pace) -> None:
    waves = plan_waves(members, pace)
    hosts = [host for wave in waves for host in wave.hosts]
    stages = {each.host: each.stage for each in members}

    assert sorted(hosts) == sorted(stages)
    assert [ORDER.index(stages[host]) for host in hosts] == sorted(ORDER.index(stages[host]) for host in hosts)
    assert all(wave.stage == stages[host] for wave in waves for host in wave.hosts)


@given(candidates(), paces)
def test_no_wave_is_larger_than_a_batch_or_than_what_is_worked_on_at_once(members: list[Candidate], pace: Pace) -> None:
    for wave in plan_waves(members, pace):
        stage = [each for each in members if each.stage == wave.stage]
        assert 0 < len(wave.hosts) <= pace.max_parallel
        assert wave.canary or len(wave.hosts) <= batch_size(pace.batch, len(stage))


@given(candidates(), paces)
def test_canaries_come_first_and_each_shared_bundle_has_some(members: list[Candidate], pace: Pace) -> None:
    waves = plan_waves(members, pace)
    for stage in STAGES:
        those = [wave.canary for wave in waves if wave.stage == stage]
        canaries = {host for wave in waves if wave.stage == stage and wave.canary for host in wave.hosts}
        assert those == sorted(those, reverse=True)
        for bundle in "abcde":
            having = {each.host for each in members if each.stage == stage and bundle in each.bundles}
            if len(having) > 1:
                assert len(having & canaries) >= min(pace.canary, len(having))


@given(candidates(), paces)
def test_the_same_hosts_give_the_same_waves(members: list[Candidate], pace: Pace) -> None:
    assert plan_waves(members, pace) == plan_waves(list(members), pace)


def test_servers_that_share_no_bundle_are_not_all_canaries() -> None:
    pair = [candidate("mon-1", "shard-1-a", stage="shards"), candidate("mon-2", "shard-1-b", stage="shards")]

    assert plan_waves(pair, Pace(1, "20%", 50)) == (
        Wave("shards", canary=True, hosts=("mon-1",)),
        Wave("shards", canary=False, hosts=("mon-2",)),
    )


def test_canaries_stand_in_different_racks_where_they_can() -> None:
    members = [candidate(f"h{number}", "node", rack=f"r{number // 3}") for number in range(9)]

    assert plan_waves(members, Pace(3, "100%", 50))[0].hosts == ("h0", "h3", "h6")


def test_a_host_is_changed_with_the_latest_bundle_that_it_keeps() -> None:
    made = tree(("a",))
    mon = desired_hosts(made, ["mon-1"])["mon-1"]
    stages = {bundle.name: bundle.stage for bundle in made.bundles}

    def stage(*bundles: str) -> str:
        return stage_of([Change("change", "file", "/x", name) for name in bundles], mon, stages)

    assert [stage("node"), stage("node", "shard-1"), stage("shard-1", "central")] == ["exporters", "shards", "central"]
    assert [stage("gone"), stage("gone", "node")] == ["removals", "exporters"]
