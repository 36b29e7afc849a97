"""How servers are judged: each fault by itself, and laws that hold for all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.model.federation import (
    STATES,
    Expected,
    FederationStatus,
    Group,
    Observed,
    Scrape,
    ServerStatus,
    Unknown,
)
from aamic.ops.federation import judge
from aamic.views.federation_document import to_json
from aamic.views.federation_status import text

NOW = 1_764_000_000.0
WHY = Unknown("`http://x` does not answer: timed out")
NODES = tuple(f"gpu-{number}" for number in range(1, 7))
NAMES = ("shard-1/a", "shard-1/b", "central")
ADDRESS = {"shard-1/a": "10.0.0.2:9090", "shard-1/b": "10.0.0.3:9090", "central": "10.0.0.1:9090"}
World = dict[str, Observed]
Fault = Callable[[World], None]


def target(node: str) -> tuple[str, str]:
    return "node", f"10.1.0.{node.removeprefix('gpu-')}:9100"


def expected(name: str) -> Expected:
    own = {("prometheus", ADDRESS[name]): name}
    central = name == "central"
    federate: dict[tuple[str, str], str] = {("federate", ADDRESS[each]): each for each in NAMES[:2]}
    return Expected(
        name=name,
        shard="" if central else "shard-1",
        role="central" if central else "shard",
        replica=None if central else name[-1],
        host=name,
        address=ADDRESS[name],
        targets=own | (federate if central else {target(node): node for node in NODES}),
        groups={"node": 2, "gpu": 1},
        series=1000,
        retention=86_400.0,
        stale=100.0,
        read=True,
        cluster="c",
    )


EXPECTED = tuple(map(expected, NAMES))


def well(name: str) -> Observed:
    scrapes = tuple(
        Scrape(job, address, {"node": node}, "up", "", NOW - 5, 0.01, 15.0)
        for (job, address), node in expected(name).targets.items()
    )
    ages: dict[tuple[str, str], float] = {("shard-1", "a"): 12.0, ("shard-1", "b"): 14.0} if name == "central" else {}
    groups = (Group("node", 15.0, 0.1, 2, 0, ()), Group("gpu", 15.0, 0.1, 1, 0, ()))
    return Observed(True, NOW, "2.42.0", scrapes, 1010, groups, True, NOW - 3600, ages)  # answers


def world() -> World:
    return {name: well(name) for name in NAMES}


def judged(seen: Mapping[str, Observed], *names: str) -> FederationStatus:
    return judge("c", NOW, EXPECTED, seen, names)


def reasons(status: FederationStatus, name: str) -> list[str]:
    (server,) = [each for each in status.servers if each.name == name]
    return [f"{each.level}: {each.text}" for each in server.reasons]


# Faults


def setting(name: str, **values: Any) -> Fault:
    def spoil(seen: World) -> None:
        seen[name] = replace(seen[name], **values)

    return spoil


def silent(name: str) -> Fault:
    return setting(name, **dict.fromkeys([each.name for each in fields(Observed)][:9], WHY))


def scraping(name: str, key: tuple[str, str], **values: Any) -> Fault:
    """One target is otherwise, or gone where there are no values."""

    def spoil(seen: World) -> None:
        scrapes = seen[name].scrapes
        if isinstance(scrapes, Unknown):
            return
        kept = [each if (each.job, each.address) != key else replace(each, **values) for each in scrapes
                if values or (each.job, each.address) != key]  # fmt: skip
        seen[name] = replace(seen[name], scrapes=tuple(kept))

    return spoil


def strange(seen: World) -> None:
    scrapes = seen["shard-1/a"].scrapes
    if not isinstance(scrapes, Unknown):
        extra = Scrape("node", "10.9.9.9:9100", {}, "up", "", NOW - 5, 0.01, 15.0)
        seen["shard-1/a"] = replace(seen["shard-1/a"], scrapes=(*scrapes, extra))


def ruling(server: str, group: int, **values: Any) -> Fault:
    def spoil(seen: World) -> None:
        groups = seen[server].groups
        if not isinstance(groups, Unknown):
            changed = [replace(each, **values) if number == group else each for number, each in enumerate(groups)]
            seen[server] = replace(seen[server], groups=tuple(changed))

    return spoil


def aging(age: float | None) -> Fault:
    def spoil(seen: World) -> None:
        ages = seen["central"].ages
        if not isinstance(ages, Unknown):
            other = {key: value for key, value in ages.items() if key != ("shard-1", "a")}
            more = {} if age is None else {("shard-1", "a"): age}
            seen["central"] = replace(seen["central"], ages=other | more)

    return spoil


A = "shard-1/a"
FAULTS: dict[str, tuple[Fault, str, str]] = {
    "silent": (silent(A), "unknown", WHY.why),
    "not ready": (setting(A, ready=Unknown("it answered 503")), "unknown", "it answered 503"),
    "no series": (setting(A, series=WHY), "unknown", f"not known: its series: {WHY.why}"),
    "no self": (setting(A, reloaded=WHY), "unknown", f"not known: whether it took its configuration: {WHY.why}"),
    "down": (scraping(A, target("gpu-1"), health="down"), "warning", "1 of 7 targets is down: 1 of node"),
    "unread": (scraping(A, target("gpu-2"), health="unknown", at=None), "unknown", "1 target is not read yet"),
    "missing": (
        scraping(A, target("gpu-3")),
        "warning",
        "the site gives it `node` of gpu-3, and it does not read that",
    ),
    "extra": (strange, "warning", "it reads `node` of 10.9.9.9:9100, which the site does not give it"),
    "hangs": (
        scraping(A, target("gpu-4"), at=NOW - 400),
        "warning",
        "1 target that it calls up, last read up to 400 s ago",
    ),
    "rule": (
        ruling(A, 0, failing=(("x", "many-to-many"),)),
        "warning",
        "1 of 3 rules is failing: `x`: many-to-many",
    ),
    "waiting": (ruling(A, 0, waiting=1), "unknown", "1 rule is not evaluated yet"),
    "slow": (ruling(A, 0, seconds=16.0), "warning", "rule groups are slower than their interval: `node` takes 16.0 "),
    "rules": (ruling(A, 1, name="old"), "warning", "its rule groups are not those of the site: gpu, old"),
    "refused": (setting(A, reloaded=False), "failing", "it refused its configuration when it read it last"),
    "unread by central": (
        scraping("central", ("federate", ADDRESS[A]), health="down", error="401"),
        "failing",
        "central cannot read it: 401",
    ),
    "not central's": (
        scraping("central", ("federate", ADDRESS[A])),
        "failing",
        "central cannot read it: it is not among the targets of central",
    ),
    "slow to read": (
        scraping("central", ("federate", ADDRESS[A]), seconds=9.0),
        "warning",
        "central needs 9.0 s of 15 s to read it",
    ),
    "old": (aging(101.0), "warning", "the newest sample that central has of it is 101 s old"),
    "future": (aging(-60.0), "warning", "the newest sample that central has of it is 60 s in the future"),
    "gone": (aging(None), "failing", "central has no sample of it of the last hour"),
    "central silent": (silent("central"), "unknown", f"what central has of it is not known: {WHY.why}"),
    "clock": (setting(A, ahead=60.0), "warning", "its clock is 60 s ahead of the others'"),
}


def test_what_is_well_has_no_reasons() -> None:
    found = judged(world())

    assert [(each.name, each.state, each.reasons) for each in found.servers] == [(name, "ok", ()) for name in NAMES]
    assert (found.state, found.reasons, found.answered) == ("ok", (), 3)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_state_and_its_reason(fault: str) -> None:
    spoil, state, told = FAULTS[fault]
    seen = world()
    spoil(seen)
    found = judged(seen)

    (server,) = [each for each in found.servers if each.name == A]
    assert server.state == state
    assert any(each.startswith(f"{state}: {told}") for each in reasons(found, A)), reasons(found, A)
    assert reasons(found, "shard-1/b") == ([] if fault != "central silent" else reasons(found, A))


def spoilt(names: frozenset[str]) -> FederationStatus:
    seen = world()
    for name, (spoil, _, _) in FAULTS.items():
        if name in names:
            spoil(seen)
    return judged(seen)


SOME = st.frozensets(st.sampled_from(sorted(FAULTS)))


@given(SOME, SOME)
def test_more_faults_never_look_better(some: frozenset[str], more: frozenset[str]) -> None:
    fewer, all_ = spoilt(some), spoilt(some | more)

    assert STATES.index(fewer.state) <= STATES.index(all_.state)
    clocks = {"clock"}  # which clock is in the middle depends on who answers
    before, after = spoilt(some - clocks), spoilt((some | more) - clocks)
    for one, other in zip(before.servers, after.servers, strict=True):
        assert STATES.index(one.state) <= STATES.index(other.state)


@given(SOME, st.sampled_from([each.name for each in fields(Observed)][:9]))
def test_what_is_not_known_is_never_ok(some: frozenset[str], name: str) -> None:
    seen = world()
    for each in some:
        FAULTS[each][0](seen)
    setting("central", **{name: WHY})(seen)
    found = judged(seen)

    assert [each.state for each in found.servers if each.name == "central"] == ["unknown"]
    assert found.state == "unknown"
    assert judge("c", NOW, (), {}).state == "unknown"


def test_of_a_silent_server_nothing_is_counted() -> None:
    seen = world()
    silent(A)(seen)
    found = judged(seen)
    server = to_json(found)["servers"][0]

    assert (server["ready"], server["targets"]["up"], server["rules"], server["series"]["head"]) == (None,) * 4
    assert server["targets"]["desired"] == 7
    assert reasons(found, A) == [f"unknown: {WHY.why}"]
    assert found.answered == 2


def test_another_clusters_server_fails_and_so_does_one_without_any_rule_of_the_site() -> None:
    seen = world()
    own = Scrape("prometheus", ADDRESS["central"], {"cluster": "other"}, "up", "", NOW - 5, 0.01, 15.0)
    seen["central"] = replace(seen["central"], scrapes=(own,), groups=())
    found = reasons(judged(seen), "central")

    assert "failing: it is a server of another cluster: its targets are of `other`" in found
    assert "failing: its rule groups are not those of the site: gpu, node" in found
    remote = replace(own, job="remote-clusters")
    seen["central"] = replace(seen["central"], scrapes=(replace(own, labels={"cluster": "c"}), remote))
    assert not [each for each in reasons(judged(seen), "central") if "another cluster:" in each]


def test_targets_are_counted_by_themselves_and_not_by_their_nodes() -> None:
    targets = {("federate", f"10.0.0.{number}:9090"): "mon" for number in range(1, 5)}
    one = [replace(expected("central"), targets=targets)]
    found = judge("c", NOW, one, {"central": replace(well("central"), scrapes=())})
    (server,) = found.servers

    assert server.jobs is not None
    assert [(each.missing, each.total) for each in server.jobs.values()] == [(("mon",), 4)]
    assert to_json(found)["servers"][0]["targets"]["desired"] == 4


def test_a_server_that_reads_nothing_fails() -> None:
    seen = world()
    seen[A] = replace(seen[A], scrapes=())

    assert "failing: none of its 7 targets is known to be up" in reasons(judged(seen), A)


def test_the_clock_in_the_middle_is_right_and_not_ours() -> None:
    seen = {name: replace(each, ahead=-300.0) for name, each in world().items()}
    assert judged(seen).state == "ok"
    seen[A] = replace(seen[A], ahead=-308.0, vague=2.0)
    assert reasons(judged(seen), A) == ["warning: its clock is 8 s behind the others'"]
    seen[A] = replace(seen[A], vague=4.0)
    assert reasons(judged(seen), A) == []


@pytest.mark.parametrize("asked", [[A, "central"], [A]])
def test_fewer_than_three_clocks_are_held_against_this_machines(asked: list[str]) -> None:
    seen = {name: well(name) for name in asked}
    seen[A] = replace(seen[A], ahead=9.0)
    found = judge("c", NOW, [each for each in EXPECTED if each.name in asked], seen)

    assert "warning: its clock is 9 s ahead of this machine's" in reasons(found, A)
    assert [each.name for each in found.servers if each.state != "ok"] == [A]


def test_a_prediction_that_is_wrong_is_noted_and_no_more() -> None:
    seen = world()
    seen[A] = replace(seen[A], series=1201)
    found = judged(seen)

    assert reasons(found, A) == ["note: 1,201 series in memory, 120 % of the 1,000 predicted"]
    assert found.state == "ok"
    assert reasons(judged(world() | {A: replace(well(A), series=1200)}), A) == []


def test_another_cluster_that_is_down_is_a_note_and_no_target_of_central() -> None:
    seen, before = world(), judged(world())
    one = Scrape("remote-clusters", "10.9.0.1:443", {"cluster": "busan"}, "down", "refused", NOW - 5, 0.01, 60.0)
    two = replace(one, address="10.9.0.2:443", labels={"cluster": "seoul"}, health="up", error="")
    own = seen["central"].scrapes
    assert not isinstance(own, Unknown)
    seen["central"] = replace(seen["central"], scrapes=(*own, one, two))
    found = judged(seen)

    assert reasons(found, "central") == ["note: of 2 other clusters, 1 cannot be read: busan"]
    assert found.state == "ok"
    assert [each.jobs for each in found.servers] == [each.jobs for each in before.servers]
    assert to_json(found)["servers"][2]["targets"]["down_because"] == []


def test_where_the_site_leaves_the_series_out_that_tell_the_age_is_noted() -> None:
    seen = world()
    seen["central"] = replace(seen["central"], ages={})
    told = judge("c", NOW, [replace(each, read=False) for each in EXPECTED], seen)

    assert told.state == "ok"
    assert judged(seen).state == "failing"


def test_servers_of_a_pair_and_versions_are_compared() -> None:
    seen = world()
    scraping("shard-1/b", target("gpu-5"), health="down")(seen)
    seen["central"] = replace(seen["central"], version="2.45.0")

    assert [f"{each.level}: {each.text}" for each in judged(seen).reasons] == [
        "warning: servers run different versions: 2.42.0 on shard-1/a, shard-1/b; 2.45.0 on central",
        "note: of shard-1, 1 target is up for shard-1/a alone",
    ]


def test_only_what_is_asked_for_is_told_with_what_central_says_of_it() -> None:
    seen = world()
    aging(500.0)(seen)
    found = judged(seen, A)

    assert [each.name for each in found.servers] == [A]
    assert (found.state, found.answered) == ("warning", 1)


HOSTILE = st.text(max_size=30) | st.sampled_from(["\x1b[2J", "\u202e", "a\nb", "字" * 20, "[bold]x[/bold]"])


@given(HOSTILE, HOSTILE, SOME, st.integers(40, 120))
def test_no_name_or_answer_steers_the_terminal(name: str, error: str, some: frozenset[str], width: int) -> None:
    seen = spoilt(some).servers[0]
    status = ServerStatus(
        replace(seen.expected, name=name, host=error), seen.observed, seen.reading, seen.jobs, seen.state, seen.reasons
    )
    shown = text(FederationStatus(error, NOW, (status,)), width=width, jobs=True)

    assert all(line.isprintable() for line in shown.split("\n"))
