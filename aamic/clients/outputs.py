"""outputs/ on disk: compared, and replaced as a whole."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
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


def compare(desired: Mapping[str, bytes], out: Path) -> Differences:
    """What writing `desired` to `out` would change; folders that exist for nothing do not count."""
    observed = _files(out)
    return Differences(
        added=tuple(sorted(desired.keys() - observed)),
        changed=tuple(sorted(path for path in desired.keys() & observed if not _same(out / path, desired[path]))),
        removed=tuple(sorted(observed - desired.keys())),
    )


def _files(out: Path) -> set[str]:
    if not out.is_dir():
        return set()
    root = os.fspath(out)
    return {
        os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118  # twice as fast as Path over many files
        for folder, _, names in os.walk(root)
        for name in names
    }


def _same(path: Path, content: bytes) -> bool:
    return not path.is_symlink() and path.stat().st_size == len(content) and path.read_bytes() == content


def write(desired: Mapping[str, bytes], out: Path) -> Differences:
    """Make `out` hold exactly `desired`, in one step: a reader sees the old tree or the new one, never a mixture.

    Nothing is written when nothing differs. Raises OutsideError when `out` holds files that aamic did not write, or
    when the file system refuses.
    """
    out = out.absolute()
    try:
        _refuse_foreign(out)
        differences = compare(desired, out)
        if differences or not out.exists():
            _replace(desired, out)
    except OSError as error:
        raise OutsideError(f"cannot write `{error.filename or out}`: {error.strerror}") from error
    return differences


def _refuse_foreign(out: Path) -> None:
    """Refuse to replace a folder that holds anything an earlier render did not put there."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OutsideError(f"`{out}` is not a folder", "choose another `--out`")
    observed = _files(out)
    foreign = sorted(observed - _listed(out)) if observed else []
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise OutsideError(
            f"`{out}` holds files that aamic did not write: `{foreign[0]}`{more}",
            "move them away, or choose another `--out`",
        )


def _listed(out: Path) -> set[str]:
    """Files that the manifest in `out` accounts for."""
    try:
        manifest = orjson.loads((out / _MANIFEST).read_bytes())
        bundles = manifest["bundles"].items()
        return {_MANIFEST, *(f"{name}{path}" for name, bundle in bundles for path in bundle["files"])}
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
        return set()


def _replace(desired: Mapping[str, bytes], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _fill(fresh, desired)
        if out.exists():
            _exchange(fresh, out)
        else:
            fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _fill(folder: Path, desired: Mapping[str, bytes]) -> None:
    folder.chmod(0o755)
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
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    out.rename(aside / "old")
    fresh.rename(out)
    shutil.rmtree(aside)
