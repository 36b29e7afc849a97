"""The tables of what exporters emit hold together, and hold what real exporters were seen to emit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "aamic" / "catalog"
RECORDED = ROOT / "tests" / "recorded"
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}

RECORDINGS = {
    "dcgm": "vendors/nvidia",
    "dcgm_lower_hostname": "vendors/nvidia",
    "dcgm_mig": "vendors/nvidia",
    "amd_mi300x": "vendors/amd",
    "amd_mi300x_cpx": "vendors/amd",
    "amd_mi2xx": "vendors/amd",
    "node": "exporters/node",
    "slurm": "exporters/slurm",
    "prometheus": "artifacts/prometheus",
    "alertmanager": "artifacts/alertmanager",
    **{f"thanos_{kind}": "artifacts/thanos" for kind in ("sidecar", "query", "store", "compact", "rule")},
}
PRODUCTS = sorted(set(RECORDINGS.values()))

# What the neutral rules and the alerts on NVIDIA GPUs are made of.
DCGM_NEEDED = {
    "DCGM_EXP_GPU_HEALTH_STATUS",
    "DCGM_EXP_XID_ERRORS_COUNT",
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_FB_RESERVED",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_MEM_COPY_UTIL",
    "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL",
    "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
    "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL",
    "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_POWER_VIOLATION",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_THERMAL_VIOLATION",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_XID_ERRORS",
    "DCGM_FI_DRIVER_VERSION",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
}
# The same for AMD GPUs, before the prefix.
AMD_NEEDED = {
    "gpu_afid_errors",
    "gpu_average_package_power",
    "gpu_clock",
    "gpu_ecc_correct_total",
    "gpu_ecc_correct_xgmi_wafl",
    "gpu_ecc_deferred_total",
    "gpu_ecc_uncorrect_total",
    "gpu_ecc_uncorrect_xgmi_wafl",
    "gpu_edge_temperature",
    "gpu_energy_consumed",
    "gpu_gfx_activity",
    "gpu_health",
    "gpu_junction_temperature",
    "gpu_memory_temperature",
    "gpu_package_power",
    "gpu_power_usage",
    "gpu_prof_tensor_active_percent",
    "gpu_total_vram",
    "gpu_umc_activity",
    "gpu_used_vram",
    "gpu_violation_hbm_thermal_residency_accumulated",
    "gpu_violation_ppt_residency_accumulated",
    "gpu_violation_socket_thermal_residency_accumulated",
    "gpu_xgmi_link_rx",
    "gpu_xgmi_link_tx",
    "pcie_replay_count",
}


class Declared(NamedTuple):
    name: str
    type: str
    labels: frozenset[str]


@cache
def table(product: str) -> Mapping[str, Any]:
    """One emits.yaml; a key that stands twice is an error."""
    loaded: Mapping[str, Any] = YAML(typ="safe", pure=True).load(CATALOG / product / "emits.yaml")
    return loaded


def nvidia(document: Mapping[str, Any]) -> Iterator[Declared]:
    common = {label for part in ("gpu", "host", "mig", "job", "csv") for label in document["labels"][part]}
    for name, spec in (*document["fields"].items(), *document["optional_fields"].items()):
        if spec["type"] != "label":
            yield Declared(name, spec["type"], frozenset(common.union(spec.get("labels", ()))))


def amd(document: Mapping[str, Any]) -> Iterator[Declared]:
    for name, spec in document["metrics"].items():
        common = {*document["labels"]["gpu"], *document["labels"]["optional"]}
        if spec.get("scope") == "host":
            common = set(document["labels"]["host"])
        yield Declared(document["prefix"] + name, spec["type"], frozenset(common.union(spec.get("labels", ()))))
    yield from plain(document["exporter"])


def plain(metrics: Mapping[str, Any]) -> Iterator[Declared]:
    for name, spec in metrics.items():
        yield Declared(name, spec["type"], frozenset(spec.get("labels", ())))


def declared(product: str) -> list[Declared]:
    document = table(product)
    if product == "vendors/nvidia":
        return list(nvidia(document))
    if product == "vendors/amd":
        return list(amd(document))
    if "collectors" in document:
        return [one for section in document["collectors"].values() for one in plain(section["metrics"])]
    return list(plain(document["metrics"]))


def family(series: str, types: Mapping[str, str]) -> str:
    stem = re.sub("_(sum|count|bucket)$", "", series)
    return stem if series not in types and types.get(stem) in ("histogram", "summary") else series


@pytest.mark.parametrize("product", PRODUCTS)
def test_names_types_and_labels_are_ones_prometheus_knows_and_no_name_stands_twice(product: str) -> None:
    found = declared(product)

    assert not [one.name for one in found if not NAME.fullmatch(one.name)]
    assert not [one for one in found if one.type not in TYPES]
    assert not [one for one in found if not all(LABEL.fullmatch(label) for label in one.labels)]
    assert len(found) == len({one.name for one in found})


@pytest.mark.parametrize("recording", RECORDINGS)
def test_what_was_recorded_is_declared(recording: str, read: Callable[[str], Any]) -> None:
    known = {one.name: one for one in declared(RECORDINGS[recording])}
    seen = read((RECORDED / f"{recording}.prom").read_text())

    assert dict(seen.types) == {name: known[name].type for name in seen.types if name in known}
    implied = {"histogram": {"le"}, "summary": {"quantile"}}
    for series in seen.series:
        one = known[family(series.name, seen.types)]
        assert not set(series.labels) - one.labels - implied.get(one.type, set()), series.name


def test_every_recording_is_read() -> None:
    assert sorted(RECORDINGS) == sorted(path.stem for path in RECORDED.glob("*.prom"))


def test_the_counters_of_the_neutral_rules_are_collected() -> None:
    assert not DCGM_NEEDED - table("vendors/nvidia")["fields"].keys()
    collected = {name for name, spec in table("vendors/amd")["metrics"].items() if spec.get("collect")}
    assert not AMD_NEEDED - collected


def test_help_of_a_counter_fits_the_csv() -> None:
    document = table("vendors/nvidia")
    texts = [spec["help"] for part in ("fields", "optional_fields") for spec in document[part].values()]

    assert not [text for text in texts if not text or re.search(r'[,"\n#]', text)]


def test_a_recording_shows_every_label_that_a_gpu_always_has() -> None:
    for recording, product in RECORDINGS.items():
        if product.startswith("vendors/"):
            text = (RECORDED / f"{recording}.prom").read_text()
            assert not [label for label in table(product)["labels"]["gpu"] if f'{label}="' not in text]


def test_both_spellings_of_the_host_are_recorded() -> None:
    upper, lower = ((RECORDED / f"{name}.prom").read_text() for name in ("dcgm", "dcgm_lower_hostname"))

    assert 'Hostname="' in upper
    assert upper.replace('Hostname="', 'hostname="') == lower
