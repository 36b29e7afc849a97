"""Bounds of measured values: those of all vendors, and each vendor's `limits.yaml`.

They are this project's policy, and alerts read the same: vendors publish limits for each product, not for a fleet. A
`limits.yaml` has names of `gpu:*` series without that prefix, each with `warn`, `fail` and `clear`, as far as there
are such bounds. Its `models` are the same for GPUs whose model fits a pattern; alerts, which see no model, do not read
them. `clear` is some degrees below, or half of, the first bound: our policy too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from aamic.catalog import knowledge
from aamic.model.fleet import GpuThresholds, Limit

_ANY: Final = {
    "ecc_corrected_per_hour": Limit(warn=100, fail=None, clear=50),
    "throttle_ratio": Limit(warn=0.1, fail=None, clear=0.05),
}
_MODELS: Final = "models"
_NONE: Final = Limit(warn=None, fail=None, clear=None)


@cache
def defaults(vendor: str) -> Mapping[str, Limit]:
    """The bounds that hold for a vendor's GPUs unless a site says otherwise.

    >>> defaults("amd")["temperature_celsius"]
    Limit(warn=95, fail=103, clear=92)
    """
    own = knowledge.table(vendor, "limits.yaml")
    return {**_ANY, **_read({name: bounds for name, bounds in own.items() if name != _MODELS})}


def _read(table: Mapping[str, Mapping[str, float]]) -> dict[str, Limit]:
    return {name: Limit(*map(bounds.get, ("warn", "fail", "clear"))) for name, bounds in table.items()}


def _of_model(vendor: str, model: str | None) -> dict[str, Limit]:
    """The bounds of a vendor for some of its models alone."""
    models: Mapping[str, Mapping[str, Mapping[str, float]]] = knowledge.table(vendor, "limits.yaml").get(_MODELS, {})
    own = [_read(table) for pattern, table in models.items() if model and re.fullmatch(pattern, model)]
    return {name: limit for each in own for name, limit in each.items()}


def limits(vendor: str, model: str | None, site: Iterable[GpuThresholds]) -> Mapping[str, Limit]:
    """The bounds for a GPU: ours, then those of the site that fit it, bound by bound in its order.

    >>> limits("amd", "MI250X", [])["temperature_celsius"]
    Limit(warn=85, fail=93, clear=82)
    >>> hotter = GpuThresholds("nvidia", "L40S", {"temperature_celsius": Limit(88, None, None)})
    >>> limits("nvidia", "L40S", [hotter])["temperature_celsius"]
    Limit(warn=88, fail=92, clear=82)
    """
    found = {**defaults(vendor), **_of_model(vendor, model)}
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
