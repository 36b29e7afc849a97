"""`aamic VENDOR install` as a user runs it, on folders that stand for hosts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.commands.conftest import Aamic

SITE = """\
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}   # the server
  "k-[1-2]": {addresses: "198.18.1.[1-2]"}
  mi: {address: 198.18.1.9, gpu: {vendor: amd, model: MI300X, count: 8}}
racks:
  r1: {nodes: "c-[1-4]", addresses: "198.18.2.[1-4]"}
slurm: {controller: mon, pre_job_check: true}
"""
LINE = '  "c-[1-2]": {gpu: {vendor: nvidia, model: H100, count: 8}}\n'
AFTER = SITE.replace("racks:", f"{LINE}racks:")
H100 = ("--model", "H100", "--count", "8")
HOSTS = ("--host-root", "hosts")


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def files(folder: Path) -> dict[str, str]:
    """What stands on a host: contents, and where links lead."""
    found = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in found
        if "var/lib/aamic" not in str(path)
    }


def answered(folder: Path, answers: str, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal where somebody types these answers; its exit code, and what stood there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aamic", *arguments]
    child = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, text=True)
    os.close(theirs)
    told = ""
    try:
        for number, answer in enumerate(answers, 1):
            while told.count("[y/N]: ") < number:
                told += os.read(ours, 4096).decode()
            os.write(ours, f"{answer}\n".encode())
        with suppress(OSError):
            while more := os.read(ours, 65536):
                told += more.decode()
        child.wait(timeout=60)
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    return child.returncode, told.replace("\r\n", "\n")


def test_the_edit_then_one_bundle_then_nothing_to_do(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    aamic("apply", *HOSTS, "--yes", "--limit", "c-1")
    before = files(tmp_path / "hosts/c-1")
    done = aamic("nvidia", "install", "c-[1-2]", *H100, *HOSTS, "--yes")

    assert done.returncode == 0, done.stderr
    assert site.read_text() == AFTER
    assert done.stdout.startswith("--- site.yaml\n+++ site.yaml\n")
    assert (
        "\nwrote `site.yaml`\nnote: `aamic plan` shows what else this edit changes, such as targets and rules\n"
        "4 to add on 2 of 2 hosts\n"
        "Plan for test · 2 of 2 hosts observed · limited to bundle:gpu-nvidia on c-[1-2]\n"
    ) in done.stdout
    assert "note: folders that stand for hosts answer nothing, so no exporter was asked\n" in done.stderr
    added = {
        "etc/aami/dcgm/counters.csv",
        "etc/systemd/system/aami-dcgm-exporter.service",
        "etc/systemd/system/multi-user.target.wants/aami-dcgm-exporter.service",
        "etc/systemd/system/nvidia-dcgm-exporter.service",
    }
    after = files(tmp_path / "hosts/c-1")
    assert after.keys() - before.keys() == added
    assert {name: after[name] for name in before} == before
    assert files(tmp_path / "hosts/c-2").keys() == added

    again = aamic("nvidia", "install", "c-[1-2]", *HOSTS, "--yes")
    assert (again.returncode, site.read_text()) == (0, AFTER)
    assert again.stdout.startswith("no changes on 2 hosts\n")
    assert "nothing to do\n" in again.stderr


def test_a_dry_run_shows_both_and_does_nothing(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    done = aamic("nvidia", "install", "c-[1-2]", *H100, *HOSTS, "--dry-run")
    document = json.loads(aamic("nvidia", "install", "c-[1-2]", *H100, *HOSTS, "--dry-run", "--json").stdout)

    assert (done.returncode, site.read_text(), (tmp_path / "hosts").exists()) == (0, SITE, False)
    assert f"\n+{LINE}" in done.stdout
    assert "\nnothing was written\n" in done.stdout
    assert "no version of package `datacenter-gpu-manager-exporter` is pinned" in " ".join(done.stdout.split())
    assert [(each["path"], f"+{LINE}" in each["diff"]) for each in document["files"]] == [("site.yaml", True)]
    assert (document["version"], document["vendor"], document["written"]) == (1, "nvidia", False)
    assert (document["plan"]["hosts"], document["report"], document["exporters"]) == (2, None, {})


def test_json_has_what_became_of_it(aamic: Aamic) -> None:
    done = aamic("amd", "install", "mi", *HOSTS, "--yes", "--json")
    document = json.loads(done.stdout)

    assert (document["files"], document["written"], document["plan"]) == ([], False, None)
    assert document["report"]["hosts"]["mi"]["state"] == "done"
    assert "amdgpu-exporter" in done.stderr


def test_bundles_of_slurm_are_no_matter_here(aamic: Aamic) -> None:
    """The hooks of this site are held back, as nobody could look at the controller."""
    whole = aamic("apply", *HOSTS, "--yes", "--json")
    one = aamic("amd", "install", "mi", *HOSTS, "--yes", "--json")

    assert (whole.returncode, json.loads(whole.stdout)["held"]) == (1, ["slurm-controller"])
    assert (one.returncode, json.loads(one.stdout)["report"]["held"]) == (0, [])


# On a terminal


def test_an_edit_that_is_declined(site: Path, tmp_path: Path) -> None:
    code, told = answered(tmp_path, "n", "nvidia", "install", "c-[1-2]", *H100, *HOSTS)

    assert (code, site.read_text(), (tmp_path / "hosts").exists()) == (1, SITE, False)
    assert "Write this to `site.yaml`? [y/N]: n\nnothing was changed\n" in told


def test_a_plan_that_is_declined(site: Path, tmp_path: Path) -> None:
    code, told = answered(tmp_path, "yn", "nvidia", "install", "c-[1-2]", *H100, *HOSTS)

    assert (code, site.read_text(), (tmp_path / "hosts/c-1/etc").exists()) == (1, AFTER, False)
    assert told.endswith("Apply this to 2 hosts? [y/N]: n\nnothing was changed\nnote: the edit of the site stays\n")


def with_tarball(site: Path, tarball: str) -> str:
    source = f"{{tarball: '{tarball}', sha256: {'a' * 64}, binary: usr/bin/dcgm-exporter}}"
    site.write_text(f"{SITE}exporters: {{dcgm: {{source: {source}}}}}\n")
    return site.read_text()


def test_a_tarball_that_is_not_there_is_told_before_the_edit(aamic: Aamic, site: Path) -> None:
    before = with_tarball(site, "missing.tgz")
    done = [aamic("nvidia", "install", "c-[1-2]", *H100, *HOSTS, how) for how in ("--dry-run", "--yes")]

    assert [(each.returncode, each.stdout, "missing.tgz" in each.stderr) for each in done] == [(1, "", True)] * 2
    assert site.read_text() == before


def test_an_apply_that_cannot_begin_says_that_the_edit_stays(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    with_tarball(site, "http://127.0.0.1:9/nobody.tgz")
    done = aamic("nvidia", "install", "c-[1-2]", *H100, *HOSTS, "--yes")

    assert (done.returncode, (tmp_path / "hosts/c-1/etc").exists()) == (1, False)
    assert "note: the edit of the site stays\nerror: " in done.stderr
    assert "nobody.tgz" in done.stderr
    assert LINE in site.read_text()


def test_another_vendor_is_asked_about(site: Path, tmp_path: Path) -> None:
    code, told = answered(tmp_path, "n", "nvidia", "install", "mi", *H100, *HOSTS)

    assert (code, site.read_text()) == (1, SITE)
    assert "\n-  mi: {address: 198.18.1.9, gpu: {vendor: amd, model: MI300X, count: 8}}\n" in told


# What is refused


@pytest.mark.parametrize(
    ("extra", "words", "told"),
    [
        (
            "",
            ("mi", *H100, "--yes"),
            (
                "error: the site says that `mi` has 8 MI300X of amd, not of nvidia\n"
                "hint: `--replace` edits the site all the same\n"
            ),
        ),
        (
            "",
            ("c-1", "--yes", *HOSTS),
            (
                "error: the site does not say which GPUs of nvidia `c-1` has\n"
                "hint: add `--model` and `--count`, such as `--model H100 --count 8`\n"
            ),
        ),
        (
            "",
            ("k-1,c-1", *H100, "--yes"),
            (
                "error: cannot edit `gpu` of `k-1`\n"
                "hint: it stands with others in `nodes.k-[1-2]`: take it out of there by hand\n"
            ),
        ),
        ("", ("c-5", "--yes"), "error: this site has no node `c-5`\nhint: did you mean `c-4`?\n"),
        (
            "exporters: {dcgm: {enabled: false}}\n",
            ("c-1", *H100, "--yes"),
            "error: `exporters.dcgm.enabled` is false in this site\nhint: set it to true first\n",
        ),
        (
            "",
            ("c-1", *H100),
            (
                "error: nobody can be asked: this is no terminal\n"
                "hint: `--yes` edits and applies without asking; `--dry-run` only shows both\n"
            ),
        ),
        (
            "",
            ("c-1", "--model", "H\t100", "--count", "8", "--yes"),
            "error: `nodes.c-1.gpu.model`",
        ),
    ],
)
def test_refused(extra: str, words: tuple[str, ...], told: str, aamic: Aamic, site: Path) -> None:
    site.write_text(SITE + extra)
    done = aamic("nvidia", "install", *words)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(told), done.stderr
    assert site.read_text() == SITE + extra


def test_another_vendor_is_replaced_when_told_to(aamic: Aamic, site: Path) -> None:
    done = aamic("nvidia", "install", "mi", *H100, "--replace", "--yes", *HOSTS)

    assert done.returncode == 0, done.stderr
    assert site.read_text() == SITE.replace("vendor: amd, model: MI300X", "vendor: nvidia, model: H100")
