"""Text that exporters answer, for samples: families, labels and values in the Prometheus text format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

_LABEL_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: labels in the order the exporter writes them."""

    labels: Mapping[str, str]
    value: float
    suffix: str = ""
    """`_sum` and the like, for summaries and histograms."""


@dataclass(frozen=True, slots=True)
class Family:
    """The samples of one name, under one HELP and one TYPE line."""

    name: str
    type: str
    help: str
    samples: tuple[Sample, ...]


def text(families: Iterable[Family]) -> str:
    r"""The families as exposition text; a family without samples is left out.

    >>> text([Family("up_since", "gauge", "When it began", (Sample({"host": 'a"b'}, 17.0),))])
    '# HELP up_since When it began\n# TYPE up_since gauge\nup_since{host="a\\"b"} 17\n'
    """
    return "".join(line + "\n" for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {family.name} {family.type}"
    for sample in family.samples:
        labels = ",".join(f'{name}="{value.translate(_LABEL_ESCAPES)}"' for name, value in sample.labels.items())
        braces = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{braces} {number(sample.value)}"


def number(value: float) -> str:
    """A value as the text format has it, whole numbers without a point."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() else repr(value)


def share(*key: object) -> float:
    """A number from 0 up to 1 that stands for `key`: the same one in every run and on every machine."""
    return crc32("/".join(map(str, key)).encode()) / 2**32


def between(low: float, high: float, *key: object, seconds: float = 0.0) -> float:
    """A plausible reading: a base that stands for `key`, and a slow swing of a tenth of the range around it."""
    phase = share(*key)
    swing = math.sin(seconds / 60 + 2 * math.pi * phase) / 10
    return low + (high - low) * (0.1 + 0.8 * phase + swing)
