"""What sites of several kinds can measure, from the catalog's own exporters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aamic.catalog import artifacts, emits
from aamic.catalog.artifacts.rules import presets
from aamic.catalog.artifacts.thanos.metrics import metrics as thanos_metrics
from aamic.catalog.base import Ground
from aamic.catalog.exporters.node.options import NodeOptions
from aamic.catalog.table import CATALOG
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.compile.ruleset import by_name
from aamic.model.fleet import THANOS_JOBS, Endpoint, Gpu, Metric, Node, RecordingRule, RuleGroup, Scope
from tests.fleets import slurm

AGGREGATES = ('{__name__=~"(cluster|node|gpu|shard):.*"}', 'up{job!="prometheus"}')
TARGET_LABELS = frozenset(
    "cluster node rack gpu_vendor gpu_model gpu_count job instance shard replica".split()  # noqa: SIM905  # shorter
)
RUNBOOKS = "https://runbooks.example.com"

_OPTIONS = {
    "node": NodeOptions.model_validate({"collectors": {"enable": ["systemd"]}}),
    "amd": AmdOptions(profiler=True, cper=True),
}
_GPUS = {
    "nvidia": (Gpu("nvidia", "H100", 8),),
    "amd": (Gpu("amd", "MI300X", 8), Gpu("amd", "MI250X", 4)),
}


@dataclass(frozen=True)
class Kind:
    """A kind of site: its vendors, and whether it has shards, Slurm, an exporter of its own, clusters, and Thanos."""

    vendors: tuple[str, ...]
    federated: bool = True
    slurm: bool = True
    custom: bool = True
    remotes: bool = True
    thanos: bool = True


FULL = Kind(("nvidia", "amd"))
KINDS = (
    FULL,
    Kind(("nvidia",), slurm=False, custom=False, remotes=False),
    Kind(("amd",), slurm=False, custom=False, thanos=False),
    Kind((), slurm=False, custom=False, remotes=False),
    Kind(("nvidia", "amd"), federated=False, thanos=False),
)


@dataclass(frozen=True)
class Measured:
    """The metrics of a site of one kind, and the rules of its vendors."""

    available: Mapping[Scope, Mapping[str, Metric]]
    vendor_groups: tuple[RuleGroup, ...]
    ground: presets.Ground

    def select(self, *names: str, disable: tuple[str, ...] = ()) -> presets.Selection:
        return presets.groups(names or presets.PRESETS, disable, RUNBOOKS, self.ground)


@cache
def own(artifact: str) -> tuple[Metric, ...]:
    """What Prometheus or Alertmanager says of itself."""
    table = emits.table(Path(artifacts.__path__[0]) / artifact)["metrics"]
    return tuple(
        metric
        for name, spec in table.items()
        for metric in emits.metric(artifact, name, spec["type"], spec.get("labels", ()))
    )


def _features(kind: Kind) -> frozenset[str]:
    lacking = (set() if kind.federated else {"federation", "replicas"}) | (set() if kind.remotes else {"clusters"})
    return presets.FEATURES - lacking - (set() if kind.thanos else {"thanos"})


@cache
def measured(kind: Kind) -> Measured:
    gpus = [gpu for vendor in kind.vendors for gpu in _GPUS[vendor]]
    nodes = {f"n{number}": Node(f"n{number}", f"10.0.0.{number}", "r1", gpu, {}) for number, gpu in enumerate(gpus)}
    nodes["ctl"] = Node("ctl", "10.0.1.1", None, None, {})
    with_gpus = tuple(name for name, node in nodes.items() if node.gpu)
    ground = Ground(nodes, "15s", slurm(controller="ctl", nodes=with_gpus) if kind.slurm else None)
    contributions = [
        exporter.contribute(_OPTIONS.get(exporter.name, exporter.options()), ground) for exporter in CATALOG.exporters
    ]
    endpoints = [endpoint for each in contributions for endpoint in each.endpoints]
    if kind.custom:
        endpoints.append(Endpoint("ipmi", 9290, "/metrics", frozenset(nodes), ()))
    groups = tuple(group for each in contributions for group in each.rules)
    rules = [rule for group in groups for rule in group.rules]
    shard = {
        metric.name: metric for each in (own("prometheus"), *(end.metrics for end in endpoints)) for metric in each
    }
    remote = [Metric(name, "gauge", None, "remote-clusters") for name in presets.records("cluster")]
    thanos = thanos_metrics() if kind.thanos else ()
    central = by_name(
        (*own("prometheus"), *own("alertmanager"), *(remote if kind.remotes else ()), *thanos),
    )
    jobs = frozenset(endpoint.job for endpoint in endpoints) | {"prometheus"}
    return Measured(
        {"shard": shard, "central": central},
        groups,
        presets.Ground(
            metrics={
                "shard": frozenset(shard) | {rule.record for rule in rules if isinstance(rule, RecordingRule)},
                "central": frozenset(central),
            },
            match=AGGREGATES if kind.federated else None,
            jobs={
                "shard": jobs | {"central"} if kind.federated else jobs,
                "central": jobs
                | {"alertmanager", "federate"}
                | ({"remote-clusters"} if kind.remotes else set())
                | (set(THANOS_JOBS.values()) if kind.thanos else set()),
            },
            vendors=frozenset(kind.vendors),
            gpu_jobs=tuple(end.job for each in contributions if each.probes for end in each.endpoints),
            features=_features(kind),
        ),
    )
