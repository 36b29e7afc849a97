"""A further vendor's words and lines of the kernel log are data in its folder: no module knows of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import aamic

PACKAGE = Path(aamic.__file__).parent
TABLE = r"""
kind: ACM
source: Acme's handbook
collect: Collect everything.
actions: {WAIT: Wait.}
errors:
  - {codes: 7, name: tired, policy: fatal, fault: hardware, action: WAIT}
words:
  - {word: asleep, name: GPU sleeps, meaning: It sleeps., policy: ignored, fault: unknown, causes: [night],
     action: WAIT, source: Acme's handbook}
log:
  marker: acme
  lead: 'acme (?P<pci>[0-9a-f:.]+): '
  lines:
    - {pattern: 'error (?P<code>[0-9]+)(?: \((?P<detail>.*)\))?'}
    - {pattern: zzz, word: asleep}
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a copy of the package is that has the vendor's folder."""
    folder = tmp_path_factory.mktemp("grown")
    shutil.copytree(PACKAGE, folder / "aamic", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "aamic/catalog/vendors/acme").mkdir()
    (folder / "aamic/catalog/vendors/acme/errors.yaml").write_text(TABLE)
    return folder


def run(grown: Path, *arguments: str, log: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "aamic", "explain", *arguments],
        env={**os.environ, "PYTHONPATH": str(grown), "COLUMNS": "100"},
        input=log,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_its_log_is_read(grown: Path) -> None:
    log = "[ 1.5] acme 0000:4d:00.0: error 7 (too long a day)\nacme 0000:4d:00.0: zzz\nacme 0000:4d:00.0: fine\n"

    assert run(grown, log=log)[:5] == [
        "2 errors on 1 GPU in 3 lines",
        "  critical: ACM 7 (tired) on GPU 0000:4d:00.0",
        "    once at 1.5: too long a day",
        "  info: sign asleep (GPU sleeps) on GPU 0000:4d:00.0",
        "    once: zzz",
    ]


def test_its_codes_and_words_are_explained_beside_those_of_others(grown: Path) -> None:
    assert run(grown, "acm", "7")[0] == "critical: ACM 7 (tired)"
    assert [line for line in run(grown, "sign", "asleep", "gpu-lost") if line[0:1].isalpha()] == [
        "info: sign asleep (GPU sleeps)",
        "critical: sign gpu-lost (GPU lost from the bus)",
    ]
