"""The brake of refusals: examples, and its law with nodes whose clocks, checks and ways to Prometheus differ."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.agent.health.budget import RECENT_REFUSAL, Brake, Decision, Facts, decide, facts, question
from aamic.agent.health.promquery import Sample
from aamic.catalog import promql

BRAKE = Brake(cap=2, settle=60)
ME = ("gpu-001", "gpu-001.example.com")


def known(*out: str, drained: int | None = 0, tripped: bool | None = False) -> Facts:
    return Facts(frozenset(out), drained, tripped)


def test_a_lone_failure_may_refuse_once_it_has_settled() -> None:
    first = decide(known("gpu-001"), ME, BRAKE, None, 1000.0)
    later = decide(known("gpu-001"), ME, BRAKE, first.visible, 1059.0)
    last = decide(known("gpu-001"), ME, BRAKE, later.visible, 1060.0)

    assert (first.refuse, later.refuse, last) == (False, False, Decision(True, "", 1000.0))
    assert later.why == "its failure is visible for 59 of 60 s"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (known("gpu-002"), "its failure is not visible in Prometheus yet"),
        (known(), "its failure is not visible in Prometheus yet"),
        (known("gpu-001", "gpu-002", "gpu-003"), "3 nodes fail and 0 are drained; the cap is 2"),
        (known("gpu-001", drained=2), "1 nodes fail and 2 are drained; the cap is 2"),
        (known("gpu-001", drained=None), "the drain controller says nothing"),
        (known("gpu-001", tripped=None), "the drain controller says nothing"),
        (known("gpu-001", tripped=True), "the breaker is tripped"),
    ],
)
def test_nobody_refuses_where_something_is_not_known_or_too_many_fail(found: Facts, why: str) -> None:
    decision = decide(found, ME, BRAKE, 0.0, 10_000.0)

    assert (decision.refuse, decision.why) == (False, why)


def test_a_clock_that_went_back_begins_to_wait_anew() -> None:
    assert decide(known("gpu-001"), ME, BRAKE, 5000.0, 100.0).visible == 100.0


def test_replicas_are_counted_once_and_the_worse_of_them_counts() -> None:
    samples = [
        Sample({"fact": "failing", "node": "a", "replica": "x"}, 1.0),
        Sample({"fact": "failing", "node": "a", "replica": "y"}, 1.0),
        Sample({"fact": "refused", "node": "b"}, 12.0),
        Sample({"fact": "drained", "replica": "x"}, 1.0),
        Sample({"fact": "drained", "replica": "y"}, 3.0),
        Sample({"fact": "drained", "replica": "z"}, float("nan")),
        Sample({"fact": "tripped"}, 0.0),
        Sample({"fact": "tripped"}, 1.0),
        Sample({"fact": "something"}, 1.0),
    ]

    assert facts(samples) == Facts(frozenset({"a", "b"}), 3, True)
    assert facts([]) == Facts(frozenset(), None, None)


@given(st.text(max_size=30))
def test_the_question_is_promql_whatever_the_cluster_is_called(cluster: str) -> None:
    quotable = cluster.isprintable()

    assert not quotable or promql.parse(question(cluster)) is not None


STEP, INTERVAL, LONGEST = 10, 30, 60
LAW = Brake(cap=2, settle=INTERVAL + LONGEST)


@dataclass
class Host:
    """A node with clocks of its own; `fails` are the steps from which on its verdict changes."""

    name: str
    offset: float
    phase: int
    delay: int
    fails: list[int]
    visible: float | None = None
    permitted_until: int = -1
    refused_at: int | None = None
    told: list[tuple[int, bool, int | None]] = field(default_factory=list)

    def failing(self, now: int) -> bool:
        return sum(change <= now for change in self.fails) % 2 == 1

    def shown(self, now: int) -> tuple[bool, int | None]:
        """What Prometheus has of it: what it told before its delay."""
        return next(((bad, at) for when, bad, at in reversed(self.told) if when <= now - self.delay), (False, None))

    def check(self, now: int, found: Facts) -> None:
        """As the node check does it: what it tells and what it permits change together."""
        self.permitted_until = -1
        if self.failing(now):
            decision = decide(found, [self.name], LAW, self.visible, now + self.offset)
            self.visible = decision.visible
            if decision.refuse:
                self.permitted_until = now + 3 * INTERVAL
        else:
            self.visible = None
        self.told.append((now, self.failing(now), self.refused_at))


HOSTS = st.builds(
    Host,
    name=st.just(""),
    offset=st.floats(0, 1e6),
    phase=st.sampled_from([0, 10, 20]),
    delay=st.integers(0, LONGEST),
    fails=st.lists(st.sampled_from(range(0, 900, 10)), min_size=1, max_size=5).map(sorted),
)


@settings(max_examples=200)
@given(st.lists(HOSTS, min_size=1, max_size=8), st.integers(0, RECENT_REFUSAL // 2), st.data())
def test_at_most_cap_nodes_ever_refuse(hosts: list[Host], note: int, data: st.DataObject) -> None:
    busy = data.draw(st.sampled_from([10, 30, 70]))
    for number, host in enumerate(hosts):
        host.name = f"gpu-{number:03d}"
    for now in range(0, 1200, STEP):
        for host in hosts:
            if now % INTERVAL == host.phase:
                host.check(now, _seen(hosts, now, note))
            if host.refused_at is None and now <= host.permitted_until and now % busy == 0:
                host.refused_at = now  # a job came

    assert sum(host.refused_at is not None for host in hosts) <= LAW.cap


def _seen(hosts: list[Host], now: int, note: int) -> Facts:
    shown = {host.name: host.shown(now) for host in hosts}
    recent = (name for name, (_, at) in shown.items() if at is not None and now - at < RECENT_REFUSAL)
    drained = sum(host.refused_at is not None and host.refused_at <= now - note for host in hosts)
    return Facts(frozenset({name for name, (bad, _) in shown.items() if bad} | set(recent)), drained, False)


@given(st.integers(3, 50))
def test_many_that_fail_at_once_refuse_nothing(count: int) -> None:
    hosts = [Host(f"gpu-{number}", 0.0, 10 * (number % 3), number % LONGEST, [100]) for number in range(count)]
    for now in range(0, 900, STEP):
        for host in hosts:
            if now % INTERVAL == host.phase:
                host.check(now, _seen(hosts, now, 0))

    assert [host.name for host in hosts if host.permitted_until >= 0] == []


def test_a_lone_failure_does_refuse_in_the_end() -> None:
    host = Host("gpu-1", 0.0, 0, 45, [100])
    for now in range(0, 900, INTERVAL):
        host.check(now, _seen([host], now, 0))

    assert host.permitted_until > 800
