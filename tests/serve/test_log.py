"""Lines of the log, as a terminal and the journal get them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from aamic.serve.log import Entry, line

PROGRAM = """
from aamic.serve import log
log.start("{level}")
for status in (200, 404, 401, 429, 500, 503):
    log.access(log.Entry("busan", "::1", "GET", "/", status, 0.001))
log.LOGGER.error("a\\nkey=\\x1b[1m")
"""


def logged(level: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_levels_are_those_of_what_happened() -> None:
    levels = [each.split()[1] for each in logged("info")[:6]]

    assert levels == ["INFO", "INFO", "WARNING", "WARNING", "ERROR", "ERROR"]
    assert [len(logged(level)) for level in ("warning", "error")] == [6, 4]


def test_the_journal_gets_priorities_also_on_lines_that_go_on() -> None:
    lines = logged("error", JOURNAL_STREAM="8:1")

    assert [each[:3] for each in lines] == ["<3>"] * 4
    assert lines[-1] == r"<3>  | key=\x1b[1m"


def test_a_certificate_is_told_where_there_is_no_key() -> None:
    shown = Entry(None, "::1", "GET", "/", 200, 0.0, 'se"oul\n')

    assert line(shown).startswith(r'key="-" certificate="se\"oul\n" address=')
    assert "certificate" not in line(replace(shown, key="busan"))


@pytest.mark.parametrize("hostile", ['"', "\n", "\r", "\x1b", "\u2028", " status=200"])
def test_what_a_client_sends_ends_no_word(hostile: str) -> None:
    told = line(Entry(None, hostile, hostile, "(other)", 400, 0.0))

    assert told.endswith('method="(other)" path="(other)" status=400 ms=0.0')
    assert told.isprintable()
    assert told.count('"') - told.count('\\"') == 8
