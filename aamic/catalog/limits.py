"""Bounds of measured values, by vendor. They are this project's policy, those of `presets/gpu.yaml` where it has an
alert: vendors publish limits for each product, not for a fleet.

`clear` is some degrees below, or half of, the first bound: our policy too.
"""  # noqa: D205  # one sentence

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aamic.model.fleet import GpuThresholds, Limit

_ANY: Final = {
    "ecc_corrected_per_hour": Limit(warn=100, fail=None, clear=50),
    "throttle_ratio": Limit(warn=0.1, fail=None, clear=0.05),
}
_NONE: Final = Limit(warn=None, fail=None, clear=None)
DEFAULTS: Final[Mapping[str, Mapping[str, Limit]]] = {
    "nvidia": {
        "temperature_celsius": Limit(warn=85, fail=92, clear=82),
        "memory_temperature_celsius": Limit(warn=95, fail=None, clear=92),
        **_ANY,
    },
    # The hotspot of an MI3xx is some 10 degrees above the mean of the die.
    "amd": {
        "temperature_celsius": Limit(warn=95, fail=103, clear=92),
        "memory_temperature_celsius": Limit(warn=100, fail=None, clear=97),
        **_ANY,
    },
}


def limits(vendor: str, model: str | None, site: Iterable[GpuThresholds]) -> Mapping[str, Limit]:
    """The bounds for a GPU: ours, then those of the site that fit it, bound by bound in its order.

    >>> hotter = GpuThresholds("nvidia", "L40S", {"temperature_celsius": Limit(88, None, None)})
    >>> limits("nvidia", "L40S", [hotter])["temperature_celsius"]
    Limit(warn=88, fail=92, clear=82)
    """
    found = dict(DEFAULTS.get(vendor, _ANY))
    for each in site:
        if each.vendor == vendor and each.model in {None, model}:
            found |= {name: _over(found.get(name, _NONE), limit) for name, limit in each.limits.items()}
    return dict(sorted(found.items()))


def _over(old: Limit, new: Limit) -> Limit:
    """The old bounds with the new ones; `clear` is never above the lowest of the others."""
    warn = old.warn if new.warn is None else new.warn
    fail = old.fail if new.fail is None else new.fail
    bounds = [bound for bound in (warn, fail, old.clear) if bound is not None]
    return Limit(warn, fail, min(bounds, default=None) if new.clear is None else new.clear)
