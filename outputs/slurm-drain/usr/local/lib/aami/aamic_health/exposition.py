r"""Reads what an exporter answers, in Prometheus' text format, and is not put off by what it cannot read.

DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 42 1790000000000
"""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

MOST_SAMPLES = 200_000
"""An exporter of 16 GPUs has some thousands; more is no exporter."""
_LONGEST = 16_384
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))')
_BRACE = re.compile(r"\s*\{")
_END = re.compile(r"\s*\}")
_ESCAPE = re.compile(r"\\.")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?[iI]nf|[nN]a[nN]")
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Sample = NamedTuple("Sample", [("name", str), ("labels", Dict[str, str]), ("value", float)])
Exposition = NamedTuple("Exposition", [("samples", List[Sample]), ("bad", int)])
"""What could be read, and how many lines could not."""


def read(text: bytes, wanted: str = "") -> Exposition:
    """Return the samples of an exposition whose names begin with `wanted`; no text makes it fail."""
    samples: List[Sample] = []
    bad = 0
    for line in text.decode("utf-8", "replace").split("\n"):
        line = line.strip()  # noqa: PLW2901  # the same line without its blanks
        if not line or line.startswith("#") or not line.startswith(wanted):
            continue
        sample = _sample(line) if len(samples) < MOST_SAMPLES else None
        if sample is None:
            bad += 1
        else:
            samples.append(sample)
    return Exposition(samples, bad)


def _sample(line: str) -> Optional[Sample]:
    name = _NAME.match(line)
    if name is None or len(line) > _LONGEST:
        return None
    labels: Optional[Dict[str, str]] = {}
    place = name.end()
    brace = _BRACE.match(line, place)
    if brace is not None:
        labels, place = _labels(line, brace.end())
    fields = line[place:].split()
    if labels is None or not 1 <= len(fields) <= 2 or not _NUMBER.fullmatch(fields[0]):  # noqa: PLR2004  # a time may follow
        return None
    return Sample(name.group(), labels, float(fields[0]))


def _labels(line: str, place: int) -> Tuple[Optional[Dict[str, str]], int]:
    """The labels from behind the brace on, and the place after the closing one; None where they are none."""
    labels: Dict[str, str] = {}
    while True:
        found = _LABEL.match(line, place)
        if found is None:
            break
        if found.group(1) in labels:
            return None, place
        labels[found.group(1)] = _ESCAPE.sub(
            lambda escape: _ESCAPES.get(escape.group(), escape.group()), found.group(2)
        )
        place = found.end()
        if not found.group(3):
            break
    end = _END.match(line, place)
    return (labels, end.end()) if end else (None, place)
