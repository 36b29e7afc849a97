"""The GPUs of nodes, from what sources know of them and from what a person says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aamic.catalog.base import Signs
from aamic.compile.hostlist import HostListError, expand
from aamic.compile.imports.names import hosts
from aamic.compile.imports.sighting import GpuWish
from aamic.compile.text import shown
from aamic.errors import InputError, Problem
from aamic.model.fleet import Gpu

MOST: Final = 64
"""GPUs in one node, as a site takes them."""

VendorSigns = Mapping[str, Signs]
_WISH: Final = re.compile(r"(?:([^=]+)=)?([^:=]+):([^:]+):([0-9]{1,3})")


def wish(text: str, vendors: Iterable[str]) -> GpuWish:
    """What `--gpu` says: `nvidia:H100:8`, or `gpu-[01-04]=nvidia:H100:8`.

    Raises:
        InputError: It says something else, or names a vendor that the catalog lacks.
    """
    known = tuple(vendors)
    match = _WISH.fullmatch(text)
    if match is None or not 1 <= int(match[4]) <= MOST or not match[3].isprintable():
        hint = (
            "write `VENDOR:MODEL:COUNT`, such as `nvidia:H100:8`; `gpu-[01-04]=nvidia:H100:8` is for these nodes only"
        )
        raise InputError([Problem(f"{shown(text)} in `--gpu` cannot be read", None, hint)])
    if match[2] not in known:
        listed = ", ".join(f"`{name}`" for name in known)
        raise InputError(
            [Problem(f"unknown GPU vendor {shown(match[2])} in `--gpu`", None, f"the catalog has {listed}")]
        )
    try:
        names = expand(match[1]) if match[1] else None
    except HostListError as error:
        raise InputError([Problem(f"{error.message}, in `--gpu`", None, error.hint)]) from error
    return GpuWish(names, match[2], match[3].strip(), int(match[4]))


def of_type(type_: str, signs: VendorSigns) -> tuple[str | None, str]:
    """Vendor and model of what Slurm calls a type of GPU; None, and the type as it is written, where nobody knows it.

    >>> of_type("nvidia_h100_80gb_hbm3", {"nvidia": Signs(models=((r"h100", "H100"),))})
    ('nvidia', 'H100')
    >>> of_type("bigone", {})
    (None, 'bigone')
    """
    for vendor, sign in signs.items():
        for pattern, model in sign.models:
            if re.search(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", type_.lower().replace("_", " ")):
                return vendor, model
    return None, type_


def is_part(type_: str, signs: VendorSigns) -> bool:
    """Whether a type is a part of a GPU, such as a MIG instance, so that their number is not that of GPUs."""
    return any(re.search(sign.parts, type_.lower()) for sign in signs.values() if sign.parts)


def settle(
    facts: Mapping[str, Mapping[str, Any]], with_gpus: set[str], wishes: Sequence[GpuWish], notes: list[str]
) -> dict[str, Gpu]:
    """The GPUs of each node that has some; nodes of which too little is known are left without, which is noted."""
    given = {name: wish for wish in wishes for name in wish.nodes or ()}
    defaults = [wish for wish in wishes if wish.nodes is None]
    found: dict[str, Gpu] = {}
    missing: defaultdict[str, list[str]] = defaultdict(list)
    for name, known in facts.items():
        if told := given.get(name):
            found[name] = Gpu(told.vendor, told.model, told.number)
        elif name in with_gpus or _strong(known):
            gpu, what = _gpu(_filled(_strong(known), defaults))
            if gpu is not None:
                found[name] = gpu
            else:
                missing[what].append(name)
    for what, names in sorted(missing.items()):
        notes.append(f"{hosts(names)} {'has' if len(names) == 1 else 'have'} GPUs{what}: say so with `--gpu`")
    return found


def _strong(known: Mapping[str, Any]) -> dict[str, Any]:
    return {key: known[key] for key in ("vendor", "model", "count") if key in known}


def _filled(said: dict[str, Any], wishes: Iterable[GpuWish]) -> dict[str, Any]:
    """What is known, with the rest from the first wish that does not contradict it."""
    for wish in wishes if len(said) < 3 else ():  # noqa: PLR2004  # vendor, model and count
        whole = {"vendor": wish.vendor, "model": wish.model, "count": wish.number}
        if all(str(whole[key]).casefold() == str(known).casefold() for key, known in said.items()):
            return whole
    return said


def _gpu(said: Mapping[str, Any]) -> tuple[Gpu | None, str]:
    """The GPUs, or what is not known of them."""
    lacking = [f"their {key}" for key in ("vendor", "model", "count") if key not in said]
    if not lacking and 1 <= said["count"] <= MOST:
        return Gpu(said["vendor"], said["model"], said["count"]), ""
    if not lacking:
        return None, f", but {said['count']:,} of them, and a site takes {MOST}"
    type_ = f" of type {shown(said['model'])}" if "model" in said else ""
    return None, f"{type_}, but no source says {' and '.join(lacking)}"
