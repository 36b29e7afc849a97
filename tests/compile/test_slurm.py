"""`slurm` of a site, resolved; faults with their exact words stand in tests/bad/slurm-*."""

from __future__ import annotations

import textwrap

import pytest

from aamic.model.fleet import CanaryJob, GpuThresholds, HealthPolicy, Limit, SlurmSettings
from tests.sites import checked, problems, told

NODES = """
    version: 1
    cluster: {name: test}
    prometheus: {node: mon}
    nodes:
      mon: {address: 198.18.0.1}
      ctl: {address: 198.18.0.2}
      "gpu-[1-40]": {addresses: "198.18.1.[1-40]", gpu: {vendor: nvidia, model: H100, count: 8}}
    """


def site(slurm: str) -> str:
    return textwrap.dedent(NODES) + f"slurm: {{controller: ctl{slurm and ', '}{slurm}}}\n"


def settings(slurm: str = "") -> SlurmSettings:
    found = checked(site(slurm)).fleet.slurm
    assert found is not None
    return found


def test_little_is_said_and_nothing_is_done() -> None:
    found = settings()

    assert found.nodes == tuple(sorted(f"gpu-{number}" for number in range(1, 41)))
    assert (found.pre_job_check, found.post_job_check, found.job_mapping) == (False, False, False)
    assert (found.auto_drain, found.max_drained, found.health.interval) == ("shadow", 2, 30)
    assert found.canary_job == CanaryJob("root", None, None, None, 60)
    assert told(site("")) == []


def test_what_is_said_is_meant() -> None:
    found = settings(
        'nodes: "gpu-[1-3],ctl", version: "22.05", endpoint: "http://ctl:6820", auth: {token: {env: JWT}}, '
        "canary_job: {enabled: false}, drain_codes: {nvidia: [94, 79, 94]}, drain_on: [lost_gpu, lost_gpu], "
        "thresholds: [{vendor: nvidia, model: H100, temperature_celsius: {fail: 95, warn: 85}}], "
        "hysteresis: {breaches: 2}, check_interval: 1m, max_drained: 1"
    )
    health = HealthPolicy(
        drain_on=("lost_gpu",),
        codes={"nvidia": (79, 94)},
        thresholds=(GpuThresholds("nvidia", "H100", {"temperature_celsius": Limit(85, 95, None)}),),
        breaches=2,
        clears=5,
        interval=60,
    )

    assert found.health == health
    assert (found.nodes, found.version, found.user) == (("gpu-1", "gpu-2", "gpu-3", "ctl"), (22, 5), "root")
    assert (found.canary_job, found.max_drained) == (None, 1)


def test_bounds_need_no_slurm_and_those_of_slurm_come_on_top() -> None:
    own = "health: {thresholds: [{vendor: nvidia, temperature_celsius: {warn: 80}}]}\n"
    more = "thresholds: [{vendor: nvidia, temperature_celsius: {warn: 82}}]"
    first, second = (GpuThresholds("nvidia", None, {"temperature_celsius": Limit(n, None, None)}) for n in (80, 82))
    without = checked(own + textwrap.dedent(site("enabled: false"))).fleet
    with_ = checked(own + textwrap.dedent(site(more))).fleet

    assert (without.slurm, without.health) == (None, HealthPolicy(thresholds=(first,)))
    assert with_.slurm is not None
    assert with_.health == with_.slurm.health
    assert with_.health.thresholds == (first, second)


@pytest.mark.parametrize("slurm", ["enabled: false", "enabled: false, controller: nobody"])
def test_slurm_that_is_switched_off_is_left_alone(slurm: str) -> None:
    text = site(slurm).replace("controller: ctl, ", "", 1 if "nobody" in slurm else 0)

    assert checked(text).fleet.slurm is None


@pytest.mark.parametrize(
    ("slurm", "warnings"),
    [
        ("max_drained: 39", []),
        ("max_drained: 40", ["9:39: `max_drained: 40` holds nothing back: `slurm` has 40 nodes"]),
        ("max_drained: 40, auto_drain: off", []),
        ("max_drained: 100%, nodes: gpu-1", []),
        ("nodes: 'gpu-1,ctl'", ["9:21: the controller `ctl` gets hooks too, as a node that runs jobs"]),
        ("auth: {token: {env: JWT}}", ["9:26: `slurm.auth` has no effect without `endpoint`"]),
        (
            "thresholds: [{vendor: nvidia, model: H200, throttle_ratio: {warn: 0.4}}]",
            ["9:63: no node of `slurm` has the model `H200`"],
        ),
    ],
)
def test_what_is_odd_is_a_warning(slurm: str, warnings: list[str]) -> None:
    assert [problem.severity for problem in problems(site(slurm))] == ["warning" for _ in warnings]
    assert [problem.partition(" (")[0] for problem in told(site(slurm))] == [f"site.yaml:{each}" for each in warnings]


@pytest.mark.parametrize(
    ("slurm", "message"),
    [
        (
            "auth: {token: {env: JWT}}, endpoint: 'ctl:6820'",
            "`ctl:6820` in `slurm.endpoint` is not a URL of slurmrestd",
        ),
        ("pre_job_check: true, nodes: 'gpu-[41-42]'", "unknown nodes `gpu-[41-42]`"),
        (
            "thresholds: [{vendor: nvidia, throttle_ratio: {warn: true}}]",
            "`slurm.thresholds[0].throttle_ratio.warn` is `true`, wanted a number",
        ),
    ],
)
def test_one_fault_is_told_once(slurm: str, message: str) -> None:
    (problem,) = told(site(slurm))

    assert message in problem


def test_a_prolog_that_no_verdict_reaches_is_warned_of() -> None:
    off = "exporters: {dcgm: {enabled: false}}"

    (found,) = (line for line in told(site("pre_job_check: true") + f"\n{off}\n") if "no effect" in line)
    why = "`pre_job_check` has no effect: no node of `slurm` has GPUs with an exporter that reads them"
    assert found == f"site.yaml:9:41: {why} (no node is checked without one)"
