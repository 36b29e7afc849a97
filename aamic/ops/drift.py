"""From one value for each node to what is known of its managed files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Final

from aamic.clients.base import Sample
from aamic.compile.hostlist import fold
from aamic.model.drift import STATES, Drift, Group, State

_PENDING: Final = -1
_QUERY: Final = """\
-(max by (node) (node:aamic_apply_pending{{{cluster}}}) == 1)
or max by (node) (node:aamic_drifted_files:count{{{cluster}}})
or max by (node) (node:aamic_apply_pending{{{cluster}}}) - 2"""


def query(cluster: str) -> str:
    """The PromQL that gives each node of a cluster one value: its drifted files, -1 if pending, -2 if unchecked.

    The second record is there whenever there was a check, the first only after one that is worth something; both
    replicas of a shard may have them.
    """
    # JSON's quoting of a text is PromQL's.
    return _QUERY.format(cluster=f"cluster={json.dumps(cluster)}")


def classify(cluster: str, nodes: Iterable[str], samples: Iterable[Sample]) -> Drift:
    """What the answer to `query` says of each of these nodes; other nodes are left out."""
    values = {sample.labels.get("node", ""): sample.value for sample in samples}
    groups: dict[tuple[State, int], list[str]] = {}
    heard = False
    for node in nodes:
        groups.setdefault(_state(values, node), []).append(node)
        heard = heard or node in values
    ordered = sorted(groups, key=lambda key: (STATES.index(key[0]), -key[1]))
    return Drift(cluster, tuple(Group(*key, tuple(groups[key]), fold(groups[key])) for key in ordered), heard)


def _state(values: Mapping[str, float], node: str) -> tuple[State, int]:
    """A node's state, and how many of its files differ; while a change is pending they may well."""
    if node not in values:
        return "unknown", 0
    value = values[node]
    if value == _PENDING:
        return "pending", 0
    if value < 0 or not isfinite(value):
        return "unchecked", 0
    return ("drifted", int(value)) if value else ("in sync", 0)
