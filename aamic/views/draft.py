"""A draft of a site in JSON, and its notes in lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from aamic.errors import Problem
from aamic.model.draft import Draft, DraftNode
from aamic.views.problems import to_json as problems_to_json
from aamic.views.terminal import safe


def notes(draft: Draft) -> Iterator[str]:
    """The notes of a draft, a line each."""
    return (safe(f"note: {note}") for note in draft.notes)


def to_json(draft: Draft, site: str, inventory: str | None, problems: Iterable[Problem]) -> Mapping[str, Any]:
    """The draft, the files that it makes, and what is wrong with them."""
    return {
        "cluster": draft.cluster,
        "controller": draft.controller,
        "slurm_version": draft.slurm_version,
        "slurm_conf_dir": draft.slurm_conf_dir,
        "nodes": [_node(node) for node in draft.nodes],
        "notes": list(draft.notes),
        "site": site,
        "inventory": inventory,
        "problems": problems_to_json(tuple(problems)),
    }


def _node(node: DraftNode) -> dict[str, Any]:
    return {**asdict(node), "labels": dict(node.labels)}
