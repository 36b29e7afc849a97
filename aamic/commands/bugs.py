"""Faults of aamic itself: kept for a report, in a file of the user's own; on the screen they would only frighten."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback


def kept(error: Exception) -> str:
    """Keep the traceback of an error, and say where that is, as a hint."""
    try:
        handle, path = tempfile.mkstemp(prefix="aamic-bug-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            log.write(f"command: {' '.join(sys.argv[1:])}\n\n")
            log.writelines(traceback.format_exception(error))
    except OSError as unwritable:
        return f"its traceback could not be kept: {unwritable.strerror}"
    return f"please report it with {path}"
