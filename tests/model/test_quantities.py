"""Durations and sizes: what the types let pass, every reader of them can count."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from aamic.model.quantities import duration_seconds, go_duration, size_bytes
from aamic.model.types import Duration, Size

MOST: Final = 2**63 - 1
"""What Prometheus and Go count nanoseconds and bytes in."""
ALERTMANAGER: Final = shutil.which("prometheus-alertmanager") or ""
DURATION: Final[TypeAdapter[str]] = TypeAdapter(Duration)
SIZE: Final[TypeAdapter[str]] = TypeAdapter(Size)


def texts(adapter: TypeAdapter[str]) -> st.SearchStrategy[str]:
    pattern: Any = adapter.json_schema()["pattern"]
    return st.from_regex(re.compile(pattern.replace("$", r"\Z"))).filter(bool)


@given(texts(DURATION))
@example("99y999w9999d999999h9999999m99999999s999999999ms")
def test_a_duration_fits_in_nanoseconds(text: str) -> None:
    assert 0 < duration_seconds(text) * 1e9 < MOST


@given(texts(SIZE))
@example("999999999GB")
@example("999999TiB")
@example("999PB")
@example("7EB")
def test_a_size_fits_in_bytes(text: str) -> None:
    assert 0 < size_bytes(text) <= MOST


@pytest.mark.parametrize("text", ["100y", "1000w", "10000d", "1000000h", "10000000m", "100000000s", "1000000000ms"])
def test_a_duration_of_more_digits_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(text)


@pytest.mark.parametrize("text", ["8EB", "1000PB", "1000000TB", "1000000000GB", "1000000000B", "0B"])
def test_a_size_of_more_digits_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        SIZE.validate_python(text)


@given(texts(DURATION))
def test_a_duration_means_the_same_to_go(text: str) -> None:
    assert duration_seconds(go_duration(text)) == pytest.approx(duration_seconds(text), rel=1e-12)
    assert re.fullmatch("([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?", go_duration(text))


@pytest.mark.skipif(not ALERTMANAGER, reason="Alertmanager is not installed")
def test_alertmanager_takes_the_duration(tmp_path: Path) -> None:
    """It reads its flags before it misses a route and ends."""
    flags = [f"--storage.path={tmp_path}", "--cluster.listen-address=", "--config.file=/dev/null"]
    said = {
        text: subprocess.run(
            [ALERTMANAGER, f"--data.retention={text}", *flags], capture_output=True, text=True, timeout=20, check=False
        ).stderr
        for text in ("5d", go_duration("5d"), go_duration("99y250ms"))
    }

    assert ["unknown unit" in text for text in said.values()] == [True, False, False]
    assert ["no route provided" in text for text in said.values()] == [False, True, True]
