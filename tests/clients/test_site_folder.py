from __future__ import annotations

from pathlib import Path

import pytest

from aamic.clients.sitefolder import write_site
from aamic.errors import OutsideError

FILES = {"site.yaml": b"a: 1\r\n", "racks/east/a.yaml": b"b: 2\n"}


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path) -> str:
    with pytest.raises(OutsideError) as error:
        write_site(folder, FILES)
    return f"{error.value} ({error.value.hint})".replace(str(folder), "OUT")


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    write_site(tmp_path / "empty", FILES)
    write_site(tmp_path / "new/folder", FILES)

    assert read(tmp_path / "empty") == read(tmp_path / "new/folder") == FILES


@pytest.mark.parametrize("there", ["notes.md", ".git", "racks"])
def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path, there: str) -> None:
    (tmp_path / there).symlink_to("nowhere")

    assert refused(tmp_path) == "the folder `OUT` is not empty (nothing was written; name one that is, or a new one)"
    assert list(tmp_path.iterdir()) == [tmp_path / there]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("x")

    assert refused(out) == "`OUT` is no folder (name an empty folder)"


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match=r"File name too long"):
        write_site(tmp_path / "out", {**FILES, "x" * 300: b""})

    assert list(tmp_path.iterdir()) == []
