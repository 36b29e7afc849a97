"""The real Thanos that tests run; tools/thanos builds it, and `make setup` has that done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TOOL: Final = ROOT / "tools/thanos"
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aamic/thanos-0.42.5/thanos"
THANOS: Final = Path(os.environ.get("AAMIC_THANOS") or _CACHE)

needs_thanos = pytest.mark.skipif(not os.access(THANOS, os.X_OK), reason=f"needs {THANOS}, which {TOOL.name} builds")


def version() -> str:
    """The release of the program: `0.42.5`."""
    said = subprocess.run([THANOS, "--version"], capture_output=True, text=True, check=True)
    return (said.stdout + said.stderr).split()[2]
