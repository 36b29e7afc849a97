from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aamic.clients.journal import append, entries, journal_path
from aamic.errors import OutsideError


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a/b/journal.jsonl"
    append({"release": "r1", "who": "an\n"}, path)
    append({"release": "r2"}, path)

    assert entries(path) == ({"release": "r1", "who": "an\n"}, {"release": "r2"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert entries(tmp_path / "none") == ()


def test_several_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    long = "x" * 100_000
    writers = [threading.Thread(target=append, args=({"number": n, "long": long}, path)) for n in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(entry["number"] for entry in entries(path)) == list(range(16))


def test_a_journal_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutsideError, match="cannot write the journal"):
        append({}, tmp_path / "file/journal.jsonl")


def test_it_stands_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert journal_path() == Path("/state/aamic/journal.jsonl")
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/an")
    assert journal_path() == Path("/home/an/.local/state/aamic/journal.jsonl")
