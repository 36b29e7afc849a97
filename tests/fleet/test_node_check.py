"""The node check and the hooks on a real systemd: its sandbox, its timer and its syslog are not ours."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from aamic.agent.health import verdict
from aamic.agent.health.verdict import Verdict
from aamic.catalog.base import Fault
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.catalog.vendors.nvidia.sample import sample
from aamic.compile.compiler import compile_site
from aamic.deploy.hostfolder import host_files
from aamic.model.fleet import Gpu, Node
from tests.fleet.disk import install
from tests.fleet.host import Host, add_host
from tests.fleet.rack import Rack

SITE = """
version: 1
cluster: {name: fleet}
nodes:
  gpu-001: {address: ADDRESS, gpu: {vendor: nvidia, model: H100, count: 4}}
  ctl: {address: 198.18.0.250}
prometheus: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
federation: {central_node: ctl, shard_nodes: ctl, central: {federate_interval: 1s, federate_timeout: 1s}}
slurm: {controller: ctl, pre_job_check: true, post_job_check: true, job_mapping: true, check_interval: 10s}
"""
TIMER = "aamic-node-check.timer"
SERVICE = "aamic-node-check.service"


@pytest.fixture(scope="module")
def host(rack: Rack) -> Iterator[Host]:
    made = add_host(rack, "gpu-001", 8)
    (made.folder / "site.yaml").write_text(SITE.replace("ADDRESS", made.address))
    bundles = compile_site(made.folder / "site.yaml").tree.bundles
    own = [each for each in bundles if each.name.startswith(("node-check", "slurm-", "node"))]
    install(made.root, host_files(own)["gpu-001"], [TIMER], ["aami-node-exporter.service"])
    (made.root / "srv/exporter").mkdir(parents=True)
    made.boot()
    made.do("systemd-run", "--unit=exporter", "python3", "-m", "http.server", "9400", "--directory", "/srv/exporter")
    until_it_listens(made)
    yield made
    made.kill()


def until_it_listens(host: Host) -> None:
    deadline = time.monotonic() + 20
    while ":9400" not in host.run("ss", "-Hltn").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def look(host: Host, *faults: Fault) -> Verdict:
    """The verdict when the exporter shows these faults."""
    node = Node("gpu-001", host.address, None, Gpu("nvidia", "H100", 4), {})
    (host.root / "srv/exporter/metrics").write_text(sample(DcgmOptions(), node, faults, 60.0))
    host.do("systemctl", "start", SERVICE)
    return verdict.parse(host.do("cat", "/run/aamic/verdict").encode())


def test_the_check_works_in_its_sandbox_and_tells_its_journal(host: Host) -> None:
    well, broken = look(host), look(host, Fault("xid", "79", 3))

    assert (well.state, broken.state, broken.refuse) == ("ok", "fail", False)
    assert broken.brake.startswith("Prometheus does not answer: http://198.18.0.250:")
    assert 'aamic_node_verdict{verdict="fail"} 1\n' in host.do("cat", "/var/lib/aami/textfile/aamic_node.prom")
    assert "fail (before: ok): XID 79" in host.do("journalctl", "-u", SERVICE, "-o", "cat")
    assert host.do("stat", "-c", "%a %U", "/run/aamic", "/run/aamic/verdict").splitlines() == ["755 root", "644 root"]


def test_the_timer_runs_it_in_time(host: Host) -> None:
    before = look(host).uptime
    deadline = time.monotonic() + 30
    while verdict.parse(host.do("cat", "/run/aamic/verdict").encode()).uptime < before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.5)

    assert host.do("systemctl", "is-active", TIMER).strip() == "active"


def test_hooks_run_with_nothing_in_their_environment_and_speak_to_syslog(host: Host) -> None:
    look(host, Fault("xid", "79", 3))
    job = ("env", "-i", "SLURM_JOB_ID=70", "SLURM_JOB_GPUS=0,3", "SLURM_JOB_USER=kim", "SLURM_JOB_EXIT_CODE2=0:9")
    prolog = host.run(*job, "/etc/slurm/prolog.d/50-aamic").returncode
    mapped = host.do("cat", "/run/aamic/jobs/dcgm/0", "/run/aamic/jobs/dcgm/3").split()
    epilog = host.run(*job, "/etc/slurm/epilog.d/50-aamic").returncode

    assert (prolog, mapped, epilog) == (0, ["70", "70"], 0)
    assert "job 70 runs although this node fails: XID 79" in host.do("journalctl", "-t", "aamic-prolog", "-o", "cat")
    line = host.do("cat", "/var/lib/aamic/jobs.journal").split("\t")
    assert (line[2], line[3], line[7], line[8], line[9]) == ("70", "kim", "0,3", "0:9", "fail")
