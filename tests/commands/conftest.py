from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Aamic = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def aamic(tmp_path: Path) -> Aamic:
    """Runs the command line in an empty folder, as a user would."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aamic", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run
