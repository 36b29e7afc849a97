"""`aamic slurm install-hooks` and `uninstall-hooks` as a user runs them, on folders that stand for hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Aamic

HEAD = """
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
  ctl: {address: 198.18.0.2}
  "gpu-[1-3]": {addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
"""
SLURM = """\
slurm:
  controller: ctl    # slurmctld
# the end
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + SLURM)
    return path


def test_hooks_are_asked_for_and_taken_back_byte_for_byte(aamic: Aamic, site: Path) -> None:
    site.write_bytes(b"\xef\xbb\xbf" + (HEAD + SLURM).replace("\n", "\r\n").encode())
    site.chmod(0o640)
    before = site.read_bytes()
    done = aamic("slurm", "install-hooks", "--yes", "--no-plan")

    added = "  pre_job_check: true\r\n  post_job_check: true\r\n  auto_drain: shadow\r\n# the end"
    assert (done.returncode, done.stderr) == (0, "")
    assert before.replace(b"# the end", added.encode()) == site.read_bytes()
    assert site.stat().st_mode & 0o777 == 0o640
    assert done.stdout.splitlines()[-2] == "wrote `site.yaml`"
    assert aamic("slurm", "uninstall-hooks", "--yes", "--no-plan").returncode == 0
    assert before == site.read_bytes()
    assert list(site.parent.iterdir()) == [site]


def test_the_edit_is_shown_and_the_plan_of_it(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    done = aamic("slurm", "install-hooks", "--dry-run", "--host-root", "hosts")

    assert done.stdout.startswith("--- site.yaml\n+++ site.yaml\n")
    assert "\n+  pre_job_check: true\n+  post_job_check: true\n+  auto_drain: shadow\n" in done.stdout
    assert "\nnothing was written\n" in done.stdout
    assert " to add on 5 of 5 hosts; 1 bundle held back\nPlan for test · 5 of 5 hosts observed\n" in done.stdout
    assert (site.read_text(), (tmp_path / "hosts").exists()) == (HEAD + SLURM, False)


def test_modes(aamic: Aamic, site: Path) -> None:
    modes = []
    for words in (["--enforce"], [], ["--shadow"]):
        assert aamic("slurm", "install-hooks", "--yes", "--no-plan", *words).returncode == 0
        modes.append(site.read_text().split("auto_drain: ")[1].split("\n")[0])
    both = aamic("slurm", "install-hooks", "--yes", "--shadow", "--enforce")

    assert modes == ['"on"', '"on"', "shadow"]
    assert both.returncode == 2


def test_what_stays_without_hooks_is_told(aamic: Aamic, site: Path) -> None:
    site.write_text(HEAD + "slurm: {controller: ctl, pre_job_check: true, auto_drain: on, job_mapping: true}\n")
    done = json.loads(aamic("slurm", "uninstall-hooks", "--yes", "--no-plan", "--json").stdout)

    assert site.read_text() == HEAD + "slurm: {controller: ctl, auto_drain: on, job_mapping: true}\n"
    assert (done["written"], done["plan"], [file["path"] for file in done["files"]]) == (True, None, ["site.yaml"])
    assert done["notes"] == [
        "`auto_drain: on` stays: nodes that fail are still drained; `off` ends that",
        "`job_mapping` stays, and with it a prolog and an epilog that only tell exporters of jobs",
    ]


def test_json_holds_the_plan(aamic: Aamic, site: Path) -> None:
    done = aamic("slurm", "install-hooks", "--yes", "--json", "--host-root", "hosts")
    document = json.loads(done.stdout)

    assert document["plan"]["hosts"] == 5
    assert document["files"][0]["diff"] in done.stderr
    assert "pre_job_check: true" in site.read_text()


def test_a_site_that_says_so_already_is_not_written(aamic: Aamic, site: Path) -> None:
    aamic("slurm", "install-hooks", "--yes", "--no-plan")
    before = site.stat()
    done = aamic("slurm", "install-hooks", "--yes", "--no-plan")

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "`site.yaml` says so already")
    assert (before.st_ino, before.st_mtime_ns) == (site.stat().st_ino, site.stat().st_mtime_ns)


def test_the_file_that_has_slurm_is_edited(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    site.write_text(HEAD + "include: [parts/slurm.yaml]\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/slurm.yaml").write_text(SLURM)
    done = aamic("slurm", "install-hooks", "--yes", "--no-plan")

    assert "wrote `parts/slurm.yaml`" in done.stdout
    assert "pre_job_check: true" in (tmp_path / "parts/slurm.yaml").read_text()
    assert site.read_text() == HEAD + "include: [parts/slurm.yaml]\n"


@pytest.mark.parametrize(
    ("slurm", "told"),
    [
        (
            "",
            "error: this site has no Slurm cluster\nhint: add `slurm: {controller: HOST}` with the host",
        ),
        (
            "slurm: {controller: ctl, enabled: false}\n",
            "error: `slurm.enabled` is false in this site\nhint: set it to true first\n\n1 error\n\n",
        ),
        (
            "alerts: {custom: []}\nslurm: &s {controller: ctl}\nssh: {<<: *s}\n",
            "error: unknown key `controller` in `ssh`\n  --> site.yaml:10:12\n",
        ),
    ],
)
def test_what_is_refused(slurm: str, told: str, aamic: Aamic, site: Path) -> None:
    site.write_text(HEAD + slurm)
    done = aamic("slurm", "install-hooks", "--yes")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(told)
    assert site.read_text() == HEAD + slurm


def test_nobody_can_be_asked(aamic: Aamic, site: Path) -> None:
    done = aamic("slurm", "install-hooks")

    assert (done.returncode, site.read_text()) == (1, HEAD + SLURM)
    assert "hint: `--yes` writes without asking; `--dry-run` only shows the edit\n" in done.stderr
