"""Where each node of a draft is written: with its rack, under a key of `nodes:`, or in a row of the inventory."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from aamic.compile.hostlist import LIMIT, expand, fold
from aamic.model.draft import DraftNode
from aamic.model.fleet import Gpu

_FEW: Final = 4
"""Pieces of a list of addresses that a person can still hold against the names."""
_LONGEST_KEY: Final = 900
"""YAML takes keys of at most 1,024 characters without a question mark."""
_LAST_NUMBER: Final = re.compile(r"(.*?)(0|[1-9][0-9]{0,8})([^0-9]*)")
_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


class Entry(NamedTuple):
    """What one key of `racks:` or `nodes:` says of its nodes; memory is in bytes, a login is a user and a port."""

    gpu: Gpu | None = None
    labels: tuple[tuple[str, str], ...] = ()
    threads: int | None = None
    memory: int | None = None
    login: tuple[str | None, int | None] = (None, None)
    addresses: str | None = None


_NOTHING: Final = Entry()


@dataclass(frozen=True, slots=True)
class Layout:
    """All that is written of nodes: racks by name with their host lists, keys of `nodes:`, rows of the inventory."""

    racks: tuple[tuple[str, str, Entry], ...]
    keys: tuple[tuple[str, Entry], ...]
    rows: tuple[DraftNode, ...]


class _Block(NamedTuple):
    """Nodes that are written together, in the order of their host list."""

    rack: str | None
    nodes: list[DraftNode]
    entry: Entry

    @property
    def addresses(self) -> tuple[str | None, bool]:
        """Their addresses as a list, None where these are the names; and whether it can be read."""
        addresses = [address_of(node) for node in self.nodes]
        if addresses == [node.name for node in self.nodes]:
            return None, True
        text, pieces = address_list(addresses)
        return text, pieces <= _FEW or pieces * 8 <= len(addresses)


def layout(nodes: Iterable[DraftNode], most: int) -> Layout:
    """Where each node is written; more than `most` nodes whose addresses follow no order go to rows."""
    blocks = list(_blocks(nodes))
    odd = [node for block in blocks if not block.addresses[1] for node in block.nodes]
    in_rows = len(odd) > most
    racks: list[tuple[str, str, Entry]] = []
    keys: list[tuple[str, Entry]] = []
    left: list[tuple[str, Entry]] = []
    for block in blocks:
        addresses, regular = block.addresses
        if not regular and in_rows:
            left += [(node.name, _left(node, Entry(node.gpu))) for node in block.nodes]
        elif block.rack is not None:
            entry = block.entry._replace(addresses=addresses if regular else None)
            racks.append((block.rack, fold(node.name for node in block.nodes), entry))
            left += [(node.name, _left(node, entry, address=not regular)) for node in block.nodes]
        else:
            keys += _loose(block.nodes, block.entry, together=regular)
    for entry, said in grouped(left, lambda pair: pair[1]).items():
        if entry != _NOTHING:
            keys += [(fold(names), entry) for names in _parts([name for name, _ in said])]
    return Layout(tuple(racks), tuple(sorted(keys)), tuple(odd) if in_rows else ())


def address_of(node: DraftNode) -> str:
    """Where a node is reached: at its name, where no source says anything else."""
    return node.address or node.name


def address_list(addresses: Sequence[str]) -> tuple[str, int]:
    """A host list that expands to these addresses in this order, and of how many pieces it is.

    >>> address_list(["10.0.1.9", "10.0.1.10", "10.0.1.11", "10.0.2.1"])
    ('10.0.1.[9-11],10.0.2.1', 2)
    """
    pieces: list[tuple[str, int, int, str]] = []
    for address in addresses:
        match = _LAST_NUMBER.fullmatch(address)
        head, number, tail = (match[1], int(match[2]), match[3]) if match else (address, -1, "")
        if pieces and match and (pieces[-1][0], pieces[-1][2] + 1, pieces[-1][3]) == (head, number, tail):
            pieces[-1] = (head, pieces[-1][1], number, tail)
        else:
            pieces.append((head, number, number, tail))
    return ",".join(map(_piece, pieces)), len(pieces)


def _piece(piece: tuple[str, int, int, str]) -> str:
    head, low, high, tail = piece
    return f"{head}{tail}" if low < 0 else f"{head}{low}{tail}" if low == high else f"{head}[{low}-{high}]{tail}"


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """The items by key, each list in the order given."""
    groups: defaultdict[_Key, list[_Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)


def _blocks(nodes: Iterable[DraftNode]) -> Iterator[_Block]:
    """Each rack, and nodes of no rack of which the same is said."""
    by_rack = grouped(nodes, lambda node: node.rack)
    for members in grouped(by_rack.pop(None, []), _said).values():
        yield _Block(None, _in_order(members), _said(members[0]))
    for rack in sorted(filter(None, by_rack)):
        members = _in_order(by_rack[rack])
        yield _Block(rack, members, _shared(members))


def _in_order(nodes: Iterable[DraftNode]) -> list[DraftNode]:
    """The nodes as their folded host list expands."""
    known = {node.name: node for node in nodes}
    return [known[name] for name in expand(fold(known), max(LIMIT, len(known)))]


def _said(node: DraftNode) -> Entry:
    labels = tuple(sorted(node.labels.items()))
    return Entry(node.gpu, labels, node.threads, node.memory, (node.ssh_user, node.ssh_port))


def _shared(nodes: Sequence[DraftNode]) -> Entry:
    """What a rack says of all of its nodes: what a node does not have could not be taken away from it again."""
    gpus = [node.gpu for node in nodes if node.gpu is not None]
    most = min(Counter(gpus).items(), key=lambda pair: (-pair[1], str(pair[0])))[0] if gpus else None
    logins = {(node.ssh_user, node.ssh_port) for node in nodes}
    labels = set.intersection(*(set(node.labels.items()) for node in nodes))
    login = logins.pop() if len(logins) == 1 else (None, None)
    return Entry(most if len(gpus) == len(nodes) else None, tuple(sorted(labels)), login=login)


def _left(node: DraftNode, told: Entry, *, address: bool = False) -> Entry:
    """What is still to be said of a node; its address, too, if it stands nowhere else."""
    said = _said(node)
    return said._replace(
        gpu=None if said.gpu == told.gpu else said.gpu,
        labels=tuple(pair for pair in said.labels if pair not in told.labels),
        login=(None, None) if said.login == told.login else said.login,
        addresses=address_of(node) if address else None,
    )


def _loose(nodes: Sequence[DraftNode], entry: Entry, *, together: bool) -> Iterator[tuple[str, Entry]]:
    """Keys of nodes in no rack, with their addresses."""
    known = {node.name: node for node in nodes}
    for names in _parts(list(known)) if together else [[name] for name in known]:
        hosts = fold(names)
        members = [known[name] for name in expand(hosts)]
        yield hosts, entry._replace(addresses=_Block(None, members, entry).addresses[0])


def _parts(names: list[str]) -> Iterator[list[str]]:
    """The names in as few parts as make keys that YAML takes."""
    if len(names) > 1 and (len(names) > LIMIT or len(fold(names)) > _LONGEST_KEY):
        half = len(names) // 2
        yield from _parts(names[:half])
        yield from _parts(names[half:])
    else:
        yield names
