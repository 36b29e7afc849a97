"""What git knows of a folder: which commit it is at, and what stood in it at another. Reads only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aamic.errors import OutsideError

_DEADLINE: Final = 120.0
_TRUST: Final = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
"""A site's folder may hold what git takes for a repository, whose configuration names programs."""
_FIRST: Final = ("git", "--no-optional-locks", "--literal-pathspecs", *_TRUST)


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that a folder is at, and whether files below the folder differ from it."""

    name: str
    dirty: bool


def commit_of(folder: Path) -> Commit | None:
    """The commit of a folder; None where it is in no repository, or git is not on this machine."""
    try:
        name = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        return Commit(name, bool(_git(folder, "status", "--porcelain", "--", ".")))
    except OutsideError:
        return None


def merge_base(folder: Path, revision: str) -> str:
    """The full name of the commit where the folder's own commit and `revision` parted.

    Raises:
        OutsideError: The folder is in no repository, the revision is unknown, or they have no commit in common here.
    """
    commit = _resolve(folder, revision)
    told = f"`HEAD` and `{revision}` have no commit in common here"
    hint = "fetch more history, such as with `fetch-depth: 0` in CI: this clone may be a shallow one"
    return _git(folder, "merge-base", "HEAD", commit, told=told, hint=hint).decode().strip()


def files_at(folder: Path, revision: str) -> dict[str, bytes]:
    """Every regular file that stood below a folder at a revision, by its path in the folder.

    Raises:
        OutsideError: The folder is in no repository, the revision is unknown, or nothing stood there.
    """
    near = folder if folder.is_dir() else folder.parent
    commit = _resolve(near, revision)
    top = Path(_git(near, "rev-parse", "--show-toplevel").decode().removesuffix("\n"))
    inner = folder.absolute().resolve().relative_to(top.resolve()).as_posix()
    blobs = dict(_blobs(_git(top, "ls-tree", "-r", "-z", "--full-tree", commit, "--", f"{inner}/"), inner))
    if not blobs:
        raise OutsideError(
            f"`{folder}` has no files at {commit[:7]}",
            "render and commit the outputs first, or name a revision that has them",
        )
    return dict(zip(blobs, _contents(top, tuple(blobs.values())), strict=True))


def _resolve(folder: Path, revision: str) -> str:
    outside = "compare from a clone of the site"
    _git(folder, "rev-parse", "--git-dir", told=f"`{folder}` is in no git repository", hint=outside)
    if not revision:
        raise OutsideError("the git revision is empty", "is a variable not set? write a branch, a tag or a commit")
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    hint = "fetch it first; a shallow clone, as CI makes, knows only the newest commits"
    found = _git(folder, *words, told=f"git knows no revision `{revision}`", hint=hint)
    return found.decode().split("\n")[0]


def _blobs(listing: bytes, inner: str) -> Iterator[tuple[str, str]]:
    for line in listing.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, name = about.decode().split(" ")
        if mode in {"100644", "100755"}:
            yield os.fsdecode(path).removeprefix(f"{inner}/"), name


def _contents(top: Path, names: Sequence[str]) -> Iterator[bytes]:
    """The contents of blobs, in one call: each comes behind a line with its name, type and size."""
    answer = _git(top, "cat-file", "--batch", payload="".join(f"{name}\n" for name in names).encode())
    position = 0
    for _ in names:
        end = answer.index(b"\n", position)
        size = int(answer[position:end].split(b" ")[2])
        yield answer[end + 1 : end + 1 + size]
        position = end + 1 + size + 1


def _git(folder: Path, *words: str, payload: bytes = b"", told: str | None = None, hint: str | None = None) -> bytes:
    """What git prints. Raises OutsideError with `told`, or else with what git says."""
    try:
        done = subprocess.run(
            [*_FIRST, "-C", str(folder), *words],
            input=payload,
            capture_output=True,
            timeout=_DEADLINE,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"`git` could not be run: {error}", "is it installed?") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else None
        raise OutsideError(told or f"`git {words[0]}` failed", hint if told else reason)
    return done.stdout
