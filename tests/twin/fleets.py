"""Small fleets, without a site."""

from collections.abc import Mapping, Sequence

from aamic.model.fleet import Alertmanager, Endpoint, Fleet, Gpu, Load, Node, Package, Server, ServerRole
from aamic.model.site import Notifications


def node(name: str, vendor: str | None = None, rack: str | None = None, count: int = 8) -> Node:
    """A node with GPUs if it has a vendor."""
    gpu = Gpu(vendor, "M1", count) if vendor else None
    return Node(name, f"10.0.0.{sum(name.encode()) % 250}", rack, gpu, {})


def server(name: str, role: ServerRole, host: str, nodes: Sequence[str] = (), port: int = 9090) -> Server:
    """A Prometheus server."""
    return Server(
        name=name,
        role=role,
        replica=None,
        host=host,
        port=port,
        nodes=tuple(nodes),
        racks=(),
        external_labels={},
        scrape_interval="15s",
        scrape_timeout="10s",
        evaluation_interval="15s",
        retention="15d",
        retention_size=None,
        storage_path=f"/var/lib/aami/prometheus-{name}",
        load=Load(1, 1.0, 1, 1),
    )


def fleet(
    *nodes: Node,
    servers: Sequence[Server] = (),
    jobs: Mapping[str, Sequence[str]] | None = None,
    alertmanagers: Sequence[str] = (),
) -> Fleet:
    """A fleet of these nodes, sorted as the compiler sorts them."""
    endpoints = tuple(
        Endpoint(job, 9100 + index, "/metrics", frozenset(hosts), ())
        for index, (job, hosts) in enumerate((jobs or {}).items())
    )
    return Fleet(
        cluster="test",
        labels={},
        nodes=dict(sorted((each.name, each) for each in nodes)),
        endpoints=endpoints,
        services=(),
        servers=tuple(servers),
        federation=None,
        alertmanagers=tuple(Alertmanager(host, 9093, 9094, (), "120h") for host in alertmanagers),
        notifications=Notifications(),
        rules=(),
        prometheus_install=Package("prometheus"),
        prometheus_binary="/usr/bin/prometheus",
        alertmanager_install=Package("prometheus-alertmanager"),
        alertmanager_binary="/usr/bin/prometheus-alertmanager",
    )
