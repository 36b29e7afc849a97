from __future__ import annotations

import pytest

from aamic.catalog.elsewhere import elsewhere


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("node_load1", "collector `loadavg` of exporter `node`: it is on unless `exporters.node` switches it off"),
        ("go_gc_duration_seconds_sum", "exporter `node`: it is on unless `exporters.node` switches it off"),
        (
            "node_processes_state",
            "collector `processes` of exporter `node`: add it to `exporters.node.collectors.enable`",
        ),
        (
            "node_hwmon_odd_celsius",
            (
                "collector `hwmon` of exporter `node`, if the hosts have it: names that begin with `node_hwmon_` "
                "depend on them, so declare this one under `exporters.node.textfile_metrics`"
            ),
        ),
        (
            "DCGM_FI_DEV_DEC_UTIL",
            "exporter `dcgm`, on nodes with NVIDIA GPUs: add it to `exporters.dcgm.counters.add`",
        ),
        (
            "DCGM_FI_DEV_GPU_TEMP",
            "exporter `dcgm`, on nodes with NVIDIA GPUs: it is collected unless `exporters.dcgm` leaves it out",
        ),
        (
            "amd_gpu_prof_tensor_active_percent",
            "exporter `amd`, on nodes with AMD GPUs: set `exporters.amd.profiler: true`",
        ),
        ("amd_gpu_afid_errors", "exporter `amd`, on nodes with AMD GPUs: set `exporters.amd.cper: true`"),
        ("amd_gpu_edge_temperature", "exporter `amd`, on nodes with AMD GPUs: it is there on MI2xx"),
        (
            "amd_gpu_voltage",
            "exporter `amd`, on nodes with AMD GPUs: its configuration by aamic does not ask for this field",
        ),
        ("slurm_node_count_per_state", "exporter `slurm`, on the controller: set `slurm.controller`"),
        (
            "slurm_daemon_thread_count",
            "exporter `slurm`, on the controller: its flag `-slurm.collect-diags` is not among those that aamic sets",
        ),
        ("rocm_gpu_temperature", None),
    ],
)
def test_a_name_tells_what_would_emit_it(name: str, hint: str | None) -> None:
    assert hint == elsewhere(name)
