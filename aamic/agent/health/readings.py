"""From what an exporter answered to neutral readings of each GPU, as the node check's configuration describes them.

A reading has the names of the `gpu:*` series without their prefix, so that a threshold means the same here and in an
alert:

    {"3": {"uuid": "GPU-1", "temperature_celsius": 61.0, "last_error_code": 79.0, "codes": [79], "fatal": []}}

`codes` are all error codes that the GPU shows now, `fatal` those that the exporter itself calls fatal. What is no
number (NaN, infinity) or can be no code is no reading.
"""

import math
import operator
import re
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from .exposition import Sample

Reading = Dict[str, Any]
Readings = Dict[str, Reading]
"""By the GPU's index, as text."""

LAST_CODE = "last_error_code"
RECENT_CODES = "error_window_count"
_CODE = re.compile(r"[0-9]{1,15}")
_MOST_CODE = 1e15
"""Beyond, digits are made up."""


def readings(samples: Iterable[Sample], signals: Sequence[Dict[str, Any]]) -> Readings:
    """Return a reading of each GPU that any of the signals names; the worst of several series counts.

    A signal's `sources` are alternatives: the first that a GPU has wins.
    """
    by_name: Dict[str, List[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    found: Readings = {}
    for signal in signals:
        done: Set[str] = set()
        for source in signal["sources"]:
            values = _values(source, by_name, signal["name"] == LAST_CODE)
            for key, value in values.items():
                if key[0] not in done:
                    _note(found, signal["name"], key, value)
            done |= {key[0] for key in values}
    return found


Key = Tuple[str, str, str, str]
"""A GPU's index and UUID, then an error code and its severity where the series has them."""


def _values(source: Dict[str, Any], by_name: Dict[str, List[Sample]], codes: bool) -> Dict[Key, float]:  # noqa: FBT001  # one kind of values is apart
    """The values of one source: metrics added up, duplicates (a job's, an instance's) by the largest.

    Of `codes` none is larger than another, so each of them is kept.
    """
    labels = source["labels"]
    total: Dict[Key, float] = {}
    for number, metric in enumerate(source["metrics"]):
        parts: Dict[Tuple[Key, Tuple[str, ...]], float] = {}
        for sample in by_name.get(metric, ()):
            place = _place(sample, labels, source)
            if place is not None:
                if codes:
                    place = ((*place[0][:2], str(sample.value), place[0][3]), place[1])
                parts[place] = max(sample.value, parts.get(place, -math.inf))
        sums: Dict[Key, float] = {}
        for (key, _), value in parts.items():
            sums[key] = sums.get(key, 0.0) + value
        total = sums if number == 0 else {key: total[key] + sums[key] for key in total if key in sums}
    converted = {key: _converted(value, source.get("value", ())) for key, value in total.items()}
    return {key: value for key, value in converted.items() if math.isfinite(value)}


def _place(sample: Sample, labels: Dict[str, str], source: Dict[str, Any]) -> Optional[Tuple[Key, Tuple[str, ...]]]:
    own = sample.labels
    gpu = own.get(labels["gpu"], "")
    if not gpu or not math.isfinite(sample.value) or not all(_matches(own, *each) for each in source.get("where", ())):
        return None
    key = (gpu, own.get(labels.get("gpu_uuid", ""), ""), own.get(labels.get("code", ""), ""),
           own.get(labels.get("error_severity", ""), ""))  # fmt: skip
    return key, tuple(own.get(label, "") for label in source.get("across", ()))


def _matches(labels: Dict[str, str], name: str, sign: str, value: str) -> bool:
    """As PromQL: a label that is not there is empty, and a pattern matches all of a value."""
    own = labels.get(name, "")
    same = re.fullmatch(value, own) is not None if "~" in sign else own == value
    return same != sign.startswith("!")


_OPERATIONS = {
    "*": operator.mul,
    "/": operator.truediv,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def _converted(value: float, operations: Iterable[Tuple[str, float]]) -> float:
    for sign, other in operations:
        value = float(_OPERATIONS[sign](value, other))
    return value


def _note(found: Readings, name: str, key: Key, value: float) -> None:
    gpu, uuid, code, severity = key
    if name == LAST_CODE and not 0 <= value < _MOST_CODE:
        return
    reading = found.setdefault(gpu, {"uuid": uuid, "codes": [], "fatal": []})
    reading["uuid"] = reading["uuid"] or uuid
    if name == RECENT_CODES:
        if value > 0:
            _add(reading, code, severity)
        return
    if name == LAST_CODE:
        _add(reading, str(int(value)), severity)
    reading[name] = max(value, reading.get(name, -math.inf))


def _add(reading: Reading, code: str, severity: str) -> None:
    if _CODE.fullmatch(code) and int(code) > 0:
        for name in ("codes", "fatal") if severity == "fatal" else ("codes",):
            reading[name] = sorted({*reading[name], int(code)})
