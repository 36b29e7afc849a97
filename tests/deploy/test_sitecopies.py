"""The copy on central hosts, left and marked by the program that runs there, on folders that stand for hosts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aamic.clients.base import Answer
from aamic.clients.directory import DirectoryHosts
from aamic.compile.sitecopy import LARGEST, write_copy
from aamic.deploy.sitecopies import Keepers, is_applied, leave, mark
from aamic.deploy.sitefind import Carried, find
from aamic.errors import HostError
from aamic.model.report import HostReport, Origin, Report
from aamic.model.sitecopy import SiteCopy

ONE = SiteCopy("c1", {"site.yaml": "a: 1 # mine\n"}, "r1", "", "1")
TWO = replace(ONE, release="r2")
OTHER = replace(ONE, release="r3", files={"site.yaml": "a: 2\n"})
RECORD = "aamic-manifest\t1\nrelease\tr1\nfile\t/etc/x\t-\t0644\troot\troot\tcentral\nunit\tx.service\tnode\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the host `mon` keeps what is of aamic."""
    folder = tmp_path / "mon/var/lib/aamic"
    folder.mkdir(parents=True)
    (folder / "manifest").write_text(RECORD)
    return folder


def keepers(root: Path) -> Keepers:
    return Keepers(DirectoryHosts(root), ("mon",), 30.0, 2)


def kept(root: Path) -> Carried | HostError:
    return find(DirectoryHosts(root), ("mon",), 30.0, 2)["mon"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stamp(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_a_copy_is_left_for_root_alone(tmp_path: Path, state: Path) -> None:
    assert leave(keepers(tmp_path), write_copy(ONE), changed=True) == ()

    assert kept(tmp_path) == Carried("r1", frozenset({"central", "node"}), ONE)
    assert (state / "site").stat().st_mode & 0o7777 == 0o600
    assert names(state) == ["manifest", "site"]


def test_the_same_site_is_written_again_only_where_hosts_changed(tmp_path: Path, state: Path) -> None:
    leave(keepers(tmp_path), write_copy(ONE), changed=True)
    first = stamp(state / "site")

    leave(keepers(tmp_path), write_copy(TWO), changed=False)
    second = stamp(state / "site")
    leave(keepers(tmp_path), write_copy(TWO), changed=True)

    assert first == second
    assert kept(tmp_path) == Carried("r1", frozenset({"central", "node"}), TWO)


def test_another_site_is_written_though_no_host_changed(tmp_path: Path, state: Path) -> None:
    leave(keepers(tmp_path), write_copy(ONE), changed=True)

    assert leave(keepers(tmp_path), write_copy(OTHER), changed=False) == ()
    assert (state / "site").read_bytes() == write_copy(OTHER)


def test_a_copy_that_others_may_read_is_written_again(tmp_path: Path, state: Path) -> None:
    leave(keepers(tmp_path), write_copy(ONE), changed=True)
    (state / "site").chmod(0o644)

    leave(keepers(tmp_path), write_copy(TWO), changed=False)

    assert (state / "site").stat().st_mode & 0o7777 == 0o600


def test_a_rollback_is_written_into_the_copy_and_the_next_apply_takes_it_out(tmp_path: Path, state: Path) -> None:
    leave(keepers(tmp_path), write_copy(ONE), changed=True)

    told = mark(keepers(tmp_path), "r1"), mark(keepers(tmp_path), "r0")
    undone = (state / "site").read_bytes()
    leave(keepers(tmp_path), write_copy(TWO), changed=False)

    assert told == ((), ())
    assert undone == write_copy(replace(ONE, rolled_back="r0"))
    assert (state / "site").read_bytes() == write_copy(TWO)
    assert (state / "site").stat().st_mode & 0o7777 == 0o600


def test_a_host_that_carries_nothing_gets_none(tmp_path: Path, state: Path) -> None:
    (state / "manifest").unlink()

    assert leave(keepers(tmp_path), write_copy(ONE), changed=True) == (
        "no copy of the site is left on mon: it carries nothing of this site yet (hint: the next apply leaves one)",
    )
    assert mark(keepers(tmp_path), "r1") == ()
    assert (names(state), names(tmp_path)) == ([], ["mon"])


@pytest.mark.parametrize("there", ["link", "broken", "folder"])
def test_nothing_is_read_or_written_through_what_is_no_file(tmp_path: Path, state: Path, there: str) -> None:
    secret = tmp_path / "mon/secret"
    secret.write_text("s3cr3t")
    if there == "folder":
        (state / "site").mkdir()
    else:
        (state / "site").symlink_to("../../../secret" if there == "link" else "nowhere")

    found = kept(tmp_path)
    told = leave(keepers(tmp_path), write_copy(ONE), changed=True)

    assert found == Carried("r1", frozenset({"central", "node"}), trouble="it is no file")
    assert secret.read_text() == "s3cr3t"
    if there == "folder":
        assert told == (
            f"no copy of the site is left on mon: cannot replace {state}/site (hint: the next apply leaves one)",
        )
    else:
        assert told == ()
        assert not (state / "site").is_symlink()


def test_a_copy_that_is_too_large_is_not_sent(tmp_path: Path, state: Path) -> None:
    with (state / "site").open("wb") as file:
        file.truncate(100 * 1024**2)

    assert kept(tmp_path) == Carried("r1", frozenset({"central", "node"}), trouble="it is larger than 32 MiB")


def test_a_transfer_that_breaks_leaves_the_copy_as_it_was(tmp_path: Path, state: Path) -> None:
    class Cut(DirectoryHosts):
        def run(self, host, command, payload, timeout):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            return super().run(host, command, (payload[0], *(each[:-5] for each in payload[1:])), timeout)

    leave(keepers(tmp_path), write_copy(ONE), changed=True)
    told = leave(Keepers(Cut(tmp_path), ("mon",), 30.0, 2), write_copy(OTHER), changed=True)

    assert told == (
        "no copy of the site is left on mon: the transfer did not arrive whole (hint: the next apply leaves one)",
    )
    assert (state / "site").read_bytes() == write_copy(ONE)
    assert names(state) == ["manifest", "site"]


class Down:
    """Hosts of which none answers."""

    def run(self, host: str, *_: object) -> Answer:
        raise HostError("unreachable", f"`{host}` cannot be reached", "is it up?")

    def close(self) -> None:
        """Nothing is open."""


def test_hosts_that_are_down_are_told_and_those_known_to_be_are_not_asked() -> None:
    keepers = Keepers(Down(), ("mon-1", "mon-2"), 30.0, 2)

    assert leave(keepers, write_copy(ONE), changed=True, unseen={"mon-2"}) == (
        "no copy of the site is left on mon-2: it was not reached (hint: the next apply leaves one)",
        "no copy of the site is left on mon-1: `mon-1` cannot be reached (is it up?) (hint: the next apply leaves one)",
    )
    assert mark(keepers, "r1") == (
        "the copy of the site on mon-1 does not know of this rollback: `mon-1` cannot be reached (is it up?)",
        "the copy of the site on mon-2 does not know of this rollback: `mon-2` cannot be reached (is it up?)",
    )


def test_a_site_that_is_too_large_is_told() -> None:
    assert leave(Keepers(Down(), ("mon",), 30.0, 2), b" " * (LARGEST + 1), changed=True) == (
        "no copy of the site is left on mon: it is larger than 32 MiB",
    )


@pytest.mark.parametrize(
    ("states", "applied"),
    [
        (("done", "already"), True),
        (("done", "not reached"), True),
        (("done", "restored"), True),
        (("done", "not started"), True),
        (("unknown", "restored"), True),
        (("half restored",), True),
        (("refused",), False),
        (("already", "refused"), False),
        (("restored", "not started"), False),
        ((), True),
    ],
)
def test_which_apply_leaves_its_site(states: tuple[str, ...], *, applied: bool) -> None:
    report = Report("apply", Origin("r1", "me"), tuple(HostReport("h", each) for each in states))  # type: ignore[arg-type]

    assert is_applied(report) is applied


def test_an_apply_that_ended_early_leaves_its_site_where_it_changed_hosts() -> None:
    none = Report("apply", Origin("r1", "me"), (HostReport("a", "already"),))
    some = replace(none, hosts=(*none.hosts, HostReport("b", "done")))
    early = ({"interrupted": True}, {"stopped": "too many failed"})

    assert [is_applied(replace(none, **end)) for end in early] == [False, False]
    assert [is_applied(replace(some, **end)) for end in early] == [True, True]
