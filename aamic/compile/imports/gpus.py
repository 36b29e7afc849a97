"""The GPUs of nodes, from what sources know of them and from what a person says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aamic.catalog.base import Signs
from aamic.compile.hostlist import HostListError, expand
from aamic.compile.imports.names import hosts
from aamic.compile.imports.sighting import WEAK, GpuWish, Sighting
from aamic.compile.text import shown
from aamic.errors import InputError, Problem
from aamic.model.fleet import Gpu

MOST: Final = 64
"""GPUs in one node, as a site takes them."""

VendorSigns = Mapping[str, Signs]
SEVERAL: Final = " + "
"""Between the models, or the vendors, of a node that has several."""
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


def known_words(said: Sighting, signs: VendorSigns) -> Sighting:
    """A sighting with vendor and model spelled as the catalog has them; a model that it knows tells the vendor."""
    facts = dict(said.facts)
    for fact in ("vendor", f"{WEAK}vendor"):
        if (vendor := str(facts.get(fact, "")).casefold()) in signs:
            facts[fact] = vendor
    if "model" in facts and SEVERAL not in str(facts["model"]):
        vendor_of, model = of_type(str(facts["model"]), signs)
        facts["model"] = model
        if vendor_of is not None and "vendor" not in facts:
            facts.setdefault(f"{WEAK}vendor", vendor_of)
    return replace(said, facts=facts)


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
    guessed: defaultdict[str, list[str]] = defaultdict(list)
    for name, known in facts.items():
        if told := given.get(name):
            found[name] = Gpu(told.vendor, told.model, told.number)
        elif name in with_gpus or _strong(known):
            gpu, what = _gpu(_filled(_strong(known), defaults))
            if gpu is not None:
                found[name] = gpu
                if "vendor" not in known and not any(_same(gpu.model, wish.model) for wish in defaults):
                    guessed[gpu.model].append(name)
            else:
                missing[what].append(name)
    for model, names in sorted(guessed.items()):
        notes.append(f"GPUs of type {shown(model)} of {hosts(names)} are taken for those of the vendor of `--gpu`")
    for what, names in sorted(missing.items()):
        notes.append(f"{hosts(names)} {'has' if len(names) == 1 else 'have'} GPUs{what}: say so with `--gpu`")
    return found


def _strong(known: Mapping[str, Any]) -> dict[str, Any]:
    return {key: known[key] for key in ("vendor", "model", "count") if key in known}


def _filled(said: dict[str, Any], wishes: Sequence[GpuWish]) -> dict[str, Any]:
    """What is known, with the rest from the first wish that does not contradict it, or from the only one.

    No wish is taken where another vendor is known.
    """
    if len(said) == 3:  # noqa: PLR2004  # vendor, model and count
        return said
    wholes = [{"vendor": wish.vendor, "model": wish.model, "count": wish.number} for wish in wishes]
    fit = [whole for whole in wholes if _agree(whole, said, said)]
    fit += [whole for whole in wholes if _agree(whole, said, ("vendor", "model"))]
    fit += [whole for whole in wholes if len(wholes) == 1 and _agree(whole, said, ("vendor",))]
    return {**fit[0], **said} if fit else said


def _agree(whole: Mapping[str, Any], said: Mapping[str, Any], keys: Iterable[str]) -> bool:
    return all(key not in said or _same(whole[key], said[key]) for key in keys)


def _same(one: Any, other: Any) -> bool:
    return str(one).casefold() == str(other).casefold()


def _gpu(said: Mapping[str, Any]) -> tuple[Gpu | None, str]:
    """The GPUs, or what is not known of them."""
    said = {key: word for key, word in said.items() if key != "vendor" or SEVERAL not in word}
    lacking = [f"their {key}" for key in ("vendor", "model", "count") if key not in said]
    if not lacking and 1 <= said["count"] <= MOST:
        return Gpu(said["vendor"], said["model"], said["count"]), ""
    if not lacking:
        return None, f", but {said['count']:,} of them, and a site takes {MOST}"
    type_ = f" of type {shown(said['model'])}" if "model" in said else ""
    return None, f"{type_}, but no source says {' and '.join(lacking)}"
