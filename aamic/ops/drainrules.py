"""The rules that decide about nodes, read from what was rendered for the hosts: the very files that they read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aamic.agent.health import drainconfig, nodepolicy
from aamic.agent.health.policy import Config
from aamic.errors import InputError, Problem
from aamic.model.tree import Tree

_CHECK: Final = "/etc/aami/slurm/node-check.json"
_DRAIN: Final = "/etc/aami/slurm/drain.json"


@dataclass(frozen=True, slots=True)
class Rules:
    """How each node is judged, and how the drain controller decides; `name` is a revision, '' for now."""

    name: str
    cluster: str
    nodes: Mapping[str, nodepolicy.Policy]
    drains: Config


def rules(tree: Tree, name: str = "") -> Rules:
    """The rules of a rendered tree.

    Raises:
        InputError: It has no drain controller, or none of its nodes is checked.
    """
    drains, policies = None, {}
    for bundle in tree.bundles:
        for file in bundle.files:
            if file.path == _DRAIN:
                drains = drainconfig.settings(json.loads(file.content))
            elif file.path == _CHECK:
                policies.update(dict.fromkeys(bundle.hosts, nodepolicy.policy(json.loads(file.content))))
    if drains is None or not policies:
        where = f"revision `{name}`" if name else "this site"
        hint = "set `slurm.auto_drain: shadow`, which decides and does nothing; nodes need a `gpu:` and its exporter"
        raise InputError([Problem(f"{where} has no drain controller that decides about nodes with GPUs", hint=hint)])
    return Rules(name, drains.cluster, {node: policies[node] for node in sorted(policies)}, drains.policy)
