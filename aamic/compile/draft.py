"""A draft becomes a site: site.yaml as a person would write it, and nodes.csv where addresses follow no order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from aamic.compile.addresses import is_address, why_not
from aamic.compile.draftnodes import layout
from aamic.compile.drafttext import comments, inventory_text, nodes_lines, racks_lines
from aamic.compile.text import shown
from aamic.errors import InputError, Problem
from aamic.model.draft import Draft, DraftNode
from aamic.templates import yaml_str

INVENTORY: Final = "nodes.csv"
"""Written beside the site for nodes whose addresses follow no order."""
UNNAMED: Final = "imported"
"""The cluster's name where no source has one."""
MANY: Final = 50
"""Nodes whose addresses follow no order: so many are written in site.yaml, more go to the inventory."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_RELEASE: Final = re.compile(r"[0-9]{2}\.(02|05|08|11)")
_DEFAULT_CONF_DIR: Final = "/etc/slurm"


@dataclass(frozen=True, slots=True)
class Pages:
    """What is written: the site, and the inventory that it names, if it needs one."""

    site: str
    inventory: str | None = None


def write(draft: Draft, vendors: Collection[str], prometheus_node: str | None = None) -> str:
    """The site of a draft in one file; a GPU of a vendor that is none of `vendors` is left out, which is noted.

    Raises:
        InputError: A name or address cannot stand in a site, or a node is named twice.
    """
    return pages(draft, vendors, prometheus_node, most=len(draft.nodes)).site


def pages(draft: Draft, vendors: Collection[str], prometheus_node: str | None = None, *, most: int = MANY) -> Pages:
    """The site of a draft; more than `most` nodes whose addresses follow no order go to the inventory.

    Raises:
        InputError: As `write`.
    """
    _check(draft.nodes)
    draft = _known(draft, vendors)
    laid = layout(draft.nodes, most)
    lines = [
        *_head(draft),
        "version: 1",
        "",
        "cluster:",
        f"  name: {yaml_str(draft.cluster or UNNAMED)}",
        *([f"inventory: {INVENTORY}"] if laid.rows else []),
        *racks_lines(laid.racks),
        *nodes_lines(laid.keys),
        *_prometheus(draft, prometheus_node),
        *_slurm(draft),
    ]
    return Pages("\n".join(lines) + "\n", inventory_text(laid.rows) if laid.rows else None)


def server(draft: Draft, prometheus_node: str | None = None) -> tuple[str | None, str]:
    """The node that Prometheus runs on, and why it is this one."""
    names = sorted(node.name for node in draft.nodes)
    without = sorted(node.name for node in draft.nodes if node.gpu is None and not node.unsure_gpus)
    if prometheus_node is not None:
        return prometheus_node, ""
    if draft.controller in names:
        return draft.controller, "chosen as it is the controller of Slurm; name another if you have one"
    if without:
        return without[0], "chosen as the first node without GPUs; name another if you have one"
    return (names[0], "chosen as the first node; better name one without GPUs") if names else (None, "")


def _check(nodes: Iterable[DraftNode]) -> None:
    """Refuse what would be read as something else in a host list."""
    times = Counter(node.name for node in nodes)
    problems = [Problem(f"node {shown(name)} is named twice") for name, count in times.items() if count > 1]
    for node in nodes:
        if _NAME.fullmatch(node.name) is None:
            problems.append(Problem(f"{shown(node.name)} cannot be the name of a node"))
        elif not is_address(address := node.address or node.name):
            reason, hint = why_not(address)
            problems.append(Problem(f"{shown(address)} of node `{node.name}` {reason}", None, hint))
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.message))


def _known(draft: Draft, vendors: Collection[str]) -> Draft:
    """The draft without GPUs of vendors that the catalog lacks."""
    foreign = {node.gpu.vendor for node in draft.nodes if node.gpu is not None} - set(vendors)
    if not foreign:
        return draft
    nodes = tuple(
        replace(node, gpu=None, unsure_gpus=True) if node.gpu is not None and node.gpu.vendor in foreign else node
        for node in draft.nodes
    )
    said = tuple(f"GPUs of {shown(vendor)} are left out: the catalog does not know it" for vendor in sorted(foreign))
    return replace(draft, nodes=nodes, notes=(*draft.notes, *said))


def _head(draft: Draft) -> list[str]:
    notes = list(draft.notes)
    if draft.cluster is None:
        notes.append("no source names the cluster: choose `cluster.name` before the first apply")
    lines = ["Written by `aamic import`. Read it, correct it, keep it in git; then `aamic validate` and `aamic plan`."]
    lines += ["Every key is described in docs/site.md."]
    told = [f"- {note}" for note in notes]
    return comments([*lines, *(["", "What was left out, guessed or not understood:"] if told else []), *told])


def _prometheus(draft: Draft, given: str | None) -> list[str]:
    node, why = server(draft, given)
    if node is None:
        return []
    comment = f"  # {why}" if why else ""
    return ["", "prometheus:", f"  node: {yaml_str(node)}{comment}"]


def _slurm(draft: Draft) -> list[str]:
    """What is looked at in Slurm; nothing that would change what it does."""
    if draft.controller is None or draft.controller not in {node.name for node in draft.nodes}:
        return []
    version, folder = draft.slurm_version, draft.slurm_conf_dir
    return [
        "",
        "slurm:",
        f"  controller: {yaml_str(draft.controller)}",
        *([f'  version: "{version}"'] if version and _RELEASE.fullmatch(version) else []),
        *([f"  conf_dir: {yaml_str(folder)}"] if folder and folder != _DEFAULT_CONF_DIR else []),
        '  auto_drain: "off"  # nothing is drained, no hook is installed; `aamic slurm install-hooks` is the next step',
    ]
