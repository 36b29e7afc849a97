"""What can be wrong with a federation that compiles: checks of the resolved fleet, one by one. Pure.

Compiling refuses most of it; here it is looked at once more in what came out, and what was found is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from aamic.catalog import promql
from aamic.compile.capacity import NEAR, recordings, sized
from aamic.compile.hostlist import fold
from aamic.compile.resolve import AGGREGATES, RAW
from aamic.compile.vectors import by_label, satisfies
from aamic.errors import Problem
from aamic.model.fleet import AlertRule, Fleet, Server
from aamic.model.quantities import duration_seconds
from aamic.model.rebalance import Check, CheckState
from aamic.model.site import Site


def check_all(site: Site, fleet: Fleet, warnings: Sequence[Problem], lost: Collection[str]) -> tuple[Check, ...]:
    """Every check that needs no tool; `lost` are rules of central that its selectors do not feed."""
    return (
        compiles(warnings),
        nodes_once(fleet),
        labels_unique(fleet.servers),
        selectors_bring(site, fleet, lost),
        intervals_fit(site),
        ports_free(fleet),
        hosts_apart(fleet),
        capacity_holds(fleet),
    )


def compiles(problems: Sequence[Problem]) -> Check:
    """Whether the site compiles, with what the compiler says of it."""
    errors = [problem for problem in problems if problem.severity == "error"]
    state: CheckState = "fail" if errors else "warn" if problems else "ok"
    return Check("the site compiles", state, tuple(map(_told, problems)))


def _told(problem: Problem) -> str:
    place = f"{problem.place}: " if problem.place else ""
    return f"{place}{problem.message}" + (f" (hint: {problem.hint})" if problem.hint else "")


def nodes_once(fleet: Fleet) -> Check:
    """Whether each node stands in exactly one shard."""
    by_name = {server.name: server.nodes for server in fleet.servers if server.role == "shard"}
    times = Counter(node for nodes in by_name.values() for node in nodes)
    none = [name for name in fleet.nodes if not times[name]]
    several = [name for name, count in times.items() if count > 1]
    foreign = times.keys() - fleet.nodes.keys()
    faults = [
        f"{what}: {fold(names)}"
        for what, names in (("in no shard", none), ("in several shards", several), ("not in the site", foreign))
        if names
    ]
    shards = "one shard" if len(by_name) == 1 else f"{len(by_name):,} shards"
    found = faults or [f"{len(fleet.nodes):,} nodes in {shards}"]
    return Check("every node is in exactly one shard", "fail" if faults else "ok", tuple(found))


def labels_unique(servers: Sequence[Server]) -> Check:
    """Whether the external labels of servers tell them apart."""
    name = "external labels of servers differ"
    owners: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for server in servers:
        owners.setdefault(tuple(sorted(server.external_labels.items())), []).append(server.title)
    shared = tuple(f"the same: {', '.join(those)}" for those in owners.values() if len(those) > 1)
    return Check(name, "fail" if shared else "ok", shared or (f"{len(servers):,} servers",))


def selectors_bring(site: Site, fleet: Fleet, lost: Collection[str]) -> Check:
    """Whether what central reads feeds the rules that it should have."""
    name = "central reads what its rules need"
    if lost:
        hint = "widen `federation.match`, or name alerts that are not wanted in `alerts.disable`"
        return Check(name, "warn", (f"left out of central: {', '.join(sorted(lost))}",), hint)
    if cut := restricted(fleet):
        hint = "leave these matchers out, or add a selector of the same names without them"
        return Check(name, "warn", cut, hint)
    match = site.federation.match if site.federation and isinstance(site.federation.match, str) else "own selectors"
    rules = sum(len(group.rules) for group in fleet.rules if group.scope == "central")
    return Check(name, "ok", (f"`match`: {match}; {rules:,} rules",))


def restricted(fleet: Fleet) -> tuple[str, ...]:
    """Selectors that bring only some of the series of a name that rules of shards record, or of `up`, with the names.

    Rules of central count what they are given: where one node of ten is read, they say that there is one.
    """
    match = fleet.federation.match if fleet.federation else ()
    if match in {AGGREGATES, RAW}:
        return ()
    given = {"up", *(rule.record for group in fleet.rules if group.scope == "shard" for rule in recordings(group))}
    jobs = {endpoint.job for endpoint in fleet.endpoints}
    narrow = {text: promql.federated((text,), given) for text in match if _narrows(text, jobs)}
    whole = promql.federated([text for text in match if text not in narrow], given)
    cut = {text: sorted(names - whole) for text, names in narrow.items()}
    return tuple(
        f"`{text}` leaves out some series of {', '.join(names[:3])}{f' and {len(names) - 3:,} more' * (len(names) > 3)}"  # noqa: PLR2004
        for text, names in cut.items()
        if names
    )


def _narrows(text: str, jobs: Collection[str]) -> bool:
    """Whether a selector leaves out series of a name, other than those of Prometheus itself."""
    found = by_label(next(promql.selectors(promql.parse(text))))
    wanted = found.get("job", ())
    return bool(found.keys() - {"job"}) or not all(satisfies(wanted, job) for job in jobs)


def central_rules(fleet: Fleet) -> frozenset[str]:
    """The names of everything that central evaluates."""
    return frozenset(
        rule.name if isinstance(rule, AlertRule) else rule.record
        for group in fleet.rules
        if group.scope == "central"
        for rule in group.rules
    )


def intervals_fit(site: Site) -> Check:
    """Whether intervals and timeouts fit into each other; the compiler refuses those with which nothing works."""
    name = "intervals and timeouts fit"
    scraped, central = site.prometheus, (site.federation.central if site.federation else None)
    if central is None:
        return Check(name, "ok")
    found = (
        f"nodes every {scraped.scrape_interval} (at most {scraped.scrape_timeout}), "
        f"shards every {central.federate_interval} (at most {central.federate_timeout})"
    )
    if duration_seconds(central.federate_interval) < duration_seconds(scraped.scrape_interval):
        hint = "reading shards more often than they scrape brings nothing new: raise `federate_interval`"
        return Check(name, "warn", (found,), hint)
    return Check(name, "ok", (found,))


def ports_free(fleet: Fleet) -> Check:
    """Whether no port of a host is given twice."""
    name = "every port is given once"
    given = Counter((host, port) for host, port in _ports(fleet))
    twice = tuple(f"{host}:{port}" for (host, port), count in given.items() if count > 1)
    servers = len({server.host for server in fleet.servers})
    return Check(name, "fail" if twice else "ok", twice or (f"on hosts of servers: {servers:,}",))


def _ports(fleet: Fleet) -> Iterable[tuple[str, int]]:
    """Every port that is given on a host of a Prometheus server."""
    hosts = {server.host for server in fleet.servers}
    yield from ((server.host, server.port) for server in fleet.servers)
    for each in fleet.alertmanagers:
        if each.host in hosts:
            yield each.host, each.port
    for process in fleet.thanos.components if fleet.thanos is not None else ():
        if process.host in hosts:
            yield from ((process.host, port) for port in (process.http_port, process.grpc_port) if port is not None)
    for endpoint in fleet.endpoints:
        yield from ((host, endpoint.port) for host in hosts & endpoint.hosts)


def hosts_apart(fleet: Fleet) -> Check:
    """Whether one host that is lost takes no more with it than it must."""
    name = "shards stand on hosts of their own"
    shards = [server for server in fleet.servers if server.role == "shard"]
    central = {server.host for server in fleet.servers if server.role == "central"}
    by_host = Counter(server.host for server in shards)
    count = len({server.name for server in shards})
    pairs = len(shards) > count
    found = [f"`{host}` carries all shards" for host in by_host if by_host[host] == count > 1 and not pairs]
    found += [f"`{host}` carries central as well" for host in by_host if host in central]
    hint = "name more hosts in `federation.shard_nodes`" if found else None
    spread = f"{len(shards):,} servers on {len(by_host):,} hosts"
    return Check(name, "warn" if found else "ok", tuple(found) or (spread,), hint)


def capacity_holds(fleet: Fleet) -> Check:
    """Whether hosts have the RAM and disk that their servers are predicted to need; unknown is not enough."""
    name = "hosts carry what is predicted"
    needs: dict[str, tuple[int, int]] = {}
    for server in fleet.servers:
        ram, disk = needs.get(server.host, (0, 0))
        needs[server.host] = ram + server.load.memory, disk + server.load.disk
    tight = [line for host, need in needs.items() for line in _tight(host, need, fleet)]
    unknown = [host for host in needs if fleet.nodes[host].memory is None or fleet.nodes[host].disk is None]
    if unknown:
        tight.append(f"the site does not say what these have: {fold(unknown)}")
    hint = "say `memory` and `disk` of these nodes" if unknown else None
    return Check(name, "warn" if tight else "ok", tuple(tight) or (_largest(needs),), hint)


def _tight(host: str, need: tuple[int, int], fleet: Fleet) -> Iterable[str]:
    node = fleet.nodes[host]
    for what, wanted, have in zip(("RAM", "disk"), need, (node.memory, node.disk), strict=True):
        if have is not None and wanted > have * NEAR:
            yield f"`{host}` is predicted to need {sized(wanted)} of {what}, and has {sized(have)}"


def _largest(needs: Mapping[str, tuple[int, int]]) -> str:
    ram, disk = (max(need[index] for need in needs.values()) for index in (0, 1))
    return f"at most {sized(ram)} of RAM and {sized(disk)} of disk on one host"


def unlooked(check: Check) -> Check:
    """The same check where its tool is not on this machine: unknown is not well."""
    return replace(check, state="warn", details=("not checked: the tool is not on this machine",))
