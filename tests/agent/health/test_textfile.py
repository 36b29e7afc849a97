"""Textfiles are whole or not there, and every label is quoted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health import exposition, textfile
from aamic.agent.health.textfile import Family

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(st.sampled_from("abcd"), WORDS, max_size=4), st.floats(allow_nan=False))
def test_what_is_written_is_read_back(labels: dict[str, str], value: float) -> None:
    found = exposition.read(textfile.exposition([Family("up", "gauge", "Any\nhelp \\ text.", [(labels, value)])]))

    assert [(one.name, one.labels, one.value) for one in found.samples] == [("up", labels, value)]
    assert found.bad == 0


def test_a_file_replaces_the_one_before_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "aamic_node.prom"
    before = os.umask(0o077)
    try:
        textfile.replace(str(path), b"old\n")
        textfile.replace(str(path), b"new\n")
    finally:
        os.umask(before)

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\n", 0o644)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    path = tmp_path / "a.prom"
    path.symlink_to(victim)
    (tmp_path / ".a.prom.new").symlink_to(victim)

    textfile.replace(str(path), b"x\n")

    assert (victim.read_text(), path.is_symlink(), path.read_text()) == ("untouched", False, "x\n")


def test_a_full_disk_leaves_the_file_of_before_and_no_litter() -> None:
    with pytest.raises(OSError, match="No such file"):
        textfile.replace("/nowhere/at/all/a.prom", b"x\n")
    with pytest.raises(OSError, match=r"directory|Permission|space|permitted"):
        textfile.replace("/dev/full/a.prom", b"x\n")
