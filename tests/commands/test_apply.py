"""`aamic apply`, `rollback` and `status` as a user runs them, on folders that stand for hosts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aamic.clients.journal import entries
from tests.commands.conftest import Aamic

SITE = """
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
  "gpu-[1-6]": {addresses: "198.18.1.[1-6]", gpu: {vendor: nvidia, model: H100, count: 8}}
alertmanager: {nodes: mon}
notifications: {slack: {webhook_url: {env: SLACK_URL}, channel: "#gpu"}}
rollout: {batch: 2}
"""
VALUE = "https://hooks.example.com/s3cr3t"
STORED = "etc/aami/secrets/alertmanager-slack"
TARGETS = "var/lib/aami/targets/prometheus-nodes.json"
HOSTS = ("--host-root", "hosts")


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLACK_URL", VALUE)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GITHUB_ACTOR", "kim\x1b[2J")
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def journal(tmp_path: Path) -> list[tuple[str, bool, dict[str, str]]]:
    found = entries(tmp_path / "state/aamic/journal.jsonl")
    return [(each["action"], each["ok"], each["hosts"]) for each in found]


def test_apply_then_status_then_nothing_to_do_then_rollback(aamic: Aamic, tmp_path: Path) -> None:
    first = aamic("apply", *HOSTS, "--yes")
    status = aamic("status", *HOSTS)
    second = aamic("apply", *HOSTS, "--yes")
    secret = (tmp_path / "hosts/mon" / STORED).read_text()
    back = aamic("rollback", *HOSTS, "--yes")
    after = aamic("status", *HOSTS)

    assert (first.returncode, status.returncode, second.returncode) == (0, 0, 0), first.stderr
    assert first.stdout.splitlines()[-1].endswith(": 7 of 7 hosts done")
    assert status.stdout.splitlines()[-1] == "7 hosts: 7 in sync"
    assert second.stderr == "nothing to do\n"
    assert secret == VALUE
    assert (back.returncode, after.returncode) == (0, 16)
    assert not (tmp_path / "hosts/mon" / STORED).exists()
    assert after.stdout.splitlines()[-1] == "7 hosts: 7 never applied"
    assert journal(tmp_path) == [
        ("apply", True, {"done": "gpu-[1-6],mon"}),
        ("rollback", True, {"done": "gpu-[1-6],mon"}),
    ]


def test_a_secret_is_told_nowhere(aamic: Aamic, tmp_path: Path) -> None:
    plan = aamic("plan", *HOSTS, "--out", "plan.json")
    done = aamic("apply", "plan.json", *HOSTS, "--json")
    status = aamic("status", *HOSTS, "--json")

    told = repr((plan, done, status))
    assert done.returncode == 0
    assert VALUE not in told
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and VALUE in path.read_text(errors="replace")]
    assert holding == [tmp_path / "hosts/mon" / STORED]


def test_waves_are_told_as_they_go(aamic: Aamic) -> None:
    done = aamic("apply", *HOSTS, "--yes", "--canary", "2", "--batch", "50%")

    waves = [line for line in done.stderr.splitlines() if line.startswith("wave")]
    assert waves == [
        "wave 1 of 4 · exporters, canary · 2 hosts · gpu-[1-2]",
        "wave 2 of 4 · exporters · 3 hosts · gpu-[3-5]",
        "wave 3 of 4 · exporters · 1 host · gpu-6",
        "wave 4 of 4 · central, canary · 1 host · mon",
    ]


def test_json_has_every_host_and_wave(aamic: Aamic) -> None:
    done = aamic("apply", *HOSTS, "--yes", "--json", "--limit", "gpu-[1-2]")
    nothing = aamic("apply", *HOSTS, "--yes", "--json", "--limit", "gpu-[1-2]")

    report = json.loads(done.stdout)
    assert (report["action"], report["ok"], report["who"]) == ("apply", True, "kim\x1b[2J (CI)")
    assert {host: each["state"] for host, each in report["hosts"].items()} == {"gpu-1": "done", "gpu-2": "done"}
    assert [wave["hosts"] for wave in report["waves"]] == [["gpu-1"], ["gpu-2"]]
    assert json.loads(nothing.stdout)["hosts"] == {}
    assert "\x1b" not in aamic("status", *HOSTS, "--limit", "gpu-1").stdout


def test_nobody_is_asked_where_there_is_no_terminal(aamic: Aamic, tmp_path: Path) -> None:
    done = aamic("apply", *HOSTS)
    back = aamic("rollback", *HOSTS)

    assert (done.returncode, back.returncode) == (1, 1)
    assert done.stderr == (
        "error: nobody can be asked: this is no terminal\n"
        "hint: `--yes` applies without asking; or apply a plan that was made with `aamic plan --out`\n\n1 error\n\n"
    )
    assert not (tmp_path / "hosts").exists()


def test_a_saved_plan_needs_no_question_and_refuses_hosts_that_moved(aamic: Aamic, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes")
    (tmp_path / "site.yaml").write_text(SITE.replace("H100", "H200"))
    aamic("plan", *HOSTS, "--out", "plan.json")
    (tmp_path / "hosts/mon" / TARGETS).write_text("edited")

    refused = aamic("apply", "plan.json", *HOSTS)
    (tmp_path / "site.yaml").write_text(SITE.replace("H100", "H300"))
    other = aamic("apply", "plan.json", *HOSTS)
    both = aamic("apply", "plan.json", *HOSTS, "--limit", "mon")

    assert refused.returncode == 1
    assert refused.stdout.startswith("refused · 1 host · mon\n  it has changed since the plan was made:")
    assert other.stderr.startswith("error: the plan was made from other files than this site compiles to")
    assert both.stderr.startswith("error: `--limit` and `--adopt` are part of a saved plan")


def test_a_secret_that_cannot_be_read_ends_an_apply_before_anything_is_changed(
    aamic: Aamic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLACK_URL")

    done = aamic("apply", *HOSTS, "--yes")

    assert done.returncode == 1
    assert "error: the secret of the variable `SLACK_URL` is not set" in done.stderr
    assert [path for path in (tmp_path / "hosts").rglob("*") if path.is_file()] == []


def test_status_says_what_drifted_and_what_is_behind(aamic: Aamic, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes")
    (tmp_path / "hosts/gpu-1/etc/systemd/system/aami-node-exporter.service").write_text("edited")
    (tmp_path / "site.yaml").write_text(SITE.replace("H100", "H200"))

    done = aamic("status", *HOSTS)

    assert done.returncode == 16
    assert "drifted · 1 host · gpu-1\n  /etc/systemd/system/aami-node-exporter.service\n" in done.stdout
    assert "behind · 1 host · mon\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "7 hosts: 5 in sync, 1 behind, 1 drifted"


def test_a_host_that_fails_ends_the_apply_and_the_next_one_goes_on(aamic: Aamic, tmp_path: Path) -> None:
    blocking = tmp_path / "hosts/gpu-3"
    blocking.parent.mkdir()
    blocking.mkdir()
    etc = blocking / "etc"
    etc.write_text("a file where a folder belongs")

    failed = aamic("apply", *HOSTS, "--yes")
    etc.unlink()
    done = aamic("apply", *HOSTS, "--yes")

    assert (failed.returncode, done.returncode) == (1, 0), done.stderr
    assert "nothing further was started" in failed.stdout
    assert "not started · 4 hosts · gpu-[4-6],mon\n" in failed.stdout
    assert aamic("status", *HOSTS).stdout.splitlines()[-1] == "7 hosts: 7 in sync"


def test_a_batch_that_is_none_is_refused(aamic: Aamic) -> None:
    for batch in ("0", "0%", "101%", "many", "-1", "٣"):
        done = aamic("apply", *HOSTS, "--yes", f"--batch={batch}")
        assert done.stderr.startswith(f"error: --batch: `{batch}` is no batch"), done.stderr


def test_a_rollback_is_for_whole_hosts_and_names_its_release(aamic: Aamic) -> None:
    bundle = aamic("rollback", *HOSTS, "--yes", "--limit", "bundle:node")
    none = aamic("rollback", *HOSTS, "--yes")
    unknown = aamic("rollback", *HOSTS, "--yes", "--release", "r9")

    assert bundle.stderr.startswith("error: a rollback is for whole hosts, not for a bundle")
    assert (none.returncode, none.stdout) == (0, "no host carries a release of aamic\n")
    assert (unknown.returncode, unknown.stdout) == (1, "no host carries release r9\n")


def test_ctrl_c_ends_an_apply_between_two_waves(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aamic", "apply", *HOSTS, "--yes", "--batch", "1", "--json"]
    child = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert child.stderr is not None
    try:
        for line in child.stderr:
            if line.startswith("wave 2"):
                break
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()

    report = json.loads(output)
    states = [each["state"] for each in report["hosts"].values()]
    assert (child.returncode, report["interrupted"], report["ok"]) == (130, True, False)
    assert set(states) == {"done", "not started"}
    assert next(hosts for _, _, hosts in journal(tmp_path)).keys() == {"done", "not started"}


def test_a_controller_that_was_killed_leaves_nothing_half_done_for_long(aamic: Aamic, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aamic", "apply", *HOSTS, "--yes", "--batch", "1"]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    try:
        for line in child.stderr:
            if line.startswith("wave 3"):
                break
        time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
        child.stderr.close()

    done = aamic("apply", *HOSTS, "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert aamic("status", *HOSTS).stdout.splitlines()[-1] == "7 hosts: 7 in sync"
