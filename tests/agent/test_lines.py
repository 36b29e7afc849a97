"""Lines in files of somebody else, in a folder that stands for a host: put, taken back, and what others wrote kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from aamic.clients.directory import DirectoryHosts
from aamic.deploy import wire
from tests.agent.transfers import Transfer, apply, run, verb

CONF, OURS, SCRIPT = "/etc/slurm/slurm.conf", "/etc/slurm/aamic.conf", "/etc/slurm/prolog.d/50-aamic"
LINE = "Include aamic.conf"
OLD = b"# ours\nClusterName=x\n\nNodeName=n[1-9]"
NEW = b"# ours\nInclude aamic.conf\nClusterName=x\n\nNodeName=n[1-9]"
EDIT = f"edit\t{CONF}\tadd\t{LINE}"


class Folder(DirectoryHosts):
    """One host, `h`, below a folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root / "h"


@pytest.fixture
def hosts(tmp_path: Path) -> Folder:
    conf = tmp_path / "h" / CONF[1:]
    conf.parent.mkdir(parents=True)
    conf.write_bytes(OLD)
    conf.chmod(0o640)
    return Folder(tmp_path)


def path(hosts: Folder, name: str) -> Path:
    return hosts.root / name[1:]


def install(hosts: Folder) -> None:
    lines = (EDIT, f"late\t{OURS}", f"late\t{SCRIPT}")
    transfer = Transfer({OURS: b"Prolog=x\n", SCRIPT: b"y", CONF: NEW}, lines, modes={CONF: "0640"})
    assert apply(hosts, "h", transfer).state == "done"


def take_out(hosts: Folder) -> None:
    lines = (f"edit\t{CONF}\tremove\t{LINE}", *(f"drop\t{each}" for each in (OURS, SCRIPT)), f"late\t{OURS}")
    transfer = Transfer({CONF: OLD}, lines, release="r2", modes={CONF: "0640"})
    assert apply(hosts, "h", transfer).state == "done"


def test_a_rollback_gives_the_very_same_file_back(hosts: Folder) -> None:
    install(hosts)
    there = path(hosts, CONF).read_bytes()

    result = verb(hosts, "h", "rollback", Transfer().release, "kim")

    assert (result.state, there) == ("done", NEW)
    assert path(hosts, CONF).read_bytes() == OLD
    assert path(hosts, CONF).stat().st_mode & 0o777 == 0o640
    assert not path(hosts, OURS).exists()
    assert not path(hosts, SCRIPT).parent.exists()


def test_a_rollback_keeps_what_somebody_wrote_since(hosts: Folder) -> None:
    install(hosts)
    path(hosts, CONF).write_bytes(NEW.replace(b"n[1-9]", b"n[1-20]\n"))

    assert verb(hosts, "h", "rollback", Transfer().release, "kim").state == "done"
    assert path(hosts, CONF).read_bytes() == OLD.replace(b"n[1-9]", b"n[1-20]\n")
    assert path(hosts, CONF).stat().st_mode & 0o777 == 0o640


def test_a_line_that_was_taken_out_comes_back_with_what_it_names(hosts: Folder) -> None:
    install(hosts)
    take_out(hosts)
    without = path(hosts, CONF).read_bytes(), path(hosts, OURS).exists()
    path(hosts, CONF).write_bytes(OLD + b"\nA=1\n")

    assert verb(hosts, "h", "rollback", "r2", "kim").state == "done"
    assert without == (OLD, False)
    assert path(hosts, CONF).read_bytes() == b"Include aamic.conf\n" + OLD + b"\nA=1\n"
    assert path(hosts, OURS).read_bytes() == b"Prolog=x\n"


def test_a_file_below_a_link_is_told_to_be_shared(hosts: Folder) -> None:
    shared = path(hosts, "/shared/slurm")
    shared.parent.mkdir()
    path(hosts, "/etc/slurm").rename(shared)
    path(hosts, "/etc/slurm").symlink_to("../shared/slurm")
    plain = path(hosts, "/etc/plain/slurm.conf")
    plain.parent.mkdir()
    plain.write_bytes(OLD)
    request = wire.Request((), edits=(CONF, "/etc/plain/slurm.conf"))

    seen = wire.observation("h", run(hosts, "h", "observe", payload=request.encode()), request)

    assert seen.shared == {CONF}
    assert seen.entries[CONF].kind == seen.entries["/etc/plain/slurm.conf"].kind == "file"
