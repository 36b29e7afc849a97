"""The check on real files, below a folder that stands for the host, in every shell that may be /bin/sh."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aamic import agent
from aamic.catalog.base import Ground
from aamic.catalog.exporters.node.exporter import contribute
from aamic.catalog.exporters.node.options import NodeOptions
from aamic.clients.processes import Processes
from aamic.deploy.wire import write_release
from aamic.model.fleet import Node
from aamic.model.host import Entry, Kept, Release
from tests.catalog.artifacts.hosts import get, until
from tests.exposition import Exposition, read

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]


class Host:
    """A host in a folder; its manifest is what `record` was told."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.root, self.textfiles = folder / "root", folder / "textfiles"
        self.state = self.root / "var/lib/aamic"
        self.state.mkdir(parents=True)
        self.textfiles.mkdir()
        self.script = folder / "aamic-check"
        self.script.write_bytes(agent.check())
        self.shell = shell
        self.records = ["aamic-manifest\t1", "release\t20251125T101500Z-3f2c1ab"]

    def place(self, path: str, content: bytes = b"x", mode: int = 0o644) -> Path:
        target = self.root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)
        owner = f"{target.owner()}\t{target.group()}"
        self.record("file", path, hashlib.sha256(content).hexdigest(), f"{mode:04o}", owner, "node")
        return target

    def link(self, path: str, target: str) -> Path:
        placed = self.root / path[1:]
        placed.parent.mkdir(parents=True, exist_ok=True)
        placed.symlink_to(target)
        self.record("link", path, target, "node")
        return placed

    def record(self, *fields: str) -> None:
        self.records.append("\t".join(fields))

    def write(self, manifest: str | None = None) -> None:
        (self.state / "manifest").write_text(manifest or "".join(f"{record}\n" for record in self.records))

    def check(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.shell, str(self.script), str(self.textfiles)],
            env={"AAMIC_ROOT": str(self.root), "QUOTING_STYLE": "c"},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def answer(self) -> str:
        done = self.check()
        assert done.returncode == 0, done.stderr
        return (self.textfiles / "aamic.prom").read_text()


@pytest.fixture(params=SHELLS)
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Host:
    return Host(tmp_path, request.param)


def counts(found: Exposition) -> dict[str, int]:
    """The files that are not ok, and those that are, by state; nothing where it says nothing."""
    return {one.labels["state"]: int(one.value) for one in found.named("aamic_managed_files")}


def value(found: Exposition, name: str) -> float:
    (series,) = found.named(name)
    return float(series.value)


def test_a_host_as_it_was_applied(host: Host) -> None:
    host.place("/etc/aami/rules.yml")
    host.place("/etc/aami/empty.yml", b"")
    host.place("/etc/aami/secretive.yml", b"y", 0o640)
    host.place("/usr/local/lib/aami/setuid", b"z", 0o4755)
    host.link("/etc/systemd/system/prometheus.service", "/dev/null")
    host.link("/etc/aami/dangling", "nowhere")
    host.place("/opt/aami/bin/prometheus", b"elf", 0o755)
    host.records[-1] = f"program\t/opt/aami/bin/prometheus\t{'0' * 64}"
    host.record("unit", "aami-node-exporter.service", "node")
    host.write()
    before = time.time()

    found = read(host.answer())

    assert counts(found) == {"ok": 7, "changed": 0, "missing": 0, "permissions": 0}
    assert [one.labels for one in found.named("aamic_release_info")] == [{"release": "20251125T101500Z-3f2c1ab"}]
    assert (value(found, "aamic_check_success"), value(found, "aamic_apply_pending")) == (1, 0)
    assert int(before) <= value(found, "aamic_check_timestamp_seconds") <= time.time()
    assert value(found, "aamic_applied_timestamp_seconds") == int((host.state / "manifest").stat().st_mtime)


def test_when_it_was_applied_is_the_time_of_the_manifest_and_not_known_without_a_good_one(host: Host) -> None:
    host.place("/etc/aami/rules.yml")
    host.write()
    os.utime(host.state / "manifest", (1_764_065_700, 1_764_065_700))
    good = read(host.answer())
    host.write("aamic-manifest\t2\n")

    assert value(good, "aamic_applied_timestamp_seconds") == 1_764_065_700
    assert read(host.answer()).named("aamic_applied_timestamp_seconds") == []


CONF = b"# Include aamic.conf\nA=1 # Include aamic.conf\n\tinclude   aamic.conf # ours\n"


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (CONF, "ok"),
        (b"Include aamic.conf", "ok"),
        (CONF[:45], "changed"),
        (b"include ./aamic.conf\n", "ok"),
        (b"Include /etc/slurm/aamic.conf\n", "ok"),
        (b"Include /opt/slurm/aamic.conf\n", "changed"),
        (b"Include aamic.conf.old\n", "changed"),
        (b"", "changed"),
        (None, "missing"),
    ],
)
def test_a_line_that_a_file_of_somebody_else_must_hold(host: Host, content: bytes | None, state: str) -> None:
    if content is not None:
        host.place("/etc/slurm/slurm.conf", content)
        host.records.pop()
    host.record("line", "/etc/slurm/slurm.conf", "Include aamic.conf", "slurmd.service", "slurm-hooks")
    host.write()

    found = read(host.answer())

    assert counts(found) == {"ok": 0, "changed": 0, "missing": 0, "permissions": 0} | {state: 1}


def edit(path: Path) -> None:
    path.write_bytes(b"edited by hand")


def remove(path: Path) -> None:
    path.unlink()


def open_up(path: Path) -> None:
    path.chmod(0o666)


def link_to_a_copy(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("happens", "state"),
    [
        (edit, "changed"),
        (link_to_a_copy, "changed"),
        (make_folder, "changed"),
        (make_pipe, "changed"),
        (remove, "missing"),
        (open_up, "permissions"),
    ],
)
def test_what_happens_to_a_file(host: Host, happens: Callable[[Path], None], state: str) -> None:
    host.place("/etc/aami/before.yml")
    file = host.place("/etc/aami/rules.yml", b"rules", 0o644)
    host.place("/etc/aami/after.yml")
    host.write()
    happens(file)

    expected = {"ok": 2, "changed": 0, "missing": 0, "permissions": 0} | {state: 1}
    assert counts(read(host.answer())) == expected


def test_of_a_secret_only_its_presence_and_its_rights_are_known(host: Host) -> None:
    secret = host.place("/etc/aami/secrets/slack", b"https://hooks", 0o600)
    host.records[-1] = host.records[-1].replace(hashlib.sha256(b"https://hooks").hexdigest(), "-")
    host.write()

    kept = counts(read(host.answer()))
    open_up(secret)
    opened = counts(read(host.answer()))

    assert kept == {"ok": 1, "changed": 0, "missing": 0, "permissions": 0}
    assert opened == {"ok": 0, "changed": 0, "missing": 0, "permissions": 1}


def test_an_owner_that_was_not_set_may_be_anyone(host: Host) -> None:
    file = host.place("/etc/aami/anyone's")
    host.records[-1] = host.records[-1].replace(f"{file.owner()}\t{file.group()}", "-\t-")
    host.place("/etc/aami/other")
    host.write()
    first = counts(read(host.answer()))
    file.chmod(0o600)

    assert first == {"ok": 2, "changed": 0, "missing": 0, "permissions": 0}
    assert counts(read(host.answer())) == {"ok": 1, "changed": 0, "missing": 0, "permissions": 1}


def test_the_manifest_is_the_record_that_an_apply_writes(host: Host) -> None:
    content = host.place("/etc/aami/rules.yml", mode=0o640).read_bytes()
    host.link("/etc/systemd/system/x.service", "/dev/null")
    entry = Entry("file", hashlib.sha256(content).hexdigest(), "0640")
    link = Entry("link", "/dev/null")
    kept = {"/etc/aami/rules.yml": Kept(entry, "a"), "/etc/systemd/system/x.service": Kept(link, "b")}
    release = Release("20261125T120000Z-abc1234", kept, {"/opt/x": "0" * 64}, {"x.service": "b"})
    host.write(write_release(release).decode())

    assert counts(read(host.answer())) == {"ok": 2, "changed": 0, "missing": 1, "permissions": 0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owner_or_group_is_told(host: Host) -> None:
    os.chown(host.place("/etc/aami/owner"), 65534, -1)
    os.chown(host.place("/etc/aami/group"), -1, 65534)
    host.write()

    assert counts(read(host.answer()))["permissions"] == 2


def test_what_happens_to_links_and_programs(host: Host) -> None:
    host.link("/etc/elsewhere", "/dev/null").unlink()
    (host.root / "etc/elsewhere").symlink_to("/dev/null2")
    host.link("/etc/gone", "/dev/null").unlink()
    host.link("/etc/a-file-now", "/dev/null").unlink()
    (host.root / "etc/a-file-now").write_text("")
    host.record("program", "/opt/gone", "0" * 64)
    host.record("program", "/opt/no-program", "0" * 64)
    (host.root / "opt").mkdir()
    (host.root / "opt/no-program").write_text("")
    host.write()

    assert counts(read(host.answer())) == {"ok": 0, "changed": 2, "missing": 2, "permissions": 1}


def test_a_host_that_was_never_applied_is_not_healthy(host: Host) -> None:
    found = read(host.answer())

    assert counts(found) == {}
    assert (value(found, "aamic_check_success"), value(found, "aamic_apply_pending")) == (0, 0)
    assert [one.labels for one in found.named("aamic_release_info")] == [{"release": ""}]


HEAD = "aamic-manifest\t1\nrelease\tr1\n"
FILE = f"file\t/etc/x\t{'0' * 64}\t0644\troot\troot\tnode"


@pytest.mark.parametrize(
    "manifest",
    [
        "\n",
        "aamic-manifest\t2\nrelease\tr1\n",
        "release\tr1\naamic-manifest\t1\n",
        "aamic-manifest\t1\n",
        f"aamic-manifest\t1\n{FILE}\n",
        "aamic-manifest\t1\nrelease\tr1\nrelease\tr2\n",
        'aamic-manifest\t1\nrelease\tr1"} 1\n',
        f"{HEAD}{FILE}",
        f"{HEAD}file\t/etc/x\t{'0' * 63}\t0644\troot\troot\tnode\n",
        f"{HEAD}file\t/etc/x\t{'0' * 64}\t0644\troot\n",
        f"{HEAD}{FILE}\tmore\n",
        f"{HEAD}{FILE.replace('/etc/x', 'etc/x')}\n",
        f"{HEAD}{FILE.replace('/etc/x', '/etc/x y')}\n",
        f"{HEAD}link\t/etc/x\t/dev/null\n",
        f"{HEAD}socket\t/etc/x\n",
        f"{HEAD}\n",
    ],
)
def test_a_broken_manifest_is_a_failed_check(host: Host, manifest: str) -> None:
    host.write(manifest)

    found = read(host.answer())

    assert (value(found, "aamic_check_success"), counts(found)) == (0, {})
    assert "no usable manifest" in host.check().stderr


def test_a_change_under_way_is_told(host: Host) -> None:
    pending = []
    for name in ("pending", "restoring"):
        (host.state / name).write_text("")
        pending.append(value(read(host.answer()), "aamic_apply_pending"))
        (host.state / name).unlink()

    assert [*pending, value(read(host.answer()), "aamic_apply_pending")] == [1, 1, 0]


@pytest.mark.parametrize("name", ["$(touch${IFS}x)", "`id`", "';id;'", "*", "-rf", "a\\nb", '"', "~root", "é", "%s%n"])
def test_a_hostile_name_breaks_nothing_out(host: Host, name: str, tmp_path: Path) -> None:
    if "\\" in name:
        host.write(f"{HEAD}{FILE.replace('/etc/x', f'/etc/{name}')}\n")
        expected: dict[str, int] = {}
    else:
        host.place(f"/etc/{name}")
        host.place("/etc/innocent")
        host.write()
        expected = {"ok": 2, "changed": 0, "missing": 0, "permissions": 0}
    before = sorted(tmp_path.rglob("*"))

    found = read(host.answer())

    assert counts(found) == expected
    assert sorted(tmp_path.rglob("*")) == sorted([*before, host.textfiles / "aamic.prom"])


def test_the_metrics_are_replaced_at_once_and_for_all_to_read(host: Host) -> None:
    victim = host.root / "victim"
    victim.write_text("untouched")
    (host.textfiles / ".aamic.prom.new").symlink_to(victim)
    (host.textfiles / "aamic.prom").symlink_to(victim)

    host.answer()

    assert victim.read_text() == "untouched"
    assert [path.name for path in host.textfiles.iterdir()] == ["aamic.prom"]
    assert stat.filemode((host.textfiles / "aamic.prom").lstat().st_mode) == "-rw-r--r--"


def test_a_folder_that_is_not_there_fails_the_unit(host: Host) -> None:
    host.textfiles.rmdir()

    done = host.check()

    assert (done.returncode, done.stderr) == (1, "aamic-check: usage: aamic-check FOLDER, which must exist\n")


def test_a_full_disk_leaves_the_metrics_of_before(host: Host) -> None:
    (host.textfiles / "aamic.prom").write_text("before")
    limited = f'ulimit -f 0; exec {host.shell} "$@"'

    done = subprocess.run(
        ["sh", "-c", limited, "sh", str(host.script), str(host.textfiles)],
        env={"AAMIC_ROOT": str(host.root)}, capture_output=True, timeout=30, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert (host.textfiles / "aamic.prom").read_text() == "before"


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_shellcheck_finds_nothing(shell: str, tmp_path: Path) -> None:
    (tmp_path / "check.sh").write_bytes(agent.check())
    done = subprocess.run(
        ["shellcheck", f"--shell={shell}", str(tmp_path / "check.sh")], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def exporter(host: Host, tmp_path: Path) -> Iterator[str]:
    """The real node_exporter, with the textfile collector alone, on that host's folder."""
    (service,) = contribute(NodeOptions(), Ground({"a": Node("a", "127.0.0.1", None, None, {})}, "15s", None)).services
    assert service.unit
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = [f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults", "--collector.textfile"]
    command = [service.unit.command[0], *flags, f"--collector.textfile.directory={host.textfiles}"]
    with Processes() as processes:
        processes.start("node_exporter", command, tmp_path, tmp_path / "exporter.log")
        yield f"http://127.0.0.1:{port}/metrics"


def test_the_real_exporter_serves_what_the_check_writes(host: Host, exporter: str) -> None:
    host.place("/etc/aami/rules.yml").write_text("edited")
    host.write()
    host.answer()

    found = read(until(lambda: get(exporter)))

    own = {one.name for one in found.series if one.name.startswith("aamic_")}
    declared = (
        contribute(NodeOptions(), Ground({"a": Node("a", "a", None, None, {})}, "15s", None)).endpoints[0].metrics
    )
    assert own == {metric.name for metric in declared if metric.name.startswith("aamic_")}
    assert counts(found) == {"ok": 0, "changed": 1, "missing": 0, "permissions": 0}
    assert value(found, "node_textfile_scrape_error") == 0
