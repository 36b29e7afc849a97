"""What every synthetic exporter of the twin answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from aamic.catalog.base import Catalog
from aamic.catalog.exporters import custom
from aamic.model.fleet import Endpoint, Fleet, Node
from aamic.model.site import Site
from aamic.twin.exporters import Page, Sample


def pages(site: Site, fleet: Fleet, catalog: Catalog, real: frozenset[tuple[str, str]]) -> Iterator[Page]:
    """Return a page for each job on each of its nodes, but for the `real` pairs of job and node."""
    for endpoint in fleet.endpoints:
        for name in sorted(endpoint.hosts):
            if (endpoint.job, name) not in real:
                node = fleet.nodes[name]
                answer = _sample(site, catalog, endpoint, node)
                yield Page(name, node.address, endpoint.port, endpoint.path, answer)


def _sample(site: Site, catalog: Catalog, endpoint: Endpoint, node: Node) -> Sample:
    for exporter in catalog.exporters:
        if exporter.name == endpoint.job:
            options: Any = getattr(site.exporters, exporter.name.replace("-", "_"))
            return partial(exporter.sample, options, node)
    spec = next(spec for spec in site.exporters.custom if spec.name == endpoint.job)
    return lambda _, seconds: custom.sample(spec, node, seconds)
