"""What becomes of nodes and of their history when their servers change: two fleets side by side. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from aamic.compile.capacity import federated_series
from aamic.compile.references import racks_of
from aamic.model.fleet import AlertRule, Fleet, Server
from aamic.model.quantities import duration_seconds
from aamic.model.rebalance import Folder, Move, Transition


def owners(fleet: Fleet) -> dict[str, str]:
    """The server that scrapes each node, by name; both of a pair have one name."""
    return {name: server.name for server in fleet.servers for name in server.nodes}


def moves(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Move, ...]:
    """Which nodes go from which server to which, one entry for each pair of servers; nodes come in their order.

    >>> moves({"a": "east", "b": "east", "c": "west"}, {"a": "east", "b": "west", "c": "west"})
    (Move(source='east', target='west', nodes=('b',)),)

    A node that is on one side alone does not move.
    """
    pairs: dict[tuple[str, str], list[str]] = {}
    for name, source in before.items():
        target = after.get(name, source)
        if target != source:
            pairs.setdefault((source, target), []).append(name)
    return tuple(Move(source, target, tuple(names)) for (source, target), names in sorted(pairs.items()))


def series_of(fleet: Fleet) -> dict[str, int]:
    """The predicted series of each node on the server that scrapes it: what is scraped and what is recorded of it."""
    recorded = federated_series(fleet.nodes, fleet.rules, fleet.endpoints)
    return {name: recorded[name] + fleet.weights[name] for name in fleet.nodes}


def transition(before: Fleet, after: Fleet) -> Transition:
    """What becomes of nodes and their history from one fleet to another of the same nodes."""
    old, new = owners(before), owners(after)
    moved = moves(old, new)
    anew = _anew(before, after)
    names = {name for move in moved for name in move.nodes} | {name for name in new if old.get(name) in anew}
    series = series_of(before)
    sources = {old[name] for name in names}
    reads = {(server.host, server.storage_path) for server in after.servers}
    losing = {move.source for move in moved}
    folders = [_folder(server) for server in before.servers]
    return Transition(
        moves=moved,
        anew=anew,
        kept=tuple(each for each in folders if each.server in losing and (each.host, each.path) in reads),
        left=tuple(each for each in folders if (each.host, each.path) not in reads),
        nodes=len(names),
        series=sum(series[name] for name in names),
        history=max((duration_seconds(each.retention) for each in folders if each.server in sources), default=0.0),
        split=_split(before, old, new),
    )


def _split(fleet: Fleet, old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Racks that have one server before, and several after."""
    racks = racks_of(fleet.nodes)
    return tuple(
        rack
        for rack, names in racks.items()
        if len({old[name] for name in names}) == 1 < len({new[name] for name in names if name in new})
    )


def _anew(before: Fleet, after: Fleet) -> tuple[str, ...]:
    """Servers of nodes that keep their name, and none of the folders that they had."""
    old, new = _places(before), _places(after)
    return tuple(name for name, places in new.items() if name in old and not places & old[name])


def _places(fleet: Fleet) -> dict[str, set[tuple[str, str]]]:
    places: dict[str, set[tuple[str, str]]] = {}
    for server in fleet.servers:
        if server.role != "central":
            places.setdefault(server.name, set()).add((server.host, server.storage_path))
    return places


def _folder(server: Server) -> Folder:
    return Folder(server.name, server.host, server.storage_path, server.retention)


def alerts_that_change(before: Fleet, after: Fleet) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of alerts that come, and of those that go."""
    old, new = _alerts(before), _alerts(after)
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def _alerts(fleet: Fleet) -> set[str]:
    return {rule.name for group in fleet.rules for rule in group.rules if isinstance(rule, AlertRule)}
