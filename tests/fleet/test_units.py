"""The rendered units on a real systemd: users, folders, hardening and reloads are its, not ours."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from aamic.compile.compiler import compile_site
from aamic.deploy.hostfolder import host_files
from tests.fleet.disk import install
from tests.fleet.host import Host, add_host
from tests.fleet.rack import Rack

SITE = """
version: 1
cluster: {name: fleet}
nodes: {mon-01: {address: ADDRESS}}
prometheus: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
federation: {central_node: mon-01, central: {federate_interval: 1s, federate_timeout: 1s}}
alertmanager: {nodes: mon-01}
"""
STARTED = [
    "aami-alertmanager.service",
    "aami-node-exporter.service",
    "aami-prometheus-central.service",
    "aami-prometheus-shard-1.service",
]
TIMER = "aamic-check.timer"


@pytest.fixture(scope="module")
def host(rack: Rack) -> Iterator[Host]:
    made = add_host(rack, "units", 9)
    (made.folder / "site.yaml").write_text(SITE.replace("ADDRESS", made.address))
    tree = compile_site(made.folder / "site.yaml").tree
    units = {unit: state for bundle in tree.bundles for unit, state in bundle.services.items()}
    states = {state: sorted(unit for unit in units if units[unit] == state) for state in ("started", "masked")}
    assert states["started"] == [*STARTED, TIMER]
    install(made.root, host_files(tree.bundles)["mon-01"], states["started"], states["masked"])
    made.boot()
    yield made
    made.kill()


def ask(host: Host, port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://{host.address}:{port}{path}", timeout=5) as answer:
        return json.load(answer)


def test_every_unit_runs_as_its_own_user(host: Host) -> None:
    users = {unit: host.run("systemctl", "show", "-P", "User", unit).stdout.strip() for unit in STARTED}
    states = {unit: host.run("systemctl", "is-active", unit).stdout.strip() for unit in STARTED}

    assert set(states.values()) == {"active"}
    assert users == {
        "aami-alertmanager.service": "aami-alertmanager",
        "aami-node-exporter.service": "aami-node-exporter",
        "aami-prometheus-central.service": "aami-prometheus",
        "aami-prometheus-shard-1.service": "aami-prometheus",
    }
    for unit in STARTED:
        leader = host.run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()
        assert host.run("stat", "-c", "%U", f"/proc/{leader}").stdout.strip() == users[unit]
        assert "CapEff:\t0000000000000000" in host.run("cat", f"/proc/{leader}/status").stdout


def test_data_folders_belong_to_their_service_alone(host: Host) -> None:
    folders = ("alertmanager", "prometheus-central", "prometheus-shard-1", "textfile")
    told = host.run("stat", "-c", "%U %a", *(f"/var/lib/aami/{name}" for name in folders)).stdout.splitlines()

    assert told == ["aami-alertmanager 750", "aami-prometheus 750", "aami-prometheus 750", "root 755"]


@pytest.mark.parametrize("unit", [unit for unit in STARTED if unit != "aami-node-exporter.service"])
def test_a_reload_reloads(host: Host, unit: str) -> None:
    before = host.run("systemctl", "show", "-P", "MainPID", unit).stdout

    done = host.run("systemctl", "reload", unit)

    assert (done.returncode, done.stderr) == (0, "")
    assert host.run("systemctl", "show", "-P", "MainPID", unit).stdout == before


def test_central_reads_the_shard_and_everything_is_up(host: Host) -> None:
    until = time.monotonic() + 60
    while True:
        found = ask(host, 9091, "/api/v1/query?query=up")["data"]["result"]
        up = {sample["metric"]["job"]: sample["value"][1] for sample in found}
        if up == dict.fromkeys(("alertmanager", "central", "federate", "node", "prometheus"), "1"):
            break
        assert time.monotonic() < until, up
        time.sleep(0.5)
    targets = ask(host, 9090, "/api/v1/targets?state=active")["data"]["activeTargets"]
    assert {target["labels"]["job"]: target["health"] for target in targets}["node"] == "up"


def checked(host: Host) -> dict[str, float]:
    """What node_exporter says of aamic, after a check."""
    host.do("systemctl", "start", "aamic-check.service")
    with urllib.request.urlopen(f"http://{host.address}:9100/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[:6] == "aamic_"}


def write(host: Host, path: str, text: str) -> None:
    done = host.run("sh", "-c", 'umask 077; mkdir -p "${0%/*}"; cat >"$0"', path, stdin=text)
    assert done.returncode == 0, done.stderr


def test_the_check_reads_everything_and_writes_one_folder(host: Host) -> None:
    assert checked(host)["aamic_check_success"] == 0
    write(host, "/etc/aami/private", "x")
    host.do("chown", "aami-prometheus:aami-prometheus", "/etc/aami/private")
    host.do("chmod", "0400", "/etc/aami/private")
    digest = host.do("sha256sum", "/etc/aami/private").split()[0]
    file = f"file\t/etc/aami/private\t{digest}\t0400\taami-prometheus\taami-prometheus\tb\n"
    link = "link\t/etc/localtime\t/nowhere\tb\n"
    write(host, "/var/lib/aamic/manifest", f"aamic-manifest\t1\nrelease\tr1\n{file}{link}")

    found = checked(host)

    assert {name: value for name, value in found.items() if "timestamp" not in name} == {
        "aamic_apply_pending": 0,
        "aamic_check_success": 1,
        'aamic_managed_files{state="changed"}': 1,
        'aamic_managed_files{state="missing"}': 0,
        'aamic_managed_files{state="ok"}': 1,
        'aamic_managed_files{state="permissions"}': 0,
        'aamic_release_info{release="r1"}': 1,
    }
    host.do("rm", "-r", "/var/lib/aamic", "/etc/aami/private")


def test_the_timer_waits_for_its_next_turn(host: Host) -> None:
    assert host.do("systemctl", "is-active", TIMER) == "active\n"
    assert host.do("systemctl", "show", "-P", "NextElapseUSecMonotonic", TIMER).strip() not in {"", "infinity"}


def test_a_change_that_nobody_confirms_is_ended_by_the_check(host: Host) -> None:
    write(host, "/var/lib/aamic/agent", 'echo "$1" >>/var/lib/aamic/told\n')
    checked(host)
    assert host.run("cat", "/var/lib/aamic/told").returncode != 0
    for name in ("pending", "restoring"):
        write(host, f"/var/lib/aamic/{name}", "")
        assert checked(host)["aamic_apply_pending"] == 1
        until = time.monotonic() + 20
        while (told := host.run("cat", "/var/lib/aamic/told").stdout) == "":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert told == "recover\n"
        host.do("rm", f"/var/lib/aamic/{name}", "/var/lib/aamic/told")
    host.do("rm", "-r", "/var/lib/aamic")
