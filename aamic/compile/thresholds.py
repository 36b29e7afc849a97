"""`thresholds` of a site: bounds of measured values by vendor and model, and which of them cannot be meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from aamic.catalog.limits import limits as bounds_of
from aamic.compile.findings import Findings, Path
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.errors import Place
from aamic.model.fleet import GpuThresholds, Limit
from aamic.model.site import DrainSignal, GpuLimits, Limits

_BOUNDS: Final = ("warn", "fail")
_SHARE_HINT: Final = "write it from 0 to 1: `0.4` is 40 percent of the time"
VALUES: Final[Mapping[str, DrainSignal]] = {
    "temperature_celsius": "temperature",
    "memory_temperature_celsius": "memory_temperature",
    "ecc_corrected_per_hour": "corrected_ecc",
    "throttle_ratio": "throttling",
}
"""What has bounds, and the signal of what is above them."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where entries stand (`slurm` or `health`), whose they are in words, and the models that their nodes have."""

    name: str
    owner: str
    models: Collection[str]

    def path(self, number: int) -> Path:
        """The path of one of the entries."""
        return (self.name, "thresholds", number)


def written(limits: GpuLimits) -> Iterator[tuple[str, Limits]]:
    """The values that an entry bounds."""
    for name in VALUES:
        found: Limits | None = getattr(limits, name)
        if found is not None:
            yield name, found


def thresholds(entries: Sequence[GpuLimits]) -> tuple[GpuThresholds, ...]:
    """The bounds as they are written."""
    return tuple(
        GpuThresholds(
            each.vendor,
            each.model,
            {name: Limit(limits.warn, limits.fail, limits.clear) for name, limits in written(each)},
        )
        for each in entries
    )


def check_thresholds(
    entries: Sequence[GpuLimits],
    section: Section,
    before: Sequence[GpuThresholds],
    vendors: Collection[str],
    findings: Findings,
) -> None:
    """Report every entry that cannot be meant; `before` are those that these come on top of."""
    for number, each in enumerate(entries):
        _check_entry(each, section.path(number), section, findings)
        check_vendor(each.vendor, findings.place(*section.path(number), "vendor"), vendors, findings)
    known = (*before, *thresholds(entries))
    for number, own in enumerate(known[len(before) :]):
        _check_sum(own, known[: len(before) + number + 1], section.path(number), findings)


def check_vendor(vendor: str, where: Place, vendors: Collection[str], findings: Findings) -> None:
    """Report a vendor that the catalog does not have."""
    if vendor not in vendors:
        near = closest(vendor, vendors)
        hint = f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{each}`' for each in vendors)}"
        findings.error(f"unknown vendor {shown(vendor)}", where, hint)


def _check_entry(each: GpuLimits, path: Path, section: Section, findings: Findings) -> None:
    bounds = list(written(each))
    if not bounds and not any(findings.may_lack(*path, name) for name in VALUES):
        hint = f"add one of {', '.join(f'`{name}`' for name in VALUES)}, or remove it"
        findings.error(f"an entry of `{section.name}.thresholds` bounds no value", findings.place(*path), hint)
    for name, limits in bounds:
        _check_limits(limits, name, (*path, name), findings)
    if each.model is not None and section.models and each.model not in section.models:
        near = closest(each.model, section.models)
        hint = f"did you mean `{near}`?" if near else f"they have {', '.join(map(shown, sorted(section.models)))}"
        message = f"no node of {section.owner} has the model {shown(each.model)}"
        findings.warn(message, findings.place(*path, "model"), hint)


def _check_sum(own: GpuThresholds, known: Sequence[GpuThresholds], path: Path, findings: Findings) -> None:
    """Whether bounds rise with those that an entry leaves as they were."""
    sums = bounds_of(own.vendor, own.model, known)
    for name, limit in own.limits.items():
        warn, fail = sums[name].warn, sums[name].fail
        if warn is None or fail is None or warn <= fail or None not in {limit.warn, limit.fail}:
            continue
        new, left = (("warn", warn), ("fail", fail)) if limit.fail is None else (("fail", fail), ("warn", warn))
        findings.error(
            f"`{new[0]}: {new[1]:g}` does not go with `{left[0]}: {left[1]:g}`, which stays as it was",
            findings.place(*path, name, new[0]),
            f"write `{left[0]}` too",
        )


def _check_limits(limits: Limits, name: str, path: Path, findings: Findings) -> None:
    bounds = [(key, bound) for key in ("clear", "warn", "fail") if (bound := getattr(limits, key)) is not None]
    for (low, below), (high, above) in pairwise(bounds):
        if below > above:
            findings.error(
                f"`{low}: {below:g}` is above `{high}: {above:g}`",
                findings.place(*path, low),
                "bounds rise from `clear` over `warn` to `fail`, such as `{clear: 80, warn: 85, fail: 95}`",
            )
    if name == "throttle_ratio" and any(bound > 1 for _, bound in bounds):
        worst = next(key for key, bound in bounds if bound > 1)
        findings.error(
            f"`{worst}: {getattr(limits, worst):g}` is no share of time", findings.place(*path, worst), _SHARE_HINT
        )
    if limits.warn is None and limits.fail is None and not any(findings.may_lack(*path, key) for key in _BOUNDS):
        findings.error("neither `warn` nor `fail` is given", findings.place(*path), "give at least one of them")
