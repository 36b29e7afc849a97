"""What `$name` stands for in the rules that come with aamic: spans that follow a site's intervals, its GPU exporters,
and what each vendor's tables say of its error codes and temperatures.

Supported are scrape and evaluation intervals up to 2 minutes and a federation interval up to 4: a sample is seen for
5 minutes, so beyond these series vanish between two samples, whatever span a rule takes.
"""  # noqa: D205  # one sentence

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import ceil
from typing import Final

from aamic.catalog import gpuerrors
from aamic.catalog.limits import defaults
from aamic.catalog.staleness import federation_stale
from aamic.catalog.vendors import NAMES
from aamic.model.gpuerror import POLICIES, Policy

_UNTOLD: Final = frozenset({"workflow", "unlisted"})
"""Codes that no rule names: they are what is left over, with those that nobody knows."""
_QUIET: Final[tuple[Policy, ...]] = ("fatal", "application", "ignored", "corrected")
"""Codes that `GpuError` leaves to other alerts, or to nobody."""


def terms(scrape: float, evaluation: float, federate: float, gpu_jobs: Sequence[str] = ()) -> Mapping[str, str]:
    """All names with their text but those of single vendors, for intervals in seconds and jobs of GPU exporters.

    >>> found = terms(15, 15, 60, ["dcgm", "amd"])
    >>> found["rate"], found["federation_stale"], found["gpu_jobs"], found["exporter_jobs"]
    ('5m', '230', 'dcgm|amd', 'node|dcgm|amd|slurm')
    """
    tick = max(scrape, evaluation)
    spans = {
        "step": 3 * tick,
        "settled": 6 * tick,
        "gap": max(600, 16 * tick),
        "rate": max(300, 4 * tick),
        "down": max(120, 2 * scrape),
        "federation_down": max(180, 2 * federate),
        "replica_down": max(300, 2 * federate),
    }
    return {
        **{name: _duration(ceil(seconds)) for name, seconds in spans.items()},
        "federation_stale": str(ceil(federation_stale(federate, evaluation))),
        "gpu_jobs": "|".join(gpu_jobs),
        "exporter_jobs": "|".join(("node", *gpu_jobs, "slurm")),
    }


def _duration(seconds: int) -> str:
    return f"{seconds}s" if seconds % 60 else f"{seconds // 60}m"


@cache
def of_vendors() -> tuple[Mapping[str, str], ...]:
    """What `$name` stands for in an alternative that is there for each vendor: its name, codes and bounds.

    A vendor lacks the terms of what it does not have.

    >>> nvidia, amd = of_vendors()
    >>> nvidia["vendor"], nvidia["ignored"][:5], nvidia["temperature_celsius_warn"], "severe" in nvidia
    ('nvidia', '37|38', '85', False)
    >>> amd["corrected"], amd["severe"]
    ('13|15|17|24|29', 'fatal')
    """
    return tuple({"vendor": vendor, **dict(_codes(vendor)), **dict(_bounds(vendor))} for vendor in NAMES)


def _codes(vendor: str) -> Iterator[tuple[str, str]]:
    listed = {policy: gpuerrors.codes(vendor, policy) for policy in POLICIES if policy not in _UNTOLD}
    listed = {policy: codes for policy, codes in listed.items() if codes}
    yield from ((policy, "|".join(map(str, codes))) for policy, codes in listed.items())
    if listed:
        yield "quiet", "|".join(str(code) for policy in _QUIET for code in listed.get(policy, ()))
    severe = gpuerrors.severe(vendor)
    if severe is not None:
        yield "severe", severe


def _bounds(vendor: str) -> Iterator[tuple[str, str]]:
    for name, limit in defaults(vendor).items():
        for bound, value in (("warn", limit.warn), ("fail", limit.fail)):
            if value is not None:
                yield f"{name}_{bound}", str(value)
