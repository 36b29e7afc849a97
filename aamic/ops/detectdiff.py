"""What a host has against what the site says of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic.catalog.base import Detector
from aamic.catalog.devices import models_in
from aamic.model.detected import HOST_DRIVERS, Compared, Detected, Found, named
from aamic.model.fleet import Gpu

MOST_GPUS: Final = 64
"""That a node of a site can have."""


def compare(
    detected: Detected, said: Gpu | None, detectors: Mapping[str, Detector], *, fewer: bool = False
) -> Compared:
    """How a host stands to what the site says of its GPUs; with `fewer`, also less than that would be written."""
    if said is None:
        return _new(detected, detectors) if detected.gpus else Compared(detected, "same")
    differences = tuple(_differences(detected, said, detectors))
    if not differences:
        return Compared(detected, "same")
    wanted, because = _wanted(detected, said, detectors, fewer)
    return Compared(detected, "different", differences, wanted, because)


def _new(detected: Detected, detectors: Mapping[str, Detector]) -> Compared:
    found = detected.gpus[0]
    if len(detected.gpus) > 1:
        return Compared(detected, "not in the site", because=_SEVERAL)
    if found.model is None:
        return Compared(detected, "not in the site", because=_NAMELESS)
    if because := _held(found, detectors[found.vendor]):
        return Compared(detected, "not in the site", because=because)
    wanted, because = _limited(Gpu(found.vendor, found.model, found.count))
    return Compared(detected, "not in the site", wanted=wanted, because=because)


_SEVERAL: Final = "it has GPUs of several vendors, and a node of a site has those of one"
_NAMELESS: Final = "its model is not known for sure: write `gpu` by hand"
_FEWER: Final = "fewer GPUs than the site says are rather a fault than a change: `--fewer` writes them all the same"
_NONE: Final = "it shows no GPU at all: mend it, or take `gpu` out of the site by hand"


def _differences(detected: Detected, said: Gpu, detectors: Mapping[str, Detector]) -> Iterator[str]:
    own = next((found for found in detected.gpus if found.vendor == said.vendor), None)
    if own is None:
        total = sum(found.count for found in detected.gpus)
        there = f"{_are(total)} {' and '.join(map(named, detected.gpus))}" if total else "are none"
        yield f"the site says {said.count} {said.vendor} {said.model}, there {there}"
        return
    if not _may_be(own, said.model, detectors[said.vendor]):
        yield f"the site says {said.model}, it is {own.model or ' or '.join(own.perhaps)}"
    if own.count != said.count:
        yield f"the site says {said.count} GPUs, there {_are(own.count)} {own.count}"
    for other in detected.gpus:
        if other.vendor != said.vendor:
            yield f"the site says nothing of {named(other)}"


def _held(found: Found, detector: Detector) -> str:
    """Why GPUs are none of the site's though they are there, or '': no exporter sees what another driver holds."""
    others = {each.driver for each in found.devices if each.driver} - {*detector.modules, *HOST_DRIVERS}
    if not others:
        return ""
    names = " and ".join(f"`{driver}`" for driver in sorted(others))
    return f"{names} holds GPUs that no exporter sees then: mend it, or write `gpu` by hand"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _may_be(found: Found, model: str, detector: Detector) -> bool:
    """Whether what the site says can be true; it may say more of a model than can be seen, such as `H100 80GB`."""
    candidates = (found.model,) if found.model is not None else found.perhaps
    if not candidates:
        return True
    known = {each for models in detector.devices.values() for each in models}
    return model in candidates or not models_in(model, known).isdisjoint(candidates)


def _wanted(
    detected: Detected,
    said: Gpu,
    detectors: Mapping[str, Detector],
    fewer: bool,  # noqa: FBT001  # of one caller
) -> tuple[Gpu | None, str]:
    if not detected.gpus:
        return None, _NONE
    if len(detected.gpus) > 1:
        return None, _SEVERAL
    found = detected.gpus[0]
    keeps = found.vendor == said.vendor and _may_be(found, said.model, detectors[said.vendor])
    model = said.model if keeps else found.model
    if model is None:
        return None, _NAMELESS
    if because := _held(found, detectors[found.vendor]):
        return None, because
    if keeps and found.count < said.count and not fewer:
        return None, _FEWER
    return _limited(Gpu(found.vendor, model, found.count))


def _limited(gpu: Gpu) -> tuple[Gpu | None, str]:
    if gpu.count > MOST_GPUS:
        return None, f"a node of a site has at most {MOST_GPUS} GPUs"
    return gpu, ""
