from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aamic.catalog.base import Fault, Ground
from aamic.catalog.vendors.nvidia.counters import csv, known, rows
from aamic.catalog.vendors.nvidia.exporter import COUNTERS_PATH, contribute, neutral_rules, series
from aamic.catalog.vendors.nvidia.options import Counter, Counters, DcgmOptions
from aamic.catalog.vendors.nvidia.sample import sample
from aamic.model.fleet import Gpu, Metric, Node, Unit

Read = Callable[[str], Any]
NODE = Node("gpu-1", "10.0.0.1", None, Gpu("nvidia", "H100", 8), {})
NODES = {
    "cpu-1": replace(NODE, name="cpu-1", gpu=None),
    "gpu-2": replace(NODE, name="gpu-2"),
    "gpu-1": NODE,
    "mi-1": replace(NODE, name="mi-1", gpu=Gpu("amd", "MI300X", 8)),
}
GROUND = Ground(NODES, "15s", None)
RECORDED = Path(__file__).parents[2] / "recorded"
ALL_FIELDS = DcgmOptions(counters=Counters(add={name: Counter() for name in known()["optional_fields"]}))


def unit_of(options: DcgmOptions) -> Unit:
    (service,) = contribute(options, GROUND).services
    assert service.unit is not None
    return service.unit


def declared(options: DcgmOptions) -> dict[str, Metric]:
    (endpoint,) = contribute(options, GROUND).endpoints
    return {metric.name: metric for metric in endpoint.metrics}


def columns(options: DcgmOptions) -> list[list[str]]:
    lines = csv(rows(options)).decode().splitlines()
    return [[part.strip() for part in line.split(",")] for line in lines if not line.startswith("#")]


def test_it_runs_on_nodes_with_nvidia_gpus_in_order() -> None:
    contribution = contribute(DcgmOptions(), GROUND)
    (service,) = contribution.services

    assert (service.bundle, service.hosts) == ("gpu-nvidia", ("gpu-2", "gpu-1"))
    assert service.masks == ("nvidia-dcgm-exporter.service",)
    assert [("dcgm", 9400, frozenset({"gpu-1", "gpu-2"}))] == [
        (one.job, one.port, one.hosts) for one in contribution.endpoints
    ]
    assert [group.name for group in contribution.rules] == ["gpu-nvidia"]


@pytest.mark.parametrize(
    ("options", "ground"),
    [(DcgmOptions(enabled=False), GROUND), (DcgmOptions(), Ground({"cpu-1": NODES["cpu-1"]}, "15s", None))],
    ids=["switched off", "no such nodes"],
)
def test_without_a_host_it_contributes_nothing(options: DcgmOptions, ground: Ground) -> None:
    assert tuple(vars(contribute(options, ground)).values()) == ((), (), (), ())


def test_with_its_own_hostengine_it_is_root_with_the_profiling_capability() -> None:
    unit = unit_of(DcgmOptions(port=9401, collect_interval="1m30s"))

    assert unit.command == ("/usr/bin/dcgm-exporter", "-f", COUNTERS_PATH, "-a", ":9401", "-c", "90000")
    assert (unit.user, unit.capabilities, unit.private_devices) == ("root", ("CAP_SYS_ADMIN",), False)


def test_with_a_running_hostengine_it_needs_no_privilege() -> None:
    local, remote = (unit_of(DcgmOptions(hostengine=f"{host}:5555")) for host in ("localhost", "dpu-1"))

    assert local.command[-4:] == ("-c", "15000", "-r", "localhost:5555")
    assert (local.user, local.capabilities) == ("aami-dcgm-exporter", ())
    assert "nvidia-dcgm.service" in local.wants
    assert "nvidia-dcgm.service" not in remote.wants


@pytest.mark.parametrize("options", [DcgmOptions(), ALL_FIELDS], ids=["defaults", "all fields"])
def test_the_counters_file_has_three_columns_and_each_field_once(options: DcgmOptions) -> None:
    (service,) = contribute(options, GROUND).services
    table = columns(options)

    assert [(COUNTERS_PATH, csv(rows(options)))] == [(file.path, file.content) for file in service.files]
    assert {3} == {len(row) for row in table}
    assert {"gauge", "counter", "label"} == {kind for _, kind, _ in table}
    assert len(table) == len({name for name, _, _ in table})
    assert not [row for row in table if not row[2] or '"' in row[2]]


@pytest.mark.parametrize(
    "field",
    [
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_FB_RESERVED",
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "DCGM_EXP_XID_ERRORS_COUNT",
        "DCGM_EXP_GPU_HEALTH_STATUS",
        "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
        "DCGM_FI_DEV_THERMAL_VIOLATION",
    ],
)
def test_fields_that_upstream_leaves_out_are_collected(field: str) -> None:
    assert field in {row[0] for row in columns(DcgmOptions())}
    assert field in declared(DcgmOptions())


def test_fields_are_added_and_left_out() -> None:
    add = {
        "DCGM_FI_DEV_DEC_UTIL": Counter(),
        "DCGM_FI_DEV_FUTURE": Counter(type="counter", help="Not known yet"),
        "DCGM_FI_DEV_SM_CLOCK": Counter(help="Ours"),
        "DCGM_FI_DEV_SERIAL": Counter(),
    }
    options = DcgmOptions(counters=Counters(add=add, omit=["DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DRIVER_VERSION"]))
    table = {name: (kind, help_) for name, kind, help_ in columns(options)}

    assert table["DCGM_FI_DEV_DEC_UTIL"] == ("gauge", "Decoder utilization in percent")
    assert table["DCGM_FI_DEV_FUTURE"] == ("counter", "Not known yet")
    assert table["DCGM_FI_DEV_SM_CLOCK"] == ("gauge", "Ours")
    assert not {"DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DRIVER_VERSION"} & table.keys()
    metric = declared(options)["DCGM_FI_DEV_DEC_UTIL"]
    assert metric.labels is not None
    assert {"gpu", "UUID", "DCGM_FI_DEV_SERIAL"} <= metric.labels
    assert "DCGM_FI_DRIVER_VERSION" not in metric.labels


@pytest.mark.parametrize("help_", ["a, b", 'a "b"', "a\nb", "a\\b", ""])
def test_help_that_would_break_the_file_is_refused(help_: str) -> None:
    with pytest.raises(ValidationError):
        Counter(type="gauge", help=help_)


def test_rules_follow_the_fields() -> None:
    without = DcgmOptions(counters=Counters(omit=["DCGM_FI_DEV_GPU_TEMP"]))

    assert "gpu:temperature_celsius" in {rule.record for rule in neutral_rules(DcgmOptions()).rules}  # type: ignore[union-attr]
    assert "gpu:temperature_celsius" not in {rule.record for rule in neutral_rules(without).rules}  # type: ignore[union-attr]
    assert (neutral_rules(without),) == contribute(without, GROUND).rules


@pytest.mark.parametrize(
    "options",
    [DcgmOptions(), DcgmOptions(hostengine="localhost:5555"), ALL_FIELDS],
    ids=["defaults", "hostengine", "all fields"],
)
def test_a_sample_shows_every_metric_as_declared_and_as_many_series_as_predicted(
    options: DcgmOptions, read: Read
) -> None:
    emitted = read(sample(options, NODE, (), 30.0))
    metrics = declared(options)

    assert series(options, NODE) == len(emitted.series)
    assert metrics.keys() == {one.name for one in emitted.series}
    for one in emitted.series:
        assert set(one.labels) <= (metrics[one.name].labels or set()), one
        assert metrics[one.name].type == emitted.types[one.name]


@pytest.mark.parametrize("file", ["dcgm", "dcgm_lower_hostname", "dcgm_mig"])
def test_what_was_recorded_is_declared(file: str, read: Read) -> None:
    recorded = read((RECORDED / f"{file}.prom").read_text())
    metrics = declared(DcgmOptions())

    for one in recorded.series:
        assert set(one.labels) - {"hpc_job"} <= (metrics[one.name].labels or set()), one


def test_a_sample_has_the_names_labels_and_types_that_were_recorded(read: Read) -> None:
    recorded = read((RECORDED / "dcgm.prom").read_text())
    emitted = read(sample(DcgmOptions(), NODE, (), 0.0))

    assert dict(emitted.types) == dict(recorded.types)
    for name in emitted.types:
        labels = [label for label in recorded.named(name)[0].labels if label != "hpc_job"]
        assert list(emitted.named(name)[0].labels) == labels, name


def test_other_nodes_have_no_series() -> None:
    assert [series(DcgmOptions(), NODES[name]) for name in ("cpu-1", "mi-1")] == [0, 0]
    assert [sample(DcgmOptions(), NODES[name], (), 0.0) for name in ("cpu-1", "mi-1")] == ["", ""]


def test_a_healthy_node_has_no_errors(read: Read) -> None:
    emitted = read(sample(DcgmOptions(), NODE, (), 1e6))

    for name in ("DCGM_FI_DEV_XID_ERRORS", "DCGM_EXP_XID_ERRORS_COUNT", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"):
        assert [one.value for one in emitted.named(name)] == [0.0] * 8, name
    assert {0.0} == {one.value for one in emitted.named("DCGM_EXP_GPU_HEALTH_STATUS")}
    assert all(25 <= one.value <= 70 for one in emitted.named("DCGM_FI_DEV_GPU_TEMP"))
    totals = {
        index: sum(one.value for one in emitted.series if one.labels["gpu"] == str(index) and "_FB_" in one.name)
        for index in range(8)
    }
    assert {81_920.0} == set(totals.values())


def test_faults_show_on_their_gpu_alone(read: Read) -> None:
    faults = (Fault("xid", "79", 0), Fault("ecc", "3", 1), Fault("temperature", "97", 2), Fault("lost", "", 3))
    emitted = read(sample(DcgmOptions(), NODE, faults, 10.0))

    def values(name: str, **labels: str) -> list[float]:
        return [one.value for one in emitted.named(name) if labels.items() <= one.labels.items()]

    assert values("DCGM_FI_DEV_XID_ERRORS") == [79.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert values("DCGM_FI_DEV_XID_ERRORS", err_code="79", err_msg="GPU has fallen off the bus") == [79.0]
    assert values("DCGM_EXP_XID_ERRORS_COUNT", gpu="0", xid="79") == [1.0]
    assert values("DCGM_EXP_GPU_HEALTH_STATUS", gpu="0", health_watch="ALL") == [20.0]
    assert values("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", gpu="1") == [3.0]
    assert values("DCGM_FI_DEV_GPU_TEMP", gpu="2") == [97.0]
    assert not [one for one in emitted.series if one.labels["gpu"] == "3"]


@given(seconds=st.floats(0, 1e7), later=st.floats(0, 1e7))
@settings(max_examples=20, deadline=None)
def test_counters_never_fall(seconds: float, later: float) -> None:
    def energy(at: float) -> list[float]:
        lines = sample(DcgmOptions(), NODE, (), at).splitlines()
        return [float(line.split()[-1]) for line in lines if line.startswith("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{")]

    first, second = sorted((seconds, later))
    assert all(before <= after for before, after in zip(energy(first), energy(second), strict=True))


def test_the_same_node_gives_the_same_sample_and_others_another() -> None:
    assert sample(DcgmOptions(), NODE, (), 5.0) == sample(DcgmOptions(), replace(NODE, address="x"), (), 5.0)
    assert sample(DcgmOptions(), NODE, (), 5.0) != sample(DcgmOptions(), NODES["gpu-2"], (), 5.0)
