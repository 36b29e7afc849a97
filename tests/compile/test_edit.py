"""Edits as a person sees them; the laws stand in tests/properties/test_edit.py."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from aamic.compile import yamlnodes
from aamic.compile.edit import Sources, append, changed, remove, set_value
from aamic.compile.parse import parse
from aamic.compile.yamlparser import PurePythonParser
from aamic.compile.yamltext import KeyPath, read_yaml
from aamic.errors import InputError
from tests.properties.test_parse import Memory

HOOK: KeyPath = ("slurm", "pre_job_check")


def site(text: str) -> Sources:
    file = read_yaml(text.encode(), "site.yaml", if_empty="")
    assert file.problems == ()
    return (file,)


def refusal(edit: Callable[..., Sources], text: str, path: KeyPath, *value: Any) -> tuple[str, str, str | None]:
    with pytest.raises(InputError) as caught:
        edit(site(text), path, *value)
    (problem,) = caught.value.problems
    return problem.message, str(problem.place), problem.hint


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("slurm:\n  controller: c  # here\n\n# end\n", "slurm:\n  controller: c  # here\n  X\n\n# end\n"),
        ("slurm:\n    controller: c\nssh: {}\n", "slurm:\n    controller: c\n    X\nssh: {}\n"),
        ("slurm: { controller: c }  # here\n", "slurm: { controller: c, X }  # here\n"),
        ("slurm: {\n  controller: c,  # here\n}\n", "slurm: {\n  controller: c, X,  # here\n}\n"),
        ("slurm: {}", "slurm: {X}"),
        ("slurm:   # later\nssh: {}\n", "slurm: {X}   # later\nssh: {}\n"),
        ("a: 1", "a: 1\nslurm: {X}"),
        ("a: 1\r\nslurm:\r\n  b: 2", "a: 1\r\nslurm:\r\n  b: 2\r\n  X"),
        ("{a: 1}\n", "{a: 1, slurm: {X}}\n"),
        ("slurm:\n  b: |\n    text\n\na: 1\n", "slurm:\n  b: |\n    text\n\n  X\na: 1\n"),
        ("slurm:\n  nodes: é😀 # é😀\n", "slurm:\n  nodes: é😀 # é😀\n  X\n"),
        ("s: &s {y: 1}\nslurm:\n  <<: *s\n", "s: &s {y: 1}\nslurm:\n  <<: *s\n  X\n"),
        ("slurm:\n  pre_job_check: false # off\n  b: 2\n", "slurm:\n  X # off\n  b: 2\n"),
        ("slurm: {pre_job_check: &x 'no', b: 2}\n", "slurm: {pre_job_check: &x true, b: 2}\n"),
        ("slurm:\n  pre_job_check: &x   !!bool 'false' # y\n", "slurm:\n  pre_job_check: &x   true # y\n"),
        ("slurm:\n  pre_job_check: &x\n", "slurm:\n  X\n"),
    ],
)
def test_a_key_is_set(before: str, after: str) -> None:
    assert after.replace("X", "pre_job_check: true") == set_value(site(before), HOOK, True)[0].text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("slurm:\n  pre_job_check: true  # on\n  # of b\n  b: 2\n", "slurm:\n  # of b\n  b: 2\n"),
        ("slurm:\n  # of hooks\n  pre_job_check: true\nb: 2\n", "slurm: {}\n  # of hooks\nb: 2\n"),
        ("slurm: {a: 1, # one\n  pre_job_check: true}\n", "slurm: {a: 1, # one\n  }\n"),
        ("slurm: {pre_job_check: true,}\n", "slurm: {}\n"),
        ("slurm:\n  a: 1\n  pre_job_check: true", "slurm:\n  a: 1"),
        ("slurm: {a: 1}\n", "slurm: {a: 1}\n"),
    ],
)
def test_a_key_is_removed(before: str, after: str) -> None:
    assert after == remove(site(before), HOOK)[0].text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("clusters:\n- {name: a}  # one\n# end\n", "clusters:\n- {name: a}  # one\n- X\n# end\n"),
        ("clusters:\n  - name: a\n    kind: x\n", "clusters:\n  - name: a\n    kind: x\n  - X\n"),
        ("clusters: [{name: a}]\n", "clusters: [{name: a}, X]\n"),
        ("clusters: []\n", "clusters: [X]\n"),
        ("clusters:\n", "clusters: [X]\n"),
        ("d: &d {k: 1}\nclusters:\n- <<: *d\n  name: a\n", "d: &d {k: 1}\nclusters:\n- <<: *d\n  name: a\n- X\n"),
        ("d: &d {k: 1}\nclusters: [*d]\n", "d: &d {k: 1}\nclusters: [*d, X]\n"),
        ("a: 1\n", "a: 1\nclusters:\n  - X\n"),
        ("a: 1", "a: 1\nclusters:\n  - X"),
        ("a: 1\r\n# end", "a: 1\r\nclusters:\r\n  - X\r\n# end"),
        ("{a: 1}\n", "{a: 1, clusters: [X]}\n"),
        ("{}\n", "{clusters: [X]}\n"),
    ],
)
def test_an_item_is_added(before: str, after: str) -> None:
    added = append(site(before), ("clusters",), {"name": "b", "endpoint": "https://b.example:9443"})

    assert after.replace("X", '{name: b, endpoint: "https://b.example:9443"}') == added[0].text


def test_the_first_key_of_an_item_goes_and_its_dash_stays() -> None:
    files = site("clusters:\n  - kind: x\n    name: a\n  - kind: y # why\n    name: b\n")
    for index in (0, 1):
        files = remove(files, ("clusters", index, "kind"))

    assert files[0].text == "clusters:\n  - name: a\n  -  # why\n    name: b\n"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("slurm: &s {a: 1}\nb: *s\n", "`slurm` is shared by its anchor `&s`", "site.yaml:1:8"),
        ("a: &s {a: 1}\r\nslurm: *s\r\n", "`slurm` is the alias `*s`, which others may share", "site.yaml:2:8"),
        (
            "a: &s {pre_job_check: false}\nslurm:\n  <<: *s\n",
            "`slurm.pre_job_check` comes from elsewhere, by an alias",
            "site.yaml:3:3",
        ),
        ("slurm: 5\n", "`slurm` holds no keys", "site.yaml:1:8"),
        ("slurm: [5]\n", "`slurm` holds no keys", "site.yaml:1:8"),
        (
            "slurm:\n  pre_job_check: {a: &x 1}\nb: *x\n",
            "`slurm.pre_job_check` holds the anchor `&x`",
            "site.yaml:2:22",
        ),
    ],
)
def test_what_would_change_more_is_refused(text: str, message: str, place: str) -> None:
    hint = "write `slurm: {pre_job_check: true}` by hand"
    assert (f"cannot edit: {message}", place, hint) == refusal(set_value, text, HOOK, True)


def test_an_edit_that_means_something_else_is_refused() -> None:
    """A text at the end of a file without a line break gets one when a line follows it, if it may keep it."""
    message = "cannot edit: `slurm` cannot be changed without changing more"
    hint = "write `slurm: 1` by hand"

    assert (message, "site.yaml:1:1", hint) == refusal(set_value, "a: |\n  text", ("slurm",), 1)


def test_what_is_no_list_takes_no_item() -> None:
    hint = "add `5` by hand"
    assert ("cannot edit: `a` is not a list", "site.yaml:1:4", hint) == refusal(append, "a: {}\n", ("a",), 5)


def test_the_file_that_has_the_mapping_is_edited() -> None:
    main = b"version: 1\ninclude: [slurm.yaml]\n"
    other = b"slurm:\n  controller: ctl\n"
    document = parse(main, "sites/site.yaml", Memory({"slurm.yaml": other}))
    edited = set_value(set_value(document.files, HOOK, True), ("ssh", "user"), "me")

    assert [file.name for file in changed(document.files, edited)] == ["sites/site.yaml", "sites/slurm.yaml"]
    assert edited[0].text == main.decode() + "ssh: {user: me}\n"
    assert edited[1].text == other.decode() + "  pre_job_check: true\n"


def test_a_value_that_is_there_changes_nothing() -> None:
    files = site("slurm: {pre_job_check: yes, auto_drain: 'on'}\n")

    assert set_value(files, ("slurm", "auto_drain"), "on") is files
    assert set_value(files, ("slurm", "pre_job_check"), "yes") is files


def test_both_parsers_tell_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    text = dedent("""\
        a: &x 1 # é😀
        b:
        - - |
            text

          - [p, {q: 1, r: *x}]
        -
        c: "x
          y"
        """)
    fast = yamlnodes.nodes_of(text)
    monkeypatch.setattr(yamlnodes, "parser_of", PurePythonParser)

    assert fast == yamlnodes.nodes_of(text)
