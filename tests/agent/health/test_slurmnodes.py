from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.policy import Node
from aamic.agent.health.slurmnodes import NoSlurm, drain, parse

LINE = (
    "NodeName=node-01 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=8 CPUTot=8 CPULoad=2.61 "
    "AvailableFeatures=(null) ActiveFeatures=(null) Gres=gpu:4 NodeAddr=198.19.238.21 NodeHostName=node-01 "
    "Version=22.05.8 OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=8000 AllocMem=0 FreeMem=22111 Sockets=8 "
    "Boards=1 State=IDLE+DRAIN+NOT_RESPONDING ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A "
    "Partitions=main  BootTime=None SlurmdStartTime=1795633718 LastBusyTime=1795633721 "
    "CfgTRES=cpu=8,mem=8000M,billing=8 AllocTRES= CapWatts=n/a CurrentWatts=0 AveWatts=0 ExtSensorsJoules=n/s "
    "ExtSensorsWatts=0 ExtSensorsTemp=n/s"
)
"""As the real scontrol of 22.05.8 printed it, asked for times in seconds."""
FLAGS = frozenset({"DRAIN", "NOT_RESPONDING"})
STAMP = "[root@1795633721]"


def of(line: str) -> Node | None:
    return parse(line + "\n").get("node-01")


@pytest.mark.parametrize(
    ("rest", "reason", "at"),
    [
        ("", "", None),
        (f" Reason=disk full {STAMP}", "disk full", 1795633721.0),
        (f" Reason=disk full {STAMP} Comment=c1", "disk full", 1795633721.0),
        (" Reason=disk full Comment=c1", "disk full Comment=c1", None),
        (f" Reason=Prolog error {STAMP}", "Prolog error", 1795633721.0),
        (f" Reason=two {STAMP}         lines", "two", 1795633721.0),
        (f" Reason=Prolog error [me@5] {STAMP}", f"Prolog error [me@5] {STAMP}", None),
        (f" Comment=x Reason=aamic: y {STAMP}", "", None),
        (f" Extra=x Reason=Prolog error {STAMP}", "", None),
        (f' Reason=disk" [ann@1] Comment=aamic: x {STAMP}', f'disk" [ann@1] Comment=aamic: x {STAMP}', None),
    ],
)
def test_the_reason_and_its_time(rest: str, reason: str, at: float | None) -> None:
    assert of(LINE + rest) == Node("IDLE", FLAGS, reason, at, "" if at is None else "root")


@pytest.mark.parametrize(
    ("state", "base", "flags"),
    [
        ("IDLE", "IDLE", set()),
        ("MIXED+DRAIN", "MIXED", {"DRAIN"}),
        ("DOWN*+DRAIN", "DOWN", {"DRAIN"}),
        ("IDLE~", "IDLE", set()),
        ("IDLE+CLOUD+POWERED_DOWN", "IDLE", {"CLOUD", "POWERED_DOWN"}),
    ],
)
def test_the_state_and_its_flags(state: str, base: str, flags: set[str]) -> None:
    assert of(LINE.replace("IDLE+DRAIN+NOT_RESPONDING", state)) == Node(base, frozenset(flags), "", None)


def test_a_line_that_tells_two_states_tells_none() -> None:
    assert of(LINE.replace("OS=Linux", "OS=Linux State=IDLE ThreadsPerCore=1 ")) is None
    assert of(LINE.replace(" State=", " ")) is None


def test_a_node_that_is_told_of_twice_is_left_out_unless_it_counts_as_ours() -> None:
    forged = "NodeName=node-01 State=IDLE ThreadsPerCore=1 x"
    ours = f"{LINE} Reason=aamic: x {STAMP}"

    assert parse(f"{LINE}\n{forged}\n") == {}
    assert parse(f"{forged}\n{ours}\n") == {"node-01": Node("IDLE", FLAGS, "aamic: x", 1795633721.0, "root")}


@given(st.text())
def test_whatever_is_printed_is_read_without_an_error(text: str) -> None:
    assert parse(text + LINE.replace(" State=", text)) is not None


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))
def test_no_reason_makes_a_node_ours_or_free(text: str) -> None:
    node = of(f"{LINE} Reason=x{text} {STAMP}")

    assert node is None or (node.flags == FLAGS and node.reason.startswith("x"))


@pytest.mark.parametrize("name", ["ALL", "all", "n[1-9]", "n1,n2", "-h", "", "n 1", "localhost"])
def test_a_name_that_stands_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(NoSlurm, match="is no name of a node"):
        drain(name, "aamic: x", 1.0)
