"""What the published schema says of the value at a path, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aamic.model.secret import REFERENCE

Node = dict[str, Any]
Path = tuple[str | int, ...]

_NOUNS = {
    "array": "a list",
    "boolean": "`true` or `false`",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}


class Schema:
    """A JSON Schema, walked along a document.

    Args:
        document: The schema, as `compile.schema.json_schema` returns it.
    """

    def __init__(self, document: Node) -> None:
        self._document = document

    def at(self, path: Path, data: Any) -> Node | None:
        """The schema of the value at `path` in `data`; None where the schema knows no such key."""
        return list(self._walk(path, data))[-1]

    def is_secret(self, path: Path, data: Any) -> bool:
        """Whether the path leads to a secret reference, or below one."""
        return any(node is not None and _is_reference(node) for node in self._walk(path, data))

    def holds_secret(self, path: Path, data: Any) -> bool:
        """Whether the mapping at `path` is where a secret belongs, one level below or two: the secret may stand in it.

        So it is with `notifications` and `notifications.slack`.
        """
        node = self.at(path, data) or {}
        below = list(self.keys(node, at(data, path)).values())
        further = [found for child in below for found in self.keys(child, None).values()]
        return any(map(_is_reference, (*below, *further)))

    def alternatives(self, node: Node) -> list[Node]:
        """What the value may be, references followed; null is left out, for it says only that a key is optional."""
        if "$ref" in node:
            return self.alternatives(self._document["$defs"][node["$ref"].rpartition("/")[2]])
        branches = node.get("oneOf") or node.get("anyOf")
        if branches is None:
            return [] if node.get("type") == "null" else [node]
        return [found for branch in branches for found in self.alternatives(branch)]

    def keys(self, node: Node, value: Any) -> Node:
        """The keys that a mapping may have, and the schema of each."""
        mapping = self._mapping(node, value)
        return mapping.get("properties", {}) if mapping else {}

    def wanted(self, node: Node) -> str:
        """What the value should be, as a noun: "a duration", "a whole number or a list"."""
        if _is_reference(node):
            return with_article(REFERENCE)
        return " or ".join(dict.fromkeys(_noun(alternative) for alternative in self.alternatives(node)))

    def _walk(self, path: Path, data: Any) -> Iterator[Node | None]:
        node: Node | None = self._document
        yield node
        for step in path:
            node = self._child(node, step, data) if node is not None else None
            data = at(data, (step,))
            yield node

    def _child(self, node: Node, step: str | int, data: Any) -> Node | None:
        if isinstance(step, int):
            lists = (found for found in self.alternatives(node) if "items" in found)
            return next((found["items"] for found in lists), None)
        mapping = self._mapping(node, data) or {}
        return mapping.get("properties", {}).get(step) or mapping.get("additionalProperties") or None

    def _mapping(self, node: Node, value: Any) -> Node | None:
        """The kind of mapping that `value` is meant for: like the model, told by the first key that one must have."""
        mappings = [found for found in self.alternatives(node) if found.get("type") == "object"]
        meant = (found for found in mappings if found.get("required") and found["required"][0] in value)
        return next(meant if isinstance(value, dict) else iter(()), mappings[0] if mappings else None)


def at(data: Any, path: Path) -> Any:
    """The value at a path, or None if there is none."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def with_article(noun: str) -> str:
    """The noun with its article.

    >>> [with_article(noun) for noun in ("duration", "address", "URL")]
    ['a duration', 'an address', 'a URL']
    """
    return f"an {noun}" if noun[0] in "aeioAEIO" else f"a {noun}"


def _is_reference(node: Node) -> bool:
    return node.get("title") == REFERENCE or any(map(_is_reference, node.get("anyOf", ())))


def _noun(node: Node) -> str:
    if "enum" in node:
        return "one of " + ", ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if node.get("type") == "string" and "title" in node:
        return with_article(node["title"])
    return _NOUNS.get(node.get("type", ""), "another value")
