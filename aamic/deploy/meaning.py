"""What a change of a YAML or JSON file means: its values that come, go and change, one by one.

Order counts, but for the target groups of a file_sd file, which Prometheus reads as a set. Of a dashboard's panels only
those are told that come, go or change: where they then stand follows from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aamic.compile.yamltext import read_value

LONGEST: Final = 256 * 1024
"""Bytes of a file that is still compared value by value; larger ones would take long, and nobody reads the result."""
_WIDEST: Final = 500
_MOST: Final = 40
_SHOWN: Final = 120
_NAMES: Final = ("job_name", "name", "alert", "record", "receiver", "node", "title")
"""Keys that tell the items of a list apart better than their numbers do."""
_PLACE: Final = "gridPos"


def meaning(name: str, before: bytes, after: bytes) -> tuple[str, ...]:
    """The changes of a document, a line for each; nothing where a file is none, or does not parse.

    >>> meaning("/a.yml", b"a: {b: 1, c: 2}", b"a: {b: 3, d: [4]}")
    ('~ a.b: 1 -> 3', '- a.c: 2', '+ a.d: [4]')
    """
    if not name.endswith((".yml", ".yaml", ".json")) or max(len(before), len(after)) > LONGEST:
        return ()
    try:
        old, new = (read_value(text, name) for text in (before, after))
    except ValueError:
        return ()
    if _are_targets(old) and _are_targets(new):
        return _cut(list(_targets(old, new)))
    if _is_dashboard(old) and _is_dashboard(new):
        old, new = map(_without_places, (old, new))
    return _cut(list(_values(old, new))) if max(_widest(old), _widest(new)) <= _WIDEST else ()


def _is_dashboard(document: Any) -> bool:
    panels = document.get("panels") if isinstance(document, dict) and "schemaVersion" in document else None
    return isinstance(panels, list) and all(isinstance(panel, dict) for panel in panels)


def _without_places(document: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard whose panels do not say where they stand."""
    panels = [{key: panel[key] for key in panel if key != _PLACE} for panel in document["panels"]]
    return {**document, "panels": panels}


def _widest(document: Any) -> int:
    """The length of the longest list: comparing takes its square."""
    if not isinstance(document, dict | list):
        return 0
    items = document.values() if isinstance(document, dict) else document
    return max((len(document) if isinstance(document, list) else 0, *map(_widest, items)))


def _cut(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= _MOST:
        return tuple(lines)
    return (*lines[:_MOST], f"and {len(lines) - _MOST:,} more")


def _are_targets(document: Any) -> bool:
    return isinstance(document, list) and all(
        isinstance(group, dict) and isinstance(group.get("targets"), list) for group in document
    )


def _targets(old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    """Nodes that come and go, with their addresses and racks; and what changes of those that stay."""
    before, after = _by_node(old), _by_node(new)
    for node in sorted(before.keys() | after.keys()):
        if node not in before:
            yield f"+ {_told(node, after[node])}"
        elif node not in after:
            yield f"- {_told(node, before[node])}"
        elif before[node] != after[node]:
            yield from (f"{line[:2]}{node} {line[2:]}" for line in _values(before[node], after[node]))


def _by_node(groups: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Groups by their nodes; those of none by their targets."""
    named: dict[str, dict[str, Any]] = {}
    for group in groups:
        labels = group.get("labels")
        node = labels.get("node") if isinstance(labels, dict) else None
        named[str(node) if node is not None else ", ".join(map(str, group["targets"]))] = group
    return named


def _told(node: str, group: Mapping[str, Any]) -> str:
    addresses = dict.fromkeys(str(target).rpartition(":")[0] or str(target) for target in group["targets"])
    labels = group.get("labels")
    rack = labels.get("rack") if isinstance(labels, dict) else None
    return "  ".join([node, ", ".join(addresses), *([f"rack {rack}"] if rack is not None else [])])


def _values(old: Any, new: Any) -> Iterator[str]:
    from deepdiff import DeepDiff  # noqa: PLC0415  # slow to import, and most plans change no document
    from deepdiff.helper import CannotCompare  # noqa: PLC0415

    def same_item(left: Any, right: Any, _: Any = None) -> bool:
        if not isinstance(left, dict | list) and not isinstance(right, dict | list):
            return type(left) is type(right) and bool(left == right)
        if None in (names := (_name_of(left), _name_of(right))):
            raise CannotCompare
        return names[0] == names[1]

    found = DeepDiff(old, new, view="tree", iterable_compare_func=same_item, threshold_to_diff_deeper=0)
    moved = {_text_of_path(level.up): level.up for level in found.pop("iterable_item_moved", ())}
    lines = [(_text_of_path(level), _line(level)) for kind in found.values() for level in kind]
    lines += [(path, f"~ {path}: in another order") for path, level in moved.items() if _other_order(level)]
    yield from (line for _, line in sorted(lines))


def _other_order(level: Any) -> bool:
    """Whether the items that stay do so in another order; others only moved up or down."""
    before, after = ([json.dumps(_name_of(item) or item) for item in items] for items in (level.t1, level.t2))
    old, new = set(before), set(after)
    return [name for name in before if name in new] != [name for name in after if name in old]


def _line(level: Any) -> str:
    path = _text_of_path(level) or "all of it"
    old, new = level.t1, level.t2
    if _absent(old):
        return f"+ {path}: {_shown(new)}"
    if _absent(new):
        return f"- {path}: {_shown(old)}"
    if type(old) is not type(new):
        return f"~ {path}: {_quoted(old)} -> {_quoted(new)}"
    return f"~ {path}: {_shown(old)} -> {_shown(new)}"


def _absent(value: Any) -> bool:
    return type(value).__name__ == "NotPresent"


def _text_of_path(level: Any) -> str:
    """Keys with dots between them; items of lists by their names where they have some."""
    text = ""
    here = level.all_up
    while here is not level:
        relationship = here.t2_child_rel or here.t1_child_rel
        key = relationship.param
        if isinstance(key, int) and isinstance(relationship.parent, list):
            item = here.down.t1 if _absent(here.down.t2) else here.down.t2
            text += f"[{_name_of(item) or key}]"
        else:
            text += f".{key}" if text else str(key)
        here = here.down
    return text


def _name_of(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((str(item[key]) for key in _NAMES if key in item), None)


def _shown(value: Any) -> str:
    return _short(value) if isinstance(value, str) else _quoted(value)


def _quoted(value: Any) -> str:
    return _short(json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
