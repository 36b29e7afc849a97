"""The whole cluster at one look: what is up, what is hot, what fires, and what needs a person first."""

from __future__ import annotations

from aamic.catalog.dashboards.choices import CLUSTER, IN_CLUSTER
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import Dashboard, Panel, Query, Row


def build(_ground: Ground) -> Dashboard:
    """The first page that people open."""
    return Dashboard(
        uid="aamic-overview",
        title="Cluster at one look",
        about="What is up, what is hot, what fires, and what needs a person first.",
        variables=(CLUSTER,),
        rows=(Row("Nodes", (_nodes_up(),)),),
    )


def _nodes_up() -> Panel:
    query = Query(f"max by (cluster) (cluster:nodes_up{{{IN_CLUSTER}}})", "{{cluster}}", instant=True)
    about = "Nodes of which an exporter answers."
    return Panel("Nodes up", "stat", (query,), about, width=4, height=4, empty="unknown")
