"""Folders that stand for hosts: nothing outside of them is touched, and looking at them makes none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aamic.clients.directory import DirectoryHosts
from aamic.deploy import wire
from aamic.errors import HostError
from tests.agent.transfers import RELEASE, Transfer, apply, run, verb

UNIT = "/etc/systemd/system/x.service"
FIRST = Transfer({UNIT: b"one\n"})


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("link", ["etc", "etc/systemd", "etc/systemd/system", "var", "var/lib", "var/lib/aamic"])
def test_nothing_is_written_through_a_link_out_of_the_folder(tmp_path: Path, elsewhere: Path, link: str) -> None:
    place = tmp_path / "hosts/h" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    with pytest.raises(HostError, match=f"^`h`: `/{link}` leads out of its folder") as caught:
        apply(DirectoryHosts(tmp_path / "hosts"), "h", FIRST)

    assert list(elsewhere.iterdir()) == []
    assert "relative" in str(caught.value.hint)


def test_a_host_is_not_looked_at_through_a_link_either(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "hosts/h/etc").mkdir(parents=True)
    (tmp_path / "hosts/h/etc/systemd").symlink_to(os.path.relpath(elsewhere, tmp_path / "hosts/h/etc"))
    with pytest.raises(HostError, match="`/etc/systemd` leads out"):
        run(DirectoryHosts(tmp_path / "hosts"), "h", "observe", payload=wire.Request((UNIT,), (), (), ()).encode())


@pytest.mark.parametrize("name", ["journal", "pending.new", "undo"])
def test_the_state_is_not_written_through_a_link(tmp_path: Path, elsewhere: Path, name: str) -> None:
    (elsewhere / "theirs").write_text("as it was")
    state = tmp_path / "hosts/h/var/lib/aamic"
    state.mkdir(parents=True)
    (state / name).symlink_to(elsewhere / "theirs")
    with pytest.raises(HostError, match=f"`/var/lib/aamic/{name}` leads out"):
        apply(DirectoryHosts(tmp_path / "hosts"), "h", FIRST)

    assert (elsewhere / "theirs").read_text() == "as it was"


def test_what_is_put_back_does_not_land_elsewhere(tmp_path: Path, elsewhere: Path) -> None:
    hosts = DirectoryHosts(tmp_path / "hosts")
    apply(hosts, "h", FIRST)
    (tmp_path / "hosts/h/etc/systemd/system").rename(elsewhere / "system")
    (tmp_path / "hosts/h/etc/systemd/system").symlink_to(elsewhere / "system")
    with pytest.raises(HostError, match="`/etc/systemd/system` leads out"):
        verb(hosts, "h", "rollback", RELEASE, "an")

    assert (elsewhere / "system/x.service").read_text() == "one\n"


def test_links_within_the_folder_and_elsewhere_in_an_image_are_fine(tmp_path: Path, elsewhere: Path) -> None:
    host = tmp_path / "hosts/h"
    (host / "usr/lib/units").mkdir(parents=True)
    (host / "etc/systemd").mkdir(parents=True)
    (host / "etc/systemd/system").symlink_to("../../usr/lib/units")
    (host / "etc/alternatives").symlink_to(elsewhere)

    assert apply(DirectoryHosts(tmp_path / "hosts"), "h", FIRST).state == "done"
    assert (host / "usr/lib/units/x.service").read_text() == "one\n"


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    hosts = DirectoryHosts(tmp_path / "hosts")
    request = wire.Request((UNIT,), (), (), ())
    seen = wire.observation("h", run(hosts, "h", "observe", payload=request.encode()), request)

    assert seen.release is None
    assert verb(hosts, "h", "rollback", RELEASE, "an").state == "moved"
    assert list(tmp_path.iterdir()) == []


_CALL = """
import sys
from pathlib import Path
from aamic.clients.directory import DirectoryHosts
script = "touch $AAMIC_ROOT/began; sleep 1; touch $AAMIC_ROOT/ended"
DirectoryHosts(Path(sys.argv[1])).run("h", ("sh", "-c", script, "aamic", "apply"), (), 30)
"""


def test_an_interrupt_lets_a_change_come_to_its_end(tmp_path: Path) -> None:
    call = subprocess.Popen(
        [sys.executable, "-c", _CALL, str(tmp_path)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 20
    while not (tmp_path / "h/began").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(call.pid, signal.SIGINT)
    call.wait(timeout=20)
    DirectoryHosts(tmp_path).run("h", ("sh", "-c", "touch $AAMIC_ROOT/next", "aamic", "apply"), (), 30)

    assert {path.name for path in (tmp_path / "h").iterdir()} == {"began", "ended", "next"}
    assert (tmp_path / "h/ended").stat().st_mtime_ns <= (tmp_path / "h/next").stat().st_mtime_ns
