"""The variables that pages share, each narrowed by those before it, and the matchers that use them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import Variable

CLUSTERS: Final = Variable("cluster", "Cluster", "cluster:nodes_up")
"""Every cluster of which there are aggregates; all of them are chosen at first."""
RACK: Final = Variable("rack", "Rack", 'node:down{cluster=~"$cluster"}')
ONE_RACK: Final = replace(RACK, every=False)
"""For sites of so many nodes that a cell for each would be too many."""
NODE: Final = Variable("node", "Node", 'node:down{cluster=~"$cluster",rack=~"$rack"}')
ONE_NODE: Final = replace(NODE, every=False)
"""For pages with a line for each GPU: those of all nodes would be too many."""
SHARD: Final = Variable("shard", "Shard", 'up{job="federate",cluster=~"$cluster"}')
PARTITION: Final = Variable("partition", "Partition", 'shard:slurm_jobs{cluster=~"$cluster"}')
VENDOR: Final = Variable("vendor", "Vendor", 'gpu:present{cluster=~"$cluster",rack=~"$rack",node=~"$node"}')
GPU: Final = Variable("gpu", "GPU", 'gpu:present{cluster=~"$cluster",rack=~"$rack",node=~"$node",vendor=~"$vendor"}')


def cluster(ground: Ground, metric: str = "node:down") -> Variable:
    """The clusters of which there is what a page shows. Its own is chosen at first: sums over several mislead."""
    return replace(CLUSTERS, metric=metric, opens=ground.cluster)


IN_CLUSTER: Final = 'cluster=~"$cluster"'
IN_SHARD: Final = f'{IN_CLUSTER},shard=~"$shard"'
IN_PARTITION: Final = f'{IN_CLUSTER},partition=~"$partition"'
IN_RACK: Final = f'{IN_CLUSTER},rack=~"$rack"'
ON_NODE: Final = f'{IN_RACK},node=~"$node"'
OF_VENDOR: Final = f'{ON_NODE},vendor=~"$vendor"'
OF_GPU: Final = f'{OF_VENDOR},gpu=~"$gpu"'
