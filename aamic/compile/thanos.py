"""`thanos` of a site: which of its processes run where, beside the servers of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.catalog.sources import install_of
from aamic.compile.capacity import BYTES_PER_SAMPLE, Need
from aamic.compile.findings import Findings
from aamic.compile.names import check_bundles
from aamic.compile.ports import Claim, Listener
from aamic.compile.references import References
from aamic.compile.thanoschecks import check_placed, check_thanos, kept
from aamic.compile.topology import Plan
from aamic.model.fleet import Server, Tarball, Thanos, ThanosComponent, ThanosKind
from aamic.model.quantities import duration_seconds
from aamic.model.site import Site
from aamic.model.thanos import BucketFolder
from aamic.model.thanos import Thanos as Spec

PROGRAM: Final = "thanos"
STORE_MEMORY: Final = (250 + 2048) * 1024**2
"""The caches that a store may fill: 250 MB of indexes and 2 GB of chunks (its `--help`, 0.36.0 to 0.42.5)."""
LARGEST_BLOCK: Final = "2w"
SERIES: Final[Mapping[ThanosKind, int]] = {"query": 203, "store": 384, "compact": 353, "sidecar": 52, "rule": 276}
"""What central keeps of each process, `up` and its like too; measured with 0.42.5, without a bucket where it may."""
BUCKET_SERIES: Final = 200
"""What a sidecar or a ruler that uploads says more."""
_KIND: Final = "components of Thanos"


@dataclass(frozen=True, slots=True)
class Placed:
    """One process before ports are allocated; `plan` is the index of the server that a sidecar stands beside."""

    kind: ThanosKind
    name: str
    host: str
    plan: int | None = None


def spec_of(site: Site) -> Spec | None:
    """Thanos where it is in use: with `type: prometheus`, or without federation, it waits."""
    federation = site.federation
    if federation is None or not federation.enabled or federation.type != "thanos":
        return None
    return site.thanos


def kinds_of(site: Site) -> frozenset[ThanosKind]:
    """What kinds of processes there are; none where Thanos waits."""
    spec = spec_of(site)
    if spec is None:
        return frozenset()
    kinds: list[ThanosKind] = ["sidecar", "query"]
    kinds += ["store", "compact"] if spec.objstore is not None else []
    kinds += ["rule"] if spec.ruler is not None else []
    return frozenset(kinds)


def place_thanos(site: Site, refs: References, plans: Sequence[Plan], findings: Findings) -> tuple[Placed, ...]:
    """The processes and their hosts, in the order in which they choose ports; empty where there are none.

    Those that there is one of come first, then sidecars in the order of the shards: a further shard moves no port.
    """
    check_thanos(site, plans, findings)
    spec = spec_of(site)
    central = next((plan.host for plan in plans if plan.role == "central"), None)
    if spec is None or central is None:
        return ()
    placed = (*_single(spec, central, refs), *_sidecars(plans))
    querying = [each.host for each in placed if each.kind == "query"]
    check_bundles(querying, "thanos-query-", "Thanos Query", ("thanos", "query_nodes"), findings)
    check_placed(spec, [each.host for each in placed if each.kind != "query"], findings)
    return placed


def _single(spec: Spec, central: str, refs: References) -> Iterator[Placed]:
    """Everything but sidecars; a host that is not known has been reported, and has none."""
    for host in _query_hosts(spec, central, refs):
        yield Placed("query", "query", host)
    if spec.objstore is not None:
        yield from _on("store", spec.store_node, "store_node", central, refs)
        yield from _on("compact", spec.compact_node, "compact_node", central, refs)
    if spec.ruler is not None:
        yield from _on("rule", spec.ruler.node, "ruler.node", central, refs)


def _query_hosts(spec: Spec, central: str, refs: References) -> tuple[str, ...]:
    return (central,) if spec.query_nodes is None else refs.hosts(spec.query_nodes, "thanos", "query_nodes")


def _on(kind: ThanosKind, asked: str | None, key: str, central: str, refs: References) -> Iterator[Placed]:
    host = central if asked is None else refs.node(asked, "thanos", *key.split("."))
    if host is not None:
        yield Placed(kind, kind, host)


def _sidecars(plans: Sequence[Plan]) -> Iterator[Placed]:
    indexed = sorted(enumerate(plans), key=lambda pair: pair[1].role != "central")
    return (Placed("sidecar", f"sidecar-{plan.name}", plan.host, index) for index, plan in indexed)


def listeners(site: Site, placed: Sequence[Placed]) -> list[Listener]:
    """Where Query listens for people and Grafana: a port that the site sets."""
    spec = spec_of(site)
    hosts = tuple(each.host for each in placed if each.kind == "query")
    if spec is None or not hosts:
        return []
    return [Listener("Thanos Query", spec.query_port, hosts, ("thanos", "query_port"), unprivileged=True)]


def claims(site: Site, placed: Sequence[Placed]) -> list[Claim]:
    """The ports that the others need, two for each process; Query's first and the compactor's second are none."""
    spec = spec_of(site)
    return [] if spec is None else [claim for each in placed for claim in _claims(spec, each)]


def _claims(spec: Spec, each: Placed) -> Iterator[Claim]:
    if each.kind != "compact":
        yield Claim("Thanos", _KIND, each.host, spec.grpc_port, ("thanos", "grpc_port"))
    if each.kind != "query":
        yield Claim("Thanos", _KIND, each.host, spec.http_port, ("thanos", "http_port"))


def series(site: Site, placed: Sequence[Placed]) -> int:
    """How many series central keeps of all processes."""
    spec = spec_of(site)
    if spec is None:
        return 0
    uploads = BUCKET_SERIES if spec.objstore is not None else 0
    return sum(SERIES[each.kind] + (uploads if each.kind in {"sidecar", "rule"} else 0) for each in placed)


def needs(placed: Sequence[Placed], servers: Sequence[Server]) -> Iterator[Need]:
    """What a store and a compactor need, as far as Thanos says so; of RAM for the compactor it names no rule."""
    for each in placed:
        if each.kind == "store":
            yield Need("thanos-store", each.host, STORE_MEMORY, 0, ("thanos", "store_node"))
        if each.kind == "compact":
            yield Need("thanos-compact", each.host, 0, _compact_disk(servers), ("thanos", "compact_node"))


def _compact_disk(servers: Sequence[Server]) -> int:
    """Twice the largest block, which spans two weeks of one server (docs/components/compact.md)."""
    fastest = max((server.load.samples_per_second for server in servers), default=0.0)
    return int(2 * fastest * duration_seconds(LARGEST_BLOCK) * BYTES_PER_SAMPLE)


def resolve_thanos(
    site: Site, placed: Sequence[Placed], ports: Sequence[int], servers: Sequence[Server]
) -> Thanos | None:
    """Thanos with its ports, which are those of `claims` in order."""
    spec = spec_of(site)
    if spec is None or not placed:
        return None
    install, program = _program(spec)
    raw, downsampled = kept(site)
    return Thanos(
        version=version_of(spec),
        program=program,
        install=install,
        components=tuple(_components(spec, placed, iter(ports), servers)),
        bucket=spec.objstore.directory if isinstance(spec.objstore, BucketFolder) else spec.objstore,
        retention_raw=raw,
        retention_downsampled=downsampled,
        ruler_retention=None if spec.ruler is None else spec.ruler.retention,
    )


def _components(
    spec: Spec, placed: Sequence[Placed], ports: Iterator[int], servers: Sequence[Server]
) -> Iterator[ThanosComponent]:
    for each in placed:
        yield ThanosComponent(
            kind=each.kind,
            name=each.name,
            host=each.host,
            grpc_port=None if each.kind == "compact" else next(ports),
            http_port=spec.query_port if each.kind == "query" else next(ports),
            server=None if each.plan is None else servers[each.plan],
        )


def _program(spec: Spec) -> tuple[Tarball | None, str]:
    """What to install, if anything, and where the program then is."""
    if spec.source is None:
        return None, spec.program
    install, program = install_of(spec.source, PROGRAM)
    return (install if isinstance(install, Tarball) else None), program


def version_of(spec: Spec) -> tuple[int, int, int]:
    """The numbers of the release."""
    major, minor, patch = (int(number) for number in spec.version.split("."))
    return major, minor, patch
