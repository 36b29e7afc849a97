"""Faults that an apply must survive, each on a real host, over SSH, through the command line.

After each: the host has the old release or the new one, completely, services included; the report says which; the next
apply finishes the job; another one changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fleet import faults
from tests.fleet.brakes import DIE, brake, has_stopped, let_go
from tests.fleet.controller import UNIT, Controller, is_settled, picture, wait_until
from tests.fleet.host import Host
from tests.fleet.rack import Rack

NAME = "gpu-01"
OTHER = (
    "{name: other, port: 9290, nodes: gpu-01, metrics: {x_total: {}}, "
    'command: [/usr/bin/prometheus-node-exporter, "--web.listen-address=:9290"]}'
)
CHANGE = f"exporters: {{node: {{port: 9101, collectors: {{disable: [arp]}}}}, custom: [{OTHER}]}}\n"
"""Another port for one unit, and another unit with a user and a link."""
INCOMING = "cd /var/lib/aamic/incoming && find . -name files"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"


@pytest.fixture
def host(hosts: Mapping[str, Host]) -> Host:
    hosts[NAME].wipe()
    return hosts[NAME]


@pytest.fixture
def controller(hosts: Mapping[str, Host], host: Host, rack: Rack, tmp_path: Path) -> Controller:
    """A controller whose first release is on the host, and whose site now asks for another."""
    made = Controller(tmp_path, rack, hosts)
    made.write()
    made.apply_all("--limit", NAME)
    assert is_settled(host)
    made.write(CHANGE)
    return made


def finish(controller: Controller, host: Host) -> None:
    """The next apply does what is left to do, and another one nothing."""
    controller.apply_all("--limit", NAME)
    assert "9101" in picture(host)
    again = controller.run("apply", "--yes", "--limit", NAME)
    assert (again.returncode, "nothing to do" in again.stdout + again.stderr) == (0, True)
    assert is_settled(host)


def let_time_pass(host: Host) -> None:
    """What the host's timer will do when nobody confirms, now."""
    host.do("systemctl", "start", "--no-block", "aamic-confirm.service")
    wait_until(lambda: is_settled(host))


def state(report: dict[str, object], name: str = NAME) -> tuple[str, str]:
    hosts = report["hosts"]
    assert isinstance(hosts, dict)
    return hosts[name]["state"], hosts[name]["message"]


# The controller is killed


def test_before_anything_was_sent(controller: Controller, host: Host) -> None:
    before = picture(host)
    with faults.slow(host, 3):
        controller.killed("--limit", NAME, when=lambda: "sleep 3" in host.run("ps", "ax").stdout)
    time.sleep(4)

    assert picture(host) == before
    assert is_settled(host)
    finish(controller, host)


def large_exporter(folder: Path) -> str:
    """A site's part with an exporter out of a tarball of 8 MB, more than fits into what a socket holds back."""
    program = b"#!/bin/sh\nexec /usr/bin/prometheus-node-exporter --web.listen-address=:9291\n#" + os.urandom(8_000_000)
    with tarfile.open(folder / "large.tar", "w") as archive:
        member = tarfile.TarInfo("large/exporter")
        member.size = len(program)
        archive.addfile(member, io.BytesIO(program))
    digest = hashlib.sha256((folder / "large.tar").read_bytes()).hexdigest()
    source = f"{{tarball: large.tar, sha256: {digest}, binary: large/exporter}}"
    spec = f"{{name: large, port: 9291, nodes: gpu-01, command: [large], source: {source}, metrics: {{x_total: {{}}}}}}"
    return CHANGE.replace(OTHER, spec)


def test_while_the_transfer_is_sent(controller: Controller, host: Host) -> None:
    before = picture(host)
    controller.write(large_exporter(controller.folder))
    with faults.narrow(host, 8000):
        controller.killed("--limit", NAME, when=lambda: "files" in host.run("sh", "-c", INCOMING).stdout)
    wait_until(lambda: not host.run("ls", "/var/lib/aamic/incoming").stdout.strip())

    assert picture(host) == before
    assert is_settled(host)
    finish(controller, host)
    assert "9291" in host.do("head", "-n", "2", "/opt/aami/bin/custom-large")


@pytest.mark.parametrize(
    ("program", "pattern", "count"),
    [("/usr/bin/mv", "-f -T", 3), ("/usr/bin/systemd-analyze", "verify", 1), ("/usr/bin/systemctl", "restart", 1)],
    ids=["after half the files", "before it is judged", "before the restart"],
)
def test_in_the_middle_and_the_host_goes_on_alone(
    controller: Controller, host: Host, program: str, pattern: str, count: int
) -> None:
    before = picture(host)
    with brake(host, program, pattern, count):
        controller.killed("--limit", NAME, when=lambda: has_stopped(host))
        let_go(host)
        wait_until(lambda: "unconfirmed" in host.run("cat", "/var/lib/aamic/pending").stdout)
    let_time_pass(host)

    assert picture(host) == before
    finish(controller, host)


@pytest.mark.parametrize(
    ("program", "pattern", "count"),
    [("/usr/bin/mv", "-f -T", 3), ("/usr/bin/systemd-analyze", "verify", 1), ("/usr/bin/systemctl", "restart", 1)],
    ids=["after half the files", "before it is judged", "before the restart"],
)
def test_in_the_middle_and_the_host_is_cut_off_too(
    controller: Controller, host: Host, program: str, pattern: str, count: int
) -> None:
    before = picture(host)
    with brake(host, program, pattern, count, DIE):
        controller.killed("--limit", NAME, when=lambda: has_stopped(host))
    let_time_pass(host)

    assert picture(host) == before
    finish(controller, host)


def test_before_it_confirms(controller: Controller, host: Host) -> None:
    before = picture(host)
    controller.write(CHANGE, "{settle: 5s, ready_timeout: 8s, gate_timeout: 5s, confirm_timeout: 30s}")
    controller.killed("--limit", NAME, when=lambda: "9101" in host.run("pgrep", "-af", "node-exporter").stdout)
    wait_until(lambda: "unconfirmed" in host.run("cat", "/var/lib/aamic/pending").stdout)
    busy = controller.apply("--limit", NAME)
    wait_until(lambda: is_settled(host), 60)  # the host's own timer, in its own time

    assert busy["ok"] is False
    assert picture(host) == before
    finish(controller, host)


# The connection, the disk, the host


def test_the_cable_is_pulled_in_the_middle(controller: Controller, host: Host) -> None:
    before = picture(host)
    controller.write(CHANGE, command_timeout="8s")
    with brake(host, "/usr/bin/systemctl", "restart"):
        process = controller.start("apply", "--yes", "--json", "--limit", NAME)
        wait_until(lambda: has_stopped(host))
        with faults.cut(host):
            output, _ = process.communicate(timeout=120)
        let_go(host)
        wait_until(lambda: "unconfirmed" in host.run("cat", "/var/lib/aamic/pending").stdout)
    report = json.loads(output)
    let_time_pass(host)

    assert (process.returncode, state(report)[0]) == (1, "unknown")
    assert "by itself" in state(report)[1]
    assert picture(host) == before
    finish(controller, host)


def test_the_power_is_cut_in_the_middle(controller: Controller, host: Host) -> None:
    before = picture(host)
    with brake(host, "/usr/bin/mv", "-f -T", 3):
        controller.killed("--limit", NAME, when=lambda: has_stopped(host))
        host.kill()
    host.boot()
    wait_until(lambda: is_settled(host))  # aamic-recover.service ran at boot

    assert picture(host) == before
    finish(controller, host)


@pytest.mark.parametrize("path", ["/", "/var"])
def test_the_disk_is_full(controller: Controller, host: Host, path: str) -> None:
    before = picture(host)
    with faults.full_disk(host, path):
        report = controller.apply("--limit", NAME)

    assert (report["exit"], state(report)[0]) == (1, "refused")
    assert "free" in state(report)[1]
    assert picture(host) == before
    assert is_settled(host)
    finish(controller, host)


@pytest.mark.parametrize("path", ["/etc/systemd/system", "/var/lib/aamic"])
def test_a_folder_cannot_be_written(controller: Controller, host: Host, path: str) -> None:
    before = picture(host)
    with faults.read_only(host, path):
        report = controller.apply("--limit", NAME)

    assert (report["exit"], state(report)[0]) == (1, "refused")
    assert "cannot" in state(report)[1]
    assert picture(host) == before
    finish(controller, host)


def test_a_host_is_down_and_others_go_on(controller: Controller, hosts: Mapping[str, Host], host: Host) -> None:
    hosts["gpu-02"].wipe()
    before = picture(host)
    with faults.down(host):
        report = controller.apply("--limit", "gpu-[01-02]")

    assert report["exit"] == 1
    assert state(report)[0] == "not reached"
    assert f"`{NAME}`" in state(report)[1]
    assert "2 tries" in state(report)[1]
    assert state(report, "gpu-02")[0] == "done"
    assert picture(host) == before
    finish(controller, host)


def test_a_slow_host_is_waited_for(controller: Controller, host: Host) -> None:
    with faults.slow(host, 30):
        report = controller.apply("--limit", NAME)

    assert (report["exit"], state(report)[0]) == (0, "done")
    finish(controller, host)


def test_another_host_key_is_refused(controller: Controller, host: Host) -> None:
    before = picture(host)
    with faults.wrong_host_key(host):
        report = controller.apply("--limit", NAME)

    assert (report["exit"], state(report)[0]) == (1, "not reached")
    assert "key" in state(report)[1]
    assert picture(host) == before
    finish(controller, host)


@pytest.mark.parametrize("user", ["nosudo", "stranger"])
def test_a_missing_right_is_told_before_anything_changes(
    controller: Controller, hosts: Mapping[str, Host], rack: Rack, host: Host, user: str
) -> None:
    before = picture(host)
    other = Controller(controller.folder, rack, hosts, user)
    other.write(CHANGE)
    report = other.apply("--limit", NAME)

    assert (report["exit"], state(report)[0]) == (1, "not reached")
    assert "sudo" in state(report)[1]
    assert picture(host) == before
    controller.write(CHANGE)
    finish(controller, host)


def test_a_clock_that_is_an_hour_off_does_not_matter(controller: Controller, host: Host) -> None:
    with faults.clock_skew(host, 3600):
        report = controller.apply("--limit", NAME)
        status = controller.run("status", "--limit", NAME)

    assert (report["exit"], state(report)[0]) == (0, "done")
    assert "clock" in status.stdout
    finish(controller, host)


# What stands on the host


def test_a_config_that_promtool_refuses_is_undone(controller: Controller, hosts: Mapping[str, Host]) -> None:
    host = hosts["mon-01"]
    host.wipe()
    controller.write()
    controller.apply_all("--limit", "mon-01")
    before = picture(host)
    broken = host.root / "etc/aami/rules/shard/zz-local.yml"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_text("groups: [{name: x, rules: [{record: a b, expr: up +}]}]\n")
    text = (controller.folder / "site.yaml").read_text()
    (controller.folder / "site.yaml").write_text(text.replace("evaluation_interval: 1s", "evaluation_interval: 2s"))
    report = controller.apply("--limit", "mon-01")
    broken.unlink()

    assert (report["exit"], state(report, "mon-01")[0]) == (1, "restored")
    assert "promtool refuses /etc/aami/prometheus/prometheus.yml" in state(report, "mon-01")[1]
    assert picture(host) == before
    controller.apply_all("--limit", "mon-01")
    assert controller.run("plan", "--exit-code", "--limit", "mon-01").returncode == 0


def exporter_that(does: str, host: Host, told: str = "9101") -> None:
    """Replace the host's exporter by one that does something else once it is started with a new argument."""
    program = host.root / "usr/bin/prometheus-node-exporter"
    program.rename(program.with_name("exporter.real"))
    program.write_text(f'#!/bin/sh\ncase "$*" in *{told}*) {does} ;; esac\nexec /usr/bin/exporter.real "$@"\n')
    program.chmod(0o755)


def good_exporter(host: Host) -> None:
    (host.root / "usr/bin/exporter.real").replace(host.root / "usr/bin/prometheus-node-exporter")


def test_a_unit_that_dies_after_three_seconds_is_undone(controller: Controller, host: Host) -> None:
    before = picture(host)
    exporter_that('/usr/bin/exporter.real "$@" & sleep 3; kill $!; exit 1', host)
    controller.write(CHANGE, "{settle: 5s, ready_timeout: 8s, gate_timeout: 5s}")
    report = controller.apply("--limit", NAME)
    good_exporter(host)

    assert (report["exit"], state(report)[0]) == (1, "restored")
    assert f"{UNIT} did not stay up for 5 seconds" in state(report)[1]
    assert picture(host).replace("exporter.real", "prometheus-node-exporter") == before
    finish(controller, host)


def test_a_unit_that_never_gets_ready_is_undone(controller: Controller, host: Host) -> None:
    before = picture(host)
    exporter_that("exec sleep infinity", host)
    report = controller.apply("--limit", NAME)
    good_exporter(host)

    assert (report["exit"], state(report)[0]) == (1, "restored")
    assert f"{UNIT} did not listen on port 9101 within 8 seconds" in state(report)[1]
    assert picture(host).replace("exporter.real", "prometheus-node-exporter") == before
    finish(controller, host)


def test_a_file_that_was_edited_after_the_plan_is_not_overwritten(controller: Controller, host: Host) -> None:
    plan = controller.folder / "plan.json"
    assert controller.run("plan", "--limit", NAME, "--out", str(plan)).returncode == 0
    edited = host.root / UNIT_FILE[1:]
    edited.write_text(edited.read_text() + "# by hand\n")
    before = picture(host)
    report = controller.run("apply", str(plan), "--json")
    told = json.loads(report.stdout)

    assert (report.returncode, state(told)[0]) == (1, "refused")
    assert UNIT_FILE in state(told)[1]
    assert picture(host) == before
    finish(controller, host)


def test_a_file_of_somebody_else_is_taken_over_only_when_asked(controller: Controller, host: Host) -> None:
    foreign = host.root / "etc/systemd/system/aami-ipmi.service"
    foreign.write_text("[Service]\nExecStart=/bin/true\n")
    before = picture(host)
    controller.write(CHANGE.replace("name: other", "name: ipmi"))
    report = controller.apply("--limit", NAME)

    assert (report["exit"], state(report)[0]) == (1, "refused")
    assert "--adopt" in json.dumps(report)
    assert picture(host) == before
    controller.apply_all("--limit", NAME, "--adopt")
    assert "9290" in foreign.read_text()
    assert controller.run("rollback", "--yes", "--limit", NAME).returncode == 0
    assert foreign.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_wave_that_prometheus_cannot_scrape_goes_back(
    controller: Controller, hosts: Mapping[str, Host], host: Host
) -> None:
    """The exporter runs, listens and stays up, but what it answers are no metrics."""
    hosts["mon-01"].wipe()
    controller.write()
    controller.apply_all("--limit", f"mon-01,{NAME}")
    before = picture(host)
    exporter_that("cd /; exec python3 -m http.server 9100", host, "no-collector.arp")
    controller.write("exporters: {node: {collectors: {disable: [arp]}}}\n")
    wait_until(lambda: up_targets(hosts["mon-01"]) == 1)
    report = controller.apply("--limit", NAME)
    good_exporter(host)

    assert (report["exit"], state(report)[0]) == (1, "restored")
    assert "job `node` is down in Prometheus `prometheus` since the change" in state(report)[1]
    assert picture(host).replace("exporter.real", "prometheus-node-exporter") == before
    assert is_settled(host)


def up_targets(host: Host) -> int:
    """How many exporters of the changed host the Prometheus on this host scrapes well."""
    url = f"http://{host.address}:9090/api/v1/query?query=sum(up%7Bnode%3D%22{NAME}%22%7D)"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def test_two_controllers_do_not_interleave(controller: Controller, host: Host) -> None:
    first = controller.start("apply", "--yes", "--json", "--limit", NAME)
    second = controller.start("apply", "--yes", "--json", "--limit", NAME)
    reports = [json.loads(process.communicate(timeout=120)[0]) for process in (first, second)]
    states = sorted(state(report)[0] for report in reports)

    assert states in (["done", "refused"], ["already", "done"])
    finish(controller, host)
