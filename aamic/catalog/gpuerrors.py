"""What the error codes of GPUs mean: each vendor's `errors.yaml`.

Such a table has its `kind` of code, whether the exporter has it `shown` always, as 0 if there was none, or only after
the first, the label value `severe` of errors that the exporter itself calls fatal, if it does, its `source`, the texts
of `actions` by the vendor's own word for them, codes that are `unused` and what that means, what to `collect` of a code
that it does not have, codes of which only the kernel's line says how bad they are (`by_line`), and `errors`, in which
an entry has these keys:

    codes     one code, or several that differ in nothing but the number
    name      what happened, in few words; `$code` is the number
    meaning   more than the name says, where there is more to say
    policy    a word of `aamic/model/gpuerror.py`; it is this project's
    fault     whose fault it most likely is: application, hardware, driver, link or unknown
    severity  where it is not the one that goes with the policy
    causes    what may be behind it, the likeliest first; texts, or keys of the table's `causes`
    action    a key of `actions`, or several that are done one after another
    source    where the facts are from, where that is not the table's; a text, or a key of the table's `sources`

A vendor whose kernel log says more than the code has a module `decode.py`: `decode(code, text)` gives a `Detail`, or
None where it cannot read the text.

What `gpuwords.py` and `gpulines.py` read of it is explained there: `words`, `blocks` and `log`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from aamic.catalog import knowledge
from aamic.catalog.vendors import NAMES
from aamic.model.gpuerror import Detail, GpuError, Policy, Severity

SEVERITY: Final[Mapping[Policy, Severity]] = {
    "fatal": "critical",
    "uncorrected": "warning",
    "application": "info",
    "ignored": "info",
    "corrected": "info",
    "workflow": "warning",
    "unlisted": "warning",
}
"""The severity that goes with a policy, where an entry has none of its own."""


def codes(vendor: str, policy: Policy) -> tuple[int, ...]:
    """The codes of a vendor that this project treats in one way, in order; none for a vendor without a table.

    >>> codes("amd", "corrected")
    (13, 15, 17, 24, 29)
    """
    return tuple(sorted(code for code, error in errors(vendor).items() if error.policy == policy))


def explain(vendor: str, code: int) -> GpuError:
    """What a code means; of one that the vendor's table does not have, that it is unknown, and what to collect.

    >>> print(explain("nvidia", 79))
    XID 79 (GPU has fallen off the bus)
    >>> print(explain("amd", 99), explain("amd", 99).known)
    AFID 99 (unknown) False
    """
    return errors(vendor).get(code) or _unknown(vendor, code)


def refine(error: GpuError, text: str) -> GpuError:
    """The error with what a line of the kernel log says beyond its code; the same where that is nothing.

    >>> line = "NVRM: Xid (PCI:0018:01:00): 149, NETIR_BER_EVENT Nonfatal XC0 i0 Link 02 (0x00000226 0x00000001)"
    >>> refined = refine(explain("nvidia", 149), line)
    >>> print(refined.severity, refined.policy, refined.actions[-1])
    warning workflow Check cables, transceivers, seating and temperature on both ends of the link.
    >>> refine(explain("nvidia", 79), line) == explain("nvidia", 79)
    True
    """
    decode = _decoder(error.vendor)
    detail = decode(error.code, text) if decode and isinstance(error.code, int) else None
    if detail is None:
        return error
    return replace(
        error,
        meaning=detail.meaning,
        policy=detail.policy,
        fault=detail.fault,
        severity=detail.severity,
        causes=detail.causes,
        actions=detail.actions,
        source=detail.source,
    )


@cache
def _decoder(vendor: str) -> Callable[[int, str], Detail | None] | None:
    if vendor not in NAMES or find_spec(f"aamic.catalog.vendors.{vendor}.decode") is None:
        return None
    found: Callable[[int, str], Detail | None] = import_module(f"aamic.catalog.vendors.{vendor}.decode").decode
    return found


def actions(vendor: str) -> Mapping[str, str]:
    """The texts of a vendor's actions, by its own words for them.

    >>> actions("nvidia")["RESET_GPU"]
    'Drain the node and reset the GPU.'
    """
    found: Mapping[str, str] = _table(vendor).get("actions", {})
    return found


@cache
def vendors() -> tuple[str, ...]:
    """The vendors that have a table."""
    return tuple(sorted(name for name in NAMES if _table(name)))


def kind(vendor: str) -> str:
    """What the vendor calls its codes; `error code` where it has no table.

    >>> kind("nvidia"), kind("amd"), kind("other")
    ('XID', 'AFID', 'error code')
    """
    return str(_table(vendor).get("kind", "error code"))


def always_shown(vendor: str) -> bool:
    """Whether the vendor's exporter reports a code of each GPU from the start, so that its absence means no data."""
    return bool(_table(vendor).get("shown") == "always")


def severe(vendor: str) -> str | None:
    """The `error_severity` of errors that the vendor's exporter itself calls fatal; None where it calls none so."""
    found: str | None = _table(vendor).get("severe")
    return found


def quiet(vendor: str) -> frozenset[int]:
    """The codes that need nobody: those of severity `info`, which also ended jobs leave behind.

    >>> 45 in quiet("nvidia"), 94 in quiet("nvidia")
    (True, False)
    """
    return frozenset(code for code, error in errors(vendor).items() if error.severity == "info")


def by_line(vendor: str) -> frozenset[int]:
    """The codes of which only the kernel's line says how bad they are."""
    return frozenset(_table(vendor).get("by_line", ()))


@cache
def errors(vendor: str) -> Mapping[int, GpuError]:
    """Every code of a vendor's table; nothing for a vendor without one."""
    table = _table(vendor)
    listed = {code: error for entry in table.get("errors", ()) for code, error in _entry(vendor, table, entry)}
    unused = dict(_unused(vendor, table))
    return dict(sorted({**unused, **listed}.items()))


def _entry(vendor: str, table: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[tuple[int, GpuError]]:
    numbers, steps = entry["codes"], entry["action"]
    causes, sources, source = table.get("causes", {}), table.get("sources", {}), entry.get("source", table["source"])
    for code in [numbers] if isinstance(numbers, int) else numbers:
        name = entry["name"].replace("$code", str(code))
        yield (
            code,
            GpuError(
                vendor=vendor,
                kind=table["kind"],
                code=code,
                name=name,
                meaning=entry.get("meaning", f"{name}."),
                policy=entry["policy"],
                fault=entry["fault"],
                severity=entry.get("severity", SEVERITY[entry["policy"]]),
                causes=tuple(causes.get(cause, cause) for cause in entry.get("causes", ())),
                actions=tuple(table["actions"][step] for step in ([steps] if isinstance(steps, str) else steps)),
                source=sources.get(source, source),
            ),
        )


def _unused(vendor: str, table: Mapping[str, Any]) -> Iterator[tuple[int, GpuError]]:
    meaning = table.get("unused_meaning", "The vendor lists this code as unused, so no driver should report it.")
    for code in table.get("unused", ()):
        kind_, collect, source = table["kind"], table["collect"], table["source"]
        yield (
            code,
            GpuError(vendor, kind_, code, "unused", meaning, "unlisted", "unknown", "warning", (), (collect,), source),
        )


def _unknown(vendor: str, code: int) -> GpuError:
    table = _table(vendor)
    meaning = "This code is not in the table that this version of aamic knows, which may be older than the driver."
    collect = table.get("collect", "Collect the kernel log from around that time, and ask the vendor.")
    source = table.get("source", "no table of this vendor")
    return GpuError(
        vendor=vendor,
        kind=kind(vendor),
        code=code,
        name="unknown",
        meaning=meaning,
        policy="unlisted",
        fault="unknown",
        severity="warning",
        causes=(),
        actions=(collect,),
        source=source,
        known=False,
    )


def _table(vendor: str) -> Mapping[str, Any]:
    return knowledge.table(vendor, "errors.yaml")
