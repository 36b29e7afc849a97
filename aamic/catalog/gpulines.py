"""How errors of GPUs are told in the kernel log: `log` of each vendor's `errors.yaml`.

`marker` is a text that every such line has, `lead` a pattern for what stands before the message, with the GPU's address
as the group `pci`; the address may be missing. `lines` are patterns for the message from its start, the first that fits
counts. Each has a `word` of the table, or finds by groups what it is about:

    code      the number of an error
    block     the part of the GPU, with the group `kind` as in `blocks`
    count     how many errors are told of; 0 is none. Without it, the line is one
    new       there if `count` are new ones; if not, they are all since the driver began
    detail    what else the message says
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from aamic.catalog import gpuerrors, gpuwords, knowledge
from aamic.model.gpuerror import GpuError

_SAID: Final = 200
"""Characters of a message that are kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a line tells: which GPU, if it says so, the error, and how many; `running` if these are all so far."""

    pci: str | None
    error: GpuError
    count: int
    running: bool
    said: str


@dataclass(frozen=True, slots=True)
class Lines:
    """How a vendor's driver writes to the kernel log; each pattern with the word it stands for, if it is one."""

    vendor: str
    marker: str
    lead: re.Pattern[str]
    patterns: tuple[tuple[re.Pattern[str], str | None], ...]

    def read(self, message: str) -> Told | None:
        """What a message tells; None if it tells of no error.

        >>> told = _lines("nvidia").read("NVRM: Xid (PCI:0000:1b:00): 79, GPU has fallen off the bus.")
        >>> print(told.pci, told.error)
        0000:1b:00 XID 79 (GPU has fallen off the bus)
        """
        lead = self.lead.search(message)
        if lead is None:
            return None
        text = message[lead.end() :]
        for pattern, word in self.patterns:
            if match := pattern.match(text):
                return self._told(lead["pci"], match.groupdict(), word, text)
        return None

    def _told(self, pci: str | None, found: Mapping[str, str | None], word: str | None, text: str) -> Told | None:
        count = int(found.get("count") or 1)
        if found.get("count") and not count:
            return None
        said = (found.get("detail") or text).strip()[:_SAID]
        running = bool(found.get("count")) and not found.get("new")
        return Told(pci, gpuerrors.refine(self._error(found, word), text), count, running, said)

    def _error(self, found: Mapping[str, str | None], word: str | None) -> GpuError:
        if word is not None:
            return gpuwords.words(self.vendor)[word]
        if block := found.get("block"):
            return gpuwords.of_block(self.vendor, block.lower(), (found.get("kind") or "").lower())
        return gpuerrors.explain(self.vendor, int(found["code"] or 0))


@cache
def every() -> tuple[Lines, ...]:
    """The lines of each vendor that has any."""
    return tuple(_lines(vendor) for vendor in gpuerrors.vendors() if "log" in knowledge.table(vendor, "errors.yaml"))


@cache
def _lines(vendor: str) -> Lines:
    table: Mapping[str, Any] = knowledge.table(vendor, "errors.yaml")["log"]
    patterns = tuple((re.compile(each["pattern"], re.ASCII), each.get("word")) for each in table["lines"])
    return Lines(vendor, table["marker"], re.compile(table["lead"], re.ASCII), patterns)
