"""Slurm's programs as a host answers for them: recorded texts, and names that somebody chose with care."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients import slurmcli
from aamic.clients.base import Answer
from aamic.clients.slurmcli import SlurmCli
from aamic.clients.slurmcommands import Commands
from aamic.clients.slurmruns import check_job, check_node, check_reason
from aamic.compile.hostlist import expand
from aamic.errors import OutsideError
from aamic.model.slurm import ExitStatus, Job

RECORDED = Path(__file__).parents[1] / "recorded/slurm/client/22.05"
MARK = "|0123456789abcdef|"
AT = 1795632947.0


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


@dataclass
class Controller:
    """A host that answers with recorded texts; `missing` holds what a program says in place of its answer."""

    missing: dict[str, str] = field(default_factory=dict)
    ran: list[Sequence[str]] = field(default_factory=list)

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        words = command[5:]
        self.ran.append(words)
        assert (host, command[0], list(payload), timeout) == ("ctl", "sh", [], 60.0)
        if words[0] in self.missing:
            return Answer(1, b"", self.missing[words[0]].encode())
        return Answer(0, self.text(words).encode(), b"")

    def text(self, words: Sequence[str]) -> str:
        if words[0] == "squeue":
            return recorded("squeue.txt").replace(MARK, words[-1].split(",")[0].partition(":")[2])
        if words[0] == "sacct":
            mark = next(word for word in words if word.startswith("--delimiter=")).partition("=")[2]
            return recorded("sacct.txt").replace(MARK, mark)
        return recorded(f"scontrol-show-{words[2]}.txt") if words[1] == "show" else ""

    def close(self) -> None:
        pass


def slurm(controller: Controller, note: Callable[[str], None] = print) -> SlurmCli:
    return SlurmCli(Commands(controller, "ctl"), expand, note)


def test_a_job_with_a_name_that_imitates_fields_is_read_as_it_is() -> None:
    (job,) = slurm(Controller()).job("1")

    assert job == Job(
        id=1, shown="1", name="x Reason=foo NodeList=evil\n   JobState=FAILED ExitCode=9:9", user="root",
        account="root", partition="main", state="RUNNING", flags=(), reason="", submitted=AT, started=AT, ended=None,
        nodes=("node-01",), gpus={"node-01": (0, 1)}, gpu_count=2, exit=None, restarts=0, source="scontrol",
    )  # fmt: skip


def test_every_kind_of_job_of_the_controller_is_read() -> None:
    found = {job.shown: job for job in slurm(Controller()).jobs()}

    assert {name: (job.state, job.exit, job.ended, job.gpu_count) for name, job in found.items()} == {
        "1": ("RUNNING", None, None, 2),
        "2": ("FAILED", ExitStatus(3, 0), AT + 1, 1),
        "3_[2-9%2]": ("PENDING", None, None, 1),
        "3_0": ("RUNNING", None, None, 1),
        "3_1": ("RUNNING", None, None, 1),
        "4+0": ("PENDING", None, None, 1),
        "4+1": ("PENDING", None, None, None),
        "6": ("CANCELLED", ExitStatus(0, 0), AT + 4, None),
        "7": ("CANCELLED", ExitStatus(0, 0), AT + 4, None),
    }
    assert found["6"].started is None


def test_indices_are_not_known_of_a_job_that_ended() -> None:
    (job,) = slurm(Controller()).job("2")

    assert (job.gpus, job.gpu_count) == (None, 1)


def test_an_array_task_is_found_by_its_name_and_the_array_gives_all_parts() -> None:
    client = slurm(Controller())

    assert [job.gpus for job in client.job("3_1")] == [{"node-02": (0,)}]
    assert [job.shown for job in client.job("3")] == ["3_[2-9%2]", "3_0", "3_1"]
    assert [job.shown for job in client.job("4")] == ["4+0", "4+1"]
    assert [job.id for job in client.job("4+1")] == [5]


def test_a_job_that_the_controller_forgot_is_in_accounting() -> None:
    controller = Controller({"squeue": "slurm_load_jobs error: Invalid job id specified"})
    (job,) = slurm(controller).job("7")

    assert (job.source, job.state, job.by, job.started, job.nodes) == ("sacct", "CANCELLED", 0, None, ())


def test_a_job_that_nobody_knows_is_none() -> None:
    controller = Controller({"squeue": "slurm_load_jobs error: Invalid job id specified"})

    assert slurm(controller).job("99") == ()


def test_without_accounting_a_forgotten_job_is_not_told_as_unknown_to_all() -> None:
    missing = {"squeue": "Invalid job id specified", "sacct": "Slurm accounting storage is disabled"}

    with pytest.raises(OutsideError, match="accounting cannot be asked") as raised:
        slurm(Controller(missing)).job("7")
    assert raised.value.hint == "the cluster keeps no accounting, so finished jobs are soon forgotten"


def test_finished_parts_that_cannot_be_looked_up_are_noted() -> None:
    notes: list[str] = []
    found = slurm(Controller({"sacct": "Connection refused"}), notes.append).job("3")

    assert len(found) == 3
    assert notes == [
        "earlier runs and finished parts of job `3` are not known: `ctl`: `sacct` failed (status 1): Connection refused"
    ]


def test_a_controller_that_is_down_is_told() -> None:
    with pytest.raises(OutsideError, match="`ctl`: `squeue` failed") as raised:
        slurm(Controller({"squeue": "slurm_load_jobs error: Unable to contact slurm controller"})).job("1")
    assert raised.value.hint == "is slurmctld running there? `systemctl status slurmctld` tells"


def test_history_keeps_what_ran_in_the_window_on_the_nodes() -> None:
    controller = Controller()
    found = slurm(controller).history(AT, AT + 10, ["node-02"])

    assert [job.shown for job in found] == ["3_1"]
    assert controller.ran[0][-6:] == ("-S", "2026-11-25T18:55:47", "-E", "2026-11-25T18:55:57", "-N", "node-02")


def test_nodes_are_read_whatever_their_reasons_imitate() -> None:
    first, second = slurm(Controller()).nodes()

    assert (first.name, first.state, first.flags, first.gpus) == ("node-01", "MIXED", ("DRAIN",), 4)
    assert (first.reason, first.reason_by, first.reason_at) == ('aamic: x "y" State=IDLE [root@5]', "root", AT + 10)
    assert (second.name, second.reason, second.partitions) == ("node-02", "", ("main",))


def test_drain_and_resume_hand_words_over_whole() -> None:
    controller = Controller()
    slurm(controller).drain("node-01", 'aamic: "$(reboot)" State=IDLE')
    slurm(controller).resume("node-01")

    assert controller.ran == [
        ("scontrol", "update", "NodeName=node-01", "State=DRAIN", 'Reason=aamic: "$(reboot)" State=IDLE'),
        ("scontrol", "update", "NodeName=node-01", "State=RESUME"),
    ]


@pytest.mark.parametrize("name", ["", "1;reboot", "-1", "1_", "1_[2-3]", "1 2", "x", "1\n"])
def test_what_is_no_job_is_refused(name: str) -> None:
    with pytest.raises(OutsideError, match="is no job"):
        check_job(name)


@pytest.mark.parametrize("name", ["", "ALL", "all", "n1,n2", "n[1-2]", "n1 State=IDLE", "-n1", "default"])
def test_what_is_not_one_node_is_refused(name: str) -> None:
    with pytest.raises(OutsideError, match="not the name of one node"):
        check_node(name)


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\x1b[2J", "x" * 1001])
def test_a_reason_is_one_line(reason: str) -> None:
    with pytest.raises(OutsideError, match="one line of text"):
        check_reason(reason)


NAMES = st.text(st.sampled_from("x =|:()\n[]{}\"'JobNameStateNodesGRESIDX0123456789,-\t")) | st.sampled_from(
    ["x\n   JobState=FAILED", "a\n     Nodes=node-01 CPU_IDs=0 Mem=0 GRES=gpu:2(IDX:2-3)", "|0123456789abcde|"]
)


@given(name=NAMES, comment=NAMES)
def test_a_name_changes_no_other_field(name: str, comment: str) -> None:
    old = "x Reason=foo NodeList=evil\n   JobState=FAILED ExitCode=9:9"
    text = recorded("squeue.txt").replace(old, name)
    shown = recorded("scontrol-show-job.txt").replace(old, name).replace("a\nNodes=evil", comment)
    (job,) = [job for job in slurmcli.read_squeue(text, MARK, expand) if job.id == 1]
    (whole,) = slurmcli.with_indices((job,), shown, expand)

    assert whole.name == name
    assert (whole.state, whole.nodes, whole.gpus) == ("RUNNING", ("node-01",), {"node-01": (0, 1)})


@given(st.text() | st.text(st.sampled_from("|0123456789abcdef\nNodeName=State+Reason[]@ \t")))
def test_garbage_is_an_error_in_words_or_nothing(text: str) -> None:
    with suppress(OutsideError):
        slurmcli.read_squeue(text, MARK, expand)
    with suppress(OutsideError):
        slurmcli.read_sacct(text, MARK, expand)
    with suppress(OutsideError):
        slurmcli.read_nodes(text)


@given(st.lists(st.text(st.characters(exclude_characters="|")), min_size=15, max_size=15))
def test_fields_may_hold_anything(fields: list[str]) -> None:
    fields[0] = "7"
    (job,) = slurmcli.read_squeue("".join(f"{each}{MARK}" for each in fields) + "\n", MARK, expand)

    assert (job.id, job.name) == (7, fields[2])
