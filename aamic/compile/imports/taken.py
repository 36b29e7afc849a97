"""The labels that exporters put on their own series, which no node of a draft can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic.catalog.base import Catalog
from aamic.compile.compiler import check_document
from aamic.compile.folder import Memory
from aamic.compile.parse import parse

_SITE: Final = """
version: 1
cluster: {name: every-exporter}
prometheus: {node: mon}
alertmanager: {nodes: mon}
slurm: {controller: mon, auto_drain: "off"}
nodes:
  mon: {address: 198.18.0.1}
"""


def taken_labels(catalog: Catalog) -> Mapping[str, str]:
    """Each such label with an exporter that has it, of all exporters that a draft can make a site use."""
    site = "".join([_SITE, *_nodes(catalog)])
    fleet = check_document(parse(site.encode(), "site.yaml", Memory({})), catalog).fleet
    found: dict[str, str] = {}
    for endpoint in fleet.endpoints:
        for metric in endpoint.metrics:
            for label in metric.labels or ():
                found.setdefault(label, endpoint.job)
    return found


def _nodes(catalog: Catalog) -> Iterator[str]:
    for index, vendor in enumerate(catalog.vendors):
        gpu = f"{{vendor: {vendor.name}, model: any, count: 1}}"
        yield f"  gpu-{index}: {{address: 198.18.1.{index}, gpu: {gpu}}}\n"
