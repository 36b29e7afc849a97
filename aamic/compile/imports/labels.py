"""Labels and racks of nodes: those that a site can have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

from aamic.compile.imports.names import hosts
from aamic.compile.imports.secret import is_secret
from aamic.compile.imports.sighting import Sighting
from aamic.compile.nodes import RESERVED_LABELS
from aamic.compile.text import shown

_LABEL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*|_[a-zA-Z0-9][a-zA-Z0-9_]*")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""What racks and clusters may be called."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME: Final = 128
_LONGEST: Final = 1024


def of_nodes(
    seen: Mapping[str, Sequence[Sighting]], taken: Mapping[str, str], notes: list[str]
) -> dict[str, dict[str, str]]:
    """The labels of each node; what a site cannot have is left out, which is noted once for each reason.

    `taken` are labels that exporters put on their own series, and which exporter does.
    """
    found: dict[str, dict[str, str]] = {}
    left: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for node, sightings in seen.items():
        values: defaultdict[str, set[str]] = defaultdict(set)
        for each in sightings:
            for label, text in each.labels.items():
                values[label].add(text)
        why = {label: _why_not(label, texts, taken) for label, texts in values.items()}
        found[node] = {label: next(iter(values[label])) for label in sorted(values) if not why[label]}
        for label, reason in why.items():
            if reason:
                left[label, reason].add(node)
    for (label, reason), names in left.items():
        notes.append(f"label {shown(label)} of {hosts(names)} is left out: {reason}")
    return found


def _why_not(label: str, texts: set[str], taken: Mapping[str, str]) -> str | None:
    if reason := _not_ours(label, taken):
        return reason
    if any(is_secret(label, text) for text in texts):
        return "it looks like a secret, and a site holds none"
    if not _LABEL.fullmatch(label) or len(label) > _LONGEST_NAME:
        return "a site cannot have a label of this name"
    if len(texts) > 1:
        return "targets of one node differ in it"
    text = next(iter(texts))
    return None if text.isprintable() and len(text) <= _LONGEST else "a site cannot have its value"


def _not_ours(label: str, taken: Mapping[str, str]) -> str | None:
    """Whose label it is, if it is none of a site's."""
    if label.startswith("__"):
        return "it is for Prometheus alone, not for its series"
    if label in RESERVED_LABELS:
        return "aamic sets it itself"
    return f"exporter `{taken[label]}` puts one of this name on its own series" if label in taken else None


def with_racks(facts: Mapping[str, MutableMapping[str, Any]], notes: list[str]) -> None:
    """Give each rack a name that a site can have, if no other rack has that name."""
    written = {str(known["rack"]) for known in facts.values() if "rack" in known}
    fit: defaultdict[str, set[str]] = defaultdict(set)
    for rack in written:
        fit[_fitting(rack)].add(rack)
    names = {racks.pop(): name for name, racks in fit.items() if len(racks) == 1 and NAME.fullmatch(name)}
    notes += [f"rack {shown(rack)} is called `{name}`" for rack, name in names.items() if rack != name]
    notes += [
        f"rack {shown(rack)} is left out: a site cannot have a rack of this name" for rack in written - set(names)
    ]
    for known in facts.values():
        if "rack" in known and str(known["rack"]) not in names:
            del known["rack"]
        elif "rack" in known:
            known["rack"] = names[str(known["rack"])]


def _fitting(rack: str) -> str:
    return rack if NAME.fullmatch(rack) else _UNFIT.sub("-", rack).strip("-_.")[:63]
