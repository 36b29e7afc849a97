"""outputs/ on disk: compared, and replaced as a whole."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final

import orjson

from aamic.errors import OutsideError

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Differences:
    """Paths below outputs/, each in order."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def check(desired: Mapping[str, bytes], out: Path) -> Differences:
    """What `write` would change. Raises OutsideError where it would."""
    with _told(out):
        _refuse_foreign(desired, out)
        return compare(desired, out)


def write(desired: Mapping[str, bytes], out: Path) -> Differences:
    """Make `out` hold exactly `desired`, in one step: a reader sees the old tree or the new one, never a mixture.

    Nothing is written when nothing differs. Raises OutsideError when `out` holds files that aamic did not write, or
    when the file system refuses.
    """
    out = out.absolute()
    with _told(out):
        _refuse_foreign(desired, out)
        differences = compare(desired, out)
        if differences or not out.exists():
            _replace(desired, out)
        return differences


def compare(desired: Mapping[str, bytes], out: Path) -> Differences:
    """What writing `desired` to `out` would change; folders that exist for nothing do not count."""
    observed = _files(out)
    return Differences(
        added=tuple(sorted(desired.keys() - observed)),
        changed=tuple(sorted(path for path in desired.keys() & observed if not _same(out / path, desired[path]))),
        removed=tuple(sorted(observed - desired.keys())),
    )


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Failures of the file system in plain words."""
    try:
        yield
    except OSError as error:
        raise OutsideError(f"cannot read or write `{error.filename or out}`: {error.strerror}") from error


def _files(out: Path) -> set[str]:
    """Everything in a folder but folders; a link to a folder is no folder."""
    if not out.is_dir():
        return set()
    root = os.fspath(out)
    return {
        os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118  # twice as fast as Path over many files
        for folder, folders, names in os.walk(root)
        for name in (*names, *(link for link in folders if os.path.islink(os.path.join(folder, link))))  # noqa: PTH114, PTH118
    }


def _same(path: Path, content: bytes) -> bool:
    status = path.lstat()
    return S_ISREG(status.st_mode) and status.st_size == len(content) and path.read_bytes() == content


def _refuse_foreign(desired: Mapping[str, bytes], out: Path) -> None:
    """Refuse to replace a folder that holds anything an earlier render did not put there."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OutsideError(f"`{out}` is not a folder", "choose another `--out`")
    unaccounted = _files(out) - desired.keys()
    listed = _listed(out) if unaccounted else set()
    foreign = sorted(unaccounted - (listed or set()))
    if not foreign:
        return
    more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    if listed is None:
        raise OutsideError(
            f"`{out / _MANIFEST}` is missing or broken, so nothing tells whether aamic wrote `{foreign[0]}`{more}",
            f"restore the manifest from git, or remove `{out}` and render again",
        )
    raise OutsideError(
        f"`{out}` holds files that aamic did not write: `{foreign[0]}`{more}",
        "move them away, or choose another `--out`",
    )


def _listed(out: Path) -> set[str] | None:
    """Files that the manifest in `out` accounts for; None if there is no manifest that can be read."""
    manifest = out / _MANIFEST
    if not manifest.is_file():
        return None
    try:
        bundles = orjson.loads(manifest.read_bytes())["bundles"].items()
        return {_MANIFEST, *(f"{name}{path}" for name, bundle in bundles for path in bundle["files"])}
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
        return None


def _replace(desired: Mapping[str, bytes], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out)
    fresh = out.parent / f".{out.name}.{os.getpid()}"
    fresh.mkdir()
    try:
        _fill(fresh, desired)
        if out.exists():
            _exchange(fresh, out)
        else:
            fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    """Remove what renders left that were killed: folders named after a process that is no more."""
    pattern = re.compile(re.escape(f".{out.name}.") + "([0-9]+)(?:[.]old)?")
    for path in out.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and path.is_dir() and (int(match[1]) == os.getpid() or not _is_alive(int(match[1]))):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _fill(folder: Path, desired: Mapping[str, bytes]) -> None:
    made: set[Path] = set()
    for path, content in desired.items():
        target = folder / path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(content)


def _exchange(fresh: Path, out: Path) -> None:
    """Swap two folders atomically; where the kernel or file system cannot, by two renames."""
    libc = ctypes.CDLL(None, use_errno=True)
    swap = getattr(libc, "renameat2", None)
    names = os.fsencode(fresh), os.fsencode(out)
    if swap is not None and swap(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return
    aside = fresh.with_name(f"{fresh.name}.old")
    out.rename(aside)
    fresh.rename(out)
    shutil.rmtree(aside)
