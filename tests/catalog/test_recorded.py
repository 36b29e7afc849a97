"""What exporters were seen to answer, in neutral units: as Prometheus records it, and as the node check reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from aamic.agent.health import exposition as reader
from aamic.agent.health.readings import Readings, readings
from aamic.catalog import neutral
from aamic.catalog.artifacts.slurm.signals import signals
from aamic.catalog.exposition import number
from tests.catalog.rules.prom import evaluates
from tests.exposition import Series, read

RECORDED = Path(__file__).parents[1] / "recorded"
PREFIX = {"nvidia": "", "amd": "amd_"}
VENDOR = {
    "dcgm": "nvidia",
    "dcgm_lower_hostname": "nvidia",
    "dcgm_mig": "nvidia",
    "amd_mi300x": "amd",
    "amd_mi300x_cpx": "amd",
    "amd_mi2xx": "amd",
}
TARGET = {"cluster": "c", "node": "n", "rack": "r", "instance": "n:1", "job": "gpu"}
KEPT = {"cluster": "c", "node": "n", "rack": "r"}
NO_SIGNAL = {"gpu:health_warning"}
"""Nowhere but zero in the recordings; it has a test of its own below."""


class Worked(NamedTuple):
    """A recording, and what it says in neutral units, worked out by hand."""

    vendor: str
    series: tuple[Series, ...]
    gpus: dict[str, str]
    steps: dict[str, int]
    values: dict[str, dict[str, float]]

    @property
    def emitted(self) -> frozenset[str]:
        return frozenset(one.name for one in self.series)


def worked(recording: str) -> Worked:
    truth = yaml.safe_load((RECORDED / "neutral" / f"{recording.removesuffix('_lower_hostname')}.yaml").read_text())
    series = read((RECORDED / f"{recording}.prom").read_text()).series
    return Worked(VENDOR[recording], series, truth["gpus"], truth.get("steps", {}), truth["values"])


def selector(name: str, labels: dict[str, str]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def expected(said: Worked) -> Iterator[tuple[str, dict[str, float]]]:
    """The samples of each record with its labels, by the record alone."""
    records: dict[str, dict[str, float]] = {}
    for key, values in said.values.items():
        name, _, own = key.partition("{")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', own))
        for gpu, value in values.items():
            full = {**KEPT, "gpu": gpu, "gpu_uuid": said.gpus[gpu], "vendor": said.vendor, **labels}
            records.setdefault(name, {})[selector(name, full)] = value
    yield from records.items()


def group(said: Worked) -> Any:
    return neutral.rule_group(said.vendor, neutral.rows(said.vendor), said.emitted, PREFIX[said.vendor])


@pytest.mark.parametrize("recording", VENDOR)
def test_prometheus_records_what_was_worked_out_by_hand(recording: str, tmp_path: Path) -> None:
    said = worked(recording)
    input_series = {
        selector(one.name, {**one.labels, **TARGET}): f"{number(one.value)}+{said.steps.get(one.name, 0)}x10"
        for one in said.series
    }
    # Counters that grow start at what was recorded and are looked at ten minutes later: only their rates are told.
    evaluates(tmp_path, [group(said)], input_series, dict(expected(said)))


@pytest.mark.parametrize("recording", VENDOR)
def test_everything_that_a_recording_feeds_is_worked_out(recording: str) -> None:
    said = worked(recording)

    assert {record for record, _ in expected(said)} == {rule.record for rule in group(said).rules}


@pytest.mark.parametrize("vendor", PREFIX)
def test_every_row_of_a_vendor_is_somewhere_worked_out_with_a_value_that_a_wrong_factor_changes(vendor: str) -> None:
    told = {
        re.sub(r'(code|error_index|error_severity)="[^"]*",?', "", key).removesuffix("{}")
        for recording in VENDOR
        if VENDOR[recording] == vendor
        for key, values in worked(recording).values.items()
        if any(values.values())
    }
    rows = {
        row.record + (selector("", dict(row.labels)) if row.labels else "")
        for row in neutral.rows(vendor)
        if row.record not in NO_SIGNAL
    }

    assert rows <= told


def checked(said: Worked, recording: str) -> Readings:
    text = (RECORDED / f"{recording}.prom").read_bytes()
    return readings(reader.read(text).samples, signals(said.vendor, PREFIX[said.vendor], said.emitted))


@pytest.mark.parametrize("recording", VENDOR)
def test_the_node_check_reads_the_same_as_prometheus_records(recording: str) -> None:
    said = worked(recording)
    found = checked(said, recording)
    values = {gpu: reading.keys() - {"uuid", "codes", "fatal"} for gpu, reading in found.items()}
    truth: dict[str, dict[str, float]] = {gpu: {} for gpu in found}
    for key, by_gpu in said.values.items():
        name = key.partition("{")[0].removeprefix("gpu:")
        for gpu, value in by_gpu.items():
            worst = max(value, truth[gpu].get(name, value))
            if name in values[gpu] and 'reason="power"' not in key:
                truth[gpu][name] = worst
    ours = {
        gpu: {name: reading[name] for name in values[gpu] if name != "throttle_seconds_total"}
        for gpu, reading in found.items()
    }

    assert ours == truth
    assert {gpu: reading["uuid"] for gpu, reading in found.items()} == said.gpus


@pytest.mark.parametrize(
    ("recording", "codes", "fatal"),
    [
        ("dcgm", {"0": [], "1": [43]}, {"0": [], "1": []}),
        ("dcgm_mig", {"0": [63]}, {"0": []}),
        ("amd_mi300x", {"0": [24], "1": []}, {"0": [], "1": []}),
        ("amd_mi300x_cpx", {"0": [18]}, {"0": [18]}),
        ("amd_mi2xx", {"0": [24], "1": []}, {"0": [], "1": []}),
    ],
)
def test_the_node_check_sees_the_codes_of_a_recording(
    recording: str, codes: dict[str, list[int]], fatal: dict[str, list[int]]
) -> None:
    found = checked(worked(recording), recording)

    assert {gpu: reading["codes"] for gpu, reading in found.items()} == codes
    assert {gpu: reading["fatal"] for gpu, reading in found.items()} == fatal


def test_time_slowed_down_is_read_in_seconds() -> None:
    (reading,) = checked(worked("dcgm_mig"), "dcgm_mig").values()

    assert reading["throttle_seconds_total"] == 0.002  # of 2,000,000 ns


@pytest.mark.parametrize(("status", "unhealthy", "warning"), [(0, 0.0, 0.0), (10, 0.0, 1.0), (20, 1.0, 0.0)])
def test_the_worst_health_watch_decides(status: int, unhealthy: float, warning: float, tmp_path: Path) -> None:
    name = "DCGM_EXP_GPU_HEALTH_STATUS"
    own = {"gpu": "0", "UUID": "u", **TARGET}
    watched = {"ALL": status, "MEM": status, "PCIE": 0}
    series = {selector(name, {**own, "health_watch": watch}): f"{value}+0x10" for watch, value in watched.items()}
    out = {**KEPT, "gpu": "0", "gpu_uuid": "u", "vendor": "nvidia"}
    truth = {"gpu:unhealthy": unhealthy, "gpu:health_warning": warning}
    rules = neutral.rule_group("nvidia", neutral.rows("nvidia"), frozenset({name}))

    evaluates(tmp_path, [rules], series, {record: {selector(record, out): value} for record, value in truth.items()})
