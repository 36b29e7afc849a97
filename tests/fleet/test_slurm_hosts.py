from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.fleet.controller import wait_until
from tests.fleet.slurm import Slurm
from tests.fleet.slurmconf import GPUS

RECORD = "#!/bin/sh\n/usr/bin/env >/run/aamic-{hook}\n"
REFUSE = "#!/bin/sh\n[ $SLURMD_NODENAME != node-01 ]\n"


@pytest.fixture
def cluster(slurm: Slurm) -> Iterator[Slurm]:
    yield slurm
    slurm.reset()


def seen(cluster: Slurm, node: str, hook: str) -> dict[str, str]:
    lines = cluster.nodes[node].do("cat", f"/run/aamic-{hook}").splitlines()
    return dict(line.split("=", 1) for line in lines)


def ask(cluster: Slurm, path: str, token: str) -> tuple[int, str]:
    connection = HTTPConnection(cluster.rest().removeprefix("http://"), timeout=10)
    with closing(connection):
        given = {"X-SLURM-USER-NAME": "root", "X-SLURM-USER-TOKEN": token}
        connection.request("GET", path, headers=given if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_a_job_passes_prolog_and_epilog_and_they_are_told_its_gpus(cluster: Slurm) -> None:
    for hook in ("prolog", "epilog"):
        cluster.write(f"/etc/slurm/{hook}.sh", RECORD.format(hook=hook), 0o755)
    cluster.configure(cluster.conf.with_lines(["Prolog=/etc/slurm/prolog.sh", "Epilog=/etc/slurm/epilog.sh"]))
    number = cluster.submit("exit 3", "--gres=gpu:2", "--nodelist=node-02")
    state = cluster.wait_job(number)
    cluster.wait_node("node-02", "IDLE")
    prolog, epilog = seen(cluster, "node-02", "prolog"), seen(cluster, "node-02", "epilog")

    assert state == "FAILED"
    assert {"PATH", "HOME", "SLURM_JOB_NAME", "SLURM_JOB_EXIT_CODE2"} & set(prolog) == set()
    assert prolog.items() >= {
        "SLURM_JOB_ID": number, "SLURMD_NODENAME": "node-02", "SLURM_JOB_USER": "alice", "SLURM_JOB_UID": "2010",
        "SLURM_JOB_PARTITION": "main", "SLURM_JOB_GPUS": "0,1", "CUDA_VISIBLE_DEVICES": "0,1",
        "SLURM_SCRIPT_CONTEXT": "prolog_slurmd", "SLURM_JOB_RESTART_COUNT": "0", "SLURM_CLUSTER_NAME": "fleet",
    }.items()  # fmt: skip
    assert epilog.items() >= {
        "SLURM_JOB_ID": number, "SLURM_JOB_GPUS": "0,1", "SLURM_JOB_EXIT_CODE": "768", "SLURM_JOB_EXIT_CODE2": "3:0",
        "SLURM_SCRIPT_CONTEXT": "epilog_slurmd",
    }.items()  # fmt: skip


def test_a_refused_job_is_requeued_and_runs_elsewhere(cluster: Slurm) -> None:
    cluster.write("/etc/slurm/prolog.sh", REFUSE, 0o755)
    cluster.configure(cluster.conf.without_hold().with_lines(["Prolog=/etc/slurm/prolog.sh"]))
    number = cluster.submit("exit 0", f"--gres=gpu:{GPUS}")
    state = cluster.wait_job(number)

    assert (state, cluster.job_field(number, "Restarts")) == ("COMPLETED", "1")
    assert cluster.job_field(number, "NodeList") == "node-02"
    # slurmctld drains before it writes the reason down.
    wait_until(lambda: cluster.node_state("node-01") == ("IDLE+DRAIN", "Prolog error"), 30)
    assert cluster.node_state("node-02") == ("IDLE", "")


def test_without_a_setting_a_refused_job_is_held(cluster: Slurm) -> None:
    cluster.write("/etc/slurm/prolog.sh", REFUSE, 0o755)
    cluster.configure(cluster.conf.with_lines(["Prolog=/etc/slurm/prolog.sh"]))
    number = cluster.submit("exit 0")
    cluster.wait_node("node-01", "IDLE+DRAIN")

    assert cluster.wait_job(number, "PENDING") == "PENDING"
    assert cluster.job_field(number, "Reason") == "launch_failed_requeued_held"


def test_accounting_remembers_what_the_controller_forgot(cluster: Slurm) -> None:
    cluster.account()
    cluster.configure(cluster.conf.forgetful())
    number = cluster.submit("exit 3", "--gres=gpu:2", "--job-name=two words")
    cluster.wait_forgotten(number)
    line = cluster.do("sacct", "-X", "-P", "-n", "-j", number, "-o", "JobID,JobName,User,State,ExitCode,NodeList")

    assert line == f"{number}|two words|alice|FAILED|3:0|node-01\n"


def test_the_rest_api_answers_with_a_token_only(cluster: Slurm) -> None:
    number = cluster.submit("sleep 60", "--gres=gpu:2")
    cluster.wait_job(number, "RUNNING")
    status, text = ask(cluster, "/slurm/v0.0.38/jobs", cluster.token())
    refused, _ = ask(cluster, "/slurm/v0.0.38/jobs", "")
    jobs = {job["job_id"]: job["job_state"] for job in json.loads(text)["jobs"]}

    assert (status, refused, jobs[int(number)]) == (200, 401, "RUNNING")


def test_nodes_take_their_configuration_from_the_controller(cluster: Slurm) -> None:
    cluster.go_configless()
    done = cluster.srun("--nodelist=node-02", "sh", "-c", "ls /etc/slurm/slurm.conf; hostname")

    assert (done.returncode, done.stdout) == (0, "node-02\n")


def test_a_reset_leaves_nothing_of_a_test(cluster: Slurm) -> None:
    before = picture(cluster)
    number = cluster.submit("sleep 600", "--nodelist=node-01")
    cluster.wait_job(number, "RUNNING")
    cluster.submit("sleep 600", "--begin=now+1hour")
    cluster.write("/etc/slurm/aamic.conf", "Prolog=/etc/slurm/prolog.d/*\n")
    cluster.nodes["node-01"].do("mkdir", "-p", "/var/lib/aamic", "/run/aami", "/etc/aami/node")
    cluster.scontrol("update", "nodename=node-01", "state=drain", "reason=aamic: test")
    cluster.scontrol("update", "nodename=node-02", "state=down", "reason=broken")
    cluster.nodes["node-02"].do("systemctl", "stop", "slurmd")
    cluster.reset()

    assert picture(cluster) == before
    assert cluster.do("squeue", "-h") == ""
    assert {name: cluster.node_state(name) for name in cluster.nodes} == dict.fromkeys(cluster.nodes, ("IDLE", ""))


def picture(cluster: Slurm) -> list[str]:
    found = "find /etc /run/aami* /var/lib/aami* -type f -newer /proc/1 -exec sha256sum {} +; ls /etc/slurm"
    return [host.run("sh", "-c", found).stdout for host in cluster.hosts]
