"""What answers, and lost answers, of one host mean; the host says in turn what a test tells it to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aamic.clients.base import Answer
from aamic.deploy.calls import Caller
from aamic.errors import FailureKind, HostError
from aamic.model.report import HostReport, Origin
from tests.deploy.controller import Controller, fleet
from tests.deploy.trees import tree

Said = tuple[str, str] | FailureKind


@dataclass
class Script:
    """A host that answers with one after the other, or fails that way; `calls` are the verbs that it was asked."""

    says: list[Said]
    calls: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        assert payload
        assert timeout > 0
        verb = command[4]
        self.calls.append(verb)
        said = self.says.pop(0)
        if isinstance(said, str):
            raise HostError(said, f"`{host}`: {said}", "a hint")
        return Answer(0, f"aamic\t1\t{verb}\nresult\t{said[0]}\t{said[1]}\n".encode(), b"")

    def close(self) -> None:
        """Nothing is open."""

    def caller(self, confirm: int = 120) -> Caller:
        return Caller(self, Origin("r2", "an"), 5.0, confirm, self.pauses.append)


def confirmed(*says: Said, confirm: int = 120) -> tuple[HostReport, int]:
    script = Script(list(says))
    return script.caller(confirm).confirm_release("h"), len(script.calls)


def undone(*says: Said) -> HostReport:
    return Script(list(says)).caller().undo("h", "the gate")


def test_a_confirmation_is_asked_for_again_where_its_answer_is_lost() -> None:
    assert confirmed("lost", ("done", "r2")) == (HostReport("h", "done"), 2)
    assert confirmed("timeout", "unreachable", ("done", "r2")) == (HostReport("h", "done"), 3)
    assert confirmed("lost", ("gone", "no"))[0].state == "restored"


def test_a_confirmation_without_any_answer_is_not_said_to_go_back() -> None:
    report, calls = confirmed("lost", "unreachable", "unreachable")

    assert (report.state, calls) == ("unknown", 3)
    assert report.message == (
        "changed, and asked to keep that, without an answer: `h`: unreachable (a hint); "
        "it keeps the change, or goes back by itself within 120 s: `aamic status` tells"
    )


def test_a_confirmation_that_never_arrived_says_that_the_host_goes_back() -> None:
    report, calls = confirmed("unreachable", "unreachable", "unreachable")

    assert calls == 3
    assert report.message.endswith("it goes back by itself within 120 s unless confirmed")


def test_a_confirmation_is_not_repeated_where_that_cannot_help_or_comes_too_late() -> None:
    assert confirmed("wrong-key")[1] == 1
    assert confirmed("lost", confirm=1)[1] == 1


def test_a_host_whose_own_timer_was_quicker_is_restored() -> None:
    assert undone(("moved", "the host runs release r1, not r2")) == HostReport("h", "restored", "the gate")
    assert undone(("busy", "x"), ("busy", "x"), ("done", "r2")) == HostReport("h", "restored", "the gate")


def test_an_undo_does_not_wait_for_a_busy_host_for_ever() -> None:
    script = Script([("busy", "another change")] * 20)

    report = script.caller().undo("h", "the gate")

    assert (report.state, sum(script.pauses)) == ("unknown", 10)
    assert report.message.startswith("the gate; not rolled back: another change; it goes back by itself")


def test_what_is_half_restored_is_never_taken_for_restored() -> None:
    half = ("half", "/etc/a could not be put back")

    assert undone(half) == HostReport("h", "half restored", "the gate; /etc/a could not be put back")
    assert Script([half]).caller().roll_back("h", "r2") == HostReport("h", "half restored", half[1])
    assert Script([half]).caller().apply("h", (b"x",)).state == "half restored"


def test_an_apply_tells_of_hosts_that_kept_a_change_or_are_half_restored() -> None:
    hosts = ("a", "b", "c")
    controller = Controller(fleet(*hosts), tree(hosts))
    controller.fleet.cuts = {"a": "confirmed"}
    controller.fleet.breaks = controller.fleet.halves = {"b": "/etc/a could not be put back"}

    report = controller.apply()

    found = {each.host: each.state for each in report.hosts}
    assert (found["a"], found["b"], found["c"], report.ok) == ("done", "half restored", "not started", False)
