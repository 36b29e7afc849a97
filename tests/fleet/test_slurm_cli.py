"""The command line rolls out the hooks of the catalog over a real Slurm, and takes them out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.controller import Controller
from tests.fleet.rack import Rack
from tests.fleet.slurm import Slurm

CONF = "/etc/slurm/slurm.conf"
NODES = ("node-01", "node-02")
ROLLOUT = "{settle: 1s, ready_timeout: 15s, gate_timeout: 5s, confirm_timeout: 120s}"
HOOKS = "pre_job_check: true, post_job_check: true, auto_drain: off"
SLURM = (
    'slurm: {controller: slurm-ctl, nodes: "node-[01-02]", version: "22.05", exporter: false, %s, '
    "canary_job: {timeout: 20s}}\n"
)


@pytest.fixture
def site(slurm: Slurm, rack: Rack, tmp_path: Path) -> Iterator[Controller]:
    wipe(slurm)
    yield Controller(tmp_path, rack, {host.name: host for host in slurm.hosts})
    wipe(slurm)


def wipe(slurm: Slurm) -> None:
    slurm.reset()
    for host in slurm.hosts:
        host.do("sh", "-c", "rm -rf /var/lib/aamic /etc/tmpfiles.d/aami* /etc/sysusers.d/aami*")


def write(site: Controller, hooks: str) -> None:
    site.write(SLURM % hooks, ROLLOUT)
    path = site.folder / "site.yaml"
    path.write_text(path.read_text().replace("{node: mon-01", "{node: slurm-ctl"))


def conf(slurm: Slurm) -> list[str]:
    return [host.do("cat", CONF) for host in slurm.hosts]


def jobs_run(slurm: Slurm) -> None:
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert [slurm.node_state(name) for name in NODES] == [("IDLE", ""), ("IDLE", "")]


def test_hooks_come_and_go_with_the_site(site: Controller, slurm: Slurm) -> None:
    before = conf(slurm)
    write(site, HOOKS)

    planned = site.run("plan").stdout
    site.apply_all()
    first = site.run("plan", "--exit-code")
    status = site.run("status")
    slurm.srun("--nodelist=node-02", "true")
    slurm.nodes["node-02"].do("systemctl", "start", "aamic-check.service")
    drift = slurm.nodes["node-02"].do("sh", "-c", "cat /var/lib/aami/textfile*/aamic.prom")

    assert "~ line of /etc/slurm/slurm.conf" in planned
    assert "scontrol reconfigure on 1 host" in " ".join(planned.split())
    assert (first.returncode, status.returncode) == (0, 0), first.stdout + status.stdout
    assert conf(slurm) == [f"Include aamic.conf\n{text}" for text in before]
    assert "\tnode-02\t" in slurm.nodes["node-02"].do("cat", "/var/lib/aamic/jobs.journal")
    assert 'aamic_managed_files{state="changed"} 0' in drift
    jobs_run(slurm)

    write(site, "auto_drain: off")
    report = site.apply()

    assert [wave["stage"] for wave in report["waves"]] == ["slurm", "removals", "removals"], json.dumps(report)
    assert conf(slurm) == before
    assert all(host.run("ls", "/etc/slurm/aamic.conf").returncode for host in slurm.hosts)
    jobs_run(slurm)

    back = site.run("rollback", "--yes")

    assert back.returncode == 0, back.stdout + back.stderr
    assert conf(slurm) == [f"Include aamic.conf\n{text}" for text in before]
    jobs_run(slurm)


def test_a_prolog_of_the_site_is_told_and_kept_and_everything_else_goes_on(site: Controller, slurm: Slurm) -> None:
    slurm.configure(slurm.conf.with_lines(["Prolog=/bin/true"]))
    before = conf(slurm)
    write(site, HOOKS)

    planned = " ".join(site.run("plan").stdout.split())
    site.apply_all()

    assert "conflict: `/etc/slurm/slurm.conf:" in planned
    assert "no hook and nothing of slurm.conf is changed because of this" in planned
    assert conf(slurm) == before
    assert slurm.nodes["node-01"].run("ls", "/etc/slurm/prolog.d/50-aamic").returncode != 0
    assert slurm.nodes["node-01"].do("systemctl", "is-active", "aami-node-exporter") == "active\n"
    assert site.run("plan", "--exit-code").returncode == 0
