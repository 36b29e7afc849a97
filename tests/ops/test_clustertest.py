"""Which step of a first contact each state stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from aamic.clients.base import Shown
from aamic.errors import RemoteError, RemoteState
from aamic.model.api import Version
from aamic.model.fleet import RemoteCluster
from aamic.model.overview import StepName
from aamic.model.secret import SecretEnv
from aamic.ops.clustertest import Answered, tried

STEPS = get_args(StepName)
BUSAN = RemoteCluster(
    "busan", "https://busan.example", "aami", SecretEnv(env="KEY"), None, None, None, {}, 10.0, federate=False
)


@pytest.mark.parametrize("state", get_args(RemoteState))
def test_exactly_one_step_fails_in_each_state_and_nothing_behind_it_is_known(state: RemoteState) -> None:
    found = tried(BUSAN, RemoteError(state, "why", "what to do"), "seoul")
    marks = [step.ok for step in found.steps]
    failed = marks.index(False)

    assert [step.name for step in found.steps] == list(STEPS)
    assert (found.state, found.hint, found.connected) == (state, "what to do", False)
    assert found.steps[failed].message == "why"
    assert marks[failed + 1 :] == [None] * (len(STEPS) - failed - 1)


def test_no_answer_in_time_proves_no_step_before_it() -> None:
    found = tried(BUSAN, RemoteError("slow", "why"), "seoul")

    assert [step.ok for step in found.steps] == [True, None, None, None, False, None]


def test_what_does_not_apply_is_neither_right_nor_wrong() -> None:
    plain = replace(BUSAN, endpoint="http://127.0.0.1:9", api_key=None)
    found = tried(plain, Answered(Version(aamic="0.1.0", cluster="busan")), "seoul")

    assert [step.ok for step in found.steps] == [None, True, None, None, True, True]


@pytest.mark.parametrize(
    ("days", "warnings"),
    [
        (15.0, []),
        (13.0, ["its certificate ends in 13 days: it is time for another"]),
        (-1.0, ["its certificate ends in 0 days: it is time for another"]),
    ],
)
def test_a_certificate_is_warned_of_two_weeks_before_its_end(days: float, warnings: list[str]) -> None:
    shown = Shown("busan.example", "our CA", 1_800_000_000.0)
    outcome = Answered(Version(aamic="0.1.0", cluster="busan"), shown, shown.not_after - days * 86400)
    found = tried(BUSAN, outcome, "seoul")

    assert found.warnings == warnings
    assert found.steps[2].message == "verified, for `busan.example`, from `our CA`, valid until 2027-01-15"
