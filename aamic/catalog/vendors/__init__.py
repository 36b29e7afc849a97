"""The GPU vendors: a folder each. A new one is its folder, and its name here; nothing else knows of a vendor.

What a folder has, and who reads it; what is not marked as needed may be missing:

    exporter.py     needed: ends with `VENDOR`, of the class in `aamic/catalog/base.py`: exporter, detector, signs
    metrics.yaml    needed: its metrics as neutral `gpu:*` series; keys in `aamic/catalog/neutral.py`
    elsewhere.py    needed: `known()`, every metric that it can emit, with what to set so that it does
    errors.yaml     its error codes, the words of errors without a number, and how its driver's lines in the kernel
                    log read; keys in `aamic/catalog/gpuerrors.py`, `gpuwords.py` and `gpulines.py`. Rules, faults of
                    a twin and the node check follow it; without it a code is a number, and no rule asks for one
    decode.py       what its kernel lines say beyond the code, as `gpuerrors.py` says
    limits.yaml     which temperatures are too high; keys in `aamic/catalog/limits.py`. Without it none are
    jobs.sh         how its exporter learns which job has which GPU; `aamic/agent/hook.sh` says what it defines

The rest is its own, by the names that all use: `options.py` (its key under `exporters:`), `emits.yaml`, `sample.py`
(what a twin answers), `detect.py` with `devices.yaml` (how its GPUs are told on a host), `signs.py` (and in the
configuration of other programs). `tests/catalog/test_third_vendor.py` adds a third vendor to a copy, which
holds this to be true.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "nvidia",
    "amd",
)
"""As in `gpu.vendor`; the folder's `exporter.py` has the `VENDOR`."""
