"""A file that a user names is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aamic.clients.files import Rewrite, expect_writable, rewrite, write_below, write_whole
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


def rewrites(folder: Path) -> list[Rewrite]:
    """Two files with old content, to be given new one."""
    paths = [folder / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"old")
    return [Rewrite(path, b"old", b"new") for path in paths]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_rewritten_with_their_modes(tmp_path: Path) -> None:
    files = rewrites(tmp_path)
    (tmp_path / "a").chmod(0o600)
    rewrite(files)

    assert contents(tmp_path) == {"a": b"new", "b": b"new"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_no_file_is_rewritten_if_one_has_changed(tmp_path: Path) -> None:
    files = rewrites(tmp_path)
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(OutsideError, match="has changed meanwhile"):
        rewrite(files)

    assert contents(tmp_path) == {"a": b"old", "b": b"mine"}


def test_a_file_written_before_another_fails_is_put_back(tmp_path: Path) -> None:
    files = rewrites(tmp_path)
    (tmp_path / f".b.{os.getpid()}").mkdir()  # where the new content would be written
    with pytest.raises(OutsideError, match="cannot write"):
        rewrite(files)
    (tmp_path / f".b.{os.getpid()}").rmdir()

    assert contents(tmp_path) == {"a": b"old", "b": b"old"}


def test_files_go_into_a_folder_that_is_made_and_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    write_below(folder, {"one": b"1"})
    write_below(folder, {"one": b"2", "two": b"3"})

    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"one": b"2", "two": b"3"}


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")

    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OutsideError, match="cannot write"):
            write_below(folder, {"one": b"1"})


def test_a_link_among_files_of_a_folder_is_exchanged_and_what_it_leads_to_is_left(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "mine", tmp_path / "preview"
    elsewhere.write_bytes(b"mine")
    folder.mkdir()
    (folder / "a.html").symlink_to(elsewhere)
    write_below(folder, {"a.html": b"new"})

    assert (elsewhere.read_bytes(), (folder / "a.html").read_bytes()) == (b"mine", b"new")
    assert not (folder / "a.html").is_symlink()
