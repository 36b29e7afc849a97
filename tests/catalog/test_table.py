from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import aamic.catalog
from aamic.catalog.base import Ground
from aamic.catalog.table import ARTIFACTS, CATALOG, EXPORTERS, VENDORS
from aamic.model.fleet import Gpu, Node
from tests.fleets import slurm

CATALOG_FOLDER = Path(aamic.catalog.__file__).parent
EXPORTERS_BY_NAME = {exporter.name: exporter for exporter in CATALOG.exporters}
CPU = Node("n-1", "10.0.0.1", None, None, {})
NODES = {
    node.name: node
    for node in (
        CPU,
        *(replace(CPU, name=f"n-{number}", gpu=Gpu(vendor.name, "any", 8)) for number, vendor in enumerate(VENDORS, 2)),
    )
}
GROUND = Ground(NODES, "15s", slurm(controller="n-1"))


def folders(kind: str) -> set[str]:
    return {path.name for path in (CATALOG_FOLDER / kind).iterdir() if (path / "__init__.py").exists()}


def test_every_folder_of_the_catalog_stands_in_the_table() -> None:
    assert folders("exporters") == {exporter.name for exporter in EXPORTERS}
    assert folders("vendors") == {vendor.name for vendor in VENDORS}
    assert folders("artifacts") == {artifact.name for artifact in ARTIFACTS}


def test_exporters_have_names_and_ports_of_their_own() -> None:
    endpoints = [
        endpoint
        for exporter in CATALOG.exporters
        for endpoint in exporter.contribute(exporter.options(), GROUND).endpoints
    ]

    assert len(EXPORTERS_BY_NAME) == len(CATALOG.exporters)
    assert list(EXPORTERS_BY_NAME) == [endpoint.job for endpoint in endpoints]
    assert len(endpoints) == len({endpoint.port for endpoint in endpoints})


@pytest.mark.parametrize("name", EXPORTERS_BY_NAME)
def test_the_same_options_contribute_the_same(name: str) -> None:
    exporter = EXPORTERS_BY_NAME[name]

    assert exporter.contribute(exporter.options(), GROUND) == exporter.contribute(exporter.options(), GROUND)


@pytest.mark.parametrize("name", EXPORTERS_BY_NAME)
def test_hosts_stand_in_the_order_of_the_nodes(name: str) -> None:
    exporter = EXPORTERS_BY_NAME[name]
    order = list(reversed(NODES))
    contribution = exporter.contribute(exporter.options(), replace(GROUND, nodes={key: NODES[key] for key in order}))

    for service in contribution.services:
        assert [key for key in order if key in service.hosts] == list(service.hosts)


@pytest.mark.parametrize("name", EXPORTERS_BY_NAME)
def test_units_users_and_bundles_are_ours(name: str) -> None:
    exporter = EXPORTERS_BY_NAME[name]
    for service in exporter.contribute(exporter.options(), GROUND).services:
        assert service.unit is not None
        assert service.unit.name.startswith("aami-")
        assert service.unit.user in ("root", service.unit.name)
        assert service.unit.command[0].startswith("/")
        assert service.install is not None
        assert all(mask.endswith(".service") for mask in service.masks)


@pytest.mark.parametrize("name", EXPORTERS_BY_NAME)
def test_every_option_is_described(name: str) -> None:
    options = EXPORTERS_BY_NAME[name].options

    assert options.__doc__
    assert all(field.description for field in options.model_fields.values())


def test_rules_of_a_vendor_read_only_what_its_exporter_emits() -> None:
    for vendor in VENDORS:
        exporter = vendor.exporter
        assert exporter.contribute(exporter.options(), GROUND).rules


def test_artifacts_are_there() -> None:
    for artifact in ARTIFACTS:
        assert (CATALOG_FOLDER / "artifacts" / artifact.name / "artifact.py").exists()


def test_importing_the_table_reads_no_yaml_and_no_templates() -> None:
    program = """
import sys
import aamic.catalog.table
from aamic.catalog import emits
assert emits.table.cache_info().currsize == 0
print(sorted({"jinja2", "promql_parser"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
