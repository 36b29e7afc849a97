"""A site whose folder is lost comes back from its hosts, on real hosts, over SSH, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aamic.compile.sitecopy import read_copy, write_copy
from tests.fleet import faults
from tests.fleet.controller import Controller
from tests.fleet.host import Host, wipe_all
from tests.fleet.rack import Rack

COPY = "/var/lib/aamic/site"
SECRET = "https://hooks.example.com/s3cr3t"  # noqa: S105  # what must be nowhere
RACK = "# the only rack\r\nracks:\r\n  r1: {nodes: gpu-01, addresses: ADDRESS, labels: {row: a}}\r\n"
EXTRA = """
include: [racks/*.yaml]   # every rack
inventory: nodes.csv
alertmanager: {nodes: mon-01}
notifications:
  slack: {webhook_url: {file: secrets/slack}, channel: "#gpu"}
  pagerduty: {routing_key: {env: AAMIC_TEST_KEY}}
"""


@dataclass(frozen=True)
class Lost:
    """A site on its hosts, and what is needed to import it again."""

    controller: Controller
    hosts: Mapping[str, Host]
    new: Path

    def bring(self, *names: str, out: str = "back", more: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Import from hosts into a folder."""
        rack = self.controller.rack
        addresses = ",".join(self.hosts[name].address for name in names)
        words = ["import", "--hosts", ",".join(names), "--addresses", addresses, "--ssh-user", "deploy"]
        words += ["--ssh-key", str(rack.key), "--known-hosts", str(rack.known_hosts), "--out", str(self.new / out)]
        return self.run(*words, *more)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "aamic", *words], capture_output=True, text=True, check=False, cwd=self.new
        )
        assert done.returncode != 3, done.stderr
        return done

    def plan(self, *words: str, out: str = "back") -> subprocess.CompletedProcess[str]:
        """What `plan` says of an imported site, whose secret somebody brought along."""
        secret = self.new / out / "secrets/slack"
        secret.parent.mkdir(exist_ok=True)
        secret.write_text(SECRET)
        return self.run("plan", "-f", str(self.new / out / "site.yaml"), *words)

    def same_plan(self) -> bool:
        """Whether the imported site plans something, and that is what the lost folder plans."""
        plans = self.plan("--format", "json"), self.controller.run("plan", "--format", "json")
        one, other = (json.loads(each.stdout)["groups"] for each in plans)
        return bool(one) and one == other

    def put(self, content: bytes) -> None:
        """Let the central host keep something else as its copy."""
        (self.hosts["mon-01"].root / COPY[1:]).write_bytes(content)


def files(folder: Path) -> dict[str, bytes]:
    """The files of a site by path, without those that stand in no copy."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(("state", "secrets"))}


@pytest.fixture(scope="module")
def controller(hosts: Mapping[str, Host], rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """A controller of fresh hosts; all of its site but mon-01 stands in further files."""
    wipe_all(list(hosts.values()))
    folder = tmp_path_factory.mktemp("site")
    for name in ("racks", "secrets"):
        (folder / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AAMIC_TEST_KEY", f"{SECRET}/pd")
        yield Controller(folder, rack, {"mon-01": hosts["mon-01"]})
    wipe_all(list(hosts.values()))


@pytest.fixture
def lost(hosts: Mapping[str, Host], controller: Controller, tmp_path: Path) -> Lost:
    """A site with includes, an inventory, comments and secrets, which is on its hosts, with a sound copy."""
    folder = controller.folder
    (folder / "racks/r1.yaml").write_bytes(RACK.replace("ADDRESS", hosts["gpu-01"].address).encode())
    (folder / "nodes.csv").write_bytes(f"\ufeffname,address\r\ngpu-02,{hosts['gpu-02'].address}\r\n".encode())
    (folder / "secrets/slack").write_text(SECRET)
    controller.write(EXTRA)
    controller.apply_all()
    return Lost(controller, hosts, tmp_path)


def test_a_lost_site_comes_back_as_it_was_and_plans_empty(lost: Lost) -> None:
    mon, folder = lost.hosts["mon-01"], lost.controller.folder
    before = files(folder)

    done = lost.bring("gpu-01", "mon-01", "gpu-02")

    assert done.returncode == 0, done.stderr
    assert files(lost.new / "back") == before
    assert "`notifications.slack.webhook_url` needs the file `secrets/slack`" in done.stdout
    assert f"next: aamic plan -f {lost.new}/back/site.yaml" in done.stdout
    planned = lost.plan("--exit-code")
    assert (planned.returncode, planned.stderr) == (0, ""), planned.stdout
    assert mon.do("stat", "-c", "%a %U %G", COPY) == "600 root root\n"
    assert mon.run("grep", "-r", "s3cr3t", COPY).returncode == 1
    assert [host.run("ls", COPY).returncode for host in lost.hosts.values()].count(0) == 1


def test_a_second_apply_leaves_it_alone_and_one_of_gpu_nodes_writes_it(lost: Lost) -> None:
    mon, folder = lost.hosts["mon-01"], lost.controller.folder
    first = mon.do("stat", "-c", "%Y %i", COPY)
    lost.controller.apply_all()
    second = mon.do("stat", "-c", "%Y %i", COPY)
    site = folder / "site.yaml"
    site.write_text(f"{site.read_text()}exporters: {{node: {{collectors: {{disable: [arp]}}}}}}  # no arp\n")
    lost.controller.apply_all("--limit", "gpu-[01-02]")

    done = lost.bring("mon-01")

    assert first == second
    assert (done.returncode, files(lost.new / "back")) == (0, files(folder))
    assert lost.same_plan()
    lost.controller.apply_all()
    assert lost.plan("--exit-code").returncode == 0


def test_after_a_rollback_the_import_says_so_and_plans_what_the_folder_plans(lost: Lost) -> None:
    site = lost.controller.folder / "site.yaml"
    site.write_text(f"{site.read_text()}exporters: {{node: {{collectors: {{disable: [arp]}}}}}}\n")
    lost.controller.apply_all()
    back = lost.controller.run("rollback", "--yes", "--json")

    done = lost.bring("mon-01")

    release = json.loads(back.stdout)["notes"], read_copy(Path(lost.hosts["mon-01"].root / COPY[1:]).read_bytes())
    assert release[0] == []
    assert f"note: release {release[1].release} was rolled back since" in done.stderr + done.stdout
    assert lost.same_plan()


def test_central_is_down(lost: Lost) -> None:
    site = lost.controller.folder / "site.yaml"
    mon = lost.hosts["mon-01"]
    with faults.cut(mon):
        site.write_text(f"{site.read_text()}exporters: {{node: {{collectors: {{disable: [arp]}}}}}}\n")
        report = lost.controller.apply("--limit", "gpu-01")
        done = lost.bring("mon-01", "gpu-01")

    assert (report["exit"], report["hosts"]["gpu-01"]["state"]) == (0, "done")
    assert any(note.startswith("no copy of the site is left on mon-01: ") for note in report["notes"])
    assert (
        "the site is kept on the central host once an apply has reached it, and none of the hosts that" in done.stderr
    )


def hostile(lost: Lost) -> dict[str, bytes]:
    """Copies that must not be taken, by what is said of them."""
    good = read_copy(Path(lost.hosts["mon-01"].root / COPY[1:]).read_bytes())
    whole = write_copy(good)
    outward = write_copy(replace(good, files={**good.files, "../../etc/x": "y"}))
    extra = write_copy(replace(good, files={**good.files, "more.yaml": "y"}))
    return {
        "it is no whole JSON": whole[:-100],
        "it does not say its version": b'{"files": []}',
        "it names a file `../../etc/x`, which does not lie below the folder of a site": outward,
        "it holds `more.yaml`, which its site does not read": extra,
    }


def test_a_copy_that_somebody_spoilt_is_told_and_nothing_is_written(lost: Lost) -> None:
    for said, content in hostile(lost).items():
        lost.put(content)
        done = lost.bring("mon-01")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"the copy of the site on `mon-01` is of no use: {said}" in done.stderr
        assert not (lost.new / "back").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"ln -sf /etc/shadow {COPY}", "it is no file"),
        (f"truncate -s 100M {COPY}", "it is larger than 32 MiB"),
    ],
)
def test_what_is_no_copy_is_not_read(lost: Lost, command: str, said: str) -> None:
    lost.hosts["mon-01"].do("sh", "-c", command)

    done = lost.bring("mon-01")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"the copy of the site on `mon-01` is of no use: {said}" in done.stderr
    assert not (lost.new / "back").exists()


def test_a_folder_that_is_not_empty_is_not_touched(lost: Lost) -> None:
    (lost.new / "back").mkdir()
    (lost.new / "back/nodes.csv").write_text("mine")

    done = lost.bring("mon-01")

    assert done.returncode == 1
    assert f"the folder `{lost.new}/back` is not empty" in done.stderr
    assert files(lost.new / "back") == {"nodes.csv": b"mine"}


def test_a_full_disk_on_central_is_a_note(lost: Lost) -> None:
    site, mon = lost.controller.folder / "site.yaml", lost.hosts["mon-01"]
    before = mon.do("cat", COPY)
    site.write_text(f"{site.read_text()}# {os.urandom(200_000).hex()}\n")
    with faults.full_disk(mon, "/var"):
        report = lost.controller.apply()

    assert (report["exit"], report["ok"]) == (0, True)
    assert any(
        "no copy of the site is left on mon-01: cannot write to /var/lib/aamic (" in each for each in report["notes"]
    )
    assert mon.do("cat", COPY) == before
    assert "site." not in mon.do("ls", "/var/lib/aamic")


def test_hosts_without_a_copy_make_a_draft(lost: Lost) -> None:
    lost.hosts["mon-01"].do("rm", COPY)

    done = lost.bring("mon-01", "gpu-01", out="draft.yaml")

    assert done.returncode == 0, done.stderr
    assert "mon-01 has the central Prometheus of an aamic that left no copy of the site" in done.stderr
    assert "gpu-01" in (lost.new / "draft.yaml").read_text()
