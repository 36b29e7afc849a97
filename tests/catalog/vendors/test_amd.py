from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aamic.catalog.base import Fault, Ground
from aamic.catalog.vendors.amd.exporter import CONFIG_PATH, contribute, series
from aamic.catalog.vendors.amd.fields import config, fields, known, platform
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.catalog.vendors.amd.sample import sample
from aamic.model.fleet import Gpu, Metric, Node, Unit

Read = Callable[[str], Any]
RECORDED = Path(__file__).parents[2] / "recorded"
MI300 = Node("mi-1", "10.0.0.1", None, Gpu("amd", "MI300X", 8), {})
MI250 = replace(MI300, name="mi-2", gpu=Gpu("amd", "AMD Instinct MI250", 4))
OTHER = replace(MI300, name="pro-1", gpu=Gpu("amd", "W7900", 2))
NVIDIA = replace(MI300, name="gpu-1", gpu=Gpu("nvidia", "H100", 8))


def ground(*nodes: Node) -> Ground:
    return Ground({node.name: node for node in nodes}, "15s", None)


def unit_of(options: AmdOptions) -> Unit:
    (service,) = contribute(options, ground(MI300)).services
    assert service.unit is not None
    return service.unit


def declared(options: AmdOptions, *nodes: Node) -> dict[str, Metric]:
    (endpoint,) = contribute(options, ground(*nodes)).endpoints
    return {metric.name: metric for metric in endpoint.metrics}


def test_it_runs_on_nodes_with_amd_gpus_in_order() -> None:
    contribution = contribute(AmdOptions(), ground(MI250, NVIDIA, MI300))
    (service,) = contribution.services

    assert (service.bundle, service.hosts) == ("gpu-amd", ("mi-2", "mi-1"))
    assert service.masks == ("amd-metrics-exporter.service",)
    assert [("amd", 5000, frozenset({"mi-1", "mi-2"}))] == [
        (one.job, one.port, one.hosts) for one in contribution.endpoints
    ]


@pytest.mark.parametrize(
    ("options", "site"),
    [(AmdOptions(enabled=False), ground(MI300)), (AmdOptions(), ground(NVIDIA))],
    ids=["switched off", "no such nodes"],
)
def test_without_a_host_it_contributes_nothing(options: AmdOptions, site: Ground) -> None:
    assert tuple(vars(contribute(options, site)).values()) == ((), (), (), ())


def test_the_unit_reads_our_configuration_beside_gpuagent() -> None:
    unit = unit_of(AmdOptions())

    assert unit.command == ("/usr/local/bin/amd-metrics-exporter", "-amd-metrics-config", CONFIG_PATH)
    assert "gpuagent.service" in unit.wants
    assert unit.environment["AMD_METRICS_EXPORTER_ENABLE_CPER"] == "1"
    assert unit.capabilities == ()


def test_options_reach_the_unit() -> None:
    unit = unit_of(AmdOptions(cper=False, profiler=True))

    assert "AMD_METRICS_EXPORTER_ENABLE_CPER" not in unit.environment
    assert unit.capabilities == ("CAP_PERFMON",)


def test_the_configuration_says_everything_that_matters() -> None:
    document = json.loads(config(AmdOptions(port=5001, prefix="x_", profiler=True)))

    assert document["ServerPort"] == 5001
    assert document["CommonConfig"]["MetricsFieldPrefix"] == "x_"
    assert document["GPUConfig"]["ProfilerMetrics"] == {"all": True}
    assert document["GPUConfig"]["Labels"] == ["GPU_UUID"]
    assert {"GPU_HEALTH", "GPU_ECC_UNCORRECT_TOTAL", "GPU_PROF_TENSOR_ACTIVE_PERCENT", "GPU_AFID_ERRORS"} <= set(
        document["GPUConfig"]["Fields"]
    )
    assert set(document["GPUConfig"]["Fields"]) <= {name.upper() for name in known()["metrics"]}


def test_the_configuration_is_a_file_that_the_exporter_reads_again_by_itself() -> None:
    (service,) = contribute(AmdOptions(), ground(MI300)).services

    assert [(CONFIG_PATH, config(AmdOptions()), "none")] == [
        (file.path, file.content, file.on_change) for file in service.files
    ]


def test_profiler_and_firmware_errors_are_emitted_where_they_are_read() -> None:
    plain, full = declared(AmdOptions(cper=False), MI300), declared(AmdOptions(profiler=True), MI300)

    assert not {"amd_gpu_prof_tensor_active_percent", "amd_gpu_afid_errors"} & plain.keys()
    assert {"amd_gpu_prof_tensor_active_percent", "amd_gpu_afid_errors"} <= full.keys()


@pytest.mark.parametrize(
    ("nodes", "edge", "junction"),
    [((MI300,), False, True), ((MI250,), True, False), ((MI250, MI300), True, True), ((OTHER,), True, True)],
    ids=["MI3xx", "MI2xx", "both", "unknown model"],
)
def test_the_models_of_the_site_decide_what_is_emitted(nodes: tuple[Node, ...], *, edge: bool, junction: bool) -> None:
    metrics = declared(AmdOptions(), *nodes)

    assert (edge, junction) == tuple(f"amd_gpu_{kind}_temperature" in metrics for kind in ("edge", "junction"))


def test_the_prefix_is_put_before_gpu_metrics_and_not_before_the_exporters_own() -> None:
    metrics = declared(AmdOptions(prefix=""), MI300)

    assert {"gpu_health", "promhttp_metric_handler_errors_total"} <= metrics.keys()
    assert "promhttp_metric_handler_errors_total" in declared(AmdOptions(), MI300)


def test_rules_follow_the_options_and_the_models() -> None:
    def records(group: Any) -> set[str]:
        return {rule.record for rule in group.rules}

    assert "gpu:tensor_active_ratio" in records(contribute(AmdOptions(profiler=True), ground(MI300)).rules[0])
    assert "gpu:tensor_active_ratio" not in records(contribute(AmdOptions(), ground(MI300)).rules[0])
    (group,) = contribute(AmdOptions(prefix="z_"), ground(MI300)).rules
    (temperature,) = (rule.expr for rule in group.rules if getattr(rule, "record", "") == "gpu:temperature_celsius")
    assert "z_gpu_junction_temperature" in temperature
    assert "edge" not in temperature


def test_models_name_their_product_line() -> None:
    assert [platform(m) for m in ("mi210", "MI325X", "Instinct MI308X", "W6800")] == ["MI2xx", "MI3xx", "MI3xx", None]


@pytest.mark.parametrize("node", [MI300, MI250, OTHER], ids=["MI3xx", "MI2xx", "unknown model"])
@pytest.mark.parametrize("options", [AmdOptions(), AmdOptions(profiler=True, cper=False)], ids=["defaults", "changed"])
def test_a_sample_shows_every_metric_as_declared_and_as_many_series_as_predicted(
    options: AmdOptions, node: Node, read: Read
) -> None:
    emitted = read(sample(options, node, (), 30.0))
    metrics = declared(options, node)

    assert series(options, node) == len(emitted.series)
    assert metrics.keys() - {"amd_gpu_afid_errors"} == {one.name for one in emitted.series}
    for one in emitted.series:
        assert set(one.labels) <= (metrics[one.name].labels or set()), one
        # The exporter declares everything a gauge; what only grows counts as a counter for the rules.
        assert metrics[one.name].type in {"gauge", "counter"}
        assert one.name.startswith("promhttp_") or emitted.types[one.name] == "gauge"


def test_what_only_grows_may_be_rated() -> None:
    assert declared(AmdOptions(), MI300)["amd_gpu_energy_consumed"].type == "counter"
    assert declared(AmdOptions(), MI300)["amd_gpu_package_power"].type == "gauge"


@pytest.mark.parametrize(("file", "node"), [("amd_mi300x", MI300), ("amd_mi2xx", MI250)])
def test_a_sample_has_the_names_labels_and_types_that_were_recorded(file: str, node: Node, read: Read) -> None:
    recorded = read((RECORDED / f"{file}.prom").read_text())
    emitted = read(sample(AmdOptions(), node, (Fault("afid", "20", None),), 0.0))

    assert dict(emitted.types) == dict(recorded.types)
    for name in emitted.types:
        assert list(emitted.named(name)[0].labels) == list(recorded.named(name)[0].labels), name


def test_every_field_that_is_asked_for_is_on_some_platform() -> None:
    assert not [field.name for field in fields(AmdOptions(profiler=True)) if not field.platforms]


def test_other_nodes_have_no_series() -> None:
    assert (series(AmdOptions(), NVIDIA), sample(AmdOptions(), NVIDIA, (), 0.0)) == (0, "")


def test_faults_show_on_their_gpu_alone(read: Read) -> None:
    faults = (Fault("afid", "20", 0), Fault("ecc", "3", 1), Fault("temperature", "97", 2), Fault("lost", "", 3))
    emitted = read(sample(AmdOptions(), MI300, faults, 10.0))

    def values(name: str, **labels: str) -> list[float]:
        return [one.value for one in emitted.named(name) if labels.items() <= one.labels.items()]

    assert values("amd_gpu_afid_errors", gpu_id="0", severity="fatal") == [20.0]
    assert len(values("amd_gpu_afid_errors")) == 1
    assert values("amd_gpu_ecc_uncorrect_total") == [0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert values("amd_gpu_health") == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert values("amd_gpu_junction_temperature", gpu_id="2") == [97.0]
    assert values("amd_gpu_nodes_total") == [7.0]
    assert not [one for one in emitted.series if one.labels.get("gpu_id") == "3"]


def test_used_and_free_memory_add_up(read: Read) -> None:
    emitted = read(sample(AmdOptions(), MI300, (), 0.0))
    used, free, total = (emitted.named(f"amd_gpu_{kind}_vram") for kind in ("used", "free", "total"))

    assert [one.value for one in total] == [a.value + b.value for a, b in zip(used, free, strict=True)]
