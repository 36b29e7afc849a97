from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.policy import Config
from aamic.ops.replay import Said
from aamic.ops.simulate import simulate
from aamic.ops.stored import Span

SPAN: Final = Span(0.0, 36_000.0, 60)
XID: Final = frozenset({("fatal_error", "3")})
NONE: Final[frozenset[tuple[str, str]]] = frozenset()


def config(names: object, cap: int = 5) -> Config:
    return Config(cap, frozenset(names), frozenset({"fatal_error"}), 150.0, 600.0, 60.0)  # type: ignore[call-overload]


def failing(since: float, until: float | None = None) -> list[Said]:
    said = [Said(0.0, "ok", NONE), Said(since, "fail", XID)]
    return said if until is None else [*said, Said(until, "ok", NONE)]


def test_50_at_once_trip_the_breaker_and_none_is_drained() -> None:
    said = {f"n{number}": failing(600.0) for number in range(50)}
    drains, held, trips = simulate(said, config(said), SPAN)

    assert (drains, len(held), len(trips), trips[0].until) == ((), 50, 1, None)


def test_a_breaker_is_reset_once_what_tripped_it_is_over() -> None:
    said = {f"n{number}": failing(600.0, 3000.0) for number in range(50)} | {"late": failing(6000.0)}
    drains, _, trips = simulate(said, config(said), SPAN)

    assert [(trip.at, trip.until) for trip in trips] == [(600.0, 3000.0)]
    assert [(drain.at, drain.node) for drain in drains] == [(6000.0, "late")]


def test_a_drained_node_is_given_back_once_it_has_been_well_for_an_hour() -> None:
    again = [*failing(600.0, 1200.0), Said(4860.0, "fail", XID)]
    soon = [*failing(600.0, 1200.0), Said(4800.0, "fail", XID)]

    assert [drain.at for drain in simulate({"n": again}, config(["n"]), SPAN)[0]] == [600.0, 4860.0]
    assert [drain.at for drain in simulate({"n": soon}, config(["n"]), SPAN)[0]] == [600.0]


def test_what_is_not_known_drains_nothing() -> None:
    said = {"n": [Said(0.0, "unknown", NONE), Said(9000.0, "unknown", XID)]}

    assert simulate(said, config(["n"]), SPAN) == ((), (), ())


SAID = st.lists(
    st.builds(
        Said, st.integers(0, 599).map(lambda n: n * 60.0), st.sampled_from(["ok", "fail", "unknown"]), st.just(XID)
    ),
    max_size=8,
).map(lambda said: sorted({each.at: each for each in said}.values(), key=lambda each: each.at))


@given(st.dictionaries(st.sampled_from([f"n{number}" for number in range(9)]), SAID), st.integers(1, 4))
def test_never_more_than_the_cap_within_an_hour(said: dict[str, list[Said]], cap: int) -> None:
    drains, _, _ = simulate(said, config(said, cap), SPAN)

    for drain in drains:
        assert len([each for each in drains if drain.at <= each.at < drain.at + 3600]) <= cap
