"""A file that a user names is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aamic.clients.files import expect_writable, write_whole
from aamic.errors import OutsideError


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")
    with path.open() as reader:
        write_whole(path, b"new")
        assert reader.read() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("plan.json")
    write_whole(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "plan.json").read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    expect_writable(path)
    write_whole(path, b"new")
    read = os.read(reader, 10)
    os.close(reader)

    assert (read, path.is_fifo()) == (b"new", True)


@pytest.mark.parametrize(
    ("name", "told"),
    [("none/plan.json", "No such file"), ("file/plan.json", "Not a directory"), ("folder", "Is a directory")],
)
def test_what_cannot_be_written_is_known_before(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutsideError, match=told):
        expect_writable(tmp_path / name)
