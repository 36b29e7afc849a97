"""Values with their units, as Grafana shows them: three digits that count, and a prefix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from aamic.model.dashboard import Unit

_DIGITS: Final = 3
_HUNDRED: Final = 100
_THOUSAND: Final = 1000
_IEC: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_SI: Final = ("", "k", "M", "G", "T", "P", "E")
_SHORT: Final = ("", " K", " Mil", " Bil", " Tri", " Quadr", " Quint")
_SUFFIX: Final[Mapping[str, str]] = {"watt": "W", "joule": "J", "Bps": "B/s", "hertz": "Hz", "ops": "ops/s"}
_SPANS: Final = (
    (31_536_000.0, "y"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"),
    (1e-9, "ns"),
)  # fmt: skip
_LARGEST: Final = 1e21
"""What is as large says more by its exponent."""


def valued(value: float, unit: Unit, now: float = 0.0) -> str:
    """A value with its unit; `now` is from when on `dateTimeFromNow` counts, in seconds since 1970.

    >>> valued(1.3e9, "bytes"), valued(0.734, "percentunit"), valued(65, "celsius"), valued(6400, "watt")
    ('1.21 GiB', '73.4 %', '65 °C', '6.4 kW')
    >>> valued(1.41e9, "hertz"), valued(2.5e6, "Bps"), valued(12, "ops"), valued(3.6e6, "joule")
    ('1.41 GHz', '2.5 MB/s', '12 ops/s', '3.6 MJ')
    >>> valued(12345, "short"), valued(12345, "none"), valued(90, "s"), valued(0.012, "s"), valued(-5, "watt")
    ('12.3 K', '12345', '1.5 min', '12 ms', '-5 W')
    >>> valued(7_200_000, "dateTimeFromNow", 10_800), valued(10_800_000, "dateTimeFromNow", 7200)
    ('1 h ago', 'in 1 h')
    >>> valued(float("nan"), "watt"), valued(float("inf"), "short"), valued(1e300, "bytes")
    ('no number', '∞', '1e+300 B')
    """
    if math.isnan(value):
        return "no number"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit == "dateTimeFromNow":
        return _ago(now - value / _THOUSAND)
    if unit == "percentunit":
        return f"{digits(value * _HUNDRED)} %"
    if unit == "celsius":
        return f"{digits(value)} °C"
    return f"-{_positive(-value, unit)}" if value < 0 else _positive(value, unit)


def digits(value: float, most: int = _DIGITS) -> str:
    """A number by so many digits that count, more where it is whole anyway; without zeros behind the point.

    >>> digits(73.44), digits(1234.5), digits(0.000123), digits(100.0), digits(0.999999), digits(1e30)
    ('73.4', '1234', '0.000123', '100', '1', '1e+30')
    """
    size = abs(value)
    if not size or size >= _LARGEST or size < 10 ** -(most + 6):
        return f"{value:.{most}g}"
    places = max(0, most - 1 - math.floor(math.log10(size)))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _positive(value: float, unit: Unit) -> str:
    if unit == "s":
        return _span(value)
    if unit == "none":
        return digits(value) if value % 1 else digits(value, 15)
    if unit == "short":
        return _scaled(value, _SHORT, _THOUSAND, "", " ").rstrip()
    if unit == "bytes":
        return _scaled(value, _IEC, 1024, "B")
    return _scaled(value, _SI, _THOUSAND, _SUFFIX[unit])


def _scaled(value: float, prefixes: Sequence[str], base: int, suffix: str, gap: str = " ") -> str:
    if value >= _LARGEST:
        return f"{value:.3g}{gap}{suffix}"
    place = 0
    while place + 1 < len(prefixes) and float(digits(value / base**place)) >= base:
        place += 1
    between = "" if prefixes[place].startswith(" ") else gap
    return f"{digits(value / base**place)}{between}{prefixes[place]}{suffix}"


def _span(seconds: float) -> str:
    """A length of time in its largest unit."""
    size, name = next((each for each in _SPANS if seconds >= each[0]), (1.0, "s"))
    return f"{digits(seconds / size)} {name}"


def _ago(seconds: float) -> str:
    size, name = next((each for each in _SPANS if abs(seconds) >= each[0]), (1.0, "s"))
    shown = f"{int(abs(seconds) / size):,} {name}"
    return f"{shown} ago" if seconds >= 0 else f"in {shown}"
