"""Plain values as YAML on one line."""

from __future__ import annotations

import math
from typing import Any

from aamic.templates import yaml_str


def written(value: Any) -> str:
    """Return a value as it stands within brackets or behind a key, read alike by YAML 1.1 and 1.2.

    >>> written({"name": "busan", "labels": {"tier": "no"}, "ports": [1, True, None]})
    '{name: busan, labels: {tier: "no"}, ports: [1, true, null]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_str(key)}: {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return yaml_str(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return _number(value)


def _number(value: float) -> str:
    if isinstance(value, int) or math.isfinite(value):
        return repr(value)
    return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
