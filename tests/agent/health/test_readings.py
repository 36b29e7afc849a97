"""Exporters' answers become neutral readings, as the rendered configuration of each vendor describes them."""

from __future__ import annotations

from typing import Any

import pytest

from aamic.agent.health import exposition
from aamic.agent.health.exposition import Sample
from aamic.agent.health.readings import Readings, readings
from aamic.catalog.artifacts.slurm.signals import signals
from aamic.catalog.base import Fault, Ground
from aamic.catalog.vendors.amd import exporter as amd
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.catalog.vendors.nvidia import exporter as nvidia
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.model.fleet import Gpu, Node

EXPORTERS = {
    "nvidia": (nvidia, DcgmOptions(), Gpu("nvidia", "H100", 8), ""),
    "amd": (amd, AmdOptions(cper=True), Gpu("amd", "MI300X", 8), "amd_"),
}


def described(vendor: str) -> list[dict[str, Any]]:
    module, options, gpu, prefix = EXPORTERS[vendor]
    ground = Ground({"n": Node("n", "10.0.0.1", None, gpu, {})}, "15s", None)
    (endpoint,) = module.contribute(options, ground).endpoints
    return signals(vendor, prefix, {metric.name for metric in endpoint.metrics})


def answered(vendor: str, *faults: Fault) -> Readings:
    module, options, gpu, _ = EXPORTERS[vendor]
    text = module.EXPORTER.sample(options, Node("n", "10.0.0.1", None, gpu, {}), faults, 60.0)
    return readings(exposition.read(text.encode()).samples, described(vendor))


@pytest.mark.parametrize("vendor", EXPORTERS)
def test_every_gpu_has_the_readings_that_decide(vendor: str) -> None:
    found = answered(vendor)

    assert list(found) == [str(number) for number in range(8)]
    assert len({reading["uuid"] for reading in found.values()}) == 8
    for reading in found.values():
        assert {"temperature_celsius", "ecc_corrected_total", "ecc_uncorrected_total", "unhealthy"} <= set(reading)
        assert 20 < reading["temperature_celsius"] < 80
        assert (reading["unhealthy"], reading["codes"], reading["fatal"]) == (0.0, [], [])


def test_faults_of_nvidia_are_seen() -> None:
    found = answered("nvidia", Fault("xid", "79", 3), Fault("temperature", "97", 1), Fault("ecc", "2", 4))

    assert (found["3"]["codes"], found["3"]["unhealthy"], found["3"]["last_error_code"]) == ([79], 1.0, 79.0)
    assert (found["1"]["temperature_celsius"], found["4"]["ecc_uncorrected_total"]) == (97.0, 2.0)
    assert "5" not in answered("nvidia", Fault("lost", "", 5))


def test_faults_of_amd_are_seen_with_what_the_exporter_calls_them() -> None:
    found = answered("amd", Fault("afid", "20", 2), Fault("ecc", "3", 4))

    assert (found["2"]["codes"], found["2"]["fatal"], found["2"]["unhealthy"]) == ([20], [20], 1.0)
    assert found["4"]["ecc_uncorrected_total"] == 3.0


def test_a_fatal_code_is_seen_in_the_window_behind_a_later_one() -> None:
    own = {"gpu": "0", "UUID": "GPU-0"}
    samples = [
        Sample("DCGM_FI_DEV_XID_ERRORS", own, 45.0),
        Sample("DCGM_EXP_XID_ERRORS_COUNT", {**own, "xid": "79"}, 1.0),
        Sample("DCGM_EXP_XID_ERRORS_COUNT", {**own, "xid": "31"}, 0.0),
        Sample("DCGM_EXP_XID_ERRORS_COUNT", own, 5.0),
    ]

    (reading,) = readings(samples, described("nvidia")).values()

    assert (reading["codes"], reading["last_error_code"]) == ([45, 79], 45.0)


def test_no_instance_hides_the_code_of_another() -> None:
    own = {"gpu": "0", "UUID": "GPU-0"}
    samples = [
        Sample("DCGM_FI_DEV_XID_ERRORS", {**own, "GPU_I_ID": each}, code) for each, code in (("1", 48), ("2", 94))
    ]

    (reading,) = readings(samples, described("nvidia")).values()
    assert (reading["codes"], reading["last_error_code"]) == ([48, 94], 94.0)


def test_series_of_several_jobs_are_one_gpu_and_partitions_do_not_hide_it() -> None:
    own = {"gpu": "0", "UUID": "GPU-0"}
    shared = [Sample("DCGM_FI_DEV_GPU_TEMP", {**own, "hpc_job": job}, 60.0) for job in ("1", "2")]
    parts = [
        Sample("amd_gpu_junction_temperature", {"gpu_id": "0", "gpu_partition_id": part}, value)
        for part, value in (("0", 70.0), ("1", 0.0))
    ]

    assert readings(shared, described("nvidia"))["0"]["temperature_celsius"] == 60.0
    assert readings(parts, described("amd"))["0"]["temperature_celsius"] == 70.0


def test_a_value_that_is_none_is_not_there() -> None:
    samples = [Sample("DCGM_FI_DEV_GPU_TEMP", {"gpu": "0"}, float("nan")), Sample("other", {"gpu": "0"}, 1.0)]

    assert readings(samples, described("nvidia")) == {}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 1e30, -1.0])
def test_a_code_that_can_be_none_is_not_reported(value: float) -> None:
    samples = [
        Sample("DCGM_FI_DEV_XID_ERRORS", {"gpu": "0"}, value),
        Sample("DCGM_FI_DEV_GPU_TEMP", {"gpu": "0"}, 50.0),
        *(Sample("DCGM_EXP_XID_ERRORS_COUNT", {"gpu": "0", "xid": xid}, 1.0) for xid in ("\u00b2", "9" * 5000)),
    ]

    (reading,) = readings(samples, described("nvidia")).values()
    assert ("last_error_code" in reading, reading["codes"]) == (False, [])


def test_a_value_without_end_is_not_there() -> None:
    samples = [Sample("DCGM_FI_DEV_GPU_TEMP", {"gpu": "0"}, sign * float("inf")) for sign in (1, -1)]

    assert readings(samples, described("nvidia")) == {}


def test_what_counts_the_nanoseconds_of_heat_becomes_seconds() -> None:
    samples = [Sample("DCGM_FI_DEV_THERMAL_VIOLATION", {"gpu": "0"}, 3e9)]

    assert readings(samples, described("nvidia"))["0"]["throttle_seconds_total"] == 3.0
