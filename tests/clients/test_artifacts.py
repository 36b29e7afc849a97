from __future__ import annotations

import functools
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aamic.clients.artifacts import Artifacts
from aamic.errors import OutsideError

PROGRAM = b"\x7fELF" + bytes(range(256)) * 9_000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The files below tmp_path/web over HTTP."""
    (tmp_path / "web").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=tmp_path / "web"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def tarball(path: Path, **files: bytes) -> str:
    """Write a tarball with these files in the folder `dist`, and return its digest."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("dist/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_program_comes_from_a_url_once(web: str, tmp_path: Path) -> None:
    digest = tarball(tmp_path / "web/a.tgz", program=PROGRAM)
    artifacts = Artifacts(tmp_path, tmp_path / "cache")
    told: list[tuple[int, int | None]] = []

    first = artifacts.program(f"{web}/a.tgz", digest, "dist/program", lambda done, total: told.append((done, total)))
    (tmp_path / "web/a.tgz").unlink()
    second = artifacts.program(f"{web}/a.tgz", digest, "dist/program")

    assert first == second == PROGRAM
    assert told[-1][0] == told[-1][1]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [digest]


def test_a_damaged_copy_is_fetched_again(web: str, tmp_path: Path) -> None:
    digest = tarball(tmp_path / "web/a.tgz", program=PROGRAM)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / digest).write_bytes(b"half")

    assert Artifacts(tmp_path, tmp_path / "cache").program(f"{web}/a.tgz", digest, "dist/program") == PROGRAM


def test_a_path_is_relative_to_the_site(tmp_path: Path) -> None:
    digest = tarball(tmp_path / "a.tgz", program=PROGRAM)

    assert Artifacts(tmp_path, tmp_path / "cache").program("a.tgz", digest, "./dist/program") == PROGRAM
    assert not (tmp_path / "cache").exists()


def test_nothing_of_another_tarball_is_used_or_kept(web: str, tmp_path: Path) -> None:
    digest = tarball(tmp_path / "web/a.tgz", program=PROGRAM)
    artifacts = Artifacts(tmp_path, tmp_path / "cache")

    with pytest.raises(OutsideError, match=f"a.tgz` has SHA-256 {digest}, not {'0' * 64}"):
        artifacts.program(f"{web}/a.tgz", "0" * 64, "dist/program")
    with pytest.raises(OutsideError, match="cannot be fetched: HTTP Error 404"):
        artifacts.program(f"{web}/none.tgz", "0" * 64, "dist/program")
    with pytest.raises(OutsideError, match=r"`none\.tgz` cannot be read: No such file"):
        artifacts.program("none.tgz", "0" * 64, "dist/program")
    assert list((tmp_path / "cache").iterdir()) == []


def test_only_a_regular_file_is_a_program(tmp_path: Path) -> None:
    digest = tarball(tmp_path / "a.tgz", program=PROGRAM)
    artifacts = Artifacts(tmp_path)

    for inner in ("dist/link", "dist", "program"):
        with pytest.raises(OutsideError, match=f"`a.tgz` holds no file `{inner}`"):
            artifacts.program("a.tgz", digest, inner)
    (tmp_path / "b.tgz").write_bytes(b"no tarball")
    with pytest.raises(OutsideError, match=r"`b\.tgz` cannot be unpacked"):
        artifacts.program("b.tgz", hashlib.sha256(b"no tarball").hexdigest(), "dist/program")
