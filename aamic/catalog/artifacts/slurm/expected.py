"""A metric that says what has to be there: what never ran writes none, and an absence alone tells nobody."""

from __future__ import annotations

from aamic.model.tree import File


def expected(folder: str, name: str, what: str) -> File:
    """A textfile of node_exporter with a metric that is 1; `what` is the rest of its help."""
    text = f"# HELP {name} 1 where aamic has put {what}.\n# TYPE {name} gauge\n{name} 1\n"
    return File(f"{folder}/{name}.prom", text.encode())
