"""What the words mean by which GPUs report errors that have no number: `words` and `blocks` of `errors.yaml`.

An entry of `words` has the keys of an error there, with `word` in place of `codes`, and its own `source`. `blocks` are
parts of the GPU that count their errors: each part in `parts` with a `name`, a `meaning`, how it is spelled `also`, and
its `fault` where that is not the one of the error; each of `kinds` has the keys of an error. A word is made of both,
such as `umc-uncorrectable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from aamic.catalog import gpuerrors, knowledge
from aamic.model.gpuerror import GpuError

SIGN: Final = "sign"
"""The kind of a word that stands for a line of the kernel log."""


@cache
def words(vendor: str) -> Mapping[str, GpuError]:
    """Every word of a vendor's table, those of blocks first; nothing for a vendor without any.

    >>> print(words("amd")["umc-uncorrectable"])
    RAS umc-uncorrectable (uncorrected error of the memory controller)
    >>> len(words("nvidia"))
    0
    """
    table = knowledge.table(vendor, "errors.yaml")
    return dict([*_of_blocks(vendor, table), *_of_signs(vendor, table)])


@cache
def kinds(vendor: str) -> tuple[str, ...]:
    """What the words of a vendor are called.

    >>> kinds("amd")
    ('RAS', 'sign')
    """
    return tuple(dict.fromkeys(error.kind for error in words(vendor).values()))


@cache
def blocks(vendor: str) -> Mapping[str, tuple[str, ...]]:
    """The words of each block, by every way in which its name is spelled.

    >>> blocks("amd")["pcie_bif"]
    ('bif-correctable', 'bif-uncorrectable', 'bif-deferred')
    """
    found = knowledge.table(vendor, "errors.yaml").get("blocks", {"kinds": {}, "parts": {}})
    return {
        spelled: tuple(f"{name}-{kind}" for kind in found["kinds"])
        for name, part in found["parts"].items()
        for spelled in (name, *part.get("also", ()))
    }


def look_up(vendor: str, word: str) -> tuple[GpuError, ...]:
    """What a word means, a block's in all its kinds; of a word that is in no table that it is unknown.

    >>> [error.code for error in look_up("amd", "XGMI-WAFL")]
    ['xgmi_wafl-correctable', 'xgmi_wafl-uncorrectable', 'xgmi_wafl-deferred']
    >>> look_up("amd", "warp-core")[0].known
    False
    """
    known = words(vendor)
    exact = {_folded(each): (error,) for each, error in known.items()}
    whole = {_folded(block): tuple(known[each] for each in those) for block, those in blocks(vendor).items()}
    return {**exact, **whole}.get(_folded(word)) or (unknown(vendor, word),)


def of_block(vendor: str, block: str, kind: str) -> GpuError:
    """What an error of a block means, as the kernel names block and kind.

    >>> of_block("amd", "mca_mp1", "deferred").code
    'mp1-deferred'
    """
    spelled = {_folded(each): those for each, those in blocks(vendor).items()}
    wanted = next((each for each in spelled.get(_folded(block), ()) if each.endswith(f"-{kind}")), None)
    return words(vendor)[wanted] if wanted else unknown(vendor, f"{block}-{kind}")


def unknown(vendor: str, word: str) -> GpuError:
    """What is said of a word that is in no table."""
    table = knowledge.table(vendor, "errors.yaml")
    return GpuError(
        vendor=vendor,
        kind=next(iter(kinds(vendor)), SIGN),
        code=word,
        name="unknown",
        meaning="This word is not in the table that this version of aamic knows, which may be older than the driver.",
        policy="unlisted",
        fault="unknown",
        severity="warning",
        causes=(),
        actions=(table.get("collect", "Collect the kernel log from around that time, and ask the vendor."),),
        source="no table of this vendor has it",
        known=False,
    )


def _folded(word: str) -> str:
    return word.casefold().replace("_", "-")


def _of_blocks(vendor: str, table: Mapping[str, Any]) -> Iterator[tuple[str, GpuError]]:
    found = table.get("blocks", {"parts": {}})
    for name, part in found["parts"].items():
        for kind, entry in found["kinds"].items():
            whole = {
                **entry,
                "name": entry["name"].replace("$block", part["name"]),
                "meaning": f"{part['meaning']} {entry['meaning']}",
                "fault": part.get("fault", entry["fault"]),
                "source": found["source"],
            }
            yield f"{name}-{kind}", _error(vendor, table, found["kind"], f"{name}-{kind}", whole)


def _of_signs(vendor: str, table: Mapping[str, Any]) -> Iterator[tuple[str, GpuError]]:
    for entry in table.get("words", ()):
        yield entry["word"], _error(vendor, table, SIGN, entry["word"], entry)


def _error(vendor: str, table: Mapping[str, Any], kind: str, word: str, entry: Mapping[str, Any]) -> GpuError:
    steps, causes, sources = entry["action"], table.get("causes", {}), table.get("sources", {})
    return GpuError(
        vendor=vendor,
        kind=kind,
        code=word,
        name=entry["name"],
        meaning=entry["meaning"],
        policy=entry["policy"],
        fault=entry["fault"],
        severity=entry.get("severity", gpuerrors.SEVERITY[entry["policy"]]),
        causes=tuple(causes.get(cause, cause) for cause in entry["causes"]),
        actions=tuple(table["actions"][step] for step in ([steps] if isinstance(steps, str) else steps)),
        source=sources.get(entry["source"], entry["source"]),
    )
