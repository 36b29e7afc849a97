"""What is expected of a running twin, and how much of it is there; each check can be asked again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aamic.clients.prometheus import Alert, Alertmanager, Prometheus, Target
from aamic.compile.resolve import AGGREGATES
from aamic.errors import OutsideError
from aamic.model.fleet import Fleet, Server
from aamic.twin.report import FederatedReport, ServerReport

GPU_SERIES, UP_SERIES = AGGREGATES


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of what is expected is there, and what is not; `patience` is what it needs beyond the deadline."""

    done: int
    total: int
    missing: tuple[str, ...]
    patience: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class World:
    """The running servers of a twin, by the names they have in messages."""

    fleet: Fleet
    servers: Mapping[str, tuple[Server, Prometheus]]
    alertmanagers: Mapping[str, Alertmanager]
    queries: Mapping[str, Prometheus]
    """Thanos Query on each of its hosts."""

    @property
    def urls(self) -> dict[str, str]:
        """The URL of every server."""
        prometheus = {name: client.url for name, (_, client) in self.servers.items()}
        others = {**self.alertmanagers, **self.queries}
        return prometheus | {name: client.url for name, client in others.items()}

    @property
    def top(self) -> tuple[str, Prometheus]:
        """The server that sees the whole site: central, or the single one."""
        return next((name, client) for name, (server, client) in self.servers.items() if server.role != "shard")


def world(fleet: Fleet, timeout: float = 2.0) -> World:
    """Return clients for every server of a fleet; `timeout` is in seconds for each request."""
    return World(
        fleet,
        {
            f"{server.name}-{server.replica}" if server.replica else server.name: (
                server,
                Prometheus(f"http://{fleet.address(server.host, server.port)}", timeout),
            )
            for server in fleet.servers
        },
        {
            f"alertmanager on {each.host}": Alertmanager(f"http://{fleet.address(each.host, each.port)}", timeout)
            for each in fleet.alertmanagers
        },
        {
            f"thanos query on {each.host}": Prometheus(f"http://{fleet.address(each.host, each.http_port)}", timeout)
            for each in (fleet.thanos.of("query") if fleet.thanos else ())
        },
    )


def ready(world: World) -> Seen:
    """Every Prometheus and Alertmanager says that it is ready."""
    probes: dict[str, Callable[[], None]] = {name: client.ready for name, (_, client) in world.servers.items()}
    probes |= {name: client.ready for name, client in world.alertmanagers.items()}
    missing = []
    for name, probe in probes.items():
        try:
            probe()
        except OutsideError as error:
            missing.append(f"`{name}` is not ready: {error}")
    return Seen(len(probes) - len(missing), len(probes), tuple(missing))


def targets_up(world: World) -> Seen:
    """Every exporter of every node is a target of its server, and every target of every server is up."""
    missing: list[str] = []
    total = 0
    for name, (server, client) in world.servers.items():
        targets = client.targets()
        absent = expected_targets(world.fleet, server) - {_key(target) for target in targets}
        total += len(targets) + len(absent)
        missing += (f"`{name}` has no target `{job}` on `{node}`" for job, node in sorted(absent))
        missing += (
            f"`{name}` sees `{target.labels['job']}` on `{target.labels.get('node', '?')}` {target.health}"
            + (f": {target.error}" if target.error else "")
            for target in targets
            if target.health != "up"
        )
    return Seen(total - len(missing), total, tuple(missing))


def _key(target: Target) -> tuple[str, str]:
    return target.labels["job"], target.labels.get("node", "")


def expected_targets(fleet: Fleet, server: Server) -> frozenset[tuple[str, str]]:
    """Return job and node of every exporter that a server must read."""
    return frozenset(
        (endpoint.job, node) for endpoint in fleet.endpoints for node in endpoint.hosts.intersection(server.nodes)
    )


def rules_evaluated(world: World) -> Seen:
    """Every rule of every server was evaluated, and none failed the last time."""
    rules = [(name, rule) for name, (_, client) in world.servers.items() for rule in client.rules()]
    missing = tuple(
        f"rule `{rule.name}` of `{name}` fails: {rule.error}" if rule.error else f"rule `{rule.name}` of `{name}` waits"
        for name, rule in rules
        if rule.health != "ok"
    )
    return Seen(len(rules) - len(missing), len(rules), missing)


def recorded(world: World) -> Seen:
    """The shards, or the single server, record the temperature of every GPU of every vendor."""
    found = _gpu_series(client for _, client in _first_replicas(world))
    counts = {vendor: found.get((vendor, "gpu:temperature_celsius"), 0) for vendor, _ in _gpus(world.fleet)}
    missing = tuple(
        f"`gpu:temperature_celsius` of vendor `{vendor}` is recorded for {counts[vendor]} of {count} GPUs"
        for vendor, count in _gpus(world.fleet)
        if counts[vendor] < count
    )
    return Seen(sum(counts.values()), sum(count for _, count in _gpus(world.fleet)), missing)


def federated(world: World) -> Seen:
    """The top server has every `gpu:*` series that the shards record, and `up` of every exporter.

    Without the default selectors (`federation.match`) only what they would bring is not expected.
    """
    fleet, (name, client) = world.fleet, world.top
    missing: list[str] = []
    total = done = 0
    if _carries(fleet, GPU_SERIES):
        found = _gpu_series([client])
        for (vendor, metric), count in _gpu_series(shard for _, shard in _first_replicas(world)).items():
            here = min(found.get((vendor, metric), 0), count)
            total, done = total + count, done + here
            if here < count:
                missing.append(f"`{name}` has {here} of {count} series `{metric}` of vendor `{vendor}`")
    if _carries(fleet, UP_SERIES):
        up = {_series(sample.labels) for sample in client.query("up == 1")}
        absent = sorted(_all_targets(fleet) - up)
        total, done = total + len(_all_targets(fleet)), done + len(_all_targets(fleet)) - len(absent)
        missing += (f"`{name}` has no `up` of `{job}` on `{node}`" for job, node in absent)
    return Seen(done, total, tuple(missing))


def queried(world: World) -> Seen:
    """Thanos Query has every `gpu:*` series that the shards record, each of them once, though central has it too.

    Whatever it cannot ask makes an answer of Query one in part, which is no answer.
    """
    missing: list[str] = []
    total = done = 0
    for name, client in world.queries.items():
        found = _gpu_series([client], replicas="")
        for (vendor, metric), count in _gpu_series(shard for _, shard in _first_replicas(world)).items():
            here = found.get((vendor, metric), 0)
            total, done = total + count, done + min(here, count)
            if here != count:
                missing.append(f"`{name}` has {here} series `{metric}` of vendor `{vendor}`, and not {count}")
    return Seen(done, total, tuple(missing))


def _first_replicas(world: World) -> Iterator[tuple[Server, Prometheus]]:
    """The servers that scrape, one of each pair."""
    for server, client in world.servers.values():
        if server.role != "central" and server.replica in {None, "a"}:
            yield server, client


def _gpu_series(clients: Iterable[Prometheus], replicas: str = ',replica=~"a|"') -> dict[tuple[str, str], int]:
    """How many series these servers together have of each vendor and `gpu:*` metric, a pair's counted once."""
    counts: dict[tuple[str, str], int] = {}
    for client in clients:
        for sample in client.query(f'count by (__name__, vendor) ({{__name__=~"gpu:.+"{replicas}}})'):
            key = sample.labels.get("vendor", ""), sample.labels["__name__"]
            counts[key] = counts.get(key, 0) + int(sample.value)
    return dict(sorted(counts.items()))


def _series(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("job", ""), labels.get("node", "")


def _carries(fleet: Fleet, selector: str) -> bool:
    return fleet.federation is None or selector in fleet.federation.match


def _gpus(fleet: Fleet) -> Iterator[tuple[str, int]]:
    """Return how many GPUs of each vendor have an exporter that reads them."""
    recording = {group.name.removeprefix("gpu-") for group in fleet.rules}
    counts: dict[str, int] = {}
    for node in fleet.nodes.values():
        if node.gpu and node.gpu.vendor in recording:
            counts[node.gpu.vendor] = counts.get(node.gpu.vendor, 0) + node.gpu.count
    yield from sorted(counts.items())


def _all_targets(fleet: Fleet) -> frozenset[tuple[str, str]]:
    return frozenset(target for server in fleet.servers for target in expected_targets(fleet, server))


def server_reports(world: World) -> tuple[ServerReport, ...]:
    """Return what each Prometheus carries now."""
    return tuple(_server_report(name, server, client) for name, (server, client) in world.servers.items())


def _server_report(name: str, server: Server, client: Prometheus) -> ServerReport:
    targets = client.targets()
    up = sum(target.health == "up" for target in targets)
    return ServerReport(name, server.host, client.url, up, len(targets), client.series(), server.load.series)


def federated_report(world: World) -> FederatedReport:
    """Return what the top server knows of the whole site now."""
    name, client = world.top
    up = client.query("up")
    series: dict[str, dict[str, int]] = {}
    for (vendor, metric), count in _gpu_series([client]).items():
        series.setdefault(vendor, {})[metric] = count
    return FederatedReport(name, sum(sample.value == 1 for sample in up), len(up), series)


def held_alerts(world: World) -> tuple[Alert, ...]:
    """Return the alerts that any Alertmanager holds, each once."""
    found = (alert for client in world.alertmanagers.values() for alert in client.alerts())
    return tuple({frozenset(alert.labels.items()): alert for alert in found}.values())
