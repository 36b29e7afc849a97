"""Which of a twin's faults a GPU shows."""

from __future__ import annotations

from collections.abc import Iterable

from aamic.catalog.base import Fault


def on_gpu(faults: Iterable[Fault], gpu: int) -> dict[str, str]:
    """Kind and value of the faults of one GPU; a fault without a GPU is on all of them.

    >>> on_gpu([Fault("xid", "79", 0), Fault("temperature", "95", None)], 1)
    {'temperature': '95'}
    """
    return {fault.kind: fault.value for fault in faults if fault.gpu in (gpu, None)}
