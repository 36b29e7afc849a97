"""Sites of several kinds, and what stands behind their dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from aamic.catalog.dashboards import BUILDERS
from aamic.catalog.dashboards.ground import Ground
from aamic.compile import resolve
from aamic.compile.compiler import Checked, check_document, shipped_catalog
from aamic.compile.dashboards import ground_of, resolve_dashboards
from aamic.compile.parse import Document, load
from aamic.compile.readable import Server
from aamic.model.dashboard import Dashboard, Panel
from tests.sites import document

EXAMPLE: Final = Path(__file__).parents[1] / "site.example/site.yaml"
NVIDIA: Final = 'r1: {nodes: "n[1-4]", addresses: "198.18.1.[1-4]", gpu: {vendor: nvidia, model: H100, count: 8}}'
AMD: Final = 'r2: {nodes: "m[1-4]", addresses: "198.18.2.[1-4]", gpu: {vendor: amd, model: MI300X, count: 8}}'
MANY: Final = 'r4: {nodes: "g[1-400]", gpu: {vendor: nvidia, model: H100, count: 8}}'
MORE: Final = 'r5: {nodes: "h[1-400]", gpu: {vendor: amd, model: MI300X, count: 8}}'
PLAIN: Final = 'r3: {nodes: "c[1-4]", addresses: "198.18.3.[1-4]"}'
SINGLE: Final = "prometheus: {node: mon1}"
THANOS: Final = 'thanos: {version: "0.42.5"}'
REMOTE: Final = "clusters: [{name: far, endpoint: 'http://198.18.9.1:9090', kind: prometheus, federate: true}]"


def federated(match: object = "aggregates", replicas: int = 1, kind: str = "prometheus") -> str:
    """Two shards and a central server that reads `match` of them."""
    return (
        "federation: {central_node: mon1, shards: 2, shard_nodes: 'mon[2-3]', "
        f"replicas: {replicas}, type: {kind}, match: {json.dumps(match)}}}"
    )


def site(racks: Sequence[str], *more: str) -> str:
    """A site with these racks, and whole lines of further keys."""
    lines = ["version: 1", "cluster: {name: test}", 'nodes: {"mon[1-3]": {addresses: "198.18.0.[1-3]"}}', *more]
    return "\n".join([*lines, *(["racks:"] if racks else []), *(f"  {rack}" for rack in racks)])


ALERTMANAGER: Final = "alertmanager: {nodes: mon1}"
SLURM: Final = "slurm: {controller: mon1, pre_job_check: true}"
SITES: Final[Mapping[str, str]] = {
    "nvidia": site([NVIDIA], SINGLE),
    "amd": site([AMD], SINGLE, SLURM),
    "both": site([NVIDIA, AMD], SINGLE, ALERTMANAGER),
    "no GPUs": site([PLAIN], SINGLE),
    "no racks": site([], SINGLE, ALERTMANAGER),
    "federated": site([NVIDIA, AMD, PLAIN], federated(), ALERTMANAGER, SLURM),
    "pairs": site([NVIDIA, AMD], federated(replicas=2), ALERTMANAGER, SLURM, REMOTE),
    "thanos": site([NVIDIA, AMD], federated(replicas=2, kind="thanos"), THANOS, ALERTMANAGER, SLURM, REMOTE),
    "federated, no GPUs": site([PLAIN], federated(), "slurm: {controller: mon1}"),
    "raw": site([NVIDIA, PLAIN], federated("raw")),
    "own selectors": site([NVIDIA, AMD], federated(['{__name__=~"(gpu|node):.*"}'])),
    "hardly anything": site([NVIDIA], federated(['up{job="node"}'])),
    "many nodes": site([MANY, MORE], SINGLE, "slurm: {controller: mon1, pre_job_check: true}"),
    "no alerts": site([NVIDIA, AMD], SINGLE, "alerts: {presets: [aamic]}"),
}


@dataclass(frozen=True)
class Seen:
    """A compiled site, the ground of its dashboards, what they are held against, and all that could be shown."""

    checked: Checked
    ground: Ground
    server: Server
    built: tuple[Dashboard, ...]

    @property
    def dashboards(self) -> tuple[Dashboard, ...]:
        """The pages that the site feeds."""
        return tuple(page for page in self.checked.fleet.dashboards if page.rows)


def seen(text: str) -> Seen:
    """A site from its text."""
    return _seen(document(text))


@cache
def of(name: str) -> Seen:
    """One of `SITES`."""
    return seen(SITES[name])


@cache
def seen_example() -> Seen:
    """The site that comes with aamic."""
    return _seen(load(EXAMPLE))


def _seen(whole: Document) -> Seen:
    given: list[tuple[Any, ...]] = []

    def noted(*arguments: Any) -> tuple[Dashboard, ...]:
        given.append(arguments)
        return resolve_dashboards(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve, "resolve_dashboards", noted)
        checked = check_document(whole, shipped_catalog(), dashboards=True)
    spec, rules, *more = given[0]
    ground = ground_of(spec, rules.ground, *more)
    return Seen(checked, ground, rules.servers.widest, tuple(build(ground) for build in BUILDERS))


def panels(dashboards: Sequence[Dashboard]) -> Iterator[tuple[Dashboard, Panel]]:
    """Every panel with its page."""
    return ((dashboard, panel) for dashboard in dashboards for panel in dashboard.panels)
