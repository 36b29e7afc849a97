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
from tests.commands.terminal import on_terminal

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


def test_a_secret_that_is_there_and_cannot_be_read_any_more_is_an_error_too(
    aamic: Aamic, monkeypatch: pytest.MonkeyPatch
) -> None:
    aamic("apply", *HOSTS, "--yes")
    monkeypatch.delenv("SLACK_URL")

    done = aamic("apply", *HOSTS, "--yes")
    plan = aamic("plan", *HOSTS)

    assert (done.returncode, plan.returncode) == (1, 0)
    assert done.stderr.startswith("error: the secret of the variable `SLACK_URL` is not set (of mon)")


def test_a_saved_plan_is_shown_and_asked_about_on_a_terminal(aamic: Aamic, tmp_path: Path) -> None:
    aamic("plan", *HOSTS, "--out", "plan.json")
    saved = ("apply", "plan.json", *HOSTS)

    refused = on_terminal(tmp_path, *saved, answer="n\n")
    untouched = not [path for path in (tmp_path / "hosts").rglob("*") if path.is_file()]
    done = on_terminal(tmp_path, *saved, answer="y\n")

    assert (refused[0], untouched, done[0]) == (1, True, 0)
    assert "Apply this to 7 hosts?" in refused[2]
    assert "nothing was changed" in refused[2]
    assert "on 7 hosts" in refused[1]
    assert done[1].splitlines()[-1].endswith(": 7 of 7 hosts done")


def test_ctrl_c_at_the_question_is_an_interrupt(tmp_path: Path) -> None:
    code, _, told = on_terminal(tmp_path, "apply", *HOSTS, answer=signal.SIGINT)

    assert (code, "interrupted: nothing was changed" in told) == (130, True)


def cut_off(folder: Path) -> Path:
    """A host on which a change was cut off; the file that says so."""
    pending = folder / "hosts/gpu-1/var/lib/aamic/pending"
    pending.write_text("r9\tchanging\tanother-boot\t0\tkim\n")
    return pending


def test_interrupted_changes_are_undone_only_once_that_is_agreed_to(aamic: Aamic, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes")
    aamic("plan", *HOSTS, "--out", "plan.json")
    pending = cut_off(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE.replace("H100", "H200"))

    other = aamic("apply", "plan.json", *HOSTS)
    asked = on_terminal(tmp_path, "apply", *HOSTS, answer="n\n")
    still = pending.exists()
    done = aamic("apply", *HOSTS, "--yes")

    assert other.stderr.startswith("error: the plan was made from other files")
    assert (asked[0], "Undo them, and plan then?" in asked[2], still) == (1, True, True)
    assert "note: interrupted changes of 1 host are undone first: gpu-1\n" in done.stderr
    assert (done.returncode, pending.exists()) == (0, False)


def test_an_apply_that_nobody_watches_any_more_goes_on_and_is_recorded(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "aamic", "apply", *HOSTS, "--yes"]
    try:
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, check=False)
    finally:
        os.close(theirs)

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith(b": 7 of 7 hosts done")
    assert journal(tmp_path) == [("apply", True, {"done": "gpu-[1-6],mon"})]


def test_a_rollback_tells_what_was_edited_by_hand(aamic: Aamic, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes")
    (tmp_path / "hosts/mon" / TARGETS).write_text("edited")

    back = aamic("rollback", *HOSTS, "--yes", "--json")
    none = aamic("rollback", *HOSTS, "--yes", "--json")

    assert f"note: edited by hand, and lost if the release wrote it: /{TARGETS} (mon)\n" in back.stderr
    assert (none.returncode, json.loads(none.stdout)["hosts"], json.loads(none.stdout)["ok"]) == (0, {}, True)
    assert "bundle:" not in aamic("rollback", "--help").stdout


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
        output, told = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()

    report = json.loads(output)
    states = [each["state"] for each in report["hosts"].values()]
    assert (child.returncode, report["interrupted"], report["ok"]) == (130, True, False)
    assert set(states) == {"done", "not started"}
    assert "stopping after this wave; its hosts are brought to an end\n" in told
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


def test_an_apply_leaves_its_site_on_the_central_host(aamic: Aamic, tmp_path: Path) -> None:
    copy = tmp_path / "hosts/mon/var/lib/aamic/site"
    aamic("apply", *HOSTS, "--yes")
    first = copy.read_text()
    stamp = copy.stat().st_mtime_ns, copy.stat().st_ino
    again = aamic("apply", *HOSTS, "--yes")
    same = copy.stat().st_mtime_ns, copy.stat().st_ino
    (tmp_path / "site.yaml").write_text(f"# only a comment\n{SITE}")
    comment = aamic("apply", *HOSTS, "--yes")

    assert json.loads(first)["files"] == [{"name": "site.yaml", "text": SITE}]
    assert (again.stderr, comment.stderr, same) == ("nothing to do\n", "nothing to do\n", stamp)
    assert json.loads(copy.read_text())["files"][0]["text"].startswith("# only a comment\n")
    assert oct(copy.stat().st_mode) == "0o100600"
    assert VALUE not in copy.read_text()
    assert [path.name for path in (tmp_path / "hosts").glob("*/var/lib/aamic/site")] == ["site"]
    assert aamic("plan", *HOSTS, "--exit-code").returncode == 0


def test_a_limited_apply_leaves_the_site_too_where_there_is_a_central_host(aamic: Aamic, tmp_path: Path) -> None:
    copy = tmp_path / "hosts/mon/var/lib/aamic/site"
    before = aamic("apply", *HOSTS, "--yes", "--limit", "gpu-1")
    missing = (tmp_path / "hosts/mon").exists()
    aamic("apply", *HOSTS, "--yes")
    (tmp_path / "site.yaml").write_text(SITE.replace('"#gpu"', '"#other"'))
    limited = aamic("apply", *HOSTS, "--yes", "--limit", "gpu-2")

    assert (before.returncode, missing, limited.returncode) == (0, False, 0)
    assert "#other" in copy.read_text()


def broken(tmp_path: Path, host: str) -> None:
    """Let no apply succeed on a host that needs a file replaced."""
    path = tmp_path / "hosts" / host / "etc/aami/dcgm/counters.csv"
    path.unlink()
    path.mkdir()


def test_an_apply_that_changes_no_host_leaves_the_copy_as_it_was(aamic: Aamic, tmp_path: Path) -> None:
    copy = tmp_path / "hosts/mon/var/lib/aamic/site"
    aamic("apply", *HOSTS, "--yes")
    before = copy.read_text()
    broken(tmp_path, "gpu-1")
    (tmp_path / "site.yaml").write_text(f"{SITE}exporters: {{node: {{port: 9101}}}}\n")

    failed = aamic("apply", *HOSTS, "--yes", "--limit", "gpu-1", "--json")

    told = "no copy of the site is left on its central hosts: it changed no host (hint: the next apply leaves one)"
    assert failed.returncode == 1, failed.stdout
    assert told in json.loads(failed.stdout)["notes"]
    assert copy.read_text() == before


def test_an_apply_that_fails_on_one_host_leaves_its_site(aamic: Aamic, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes")
    broken(tmp_path, "gpu-6")
    (tmp_path / "site.yaml").write_text(f"{SITE}exporters: {{node: {{port: 9101}}}}\n")

    failed = aamic("apply", *HOSTS, "--yes")
    back = aamic("import", "--hosts", "mon,gpu-1", *HOSTS, "--out", "back")
    plans = [aamic("plan", "-f", site, *HOSTS, "--format", "json").stdout for site in ("site.yaml", "back/site.yaml")]

    assert failed.returncode == 1, failed.stdout
    assert (back.returncode, back.stderr) == (0, "")
    assert (tmp_path / "back/site.yaml").read_text() == (tmp_path / "site.yaml").read_text()
    assert json.loads(plans[0])["groups"] == json.loads(plans[1])["groups"] != []


def test_a_rollback_is_written_into_the_copy(aamic: Aamic, tmp_path: Path) -> None:
    copy = tmp_path / "hosts/mon/var/lib/aamic/site"
    aamic("apply", *HOSTS, "--yes")
    back = aamic("rollback", *HOSTS, "--yes", "--json")
    undone = json.loads(copy.read_text())
    aamic("apply", *HOSTS, "--yes")

    assert json.loads(back.stdout)["notes"] == []
    assert undone["rolled_back"] == undone["release"]
    assert json.loads(copy.read_text())["rolled_back"] == ""


def test_a_copy_that_cannot_be_left_is_a_note(aamic: Aamic, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes")
    copy = tmp_path / "hosts/mon/var/lib/aamic/site"
    copy.unlink()
    copy.mkdir()
    (tmp_path / "site.yaml").write_text(f"{SITE}exporters: {{node: {{port: 9101}}}}\n")

    done = aamic("apply", *HOSTS, "--yes", "--json")
    again = aamic("apply", *HOSTS, "--yes")

    note = f"no copy of the site is left on mon: cannot replace {copy} (hint: the next apply leaves one)"
    assert (done.returncode, json.loads(done.stdout)["notes"]) == (0, [note])
    assert (again.returncode, again.stderr) == (0, f"note: {note}\nnothing to do\n")
