from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aamic.clients.git import Commit, commit_of, files_at, merge_base
from aamic.errors import OutsideError


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, bytes]) -> str:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, {"site.yaml": b"a", "outputs/x/etc/a b": b"one\r\n\0", "outputs/é": b"", "other": b"no"})
    return folder


def test_the_files_of_a_folder_at_a_revision(clone: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    commit(clone, {"outputs/x/etc/a b": b"two"})
    expected = {"x/etc/a b": b"one\r\n\0", "é": b""}

    assert files_at(clone / "outputs", first) == expected
    assert files_at(clone / "outputs", "HEAD~1") == expected
    assert files_at(clone / "outputs", "main")["x/etc/a b"] == b"two"


def test_a_folder_that_is_no_longer_there_can_still_be_read(clone: Path) -> None:
    git(clone, "rm", "-r", "-q", "outputs")

    assert set(files_at(clone / "outputs", "HEAD")) == {"x/etc/a b", "é"}


def test_where_two_branches_parted(clone: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "-q", "-b", "change")
    commit(clone, {"site.yaml": b"b"})
    git(clone, "checkout", "-q", "main")
    commit(clone, {"site.yaml": b"c"})
    git(clone, "checkout", "-q", "change")

    assert merge_base(clone, "main") == first
    assert merge_base(clone, "HEAD") == git(clone, "rev-parse", "HEAD")


def test_branches_without_a_common_commit_are_not_compared(clone: Path) -> None:
    git(clone, "checkout", "-q", "--orphan", "alone")
    commit(clone, {"site.yaml": b"d"})
    git(clone, "checkout", "-q", "main")
    with pytest.raises(OutsideError, match="`HEAD` and `alone` have no commit in common here") as caught:
        merge_base(clone, "alone")

    assert "`fetch-depth: 0`" in (caught.value.hint or "")


def test_a_shallow_clone_does_not_know_where_branches_parted(clone: Path, tmp_path: Path) -> None:
    git(clone, "checkout", "-q", "-b", "change")
    commit(clone, {"site.yaml": b"b"})
    git(clone, "checkout", "-q", "main")
    commit(clone, {"site.yaml": b"c"})
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", "-b", "change", f"file://{clone}", "shallow")
    with pytest.raises(OutsideError, match="have no commit in common here"):
        merge_base(tmp_path / "shallow", "origin/main")


def test_the_commit_of_a_folder_and_whether_it_differs(clone: Path, tmp_path: Path) -> None:
    name = git(clone, "rev-parse", "HEAD")
    assert commit_of(clone) == Commit(name, dirty=False)
    (clone / "other").write_text("changed")
    assert commit_of(clone) == Commit(name, dirty=True)
    assert commit_of(clone / "outputs") == Commit(name, dirty=False)
    assert commit_of(tmp_path) is None


@pytest.mark.parametrize(
    ("folder", "revision", "told", "hint"),
    [
        ("repo/outputs", "nope", "git knows no revision `nope`", "fetch it first"),
        ("repo/outputs", "--help", "git knows no revision `--help`", "fetch it first"),
        ("repo/outputs", "HEAD:outputs", "git knows no revision `HEAD:outputs`", "fetch it first"),
        ("repo/none", "HEAD", "has no files at", "render and commit the outputs first"),
        ("repo/outputs", "", "the git revision is empty", "is a variable not set"),
        ("outputs", "HEAD", "is in no git repository", "from a clone of the site"),
    ],
)
@pytest.mark.usefixtures("clone")
def test_what_git_cannot_give_is_told(tmp_path: Path, folder: str, revision: str, told: str, hint: str) -> None:
    with pytest.raises(OutsideError, match=told) as caught:
        files_at(tmp_path / folder, revision)

    assert hint in (caught.value.hint or "")


def test_what_a_site_holds_is_not_taken_for_a_repository(clone: Path, tmp_path: Path) -> None:
    site, mark = clone / "site", tmp_path / "mark"
    git(clone, "init", "-q", "-b", "main", "--bare", str(site))
    git(clone, "push", "-q", str(site), "main")
    for key, value in (("core.bare", "false"), ("core.worktree", str(site)), ("core.fsmonitor", f"touch {mark}; #")):
        git(site, "config", "--file", str(site / "config"), key, value)

    assert commit_of(site) is None
    assert not mark.exists()
