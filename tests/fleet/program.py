"""aamic as one file for hosts, made of this tree as `make program` does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Program:
    """A folder with `aamic` and its tarball; `site` is the YAML of `serve` that names the tarball."""

    folder: Path
    site: str

    @property
    def file(self) -> Path:
        """The program itself."""
        return self.folder / "aamic"


def make_program(folder: Path) -> Program:
    """Make it; AssertionError with what was said where that fails."""
    command = [str(ROOT / "tools/program"), sys.prefix, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Program(folder, done.stdout)
