"""The program of a host on a folder that stands for one: what it writes, refuses, restores and reports."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from aamic.clients.directory import DirectoryHosts
from aamic.deploy import wire
from aamic.model.host import ABSENT, Entry, Kept, Observation
from tests.agent.transfers import RELEASE, Transfer, apply, digest, run, verb

CONFIG, RULES, LINK = "/etc/aami/p/prometheus.yml", "/etc/aami/rules/a.yml", "/etc/systemd/system/x.service"
FIRST = Transfer({CONFIG: b"one\n", RULES: b"rules\n"}, [f"link\t{LINK}\t/dev/null"])


@pytest.fixture
def hosts(tmp_path: Path) -> DirectoryHosts:
    return DirectoryHosts(tmp_path)


def observe(hosts: DirectoryHosts, *paths: str, secrets: tuple[str, ...] = (), salt: str = "") -> Observation:
    request = wire.Request(paths, ("a.service",), ("bash",), ("/var/lib/aamic",), secrets, salt)
    return wire.observation("h", run(hosts, "h", "observe", payload=request.encode()), request)


def files(folder: Path) -> dict[str, str]:
    """Every file and link below a folder, but for the tool's own state."""
    return {
        f"/{path.relative_to(folder)}": str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and "var/lib/aamic" not in str(path)
    }


def test_an_empty_folder_has_nothing(hosts: DirectoryHosts) -> None:
    seen = observe(hosts, CONFIG)

    assert seen.entries == {CONFIG: ABSENT}
    assert (seen.release, seen.last, seen.pending, dict(seen.units)) == (None, None, None, {})
    assert seen.free["/var/lib/aamic"] > 0


def test_an_apply_writes_everything_and_is_seen(hosts: DirectoryHosts, tmp_path: Path) -> None:
    result = apply(hosts, "h", FIRST)
    seen = observe(hosts, CONFIG, LINK)

    assert result == wire.Result("done", RELEASE)
    assert files(tmp_path / "h") == {CONFIG: "one\n", RULES: "rules\n", LINK: "/dev/null"}
    assert seen.entries[CONFIG] == Entry("file", digest(b"one\n"), "0644")
    assert seen.entries[LINK] == Entry("link", "/dev/null")
    assert seen.release is not None
    assert (seen.release.name, seen.release.entries[CONFIG]) == (
        RELEASE,
        Kept(Entry("file", digest(b"one\n"), "0644", "root", "root"), "b"),
    )
    assert seen.last is not None
    assert (seen.last.release, seen.last.who, seen.last.result) == (RELEASE, "an@engineer", "done")


def test_a_rollback_puts_everything_back(hosts: DirectoryHosts, tmp_path: Path) -> None:
    apply(hosts, "h", FIRST)
    second = Transfer({CONFIG: b"two\n"}, [f"drop\t{RULES}", f"drop\t{LINK}"], "20261125T130000Z-abc1234")
    apply(hosts, "h", second)
    assert files(tmp_path / "h") == {CONFIG: "two\n"}

    assert verb(hosts, "h", "rollback", RELEASE, "an").state == "moved"
    assert verb(hosts, "h", "rollback", second.release, "an").state == "done"
    assert files(tmp_path / "h") == {CONFIG: "one\n", RULES: "rules\n", LINK: "/dev/null"}
    assert verb(hosts, "h", "rollback", RELEASE, "an").state == "done"
    assert files(tmp_path / "h") == {}
    assert not (tmp_path / "h/etc").exists()
    assert observe(hosts).release is None


@pytest.mark.parametrize("cut", [0, 10, 511, 512, 1024, 5000, 20000, 33000, -1])
def test_a_transfer_that_is_cut_short_changes_nothing(hosts: DirectoryHosts, tmp_path: Path, cut: int) -> None:
    end_of_the_last_file = FIRST.tar().rindex(b"rules\n") + len(b"rules\n")
    result = apply(hosts, "h", FIRST, cut=cut if cut >= 0 else end_of_the_last_file - 1)

    assert result.state == "refused"
    assert "the transfer did not arrive whole" in result.message
    assert files(tmp_path / "h") == {}
    assert not (tmp_path / "h/var/lib/aamic/incoming").exists() or not any(
        (tmp_path / "h/var/lib/aamic/incoming").iterdir()
    )


def test_a_damaged_file_is_refused(hosts: DirectoryHosts, tmp_path: Path) -> None:
    damaged = FIRST.tar().replace(b"rules\n", b"rulez\n")
    result = wire.result("h", run(hosts, "h", "apply", RELEASE, payload=damaged), "apply")

    assert result.state == "refused"
    assert files(tmp_path / "h") == {}


def test_a_file_that_is_not_as_planned_stops_everything(hosts: DirectoryHosts, tmp_path: Path) -> None:
    apply(hosts, "h", FIRST)
    (tmp_path / "h" / CONFIG[1:]).write_text("edited\n")
    expected = f"expect\t{CONFIG}\tfile\t{digest(b'one' + chr(10).encode())}\t0644\t-\t-"
    result = apply(hosts, "h", Transfer({CONFIG: b"two\n"}, [expected], "r2"))

    assert result.state == "moved"
    assert f"{CONFIG} is no longer what was planned for" in result.message
    assert files(tmp_path / "h")[CONFIG] == "edited\n"


def test_a_folder_in_the_way_is_refused_whole(hosts: DirectoryHosts, tmp_path: Path) -> None:
    (tmp_path / "h" / RULES[1:] / "deep").mkdir(parents=True)
    result = apply(hosts, "h", FIRST)

    assert (result.state, "neither a file nor a link" in result.message) == ("refused", True)
    assert files(tmp_path / "h") == {}
    assert not (tmp_path / "h/etc/aami/p").exists()


def test_what_was_half_done_is_restored(hosts: DirectoryHosts, tmp_path: Path) -> None:
    apply(hosts, "h", FIRST)
    before = files(tmp_path / "h")
    # A folder in place of a file that is dropped makes the change fail after files have been exchanged.
    result = apply(hosts, "h", Transfer({CONFIG: b"two\n"}, [f"drop\t{RULES}", "drop\t/etc/aami/p/../p"], "r2"))

    assert result.state in {"restored", "refused"}
    assert files(tmp_path / "h") == before


def test_a_second_release_keeps_what_the_first_one_replaced(hosts: DirectoryHosts, tmp_path: Path) -> None:
    for number in range(1, 7):
        apply(hosts, "h", Transfer({CONFIG: f"{number}\n".encode()}, release=f"r{number}"))

    assert sorted(path.name for path in (tmp_path / "h/var/lib/aamic/undo").iterdir()) == ["r4", "r5", "r6"]


def test_only_what_all_may_read_is_fetched(hosts: DirectoryHosts) -> None:
    apply(hosts, "h", Transfer({CONFIG: b"one\n", RULES: b"r\n"}, modes={RULES: "0600"}))
    answer = run(hosts, "h", "fetch", payload=f"{CONFIG}\n{RULES}\n/none\nend\n".encode())
    with tarfile.open(fileobj=io.BytesIO(answer.output.partition(b"\n")[2])) as archive:
        members = archive.getnames()

    assert members == [CONFIG[1:]]


def test_a_secret_is_seen_only_as_a_salted_digest(hosts: DirectoryHosts) -> None:
    path = "/etc/aami/secrets/s"
    apply(hosts, "h", Transfer({path: b"hunter2"}, modes={path: "0600"}))
    seen = observe(hosts, secrets=(path, "/none"), salt="salt")

    assert dict(seen.secrets) == {path: digest(b"salthunter2"), "/none": ""}


def test_a_half_done_change_is_ended_by_recover(hosts: DirectoryHosts, tmp_path: Path) -> None:
    apply(hosts, "h", FIRST)
    apply(hosts, "h", Transfer({CONFIG: b"two\n"}, release="r2"))
    # As if the power had gone after the files were exchanged.
    (tmp_path / "h/var/lib/aamic/pending").write_text("r2\tchanging\tanother-boot\t99\tan\n")
    seen = observe(hosts, CONFIG)
    assert seen.pending is not None
    assert (seen.pending.release, seen.pending.state, seen.pending.seconds) == ("r2", "changing", 0)
    assert apply(hosts, "h", Transfer({CONFIG: b"three\n"}, release="r3")).state == "busy"

    assert verb(hosts, "h", "recover").state == "done"
    assert files(tmp_path / "h")[CONFIG] == "one\n"
    assert observe(hosts).pending is None
    assert apply(hosts, "h", Transfer({CONFIG: b"three\n"}, release="r3")).state == "done"
