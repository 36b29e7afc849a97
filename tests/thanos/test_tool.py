"""tools/thanos: it does nothing where the program is there, and says what is wrong otherwise."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.thanos.program import THANOS, TOOL, needs_thanos, version


def tool(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOL], env=os.environ | environment, capture_output=True, text=True, check=False)


@needs_thanos
def test_the_program_is_the_release_that_the_tool_pins() -> None:
    assert f"version={version()}\n" in TOOL.read_text()


@needs_thanos
def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    done = tool(XDG_CACHE_HOME=str(tmp_path), AAMIC_THANOS=str(THANOS))

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{THANOS}\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_named_and_is_none_is_told(tmp_path: Path) -> None:
    done = tool(AAMIC_THANOS=str(tmp_path / "thanos"))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"AAMIC_THANOS names no program: {tmp_path}/thanos\n"
