from __future__ import annotations

import io
from pathlib import Path

import pytest

from aamic.clients.textlines import lines, lines_of
from aamic.errors import OutsideError


def test_of_a_long_line_the_beginning_is_kept_and_the_next_is_whole() -> None:
    stream = io.BytesIO(b"a\n" + b"x" * 200_000 + b"\nb")

    assert [len(line) for line in lines(stream, "it")] == [2, 65_536, 1]


def test_a_line_of_just_that_length_is_followed_by_the_next() -> None:
    stream = io.BytesIO(b"x" * 65_535 + b"\nb\n")

    assert [len(line) for line in lines(stream, "it")] == [65_536, 2]


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match=f"cannot read `{tmp_path}`: Is a directory"):
        next(lines_of(tmp_path))
