from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from aamic.clients.secrets import MAX_BYTES, read_secret
from aamic.errors import OutsideError

VALUE = "s3cr3t-value"
PRINT = [sys.executable, "-c", f"print('{VALUE}')"]


def fault(reference: dict[str, Any], folder: Path, timeout: float = 30.0) -> str:
    with pytest.raises(OutsideError) as caught:
        read_secret(reference, folder, timeout)
    return f"{caught.value} ({caught.value.hint})"


def test_one_line_break_at_the_end_is_no_part_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").write_bytes(b"a b\n")
    (tmp_path / "two").write_bytes(b"a\n\n")
    (tmp_path / "windows").write_bytes(b"a\r\n")
    monkeypatch.setenv("AAMIC_TEST_SECRET", VALUE)

    assert read_secret({"file": "one"}, tmp_path) == b"a b"
    assert read_secret({"file": "two"}, tmp_path) == b"a\n"
    assert read_secret({"file": "windows"}, tmp_path) == b"a"
    assert read_secret({"env": "AAMIC_TEST_SECRET"}, tmp_path) == VALUE.encode()
    assert read_secret({"command": PRINT}, tmp_path) == VALUE.encode()


def test_commands_run_in_the_folder_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"found")

    assert read_secret({"command": ["cat", "here"]}, tmp_path) == b"found"


def test_messages_name_the_reference_and_never_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AAMIC_TEST_SECRET", raising=False)
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 9))
    failing = {"command": ["sh", "-c", f"echo {VALUE}; echo {VALUE} >&2; exit 3"]}
    sleeping = {"command": ["sh", "-c", "cat value; exec sleep 9"]}
    (tmp_path / "value").write_text(VALUE)

    assert fault({"file": "none"}, tmp_path) == (
        "the secret of the file `none` cannot be read: No such file or directory "
        "(put the value there, for whoever runs aamic to read; the path is relative to the site)"
    )
    assert fault({"env": "AAMIC_TEST_SECRET"}, tmp_path) == (
        "the secret of the variable `AAMIC_TEST_SECRET` is not set (set `AAMIC_TEST_SECRET` where aamic runs)"
    )
    assert fault({"file": "empty"}, tmp_path) == (
        "the secret of the file `empty` is empty (a program cannot log in with nothing)"
    )
    assert fault({"file": "large"}, tmp_path).startswith("the secret of the file `large` is larger than 1,048,576")
    assert fault({"command": ["no-such-program"]}, tmp_path).startswith(
        "the secret of the command `no-such-program` cannot be run"
    )
    assert "ended with status 3 (run it by hand to see why)" in fault(failing, tmp_path)
    assert fault(sleeping, tmp_path, 0.3) == (
        "the secret of the command `sh -c cat value; exec sleep 9` took longer than 0.3 seconds "
        "(does it ask for input?)"
    )
