"""What a site says of its targets, for the checks of rules: which nodes, how many servers, how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aamic.model.fleet import Endpoint, Node
from aamic.model.quantities import duration_seconds
from aamic.model.site import Federation, Site

Known = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a site; what is left out is not known, and nothing is concluded from it."""

    hosts: Known = field(default_factory=dict)
    """Nodes by the scrape job that reads them."""
    values: Known = field(default_factory=dict)
    """All values of target labels such as `cluster`, `rack` and `gpu_vendor`."""
    dense: frozenset[str] = frozenset()
    """Jobs that read a node with more than one GPU."""
    undeclared: frozenset[str] = frozenset()
    """Jobs of exporters whose labels the site declares: they may be missing on a series."""
    remotes: frozenset[str] = frozenset()
    """Names of the other clusters that central reads."""
    external: frozenset[str] = frozenset()
    """Labels that only series on central have: federation puts them on."""
    shards: int = 1
    replicas: int = 1
    whole_racks: bool = False
    """Whether all nodes of a rack are in the same shard."""
    scrape: float | None = None
    """Seconds between two samples of a scraped series."""
    evaluate: float | None = None
    """Seconds between two samples of a recorded series."""
    federate: float | None = None
    """Seconds between two reads of the shards by central."""
    thanos: bool = False
    """Whether Thanos reads the shards as well: central then puts no job on what it federates."""


def facts_of(site: Site, endpoints: Iterable[Endpoint], nodes: Mapping[str, Node] | None) -> Facts:
    """What a site says of its targets; without `nodes`, that of what its exporters run on alone."""
    spec = site.federation if site.federation is not None and site.federation.enabled else None
    hosts = {endpoint.job: endpoint.hosts for endpoint in endpoints}
    return Facts(
        hosts=hosts,
        values={
            "cluster": frozenset({site.cluster.name}),
            "node": frozenset().union(*hosts.values()),
            **({} if nodes is None else _values(nodes)),
        },
        dense=frozenset() if nodes is None else frozenset(job for job in hosts if _is_dense(nodes, hosts[job])),
        undeclared=frozenset(spec.name for spec in site.exporters.custom),
        remotes=frozenset(remote.name for remote in site.clusters if remote.federate),
        external=frozenset(site.cluster.labels) - labels_of_targets(site),
        shards=1 if spec is None else len(spec.shards) if isinstance(spec.shards, list) else spec.shards,
        replicas=1 if spec is None else spec.replicas,
        whole_racks=spec is not None and _keeps_racks(spec),
        scrape=duration_seconds(site.prometheus.scrape_interval),
        evaluate=duration_seconds(site.prometheus.evaluation_interval),
        federate=duration_seconds(spec.central.federate_interval) if spec is not None else None,
        thanos=spec is not None and spec.type == "thanos",
    )


def labels_of_targets(site: Site) -> frozenset[str]:
    """The labels of its own that a site puts on targets."""
    labelled = (*(rack.labels for rack in site.racks.values()), *(node.labels for node in site.nodes.values()))
    return frozenset(name for labels in labelled for name in labels)


def _keeps_racks(spec: Federation) -> bool:
    if isinstance(spec.shards, list):
        return all(shard.nodes is None for shard in spec.shards)
    return spec.by == "rack"


def _is_dense(nodes: Mapping[str, Node], hosts: Iterable[str]) -> bool:
    gpus = (nodes[name].gpu for name in hosts if name in nodes)
    return any(gpu is not None and gpu.count > 1 for gpu in gpus)


def _values(nodes: Mapping[str, Node]) -> Known:
    # Nodes of a rack share their GPU, and to compare 100,000 of them takes time.
    gpus = {id(node.gpu): node.gpu for node in nodes.values() if node.gpu is not None}.values()
    return {
        "rack": frozenset(node.rack for node in nodes.values() if node.rack is not None),
        "gpu_vendor": frozenset(gpu.vendor for gpu in gpus),
        "gpu_model": frozenset(gpu.model for gpu in gpus),
        "gpu_count": frozenset(str(gpu.count) for gpu in gpus),
    }
