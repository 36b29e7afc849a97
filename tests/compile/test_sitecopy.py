from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.sitecopy import read_copy, write_copy
from aamic.model.sitecopy import SiteCopy

COPY = SiteCopy(
    "c1", {"site.yaml": "# mine\n", "racks/a.yaml": "a: 1\r\n"}, "20261125T120000Z-abc1234-00ff", "abc", "1"
)


def wrong(**values: Any) -> str:
    """What is said of a copy in which some values are others."""
    return said_of(json.dumps({**json.loads(write_copy(COPY)), **values}).encode())


def said_of(data: bytes) -> str:
    with pytest.raises(ValueError, match=r"^(it|one)") as error:
        read_copy(data)
    return str(error.value)


def with_names(*names: str) -> str:
    return wrong(files=[{"name": name, "text": ""} for name in names])


@given(
    files=st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5}\.yaml)", fullmatch=True), st.text(), min_size=1),
    rolled_back=st.sampled_from(["", "r1"]),
)
def test_what_is_written_is_read_again(files: dict[str, str], rolled_back: str) -> None:
    copy = replace(COPY, files=files, rolled_back=rolled_back)

    assert read_copy(write_copy(copy)) == copy
    assert list(read_copy(write_copy(copy)).files) == list(files)


def test_the_head_is_what_the_program_on_hosts_counts_on() -> None:
    lines = write_copy(COPY).decode().splitlines()

    assert lines[:5] == [
        "{",
        '"rolled_back": "",',
        '"release": "20261125T120000Z-abc1234-00ff",',
        '"revision": "abc",',
        '"aamic": "1",',
    ]
    assert (
        write_copy(replace(COPY, release="r2", revision="", aamic="2")).splitlines()[5:]
        == write_copy(COPY).splitlines()[5:]
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../etc/x", "it names a file `../../etc/x`, which does not lie below the folder of a site"),
        ("..", "it names a file `..`, which does not lie below the folder of a site"),
        (".", "it names a file `.`, which does not lie below the folder of a site"),
        ("/etc/x", "it names a file `/etc/x`, which does not lie below the folder of a site"),
        ("a/../../x", "it names a file `a/../../x`, which does not lie below the folder of a site"),
        ("a//x", "it names a file `a//x`, which does not lie below the folder of a site"),
        ("a/", "it names a file `a/`, which does not lie below the folder of a site"),
        ("", "it names a file ``, which is no name of a file"),
        ("a\x1b[2J", "it names a file `a\\x1b[2J`, which is no name of a file"),
        ("a\0", "it names a file `a\\x00`, which is no name of a file"),
        (".git/config", "it names a file `.git/config`, which would be hidden"),
        (".bash_profile", "it names a file `.bash_profile`, which would be hidden"),
        (".gitlab-ci.yml", "it names a file `.gitlab-ci.yml`, which would be hidden"),
        ("a/.github/x.yaml", "it names a file `a/.github/x.yaml`, which would be hidden"),
        ("Makefile", "it names a file `Makefile`, which is neither YAML, CSV nor PEM by its name"),
        ("a/yaml", "it names a file `a/yaml`, which is neither YAML, CSV nor PEM by its name"),
        ("a.yaml/x.py", "it names a file `a.yaml/x.py`, which is neither YAML, CSV nor PEM by its name"),
    ],
)
def test_a_hostile_name_is_refused(name: str, said: str) -> None:
    assert with_names("site.yaml", name) == said


def test_names_that_cannot_stand_together_are_refused() -> None:
    assert with_names("a.yaml", "a.yaml") == "it has the file `a.yaml` twice"
    assert with_names("a.yaml", "a.yaml/b/c.csv") == "it names `a.yaml` as a file and as a folder"


def test_the_main_file_is_yaml() -> None:
    assert with_names("nodes.csv", "site.yaml") == "its main file is `nodes.csv`, which is no YAML by its name"
    assert with_names(".profile") == "it names a file `.profile`, which would be hidden"


def test_what_is_no_copy_is_refused() -> None:
    whole = write_copy(COPY)
    told = [said_of(data) for data in (b"", whole[:-30], b"[" * 100_000, b"\xff", b'{"version": true}', b"[]")]

    assert told == ["it is no whole JSON"] * 4 + ["it does not say its version"] * 2
    assert wrong(version=2) == "its version is 2, and this aamic knows 1"
    assert wrong(cluster=["c"]) == "its `cluster` is no name"
    assert wrong(revision="a\nb") == "its `revision` is no name"
    assert wrong(release="r 1") == "it names no release"
    assert wrong(files={}) == wrong(files=[]) == "it has no list of files"
    assert wrong(files=[{"name": "a", "text": 1}]) == "one of its files has no name or text"
