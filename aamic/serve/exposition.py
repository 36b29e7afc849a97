"""The cluster's own aggregates in Prometheus' text format, version 0.0.4.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite, isinf
from typing import Final

from aamic.clients.base import Sample
from aamic.model.api import Aggregate
from aamic.ops.plausible import clip

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_NAME: Final = "__name__"
_KEY: Final = 256
"""Characters of the longest name of a label of the API."""
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def own(samples: Iterable[Sample], cluster: str) -> list[Sample]:
    """The aggregates that are this cluster's, by name and labels: never those that it has of others."""
    found = [
        each
        for each in samples
        if each.labels.get(_NAME, "").startswith("cluster:") and each.labels.get("cluster") == cluster
    ]
    return sorted(found, key=lambda each: (each.labels[_NAME], *sorted(each.labels.items())))


def exposition(samples: Iterable[Sample]) -> str:
    r"""The samples as text, those of one name together.

    >>> exposition([Sample({"__name__": "cluster:up", "cluster": "a\"b"}, 1.0)])
    '# TYPE cluster:up gauge\ncluster:up{cluster="a\\"b"} 1.0\n'
    """
    lines, last = [], None
    for each in samples:
        if (name := each.labels[_NAME]) != last:
            lines.append(f"# TYPE {name} gauge\n")
            last = name
        lines.append(f"{name}{_labels(each.labels)} {_number(each.value)}\n")
    return "".join(lines)


def aggregates(samples: Iterable[Sample]) -> list[Aggregate]:
    """The samples as documents."""
    return [
        Aggregate(
            name=clip(each.labels[_NAME]),
            labels={clip(name, _KEY): clip(value) for name, value in each.labels.items() if name != _NAME},
            value=each.value if isfinite(each.value) else None,
        )
        for each in samples
    ]


def _labels(labels: Mapping[str, str]) -> str:
    told = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in sorted(labels.items()) if name != _NAME]
    return f"{{{','.join(told)}}}" if told else ""


def _number(value: float) -> str:
    if isfinite(value):
        return repr(value)
    return ("+Inf" if value > 0 else "-Inf") if isinf(value) else "NaN"


def wants_json(accept: str) -> bool:
    """Whether `Accept` asks for JSON rather than text.

    >>> wants_json("application/json"), wants_json("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), wants_json("")
    (True, False, False)
    >>> wants_json("application/json;q=0.1, text/plain")
    False
    """
    quality = dict(map(_quality, accept.lower().split(",")))
    asked = quality.get("application/json", 0.0)
    return asked > 0 and asked >= quality.get("text/plain", 0.0)


def _quality(part: str) -> tuple[str, float]:
    kind, *parameters = (each.strip() for each in part.split(";"))
    given = [each[2:] for each in parameters if each.startswith("q=")]
    try:
        return kind, float(given[0]) if given else 1.0
    except ValueError:
        return kind, 0.0
