"""One look for all, each question within its time, and alerts that hold nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic

import pytest

from aamic.clients.base import Sample
from aamic.errors import OutsideError, SilentError
from aamic.model.api import Alert
from aamic.ops.clusterview import View
from aamic.serve.snapshot import Ahead, Hurried, Snapshot
from tests.serve.server import view


def looks(*outcomes: View | Exception) -> tuple[Callable[[], View], list[int]]:
    """A look that comes to these in turn, and how often it was asked."""
    asked: list[int] = []

    def look() -> View:
        outcome = outcomes[len(asked)]
        asked.append(1)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return look, asked


async def outcome(snapshot: Snapshot) -> View | str:
    try:
        return await snapshot.view()
    except OutsideError as error:
        return str(error)


def test_a_look_counts_for_a_while_and_a_failure_for_a_shorter_one() -> None:
    good = view()
    look, asked = looks(good, OutsideError("gone"), good)

    async def story() -> list[View | str]:
        snapshot = Snapshot(look, 5.0, fresh=0.4, sore=0.2)
        found = [await outcome(snapshot), await outcome(snapshot)]
        await asyncio.sleep(0.5)
        found += [await outcome(snapshot), await outcome(snapshot)]
        await asyncio.sleep(0.3)
        return [*found, await outcome(snapshot)]

    assert asyncio.run(story()) == [good, good, "gone", "gone", good]
    assert len(asked) == 3


def test_a_bug_in_one_look_is_logged_and_told_as_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    good = view()
    look, _ = looks(OverflowError("infinity"), good)

    async def story() -> list[View | str]:
        snapshot = Snapshot(look, 5.0, sore=0.1)
        found = [await outcome(snapshot)]
        await asyncio.sleep(0.2)
        return [*found, await outcome(snapshot)]

    assert asyncio.run(story()) == ["what Prometheus says was not understood", good]
    assert "OverflowError: infinity" in caplog.text


def test_who_goes_away_spoils_it_for_nobody() -> None:
    go, good = Event(), view()

    def look() -> View:
        go.wait(20)
        return good

    async def story() -> View:
        snapshot = Snapshot(look, 5.0)
        impatient, patient = (asyncio.create_task(snapshot.view()) for _ in range(2))
        await asyncio.sleep(0.1)
        impatient.cancel()
        go.set()
        return await patient

    assert asyncio.run(story()) == good


class Answers:
    """Metrics that answer with a sample, or fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked = 0
        self._failure = failure

    def query(self, expr: str) -> Sequence[Sample]:
        self.asked += 1
        if self._failure is not None:
            raise self._failure
        return [Sample({"expr": expr}, 1.0)]


@pytest.mark.parametrize(
    ("failure", "timeout", "asked"),
    [(SilentError("silent"), 5.0, 1), (OutsideError("refused"), 5.0, 3), (None, 5.0, 3), (None, -1.0, 0)],
)
def test_a_silent_prometheus_is_asked_once_and_nobody_when_time_is_up(
    failure: Exception | None, timeout: float, asked: int
) -> None:
    metrics = Answers(failure)
    hurried = Hurried(metrics, timeout)
    for _ in range(3):
        try:
            assert hurried.query("up") == [Sample({"expr": "up"}, 1.0)]
        except OutsideError as error:
            assert error is failure or timeout < 0  # noqa: PT017  # that, or the answer

    assert metrics.asked == asked


class Bells:
    """Alarms that come to something after a while."""

    def __init__(self, outcome: Sequence[Alert] | Exception, until: Event | None = None) -> None:
        self._outcome = outcome
        self._until = until

    def firing(self) -> Sequence[Alert]:
        if self._until is not None:
            self._until.wait(20)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def test_alerts_come_from_beside() -> None:
    found = view().alerts or ()

    assert Ahead(Bells(found), 5.0).firing() == found


@pytest.mark.parametrize(
    ("failure", "told"),
    [(OutsideError("none answers"), "none answers"), (KeyError("a bug"), "what Alertmanager says was not understood")],
)
def test_alerts_that_failed_are_never_no_alerts(failure: Exception, told: str) -> None:
    with pytest.raises(OutsideError, match=told):
        Ahead(Bells(failure), 5.0).firing()


def test_alerts_that_hang_are_given_up_in_time() -> None:
    until, began = Event(), monotonic()
    with pytest.raises(SilentError, match=r"no Alertmanager answered within 0\.3 s"):
        Ahead(Bells((), until), 0.3).firing()
    until.set()

    assert monotonic() - began < 5
