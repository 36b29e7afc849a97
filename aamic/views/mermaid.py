"""A graph in Mermaid's language, which GitHub and GitLab draw in Markdown."""

from __future__ import annotations

from aamic.model.graph import Graph

_SHAPES = {
    "nodes": ("[", "]"),
    "shard": ("[(", ")]"),
    "central": ("[(", ")]"),
    "alertmanager": ("{{", "}}"),
    "receiver": ("([", "])"),
}


def mermaid(graph: Graph) -> str:
    """A flowchart from left to right."""
    names = {box.key: f"n{number}" for number, box in enumerate(graph.boxes)}
    lines = ["flowchart LR"]
    for box in graph.boxes:
        left, right = _SHAPES[box.kind]
        label = "<br/>".join(quoted(line) for line in box.lines)
        lines.append(f'    {names[box.key]}{left}"{label}"{right}')
    lines += [f"    {names[arrow.source]} -->|{arrow.label}| {names[arrow.target]}" for arrow in graph.arrows]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Text inside a quoted Mermaid label: every character that Mermaid or HTML reads becomes an entity code.

    >>> quoted('a"b <c> #1')
    'a#34;b #60;c#62; #35;1'
    """
    return "".join(c if c.isalnum() or c in " .:,-_/()" else f"#{ord(c)};" for c in text)
