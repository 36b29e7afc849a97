"""What Slurm's side writes on the hosts of a twin: only what is declared, and only where it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aamic.catalog.base import Fault
from aamic.compile.compiler import check_site, shipped_catalog
from aamic.model.fleet import Fleet
from aamic.twin.pages import pages
from aamic.twin.slurmside import SICK, jobs, textfiles
from tests.exposition import read
from tests.twin.dashboards import SITE


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE)
    return check_site(path).fleet


def test_what_is_written_is_declared(fleet: Fleet) -> None:
    (node,) = (each for each in fleet.endpoints if each.job == "node")
    declared = {metric.name: metric.labels for metric in node.metrics}

    written = [each for host in fleet.nodes for each in read(textfiles(fleet, host, [Fault(SICK, "", None)])).series]

    assert {each.name for each in written} - declared.keys() == set()
    assert [each for each in written if each.labels.keys() - (declared[each.name] or set())] == []


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault("xid", "79", 0), "fail"), (Fault("xid", "31", 0), "ok"), (Fault("ecc", "79", 0), "ok"),
        (Fault("temperature", "95", 0), "ok"), (Fault(SICK, "", None), "fail"),
    ],
)  # fmt: skip
def test_the_check_of_a_node_sees_a_code_that_takes_a_gpu_out_of_service(
    fleet: Fleet, fault: Fault, verdict: str
) -> None:
    written = read(textfiles(fleet, "gpu-001", [fault])).series
    found = {each.labels["verdict"]: each.value for each in written if each.name == "aamic_node_verdict"}
    assert [name for name, value in found.items() if value == 1] == [verdict]


def test_each_program_writes_where_it_runs(fleet: Fleet) -> None:
    names = {host: {each.name for each in read(textfiles(fleet, host)).series} for host in fleet.nodes}

    assert [host for host in names if "aamic_node_verdict" in names[host]] == ["gpu-001", "gpu-002", "mi-001", "mi-002"]
    assert [host for host in names if "aamic_drain_mode" in names[host]] == ["slurm-ctl"]
    assert {textfiles(replace(fleet, slurm=None), host) for host in fleet.nodes} == {""}


def test_gpus_have_the_jobs_of_their_node(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    site = check_site(tmp_path / "site.yaml").site
    ports = {endpoint.port: endpoint.job for endpoint in fleet.endpoints}

    shown = {
        (page.node, series.labels.get("hpc_job", series.labels.get("job_id")))
        for page in pages(site, fleet, shipped_catalog(), frozenset())
        if ports[page.port] in {"dcgm", "amd"}
        for series in read(page.sample((), 1.0)).series
        if series.name in {"DCGM_FI_DEV_GPU_TEMP", "amd_gpu_junction_temperature"}
    }

    assert shown == {("gpu-001", "4001"), ("gpu-002", "4001"), ("mi-001", "4002"), ("mi-002", "4002")}
    assert jobs(replace(fleet, slurm=None)) == {}
