"""What a host has against what the site says of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from aamic.catalog.base import Detector
from aamic.catalog.devices import models_in
from aamic.model.detected import Detected, Found
from aamic.model.fleet import Gpu

State = Literal["differs", "not in the site", "same"]
STATES: tuple[State, ...] = ("differs", "not in the site", "same")
"""In the order in which they are told."""
MOST_GPUS = 64
"""That a node of a site can have."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A host that answered, and how the site stands to it.

    `differences` say what is not the same. `wanted` is what the site would say of it; None where nothing is to be
    written, and `because` says why, if it is not that they are the same.
    """

    detected: Detected
    state: State
    differences: tuple[str, ...] = ()
    wanted: Gpu | None = None
    because: str = ""

    @property
    def host(self) -> str:
        """The node's name in the site."""
        return self.detected.host


def compare(
    detected: Detected, said: Gpu | None, detectors: Mapping[str, Detector], *, fewer: bool = False
) -> Compared:
    """How a host stands to what the site says of its GPUs; with `fewer`, also less than that would be written."""
    if said is None:
        return _new(detected) if detected.gpus else Compared(detected, "same")
    differences = tuple(_differences(detected, said, detectors))
    if not differences:
        return Compared(detected, "same")
    wanted, because = _wanted(detected, said, detectors, fewer)
    return Compared(detected, "differs", differences, wanted, because)


def _new(detected: Detected) -> Compared:
    found = detected.gpus[0]
    if len(detected.gpus) > 1:
        return Compared(detected, "not in the site", because=_SEVERAL)
    if found.model is None:
        return Compared(detected, "not in the site", because=_NAMELESS)
    wanted, because = _limited(Gpu(found.vendor, found.model, found.count))
    return Compared(detected, "not in the site", wanted=wanted, because=because)


_SEVERAL = "it has GPUs of several vendors, and a node of a site has those of one"
_NAMELESS = "its model is not known for sure: write `gpu` by hand"
_FEWER = "fewer GPUs than the site says are rather a fault than a change: `--fewer` writes them all the same"
_NONE = "it shows no GPU at all: mend it, or take `gpu` out of the site by hand"


def _differences(detected: Detected, said: Gpu, detectors: Mapping[str, Detector]) -> Iterator[str]:
    own = next((found for found in detected.gpus if found.vendor == said.vendor), None)
    if own is None:
        there = " and ".join(f"{found.count} {found.vendor} {named(found)}" for found in detected.gpus) or "none"
        yield f"the site says {said.count} {said.vendor} {said.model}, there {_are(detected)} {there}"
        return
    if not _may_be(own, said.model, detectors[said.vendor]):
        yield f"the site says {said.model}, it is {named(own)}"
    if own.count != said.count:
        yield f"the site says {said.count} GPUs, there {'is' if own.count == 1 else 'are'} {own.count}"
    for other in detected.gpus:
        if other.vendor != said.vendor:
            yield f"the site does not say that there are {other.count} {other.vendor} {named(other)} too"


def _are(detected: Detected) -> str:
    return "is" if not detected.gpus or detected.gpus[0].count == 1 else "are"


def named(found: Found) -> str:
    """The model, or what it may be."""
    return found.model or " or ".join(found.perhaps) or "GPU of unknown model"


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
    if keeps and found.count < said.count and not fewer:
        return None, _FEWER
    return _limited(Gpu(found.vendor, model, found.count))


def _limited(gpu: Gpu) -> tuple[Gpu | None, str]:
    if gpu.count > MOST_GPUS:
        return None, f"a node of a site has at most {MOST_GPUS} GPUs"
    return gpu, ""
