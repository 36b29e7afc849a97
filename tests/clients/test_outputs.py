from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.clients.outputs import Differences, check, compare, write
from aamic.errors import OutsideError

NOBODY = 65_534
Act = Callable[[dict[str, bytes], Path], Differences]


def tree(**files: bytes) -> dict[str, bytes]:
    """A desired tree of one bundle whose manifest accounts for its files."""
    paths: dict[str, dict[str, str]] = {f"/etc/{name}": {} for name in files}
    manifest = orjson.dumps({"bundles": {"b": {"files": paths}}})
    return {f"b/etc/{name}": content for name, content in files.items()} | {"manifest.json": manifest}


def read(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_write_makes_the_folder_hold_exactly_the_tree(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "outputs"

    first = write(tree(a=b"1", b=b"2"), out)
    second = write(tree(b=b"3", c=b"4"), out)

    assert first == Differences(("b/etc/a", "b/etc/b", "manifest.json"), (), ())
    assert second == Differences(("b/etc/c",), ("b/etc/b", "manifest.json"), ("b/etc/a",))
    assert read(out) == tree(b=b"3", c=b"4")
    assert [path.name for path in out.parent.iterdir()] == ["outputs"]


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    before = {path: path.stat().st_ino for path in (out, *out.rglob("*"))}

    assert not write(tree(a=b"1"), out)
    assert {path: path.stat().st_ino for path in (out, *out.rglob("*"))} == before


def test_an_edited_file_is_put_right(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    (out / "b/etc/a").write_bytes(b"edited")

    assert compare(tree(a=b"1"), out) == Differences((), ("b/etc/a",), ())
    write(tree(a=b"1"), out)
    assert read(out) == tree(a=b"1")


@pytest.mark.parametrize("name", ["notes.txt", "b/etc/other", ".git/config"])
def test_a_folder_with_files_of_others_is_refused_whole(tmp_path: Path, name: str) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")

    with pytest.raises(OutsideError, match=f"holds files that aamic did not write: `{name}`"):
        write(tree(a=b"2"), out)
    assert (out / "b/etc/a").read_bytes() == b"1"
    assert (out / name).read_text() == "mine"


def test_a_folder_that_was_never_rendered_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")

    with pytest.raises(OutsideError, match=r"thesis\.tex"):
        write(tree(a=b"1"), tmp_path)
    assert read(tmp_path) == {"thesis.tex": b"mine"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs").symlink_to("elsewhere")

    with pytest.raises(OutsideError, match="is not a folder"):
        write(tree(a=b"1"), tmp_path / "outputs")


def test_a_file_where_the_folder_belongs_is_named(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("mine")

    with pytest.raises(OutsideError, match="is not a folder"):
        write(tree(a=b"1"), tmp_path / "outputs")


def test_a_write_that_fails_leaves_the_old_tree(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    impossible = tree(a=b"2") | {"b/" + "x" * 300: b""}

    with pytest.raises(OutsideError, match="File name too long"):
        write(impossible, out)
    assert read(out) == tree(a=b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


@settings(max_examples=30)
@given(
    before=st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=3)),
    after=st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=3)),
)
def test_any_tree_can_follow_any_other(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    out = tmp_path_factory.mktemp("any") / "outputs"
    write(tree(**before), out)
    write(tree(**after), out)

    assert read(out) == tree(**after)
    assert not compare(tree(**after), out)


def test_a_manifest_in_conflict_is_written_anew(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    (out / "manifest.json").write_text("<<<<<<< HEAD\n")

    write(tree(a=b"2"), out)

    assert read(out) == tree(a=b"2")


def test_without_a_manifest_nothing_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1", b=b"2"), out)
    (out / "manifest.json").unlink()

    with pytest.raises(OutsideError, match="is missing or broken, so nothing tells whether aamic wrote `b/etc/b`"):
        write(tree(a=b"1"), out)
    assert (out / "b/etc/b").read_bytes() == b"2"


@pytest.mark.parametrize("act", [check, write])
def test_a_link_to_a_folder_of_others_is_foreign(tmp_path: Path, act: Act) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    (tmp_path / "mine").mkdir()
    (out / "notes").symlink_to("../mine")

    with pytest.raises(OutsideError, match="holds files that aamic did not write: `notes`"):
        act(tree(a=b"2"), out)
    assert (out / "notes").is_symlink()


@pytest.mark.parametrize("act", [check, write])
def test_a_manifest_that_is_a_pipe_is_not_waited_for(tmp_path: Path, act: Act) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1", b=b"2"), out)
    (out / "manifest.json").unlink()
    os.mkfifo(out / "manifest.json")

    with pytest.raises(OutsideError, match="is missing or broken"):
        act(tree(a=b"1"), out)


def test_what_a_killed_render_left_is_removed(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    (tmp_path / f".outputs.{child}" / "b").mkdir(parents=True)
    (tmp_path / ".outputs.1").mkdir()
    (tmp_path / ".outputs.mine").mkdir()

    write(tree(a=b"1"), tmp_path / "outputs")

    assert sorted(path.name for path in tmp_path.iterdir()) == [".outputs.1", ".outputs.mine", "outputs"]


def test_all_folders_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(tree(a=b"1"), tmp_path / "outputs")
    finally:
        os.umask(before)

    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*") if path.is_dir()} == {"0o700"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    write(tree(a=b"1"), out)
    tmp_path.chmod(0o755)
    (out / "b/etc/a").chmod(0)
    user = os.geteuid()
    os.seteuid(user or NOBODY)  # root reads everything
    try:
        with pytest.raises(OutsideError, match=r"cannot read or write `.*b/etc/a`: Permission denied|outputs.*denied"):
            check(tree(a=b"2"), out)
    finally:
        os.seteuid(user)
