from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aamic.catalog.base import Ground
from aamic.catalog.elsewhere import elsewhere
from aamic.catalog.exporters.slurm.exporter import contribute, series
from aamic.catalog.exporters.slurm.options import SlurmOptions
from aamic.catalog.exporters.slurm.sample import sample
from aamic.model.fleet import Node, Package, Tarball
from aamic.model.source import TarballSource
from tests.fleets import slurm

NODE = Node("ctl", "10.0.0.1", None, None, {})
GROUND = Ground({"ctl": NODE, "n1": NODE}, "15s", slurm(controller="ctl"))


def test_it_runs_on_the_controller() -> None:
    contribution = contribute(SlurmOptions(), GROUND)
    (service,), (endpoint,) = contribution.services, contribution.endpoints

    assert (service.bundle, service.hosts, service.ports) == ("slurm", ("ctl",), {"http": 9092})
    assert ("slurm", 9092, frozenset({"ctl"})) == (endpoint.job, endpoint.port, endpoint.hosts)
    assert service.unit is not None
    assert (service.unit.name, service.unit.user) == ("aami-slurm-exporter", "aami-slurm-exporter")
    assert Package("prometheus-slurm-exporter", "1.7.0") == service.install


@pytest.mark.parametrize(
    ("options", "ground"),
    [(SlurmOptions(enabled=False), GROUND), (SlurmOptions(), Ground({"n1": NODE}, "15s", None))],
    ids=["switched off", "no controller"],
)
def test_without_a_controller_it_contributes_nothing(options: SlurmOptions, ground: Ground) -> None:
    assert tuple(vars(contribute(options, ground)).values()) == ((), (), (), ())


def test_the_command_follows_the_options() -> None:
    source = TarballSource(tarball="s.tgz", sha256="0" * 64, binary="prometheus-slurm-exporter")
    (service,) = contribute(SlurmOptions(port=9093, cli_fallback=False, source=source), GROUND).services

    assert service.unit is not None
    assert service.unit.command == (
        "/opt/aami/bin/prometheus-slurm-exporter",
        "-web.listen-address=:9093",
        "-slurm.cli-fallback=false",
    )
    assert isinstance(service.install, Tarball)


def test_only_what_exists_is_declared() -> None:
    (endpoint,) = contribute(SlurmOptions(), GROUND).endpoints
    names = {metric.name for metric in endpoint.metrics}

    assert {"slurm_node_count_per_state", "slurm_partition_job_state_total", "slurm_node_scrape_error"} <= names
    assert not {"slurm_node_state", "slurm_node_drain_reason", "slurm_daemon_thread_count"} & names


def test_a_sample_shows_only_what_is_declared(read: Callable[[str], Any]) -> None:
    emitted = read(sample(SlurmOptions(), NODE, (), 5.0))
    (endpoint,) = contribute(SlurmOptions(), GROUND).endpoints
    known = {metric.name: metric for metric in endpoint.metrics}

    for one in emitted.series:
        assert frozenset(one.labels) == known[one.name].labels, one
        assert known[one.name].type == emitted.types[one.name]
    assert sample(SlurmOptions(enabled=False), NODE, (), 5.0) == ""


def test_its_series_are_not_predicted_by_node() -> None:
    assert series(SlurmOptions(), NODE) == 0


def test_what_was_recorded_is_declared(read: Callable[[str], Any]) -> None:
    recorded = read((Path(__file__).parents[2] / "recorded" / "slurm.prom").read_text())
    (endpoint,) = contribute(SlurmOptions(), GROUND).endpoints
    known = {metric.name: metric for metric in endpoint.metrics}
    beyond = {one.name for one in recorded.series if one.name not in known}

    assert beyond <= {name for name in beyond if elsewhere(name)}
    for one in recorded.series:
        assert one.name in beyond or set(one.labels) <= (known[one.name].labels or set()), one
