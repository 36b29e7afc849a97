"""What every synthetic exporter of the twin answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aamic.catalog.base import Catalog, Fault
from aamic.catalog.exporters import custom
from aamic.model.fleet import Endpoint, Fleet, Node
from aamic.model.site import Site
from aamic.twin import slurmside
from aamic.twin.exporters import Page, Sample
from aamic.twin.stage import NODE_JOB


def pages(site: Site, fleet: Fleet, catalog: Catalog, real: frozenset[tuple[str, str]]) -> Iterator[Page]:
    """Return a page for each job on each of its nodes, but for the `real` pairs of job and node."""
    jobs = slurmside.jobs(fleet)
    for endpoint in fleet.endpoints:
        for name in sorted(endpoint.hosts):
            if (endpoint.job, name) not in real:
                node = fleet.nodes[name]
                told = (jobs[name],) if name in jobs else ()
                answer = _with_textfiles(fleet, endpoint, node, _sample(site, catalog, endpoint, node, told))
                yield Page(name, node.address, endpoint.port, endpoint.path, answer)


def _with_textfiles(fleet: Fleet, endpoint: Endpoint, node: Node, sample: Sample) -> Sample:
    """What node_exporter says with the textfiles of Slurm's side, where it reads any; other exporters as they are."""
    if endpoint.job != NODE_JOB or not any(each.textfiles and node.name in each.hosts for each in fleet.services):
        return sample
    return lambda faults, seconds: sample(faults, seconds) + slurmside.textfiles(fleet, node.name, faults)


def _sample(site: Site, catalog: Catalog, endpoint: Endpoint, node: Node, told: tuple[Fault, ...]) -> Sample:
    for exporter in catalog.exporters:
        if exporter.name == endpoint.job:
            options: Any = getattr(site.exporters, exporter.name.replace("-", "_"))
            return lambda faults, seconds: exporter.sample(options, node, (*told, *faults), seconds)
    spec = next(spec for spec in site.exporters.custom if spec.name == endpoint.job)
    return lambda _, seconds: custom.sample(spec, node, seconds)
