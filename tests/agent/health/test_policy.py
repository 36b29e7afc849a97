from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.agent.health.drainstate import EMPTY, Refusal, State, Streak, Trip, from_document, to_document
from aamic.agent.health.drainwords import REASON_LIMIT, line
from aamic.agent.health.policy import PROLOG_ERROR, Action, Config, Decision, Health, Node, decide, drained, holds

NAMES: Final = tuple(f"n{number}" for number in range(1, 9))
ALL: Final = Config(3, frozenset(NAMES), frozenset({"fatal_error", "lost_gpu"}), 150.0, 600.0, 30.0)
IDLE: Final = Node("IDLE", frozenset(), "", None)
OURS: Final = Node("IDLE", frozenset({"DRAIN"}), "aamic: fatal error on GPU 3", 1000.0)
FOREIGN: Final = Node("IDLE", frozenset({"DRAIN"}), "disk", 1000.0)
REFUSED: Final = Node("IDLE", frozenset({"DRAIN"}), PROLOG_ERROR, 1000.0)
FINE: Final = Health(frozenset({"ok"}), 10.0, frozenset(), None)
HARD: Final = Health(frozenset({"fail"}), 10.0, frozenset({("fatal_error", "3")}), None)
SOFT: Final = Health(frozenset({"fail"}), 10.0, frozenset({("temperature", "0")}), None)


def nodes(**others: Node) -> dict[str, Node]:
    return {name: others.get(name, IDLE) for name in NAMES}


def healths(**others: Health) -> dict[str, Health]:
    return {name: others.get(name, FINE) for name in NAMES}


def drains(decision: Decision) -> list[str]:
    return [action.node for action in decision.actions if action.kind == "drain"]


def applied(before: Mapping[str, Node], decision: Decision) -> dict[str, Node]:
    """The cluster once Slurm has done all that was asked."""
    after = dict(before)
    for action in decision.actions:
        node = before[action.node]
        after[action.node] = node._replace(flags=node.flags | {"DRAIN"}, reason=action.reason, reason_at=2000.0)
    return after


def out(cluster: Mapping[str, Node], said: Mapping[str, Health]) -> set[str]:
    """Nodes out of service by our doing, by its plainest definition."""

    def refused(name: str) -> bool:
        node, health = cluster[name], said.get(name)
        at = None if health is None else health.refused_at
        return (
            node.reason == PROLOG_ERROR and at is not None and node.reason_at is not None and at > node.reason_at - 150
        )

    return {
        name
        for name in cluster
        if drained(cluster[name]) and (cluster[name].reason.startswith("aamic:") or refused(name))
    }


def test_a_hard_signal_drains_at_once_with_the_gpu_in_the_reason() -> None:
    decision = decide(nodes(), healths(n2=HARD), EMPTY, ALL, 0.0)

    assert decision.actions == (Action("drain", "n2", "aamic: fatal error on GPU 3"),)
    assert decision.state.pending == {"n2": 0.0}


def test_a_soft_signal_must_be_there_in_two_runs() -> None:
    first = decide(nodes(), healths(n2=SOFT), EMPTY, ALL, 0.0)
    at_once = decide(nodes(), healths(n2=SOFT), first.state, ALL, 1.0)
    second = decide(nodes(), healths(n2=SOFT), at_once.state, ALL, 30.0)

    assert (drains(first), drains(at_once), drains(second)) == ([], [], ["n2"])


def test_a_check_that_is_seen_twice_counts_once() -> None:
    first = decide(nodes(), healths(n2=SOFT), EMPTY, ALL, 0.0)
    same = decide(nodes(), healths(n2=SOFT._replace(age=40.0)), first.state, ALL, 30.0)
    next_ = decide(nodes(), healths(n2=SOFT), same.state, ALL, 60.0)

    assert (drains(first), drains(same), drains(next_)) == ([], [], ["n2"])


@pytest.mark.parametrize("between", [healths(), {}, healths(n2=SOFT._replace(age=None))])
def test_a_soft_signal_starts_anew_after_anything_else(between: dict[str, Health]) -> None:
    state = EMPTY
    for number, said in enumerate((healths(n2=SOFT), between, healths(n2=SOFT))):
        decision = decide(nodes(), said, state, ALL, number * 30.0)
        state = decision.state
        assert decision.actions == ()


def test_a_soft_signal_starts_anew_after_runs_that_were_missed() -> None:
    first = decide(nodes(), healths(n2=SOFT), EMPTY, ALL, 0.0)

    assert drains(decide(nodes(), healths(n2=SOFT), first.state, ALL, 150.0)) == ["n2"]
    assert drains(decide(nodes(), healths(n2=SOFT), first.state, ALL, 151.0)) == []


@pytest.mark.parametrize(
    "health",
    [
        HARD._replace(age=151.0),
        HARD._replace(age=-151.0),
        HARD._replace(age=None),
        HARD._replace(verdicts=frozenset({"unknown"})),
        HARD._replace(verdicts=frozenset({"fail", "ok"})),
        HARD._replace(verdicts=frozenset()),
    ],
    ids=["stale", "of the future", "of no known age", "unknown", "replicas disagree", "none"],
)
def test_what_is_not_known_to_fail_is_left(health: Health) -> None:
    decision = decide(nodes(), healths(n2=health), EMPTY, ALL, 0.0)

    assert (decision.actions, decision.wanted, decision.state.trip) == ((), (), None)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (FOREIGN, "drained by somebody else"),
        (FOREIGN._replace(reason=""), "drained by somebody else"),
        (REFUSED, "drained for a prolog's failure, which may be our refusal"),
        (IDLE._replace(reason="ask Ann before you touch it"), "has a reason of somebody else"),
        (IDLE._replace(state="DOWN"), "in state DOWN"),
        (IDLE._replace(state="FUTURE"), "in state FUTURE"),
        (IDLE._replace(state=""), "in state ?"),
        (IDLE._replace(flags=frozenset({"MAINTENANCE"})), "in maintenance"),
        (IDLE._replace(flags=frozenset({"CLOUD", "POWERED_DOWN"})), "powered down"),
        (IDLE._replace(flags=frozenset({"FAIL"})), "set to FAIL by somebody"),
    ],
)
def test_a_node_that_somebody_else_has_in_hand_is_left_and_told(node: Node, why: str) -> None:
    decision = decide(nodes(n2=node), healths(n2=HARD), EMPTY, ALL, 0.0)

    assert (decision.actions, decision.aside) == ((), {"n2": why})


@pytest.mark.parametrize("flags", [{"PLANNED"}, {"COMPLETING"}, {"NOT_RESPONDING"}, {"RESERVED"}])
def test_other_flags_are_no_reason_to_leave_a_node(flags: set[str]) -> None:
    decision = decide(nodes(n2=IDLE._replace(flags=frozenset(flags))), healths(n2=HARD), EMPTY, ALL, 0.0)

    assert drains(decision) == ["n2"]


def test_nodes_of_others_are_ignored_but_our_reasons_count() -> None:
    config = ALL._replace(nodes=frozenset({"n1", "n2"}), cap=2)
    cluster = nodes(n7=OURS)
    decision = decide(cluster, healths(n1=HARD, n8=HARD), EMPTY, config, 0.0)

    assert (drains(decision), decision.ours, decision.aside) == (["n1"], ("n7",), {})
    assert decide({}, healths(n1=HARD), EMPTY, config, 0.0).aside == {
        "n1": "not known to Slurm, or shown by it in two ways"
    }


def test_more_at_once_than_the_cap_trips_and_drains_none() -> None:
    decision = decide(nodes(), healths(n1=HARD, n2=HARD, n3=HARD, n4=HARD), EMPTY, ALL, 7.0)

    assert decision.actions == ()
    assert decision.state.trip == Trip(
        7.0,
        "4 nodes began to fail within 600 s, more than the 3 that may be drained, so a common cause is likely: "
        "n1, n2, n3, n4",
    )


def test_a_wave_that_comes_in_parts_trips_as_well() -> None:
    first = decide(nodes(), healths(n1=HARD, n2=HARD), EMPTY, ALL, 0.0)
    second = decide(applied(nodes(), first), healths(n1=HARD, n2=HARD, n3=HARD, n4=HARD), first.state, ALL, 30.0)

    assert (drains(first), drains(second)) == (["n1", "n2"], [])
    assert second.state.trip is not None


def test_a_cap_that_fills_slowly_trips_with_the_one_too_many() -> None:
    cluster, state, seen = nodes(), EMPTY, []
    for number in range(1, 5):
        said = healths(**{f"n{failed}": HARD for failed in range(1, number + 1)})
        decision = decide(cluster, said, state, ALL, number * 1000.0)
        cluster, state = applied(cluster, decision), decision.state
        seen.append((drains(decision), state.trip is not None))

    assert seen == [(["n1"], False), (["n2"], False), (["n3"], False), ([], True)]


def test_the_rest_of_the_cap_goes_to_those_that_fail_the_longest() -> None:
    failing = {"n1": Streak(2000.0, 9, 5000.0), "n2": Streak(1000.0, 9, 5000.0), "n3": Streak(1000.0, 9, 5000.0)}
    state = EMPTY._replace(clock=5000.0, failing=failing)
    decision = decide(nodes(n8=OURS), healths(n1=SOFT, n2=SOFT, n3=SOFT), state, ALL, 5030.0)

    assert drains(decision) == ["n2", "n3"]
    assert decision.state.trip == Trip(
        5030.0, "1 nodes are drained and 3 more should be, but no more than 3 may be: n1, n2, n3"
    )


def test_our_prologs_refusal_is_adopted_and_counts() -> None:
    refusing = HARD._replace(refused_at=950.0)
    decision = decide(nodes(n2=REFUSED), healths(n2=refusing), EMPTY, ALL, 0.0)

    assert decision.actions == (Action("adopt", "n2", "aamic: its prolog refused a job: fatal error on GPU 3"),)
    assert (decision.ours, decision.wanted, decision.aside) == (("n2",), (), {})


def test_a_refusal_that_is_over_is_adopted_with_other_words() -> None:
    decision = decide(nodes(n2=REFUSED), healths(n2=FINE._replace(refused_at=1001.0)), EMPTY, ALL, 0.0)

    assert [action.reason for action in decision.actions] == [
        "aamic: its prolog refused a job: its verdict has changed since"
    ]


@pytest.mark.parametrize("refused_at", [None, 850.0])
def test_a_prolog_error_that_is_not_our_refusal_is_somebody_elses(refused_at: float | None) -> None:
    decision = decide(nodes(n2=REFUSED), healths(n2=HARD._replace(refused_at=refused_at)), EMPTY, ALL, 0.0)

    assert (decision.actions, decision.ours) == ((), ())


def test_the_clock_of_a_node_may_be_as_far_behind_as_its_check_is_old() -> None:
    current = decide(nodes(n2=REFUSED), healths(n2=HARD._replace(refused_at=851.0)), EMPTY, ALL, 0.0)
    older = decide(nodes(n2=REFUSED), healths(n2=HARD._replace(refused_at=851.0 - 300, age=450.0)), EMPTY, ALL, 0.0)

    assert (current.ours, older.ours) == (("n2",), ("n2",))


def test_a_refusal_that_prometheus_does_not_have_yet_takes_room_and_trips_nothing() -> None:
    config = ALL._replace(cap=1)
    first = decide(nodes(n1=REFUSED), healths(n1=HARD, n2=HARD), EMPTY, config, 0.0)
    told = healths(n1=HARD._replace(refused_at=1000.0), n2=HARD)
    second = decide(nodes(n1=REFUSED), told, first.state, config, 30.0)

    assert (first.actions, first.wanted, first.ours, first.state.trip) == ((), ("n2",), (), None)
    assert first.aside == {"n1": "drained for a prolog's failure, which may be our refusal"}
    assert (drains(second), second.ours) == ([], ("n1",))
    assert second.state.trip is not None


def test_a_prolog_error_without_a_refusal_is_somebody_elses_after_the_window_and_stays_so() -> None:
    config, said = ALL._replace(cap=1), healths(n1=HARD, n2=HARD)
    first = decide(nodes(n1=REFUSED), said, EMPTY, config, 0.0)
    within = decide(nodes(n1=REFUSED), said, first.state, config, 599.0)
    over = decide(nodes(n1=REFUSED), said, within.state, config, 600.0)
    later = decide(nodes(n1=REFUSED), said, over.state, config, 700.0)
    anew = decide(nodes(n1=REFUSED._replace(reason_at=1600.0)), said, later.state, config, 730.0)

    assert [drains(each) for each in (first, within, over, later, anew)] == [[], [], ["n2"], ["n2"], []]
    assert over.aside == {"n1": "drained by somebody else"}


def test_a_refusal_that_was_seen_counts_as_long_as_its_drain_stands() -> None:
    config = ALL._replace(cap=1)
    seen = decide(nodes(n1=REFUSED), healths(n1=HARD._replace(refused_at=1000.0)), EMPTY, config, 0.0)
    gone = {name: health for name, health in healths(n2=HARD).items() if name != "n1"}
    after = decide(nodes(n1=REFUSED), gone, seen.state, config, 5000.0)
    resumed = decide(nodes(), gone, after.state, config, 5030.0)

    assert (after.actions, after.ours) == ((), ("n1",))
    assert (resumed.ours, resumed.state.refusals) == ((), {})


def test_a_drain_whose_outcome_is_unknown_counts_until_the_window_is_over() -> None:
    state = EMPTY._replace(pending={"n1": 0.0, "n2": 0.0, "n3": 0.0})

    within = decide(nodes(), healths(n4=HARD), state, ALL, 599.0)
    after = decide(nodes(), healths(n4=HARD), state, ALL, 600.0)

    assert (drains(within), within.ours) == ([], ("n1", "n2", "n3"))
    assert (drains(after), after.ours) == (["n4"], ())


def test_a_drain_of_unknown_outcome_is_over_once_somebody_else_drained_the_node() -> None:
    state = EMPTY._replace(pending={"n1": 0.0})
    decision = decide(nodes(n1=FOREIGN), healths(n1=HARD), state, ALL, 30.0)

    assert (decision.ours, decision.state.pending) == ((), {})


def test_refusals_are_adopted_in_the_order_of_people() -> None:
    names = [f"n{number}" for number in (10, 9, 1, 100, 2)]
    refusing = HARD._replace(refused_at=1000.0)
    config = ALL._replace(nodes=frozenset(names))
    decision = decide(dict.fromkeys(names, REFUSED), dict.fromkeys(names, refusing), EMPTY, config, 0.0)

    assert [action.node for action in decision.actions] == ["n1", "n2", "n9", "n10", "n100"]


def test_a_drain_that_came_to_nothing_is_asked_for_again_and_counts_once() -> None:
    config = ALL._replace(cap=1)
    first = decide(nodes(), healths(n1=HARD), EMPTY, config, 0.0)
    again = decide(nodes(), healths(n1=HARD), first.state, config, 30.0)

    assert (drains(first), drains(again), again.state.trip) == (["n1"], ["n1"], None)


def test_an_action_holds_only_while_nobody_was_quicker() -> None:
    drain, adopt = Action("drain", "n1", "aamic: x"), Action("adopt", "n1", "aamic: x")
    refusing = HARD._replace(refused_at=1000.0)

    assert [holds(drain, each, HARD, ALL) for each in (IDLE, FOREIGN, OURS, REFUSED, None)] == [True, *[False] * 4]
    assert [holds(adopt, each, refusing, ALL) for each in (REFUSED, FOREIGN, OURS, IDLE, None)] == [True, *[False] * 4]


TIMES = st.floats(0, 2000)
STATES = st.sampled_from(["IDLE", "ALLOCATED", "MIXED", "DOWN", "FUTURE", "UNKNOWN"])
FLAGS = st.frozensets(st.sampled_from(["DRAIN", "MAINTENANCE", "POWERED_DOWN", "COMPLETING", "FAIL", "PLANNED"]))
REASONS = st.sampled_from(["", "aamic: x", PROLOG_ERROR, "disk", "Not responding", "aamic"])
NODES = st.builds(Node, STATES, FLAGS, REASONS, st.none() | TIMES) | st.just(IDLE)
VERDICTS = st.frozensets(st.sampled_from(["ok", "warn", "fail", "unknown"]), max_size=2) | st.just(frozenset({"fail"}))
SIGNALS = st.frozensets(st.tuples(st.sampled_from(["fatal_error", "temperature"]), st.sampled_from(["", "0", "3"])))
HEALTHS = st.builds(Health, VERDICTS, st.none() | st.floats(-500, 500), SIGNALS, st.none() | TIMES) | st.just(HARD)
CLUSTERS = st.dictionaries(st.sampled_from(NAMES), NODES)
SAID = st.dictionaries(st.sampled_from(NAMES), HEALTHS)
STREAKS = st.builds(Streak, TIMES, st.integers(1, 9), TIMES)
WHEN = st.dictionaries(st.sampled_from(NAMES), TIMES, max_size=3)
REFUSALS = st.builds(Refusal, TIMES, st.none() | TIMES, st.booleans())
MEMORIES = st.builds(
    State,
    TIMES,
    st.none() | st.just(Trip(1.0, "x")),
    st.dictionaries(st.sampled_from(NAMES), STREAKS),
    WHEN,
    WHEN,
    st.dictionaries(st.sampled_from(NAMES), REFUSALS),
)
CONFIGS = st.builds(
    lambda cap, names: ALL._replace(cap=cap, nodes=names), st.integers(0, 4), st.frozensets(st.sampled_from(NAMES))
)


@dataclasses.dataclass(frozen=True)
class Case:
    cluster: dict[str, Node]
    said: dict[str, Health]
    state: State
    config: Config
    now: float

    def decide(self) -> Decision:
        return decide(self.cluster, self.said, self.state, self.config, self.now)


CASES = st.builds(Case, CLUSTERS, SAID, MEMORIES, CONFIGS, TIMES)


@given(CASES)
def test_no_action_puts_more_than_the_cap_out_of_service(case: Case) -> None:
    said = {name: health for name, health in case.said.items() if name in case.config.nodes}
    decision = case.decide()
    asked = {name for name in case.state.pending if case.now - case.state.pending[name] < case.config.window}
    before, after = out(case.cluster, said), out(applied(case.cluster, decision), said)

    assert len(after) <= max(case.config.cap, len(before))
    assert not drains(decision) or len(after | asked.intersection(decision.ours)) <= case.config.cap


@given(CASES)
def test_only_free_nodes_of_the_site_are_drained_and_only_our_refusals_adopted(case: Case) -> None:
    for action in case.decide().actions:
        node = case.cluster[action.node]
        assert action.node in case.config.nodes
        assert action.reason.startswith("aamic: ")
        if action.kind == "adopt":
            assert (node.reason, drained(node)) == (PROLOG_ERROR, True)
        else:
            assert (node.reason.startswith("aamic:") or not node.reason, drained(node)) == (True, False)
            assert case.said[action.node].verdicts == {"fail"}


@given(CASES)
def test_a_tripped_breaker_does_nothing_and_stays(case: Case) -> None:
    tripped = dataclasses.replace(case, state=case.state._replace(trip=Trip(0.0, "many")))
    decision = tripped.decide()

    assert (decision.actions, decision.state.trip) == ((), Trip(0.0, "many"))


@given(CASES)
def test_once_done_there_is_nothing_more_to_do(case: Case) -> None:
    first = case.decide()
    again = decide(applied(case.cluster, first), case.said, first.state, case.config, case.now)

    assert again.actions == ()


@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_what_is_seen_does_not_matter(case: Case, random: object) -> None:
    def mixed(table: dict[str, object]) -> dict[str, object]:
        items = list(table.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return dict(items)

    other = Case(mixed(case.cluster), mixed(case.said), case.state, case.config, case.now)  # type: ignore[arg-type]

    assert other.decide() == case.decide()


@given(CASES)
def test_without_verdicts_nothing_is_done(case: Case) -> None:
    decision = dataclasses.replace(case, said={}).decide()

    assert (decision.actions, decision.wanted, decision.state.trip) == ((), (), case.state.trip)


@given(CASES)
def test_a_state_survives_its_file(case: Case) -> None:
    state = case.decide().state

    assert from_document(to_document(state)) == state


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.sampled_from(list(to_document(EMPTY))), each),
    )
)
def test_what_is_no_state_is_said_to_be_none(document: object) -> None:
    with pytest.raises(ValueError, match=r"version|form of a state"):
        from_document(document)


@given(st.text())
def test_a_reason_is_one_printable_line(text: str) -> None:
    made = line(f"aamic: {text}")

    assert len(made) <= REASON_LIMIT
    assert all(" " <= char <= "~" and char != '"' for char in made)


def test_50_nodes_that_fail_at_once_are_not_drained() -> None:
    names = [f"gpu-{number:03}" for number in range(1, 101)]
    config = ALL._replace(cap=5, nodes=frozenset(names))
    cluster = dict.fromkeys(names, IDLE)
    decision = decide(cluster, dict.fromkeys(names[:50], HARD), EMPTY, config, 0.0)

    assert (drains(decision), len(decision.wanted)) == ([], 50)
    assert decision.state.trip is not None


@settings(max_examples=30)
@given(st.lists(st.integers(0, 600), min_size=50, max_size=50), st.integers(1, 9), st.booleans())
def test_50_nodes_that_fail_in_any_order_are_never_drained_beyond_the_cap(
    starts: list[int],
    cap: int,
    reset: bool,  # noqa: FBT001  # Hypothesis gives it by name
) -> None:
    names = [f"gpu-{number:03}" for number in range(50)]
    config = ALL._replace(cap=cap, nodes=frozenset(names))
    cluster, state = dict.fromkeys(names, IDLE), EMPTY
    for run in range(20):
        said = {name: HARD for name, start in zip(names, starts, strict=True) if start <= run * 30}
        decision = decide(cluster, said, state, config, run * 30.0)
        cluster, state = applied(cluster, decision), decision.state
        state = state._replace(trip=None) if reset else state

    assert len([name for name in names if drained(cluster[name])]) <= cap


@dataclasses.dataclass(frozen=True)
class Life:
    """What becomes of a node: when it fails, and when its prolog, or another one, ends a job; None is never.

    Prometheus has the refusal `lag` seconds later, by a clock that is `offset` ahead.
    """

    fails: int | None
    refuses: int | None
    breaks: int | None
    lag: int
    offset: int

    def node(self, now: int) -> Node:
        ends = [at for at in (self.refuses, self.breaks) if at is not None and at <= now]
        return REFUSED._replace(reason_at=1e6 + min(ends)) if ends else IDLE

    def health(self, now: int) -> Health:
        seen = self.refuses is not None and self.refuses <= now - self.lag and self.first
        at = 1e6 + self.refuses + self.offset if seen and self.refuses is not None else None
        bad = self.fails is not None and self.fails <= now
        return (HARD if bad else FINE)._replace(refused_at=at, age=10.0 - self.offset)

    @property
    def first(self) -> bool:
        return self.refuses is not None and (self.breaks is None or self.refuses <= self.breaks)

    def refused(self, now: int) -> bool:
        return self.first and self.refuses is not None and self.refuses <= now


MOMENTS = st.none() | st.integers(0, 1200)
LIVES = st.builds(Life, MOMENTS, MOMENTS, st.none() | MOMENTS, st.integers(0, 599), st.integers(-140, 140))


@settings(max_examples=300)
@given(st.lists(LIVES, min_size=2, max_size=8), st.integers(1, 4), st.integers(20, 90))
def test_no_drain_exceeds_the_cap_although_prometheus_has_refusals_late(lives: list[Life], cap: int, step: int) -> None:
    config, state, ours = ALL._replace(cap=cap), EMPTY, dict[str, Node]()
    alive = dict(zip(NAMES, lives, strict=False))
    for now in range(0, 1300, step):
        cluster = {name: ours.get(name, life.node(now)) for name, life in alive.items()}
        decision = decide(cluster, {name: life.health(now) for name, life in alive.items()}, state, config, float(now))
        ours |= {action.node: applied(cluster, decision)[action.node] for action in decision.actions}
        out = {name for name, life in alive.items() if name in ours or life.refused(now)}
        state = decision.state

        assert not drains(decision) or len(out) <= cap
