"""The YAML files of the catalog as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, ScalarNode

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT: Final = "tag:yaml.org,2002:str"


def read(path: Path) -> Any:
    """What a file of the catalog says, as `yaml.safe_load` has it.

    The catalog is read at every start, and PyYAML's own way from nodes to values takes longer than all before it. It
    is left out what the catalog has no use for: `<<`, tags, and lists that hold themselves.
    """
    with path.open("rb") as file:
        loader = _LOADER(file)
        return _value(loader, loader.get_single_node())


def _value(loader: Any, node: Any) -> Any:
    kind = type(node)
    if kind is ScalarNode:
        return node.value if node.tag == _TEXT else loader.construct_object(node)
    if kind is MappingNode:
        return {_value(loader, key): _value(loader, value) for key, value in node.value}
    return [_value(loader, item) for item in node.value]
