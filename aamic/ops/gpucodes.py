"""Codes of GPU errors as people type them: `79`, `79,48`, `umc`, `gpu-reset`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.catalog import gpuerrors, gpuwords
from aamic.compile.suggest import closest
from aamic.model.gpuerror import GpuError

_NUMBER: Final = re.compile("[0-9]{1,9}")
_WORD: Final = re.compile("[A-Za-z][A-Za-z0-9_-]{0,63}")


class NoCodeError(ValueError):
    """What was typed can be no code; the text says why, and what to write."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a code means, for a block several things; `near` is the nearest word known, where it is not known."""

    asked: str
    errors: tuple[GpuError, ...]
    near: str | None = None


def kinds() -> Mapping[str, tuple[str, ...]]:
    """The vendors that have codes of each kind, by the kind as it is typed.

    >>> kinds()["xid"], kinds()["ras"]
    (('nvidia',), ('amd',))
    """
    found: dict[str, tuple[str, ...]] = {}
    for vendor in gpuerrors.vendors():
        for kind in (gpuerrors.kind(vendor), *gpuwords.kinds(vendor)):
            found[kind.lower()] = (*found.get(kind.lower(), ()), vendor)
    return found


def codes(typed: Iterable[str]) -> tuple[str, ...]:
    """Each code once, in the order typed.

    >>> codes(["79,48", "13", "79"])
    ('79', '48', '13')
    """
    return tuple(dict.fromkeys(code for text in typed for code in text.replace(",", " ").split()))


def of_kind(kind: str, code: str) -> Answer:
    """What a code of a kind such as `xid` means, as each vendor says that knows it.

    Raises:
        NoCodeError: It cannot be a code of this kind.
    """
    numbers = any(gpuerrors.kind(vendor).lower() == kind for vendor in kinds()[kind])
    if numbers and not _NUMBER.fullmatch(code):
        raise NoCodeError(f"`{code}` is no number{_elsewhere(code)}; write one such as `aamic explain {kind} 18`")
    if not numbers and not _WORD.fullmatch(code):
        raise NoCodeError(f"`{code}` is no word; write one such as `aamic explain {kind} {_example(kind)}`")
    answers = [of_vendor(vendor, code) for vendor in kinds()[kind]]
    known = [error for answer in answers if answer.errors[0].known for error in answer.errors]
    return Answer(code, tuple(known)) if known else answers[0]


def of_vendor(vendor: str, code: str) -> Answer:
    """What a number or word of a vendor means.

    Raises:
        NoCodeError: It is neither, or a word where the vendor has none.
    """
    if _NUMBER.fullmatch(code):
        return Answer(code, (gpuerrors.explain(vendor, int(code)),))
    words = gpuwords.words(vendor)
    if not words:
        raise NoCodeError(f"`{code}` is no number; {gpuerrors.kind(vendor)}s of {vendor} are numbers")
    if not _WORD.fullmatch(code):
        raise NoCodeError(f"`{code}` is neither a number nor a word; `aamic {vendor} list-errors` has all of them")
    errors = gpuwords.look_up(vendor, code)
    near = None if errors[0].known else closest(code, [*words, *gpuwords.blocks(vendor)])
    return Answer(code, errors, near)


def all_of(vendor: str) -> Iterator[GpuError]:
    """Every error of a vendor's tables: numbers in order, then words."""
    yield from gpuerrors.errors(vendor).values()
    yield from gpuwords.words(vendor).values()


def _elsewhere(code: str) -> str:
    """Where a word would be one, if it were typed behind another kind."""
    for kind, vendors in kinds().items():
        for vendor in vendors:
            found = gpuwords.look_up(vendor, code)[0]
            if found.known and found.kind.lower() == kind:
                return f", but `aamic explain {kind} {code}` knows it"
    return ""


def _example(kind: str) -> str:
    errors = (error for vendor in kinds()[kind] for error in gpuwords.words(vendor).values())
    return next(str(error.code) for error in errors if error.kind.lower() == kind)
