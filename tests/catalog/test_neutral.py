from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import emits, neutral, promql
from aamic.model.fleet import RecordingRule, RuleGroup
from tests.catalog.rules.prom import evaluates

VENDORS = Path(neutral.__file__).parent / "vendors"
PREFIX = {"nvidia": "", "amd": "amd_"}
KEY = {"nvidia": "fields", "amd": "metrics"}


def sources(vendor: str) -> frozenset[str]:
    return frozenset(name for row in neutral.rows(vendor) for source in row.sources for name in source.metrics)


def full(vendor: str) -> RuleGroup:
    prefix = PREFIX[vendor]
    emitted = frozenset(prefix + name for name in sources(vendor))
    return neutral.rule_group(vendor, neutral.rows(vendor), emitted, prefix)


def records(group: RuleGroup) -> list[str]:
    return [rule.record for rule in group.rules if isinstance(rule, RecordingRule)]


@pytest.mark.parametrize("vendor", PREFIX)
def test_every_source_is_a_metric_that_the_exporter_has(vendor: str) -> None:
    assert sources(vendor) - emits.table(VENDORS / vendor)[KEY[vendor]].keys() == set()


@pytest.mark.parametrize("vendor", PREFIX)
def test_every_row_becomes_a_rule_when_all_is_emitted(vendor: str) -> None:
    assert records(full(vendor)) == [row.record for row in neutral.rows(vendor)]


def test_both_vendors_have_what_dashboards_compare() -> None:
    common = set(records(full("nvidia"))) & set(records(full("amd")))
    assert common == {
        "gpu:temperature_celsius",
        "gpu:memory_temperature_celsius",
        "gpu:utilization_ratio",
        "gpu:memory_activity_ratio",
        "gpu:memory_used_bytes",
        "gpu:memory_total_bytes",
        "gpu:power_watts",
        "gpu:energy_joules_total",
        "gpu:sm_clock_hertz",
        "gpu:tensor_active_ratio",
        "gpu:ecc_corrected_total",
        "gpu:ecc_uncorrected_total",
        "gpu:pcie_replays_total",
        "gpu:fabric_errors_total",
        "gpu:throttle_ratio",
        "gpu:last_error_code",
        "gpu:unhealthy",
    }


@pytest.mark.parametrize("vendor", PREFIX)
def test_no_two_rules_make_the_same_series(vendor: str) -> None:
    rules = [(rule.record, *sorted(rule.labels.items())) for rule in full(vendor).rules if hasattr(rule, "record")]
    assert len(rules) == len(set(rules))


@pytest.mark.parametrize("vendor", PREFIX)
@given(data=st.data())
def test_a_rule_never_reads_what_is_not_emitted(vendor: str, data: st.DataObject) -> None:
    prefix = PREFIX[vendor]
    emitted = frozenset(prefix + name for name in data.draw(st.sets(st.sampled_from(sorted(sources(vendor))))))
    group = neutral.rule_group(vendor, neutral.rows(vendor), emitted, prefix)
    assert [promql.missing(rule.expr, emitted) for rule in group.rules] == [[] for _ in group.rules]


NVIDIA = 'cluster="c",node="n",rack="r",gpu="0",UUID="u",job="dcgm",instance="i"'
AMD = 'cluster="c",node="n",rack="r",gpu_id="0",gpu_uuid="u",gpu_partition_id="0",job="amd",instance="i"'
OUT = 'cluster="c",node="n",rack="r",gpu="0",gpu_uuid="u"'


def test_units_of_nvidia(tmp_path: Path) -> None:
    raw = {
        "DCGM_FI_DEV_GPU_TEMP": 54,
        "DCGM_FI_DEV_MEMORY_TEMP": 61,
        "DCGM_FI_DEV_GPU_UTIL": 87,
        "DCGM_FI_DEV_MEM_COPY_UTIL": 40,
        "DCGM_FI_DEV_FB_USED": 1024,
        "DCGM_FI_DEV_FB_FREE": 79_000,
        "DCGM_FI_DEV_FB_RESERVED": 500,
        "DCGM_FI_DEV_POWER_USAGE": 412.5,
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 5000,
        "DCGM_FI_DEV_SM_CLOCK": 1980,
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.25,
    }
    neutral_values = {
        "gpu:temperature_celsius": 54,
        "gpu:memory_temperature_celsius": 61,
        "gpu:utilization_ratio": 0.87,
        "gpu:memory_activity_ratio": 0.4,
        "gpu:memory_used_bytes": 1024 * 2**20,
        "gpu:memory_total_bytes": 80_524 * 2**20,
        "gpu:power_watts": 412.5,
        "gpu:energy_joules_total": 5,
        "gpu:sm_clock_hertz": 1.98e9,
        "gpu:tensor_active_ratio": 0.25,
    }
    series = {f"{name}{{{NVIDIA}}}": f"{value}+0x10" for name, value in raw.items()}
    expected = {name: {f'{name}{{{OUT},vendor="nvidia"}}': value} for name, value in neutral_values.items()}
    evaluates(tmp_path, [full("nvidia")], series, expected)


def test_units_of_amd(tmp_path: Path) -> None:
    raw = {
        "gpu_junction_temperature": 71,
        "gpu_memory_temperature": 60,
        "gpu_gfx_activity": 33,
        "gpu_umc_activity": 12,
        "gpu_used_vram": 2048,
        "gpu_total_vram": 196_592,
        "gpu_package_power": 700,
        "gpu_energy_consumed": 9_000_000,
        "gpu_prof_tensor_active_percent": 50,
    }
    neutral_values = {
        "gpu:temperature_celsius": 71,
        "gpu:memory_temperature_celsius": 60,
        "gpu:utilization_ratio": 0.33,
        "gpu:memory_activity_ratio": 0.12,
        "gpu:memory_used_bytes": 2048 * 2**20,
        "gpu:memory_total_bytes": 196_592 * 2**20,
        "gpu:power_watts": 700,
        "gpu:energy_joules_total": 9,
        "gpu:tensor_active_ratio": 0.5,
        "gpu:sm_clock_hertz": 2.1e9,
    }
    series = {f"amd_{name}{{{AMD}}}": f"{value}+0x10" for name, value in raw.items()}
    clock = f'amd_gpu_clock{{{AMD},clock_type="system",clock_index="%s"}}'
    series |= {clock % 0: "2100+0x10", clock % 1: "132+0x10"}
    series[f'amd_gpu_clock{{{AMD},clock_type="memory",clock_index="8"}}'] = "9000+0x10"
    expected = {name: {f'{name}{{{OUT},vendor="amd"}}': value} for name, value in neutral_values.items()}
    evaluates(tmp_path, [full("amd")], series, expected)


def test_a_second_generation_reports_by_its_own_metric(tmp_path: Path) -> None:
    older = AMD.replace('"n"', '"old"')
    series = {
        f"amd_gpu_edge_temperature{{{older}}}": "44+0x10",
        f"amd_gpu_average_package_power{{{older}}}": "300+0x10",
        f"amd_gpu_power_usage{{{older}}}": "299+0x10",
        f"amd_gpu_junction_temperature{{{AMD}}}": "71+0x10",
    }
    out = f'{{{OUT.replace(chr(34) + "n" + chr(34), chr(34) + "old" + chr(34))},vendor="amd"}}'
    expected = {
        "gpu:temperature_celsius": {
            f"gpu:temperature_celsius{out}": 44.0,
            f'gpu:temperature_celsius{{{OUT},vendor="amd"}}': 71.0,
        },
        "gpu:power_watts": {f"gpu:power_watts{out}": 300.0},
    }
    evaluates(tmp_path, [full("amd")], series, expected)


def test_instances_of_one_gpu_share_its_memory_and_not_its_temperature(tmp_path: Path) -> None:
    instance = NVIDIA + ',GPU_I_ID="%s",GPU_I_PROFILE="3g.40gb"'
    series = {
        f"DCGM_FI_DEV_FB_USED{{{instance % 1}}}": "100+0x10",
        f'DCGM_FI_DEV_FB_USED{{{instance % 2},hpc_job="7"}}': "50+0x10",
        f'DCGM_FI_DEV_FB_USED{{{instance % 2},hpc_job="8"}}': "50+0x10",
        f"DCGM_FI_DEV_GPU_TEMP{{{instance % 1}}}": "60+0x10",
        f"DCGM_FI_DEV_GPU_TEMP{{{instance % 2}}}": "60+0x10",
        f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{instance % 1}}}": "0.5+0x10",
        f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{instance % 2}}}": "0.9+0x10",
    }
    expected = {
        name: {f'{name}{{{OUT},vendor="nvidia"}}': value}
        for name, value in {
            "gpu:memory_used_bytes": 150 * 2**20,
            "gpu:temperature_celsius": 60,
            "gpu:utilization_ratio": 0.9,
        }.items()
    }
    evaluates(tmp_path, [full("nvidia")], series, expected)


def test_only_the_first_partition_speaks_for_a_partitioned_gpu(tmp_path: Path) -> None:
    other = AMD.replace('gpu_id="0"', 'gpu_id="1"').replace('gpu_partition_id="0"', 'gpu_partition_id="1"')
    whole = AMD.replace('gpu_id="0"', 'gpu_id="2"').replace('gpu_partition_id="0"', 'gpu_partition_id="NA"')
    series = {
        f"amd_gpu_package_power{{{AMD}}}": "700+0x10",
        f"amd_gpu_package_power{{{other}}}": "0+0x10",
        f"amd_gpu_package_power{{{whole}}}": "650+0x10",
    }
    name = "gpu:power_watts"
    expected = {
        name: {
            f'{name}{{{OUT},vendor="amd"}}': 700.0,
            f'{name}{{{OUT.replace("gpu=" + chr(34) + "0", "gpu=" + chr(34) + "2")},vendor="amd"}}': 650.0,
        }
    }
    evaluates(tmp_path, [full("amd")], series, expected)


def test_the_prefix_is_the_sites_own() -> None:
    group = neutral.rule_group("amd", neutral.rows("amd"), frozenset({"x_gpu_health"}), "x_")
    assert records(group) == ["gpu:unhealthy"]
    assert promql.missing(group.rules[0].expr, frozenset({"x_gpu_health"})) == []


JOBS = {"nvidia": ("DCGM_FI_DEV_GPU_TEMP", "UUID", "gpu", "hpc_job"),
        "amd": ("amd_gpu_junction_temperature", "gpu_uuid", "gpu_id", "job_id")}  # fmt: skip


@pytest.mark.parametrize("vendor", JOBS)
def test_a_gpu_has_a_series_for_each_job_that_its_exporter_was_told_of(vendor: str, tmp_path: Path) -> None:
    metric, uuid, gpu, job = JOBS[vendor]
    prefix = PREFIX[vendor]
    group = neutral.rule_group(vendor, neutral.rows(vendor), frozenset({metric}), prefix, jobs=True)
    target = 'cluster="c",node="n",rack="r",job="x",instance="i"'
    series = {
        f'{metric}{{{target},{gpu}="0",{uuid}="u0",{job}="4101"}}': "40",
        f'{metric}{{{target},{gpu}="0",{uuid}="u0",{job}="4102"}}': "40",
        f'{metric}{{{target},{gpu}="1",{uuid}="u1"}}': "50",
        f'{metric}{{{target},{gpu}="2",{uuid}="u2",{job}=""}}': "50",
    }
    labels = f'cluster="c",node="n",rack="r",vendor="{vendor}",gpu="0",gpu_uuid="u0"'
    expected = {f'gpu:job{{{labels},slurm_job="{each}"}}': 1.0 for each in ("4101", "4102")}

    evaluates(tmp_path, [group], series, {"gpu:job": expected, "count(gpu:temperature_celsius)": {"{}": 3.0}}, at="0m")
    assert "gpu:job" not in records(full(vendor))
