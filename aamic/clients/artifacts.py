"""Pinned tarballs and the programs in them: fetched once, kept by digest, and never used unless the digest is right."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from posixpath import normpath
from typing import IO, Final
from urllib.request import urlopen

from aamic.errors import OutsideError

Progress = Callable[[int, int | None], None]
"""Told how many bytes have come, and of how many, if that is known."""
_CHUNK: Final = 1 << 20
_TIMEOUT: Final = 60.0
MAX_PROGRAM: Final = 1 << 30


class Artifacts:
    """Tarballs by URL, or by path below the site's folder; those of URLs are kept in `cache`."""

    def __init__(self, site: Path, cache: Path | None = None) -> None:
        self._site = site
        self._cache = cache or _cache_folder()

    def program(self, source: str, sha256: str, inner: str, progress: Progress = lambda _done, _total: None) -> bytes:
        """Return the bytes of the program at `inner` in the tarball with this digest.

        Raises:
            OutsideError: The tarball cannot be had, is another one, or does not hold the program.
        """
        tarball = self._tarball(source, sha256, progress)
        try:
            with tarfile.open(tarball) as archive:
                return _member(archive, inner, source)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise OutsideError(f"`{source}` cannot be unpacked: {error}") from error

    def _tarball(self, source: str, sha256: str, progress: Progress) -> Path:
        if not source.startswith(("http://", "https://")):
            path = self._site / source
            _check(source, sha256, _digest_of(path, source), "a file that changed needs a new `sha256` in the site")
            return path
        path = self._cache / sha256
        if not path.is_file() or _digest_of(path, source) != sha256:
            self._fetch(source, sha256, path, progress)
        return path

    def _fetch(self, source: str, sha256: str, path: Path, progress: Progress) -> None:
        """Into a file of its own, which takes its place once its digest is right."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fetch-") as file:
                found = _download(source, file, progress)
                _check(source, sha256, found, "the publisher's file is not the one that the site was written for")
                _keep(Path(file.name), path)
        except OSError as error:
            raise OutsideError(f"`{path.parent}` cannot be written: {error.strerror}") from error


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "aamic" / "artifacts"


def _keep(temporary: Path, path: Path) -> None:
    """Give the file its name; the temporary one is then removed by who made it."""
    link = path.with_name(f"{temporary.name}.done")
    link.hardlink_to(temporary)
    link.replace(path)


def _download(source: str, file: IO[bytes], progress: Progress) -> str:
    """The digest of what came. Certificates are verified, and proxies of the environment are used."""
    digest, done = hashlib.sha256(), 0
    try:
        with urlopen(source, timeout=_TIMEOUT) as answer:  # noqa: S310  # the site's type takes http and https alone
            total = int(answer.headers["Content-Length"]) if answer.headers["Content-Length"] else None
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    except (OSError, HTTPException, ValueError) as error:
        raise OutsideError(f"`{source}` cannot be fetched: {error}") from error
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()


def _digest_of(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OutsideError(f"`{source}` cannot be read: {error.strerror}") from error


def _check(source: str, wanted: str, found: str, hint: str) -> None:
    if wanted != found:
        raise OutsideError(f"`{source}` has SHA-256 {found}, not {wanted}", hint)


def _member(archive: tarfile.TarFile, inner: str, source: str) -> bytes:
    """Nothing is written: a member is bytes here, so its path can lead nowhere."""
    for member in archive:
        if normpath(member.name) == normpath(inner) and member.isreg():
            if member.size > MAX_PROGRAM:
                raise OutsideError(f"`{inner}` in `{source}` is larger than {MAX_PROGRAM:,} bytes")
            file = archive.extractfile(member)
            return file.read() if file else b""
    raise OutsideError(f"`{source}` holds no file `{inner}`", "look at its paths with `tar -tf`")
