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
    (tmp_path / "notes.md").write_text("mine")

    write_site(tmp_path, FILES)
    write_site(tmp_path / "new/folder", FILES)

    assert read(tmp_path / "new/folder") == FILES
    assert {**FILES, "notes.md": b"mine"}.items() <= read(tmp_path).items()


def test_nothing_is_written_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "racks/east").mkdir(parents=True)
    (tmp_path / "racks/east/a.yaml").symlink_to("nowhere")

    assert refused(tmp_path) == "`OUT/racks/east/a.yaml` is there already (nothing was written; name an empty folder)"
    assert not (tmp_path / "site.yaml").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "racks").symlink_to(elsewhere)

    assert refused(out) == "`OUT/racks` is no folder (nothing was written; name an empty folder)"
    assert (list(elsewhere.iterdir()), list(out.iterdir())) == ([], [out / "racks"])


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("x")

    assert refused(out) == "`OUT` is no folder (name an empty folder)"


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match=r"File name too long"):
        write_site(tmp_path / "out", {**FILES, "x" * 300: b""})

    assert list(tmp_path.iterdir()) == []
