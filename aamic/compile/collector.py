"""Python's garbage collector, out of the way while large data is built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, and leave it as it was found.

    The collector walks all live objects again and again while many are made; a parser that makes
    a million of them and no cycles spends half its time there.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
