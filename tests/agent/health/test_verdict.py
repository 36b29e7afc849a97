"""The verdict file: what is written is read back, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.verdict import STATES, Verdict, counts, parse, plain, text

VERDICT = Verdict("fail", 12_345, 1_764_090_000, 30, True, 0, "XID 79 on GPU 3", "-", ["3 fail XID 79"])
WHOLE = st.integers(0, 10**15 - 1)


def test_the_file_is_as_people_read_it() -> None:
    assert text(VERDICT).decode() == (
        "aamic-verdict 1\nverdict fail\nuptime 12345\ntime 1764090000\ninterval 30\nrefuse yes\nscore 0\n"
        "reason XID 79 on GPU 3\nbrake -\ngpu 3 fail XID 79\nend\n"
    )


VERDICTS = st.builds(
    Verdict,
    state=st.sampled_from(STATES),
    uptime=WHOLE,
    time=WHOLE,
    interval=WHOLE,
    refuse=st.booleans(),
    score=st.none() | st.integers(0, 100),
    reason=st.text(),
    brake=st.text(),
    gpus=st.lists(st.text(), max_size=5),
)


@given(VERDICTS)
def test_what_is_written_is_read_back_on_its_line(verdict: Verdict) -> None:
    written = text(verdict)
    shown = [plain(each, 120) for each in verdict.gpus]

    assert parse(written) == verdict._replace(reason=plain(verdict.reason), brake=plain(verdict.brake), gpus=shown)
    assert all(32 <= byte <= 126 for byte in written.replace(b"\n", b""))


@given(st.integers(0, len(text(VERDICT)) - 1))
def test_a_file_that_is_cut_off_is_none(length: int) -> None:
    with pytest.raises(ValueError, match=r"verdict|number|printable"):
        parse(text(VERDICT)[:length])


@given(st.binary(max_size=300))
def test_garbage_is_none(garbage: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever is wrong with it
        parse(garbage)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"aamic-verdict 1", b"aamic-verdict 2"),
        (b"verdict fail", b"verdict fine"),
        (b"verdict fail\n", b""),
        (b"uptime 12345", b"uptime -1"),
        (b"uptime 12345", b"uptime 9999999999999999"),
        (b"interval 30", b"interval"),
        (b"score 0", b"score 0\nscore 1"),
        (b"GPU 3", b"GPU\x1b[31m"),
        (b"GPU 3", "GPÜ".encode()),
        (b"end\n", b"end"),
        (b"end\n", b"end\nend\nmore\n"),
        (b"gpu ", b"gpu " * 20_000),
    ],
)
def test_what_is_wrong_is_not_guessed(old: bytes, new: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever is wrong with it
        parse(text(VERDICT).replace(old, new))


def test_it_counts_for_three_intervals_of_its_boot() -> None:
    ages = (-1, 0, 90, 91)

    assert [counts(VERDICT, 12_345 + age) for age in ages] == [False, True, True, False]
