from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.model.slurm import ExitStatus, HookRecord
from aamic.ops.hookjournal import read_journal

LINE = "1\t1764090000\t41\tkim\t1000\tmain\tml\t0,3\t0:9\tfail\t0\tgpu-001\t1\tXID 79"


def test_a_line_becomes_a_record_of_the_host_that_was_asked() -> None:
    journal = read_journal("gpu-007", f"{LINE}\n")

    assert journal.records == (
        HookRecord("gpu-007", 1764090000.0, 41, "kim", "main", (0, 3), ExitStatus(0, 9), "fail", "XID 79"),
    )


def test_lines_that_make_no_sense_are_counted_and_others_are_read() -> None:
    journal = read_journal("gpu-001", f"\nnonsense\n2{LINE[1:]}\n{LINE}\n{LINE[:20]}")

    assert (len(journal.records), journal.damaged) == (1, 3)


@given(st.text() | st.lists(st.text(), min_size=14, max_size=14).map("\t".join).map("1\t".__add__))
def test_whatever_a_host_says_is_read_or_counted(text: str) -> None:
    journal = read_journal("n", text)

    assert len(journal.records) + journal.damaged == len([line for line in text.split("\n") if line])
