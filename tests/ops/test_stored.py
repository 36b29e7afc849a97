from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.agent.health import nodepolicy
from aamic.clients.base import Sample, Track
from aamic.ops.replay import Memory, replay
from aamic.ops.stored import Glance, Holder, Span, glance

SPAN: Final = Span(0.0, 600.0, 60)
FLAGS: Final = ("ecc_uncorrected_total", "row_remap_failure", "unhealthy")
VALUES: Final = {
    "temperature_celsius": st.sampled_from([50.0, 88.0, 94.0, 95.0, 99.0]),
    "last_error_code": st.sampled_from([0.0, 0.0, 31.0, 79.0]),
    **dict.fromkeys(FLAGS, st.sampled_from([0.0, 0.0, 0.0, 1.0])),
}
SIGNALS: Final = ("fatal_error", "lost_gpu", "uncorrected_ecc", "row_remap_failure", "unhealthy", "temperature")


def samples(name: str) -> st.SearchStrategy[list[tuple[float, float]]]:
    values = st.lists(st.none() | VALUES[name], min_size=10, max_size=10) | st.lists(
        VALUES[name], min_size=10, max_size=10
    )
    return values.map(lambda read: [(60.0 * at, value) for at, value in enumerate(read) if value is not None])


@st.composite
def days(draw: st.DrawFn) -> list[Track]:
    """Some of what a node with two GPUs may have stored."""
    names = draw(st.lists(st.tuples(st.sampled_from(list(VALUES)), st.sampled_from("01")), max_size=10, unique=True))
    return [Track({"__name__": f"gpu:{name}", "gpu": gpu}, draw(samples(name))) for name, gpu in names]


POLICIES: Final = st.lists(st.sampled_from(SIGNALS), unique=True).map(
    lambda signals: nodepolicy.policy(
        {
            "inventory": {"count": 2},
            "signals": [],
            "fatal_codes": [79],
            "drain_on": signals,
            "limits": {"temperature_celsius": {"warn": 85, "fail": 95, "clear": 80}},
            "hysteresis": {"breaches": 1, "clears": 1},
        }
    )
)


def seen(tracks: Iterable[Track]) -> Glance:
    """What Prometheus would say of these samples of one node."""
    present: dict[float, int] = {}
    anything: dict[float, set[str]] = {}
    most: dict[tuple[str, str], float] = {}
    codes: set[int | None] = set()
    for track in tracks:
        name, values = track.labels["__name__"].removeprefix("gpu:"), [value for _, value in track.samples]
        for at, _ in track.samples:
            anything.setdefault(at, set()).add(track.labels["gpu"])
        for at, _ in track.samples if name == "temperature_celsius" else ():
            present[at] = present.get(at, 0) + 1
        if values and name == "last_error_code":
            codes |= {None if len(set(values)) > 1 else int(values[0])} if max(values) > 0 else set()
        elif values:
            most["n", name] = max(*values, most.get(("n", name), 0.0), 0.0)
    counts = present.values() if len(present) == SPAN.steps else [len(gpus) for gpus in anything.values()]
    fewest = {"n": float(min(counts))} if counts else {}
    return Glance({"n": len(present) / 10}, fewest, most, {"n": frozenset(codes)})


@settings(max_examples=200)
@given(days(), POLICIES)
def test_a_day_that_is_not_looked_at_has_no_failure(tracks: list[Track], policy: nodepolicy.Policy) -> None:
    said = list(replay(tracks, policy, Memory(), SPAN, 59.0))

    assert seen(tracks).may_fail("n", policy) or not any(each.verdict == "fail" for each in said)


def test_what_was_stored_counts_until_the_next_sample_or_for_so_long() -> None:
    policy = nodepolicy.policy(
        {
            "inventory": {"count": 1},
            "signals": [{"name": "temperature_celsius", "required": True}],
            "fatal_codes": [],
            "drain_on": [],
            "limits": {},
            "hysteresis": {"breaches": 1, "clears": 1},
        }
    )
    track = Track({"__name__": "gpu:temperature_celsius", "gpu": "0"}, [(0.0, 50.0), (400.0, 50.0)])

    assert [(each.at, each.verdict) for each in replay([track], policy, Memory(), SPAN, 130.0)] == [
        (0.0, "ok"),
        (180.0, "unknown"),
        (420.0, "ok"),
        (540.0, "unknown"),
    ]


def test_a_code_that_can_be_none_is_one_that_is_not_known() -> None:
    class Server:
        def query(self, expr: str) -> list[Sample]:
            own = {"node": "n", "gpu": "0", "code": "\u00b2"}
            if "error_window_count" in expr:
                return [Sample(own, 1.0)]
            return [Sample(own, float("inf"))] if "last_error_code" in expr else []

        def tracks(self, selector: str, start: float, end: float) -> list[Track]:
            raise AssertionError(f"a glance reads no samples: {selector} {start} {end}")

    assert glance(Holder("p", ("n",), (Server(),), 60.0), "c", SPAN).codes == {"n": frozenset({None})}
