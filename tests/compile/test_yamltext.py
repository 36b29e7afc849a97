from __future__ import annotations

import gc
import math
from typing import Any

import pytest

from aamic.compile import yamlparser
from aamic.compile.yamltext import YamlFile, read_yaml
from aamic.errors import Place, Problem
from aamic.model.secret import SECRET_KEYS


def read(text: str | bytes) -> YamlFile:
    return read_yaml(text if isinstance(text, bytes) else text.encode(), "site.yaml", if_empty="write some")


def told(problem: Problem) -> str:
    also = "".join(f" and {place.line}:{place.column}" for place in problem.also)
    assert problem.place is not None
    return f"{problem.place.line}:{problem.place.column}{also}: {problem.message}; {problem.hint}"


INDENT = "check the indentation, and put text with special characters in quotes"
NO_TAGS = "remove it; values are plain text, numbers, true, false, null, lists and mappings"
MULTIPLY = "its aliases multiply; write the values out, or use fewer of them"
DEEP = "1:{}: values are nested deeper than 50 levels; check the brackets and aliases"
FILE = "`site.yaml`"

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
CHAIN = "{a0: &a0 [], " + ", ".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60)) + "}"

FAULTS: dict[str | bytes, list[str]] = {
    # YAML
    "a:\n\tb: 1\n": ["2:1: a tab is used for indentation; indent with spaces"],
    "a:\n  b: 1\n \tc: 2\n": ["3:2: a tab is used for indentation; indent with spaces"],
    "a: |\n\tx\n": ["2:1: a tab is used for indentation; indent with spaces"],
    "a: b: c\n": [f"1:5: `:` is not expected here; {INDENT}"],
    "a: 1\nfoo\nb: 2\n": ["2:1: `:` is missing after this key; write `key: value`"],
    'a: "foo\nb: 1\n': ['1:4: this quote is never closed; add the closing `"`'],
    "a: 'foo\n---\nb: 1\n": ["1:4: this quote is never closed; add the closing `'`"],
    'a: "\\d+"\n': ["1:5: unknown escape; double a backslash, or use single quotes"],
    'a: "\\xZZ"\n': ["1:7: unknown escape; double a backslash, or use single quotes"],
    'a: "\\ud800"\n': ["1:7: unknown escape; double a backslash, or use single quotes"],
    "a:\n  b: 1\n c: 2\n": [f"3:2 and 1:1: this does not line up with the mapping it follows; {INDENT}"],
    "- b\na: 1\n": [f"2:1 and 1:1: this does not line up with the list it follows; {INDENT}"],
    'a: "x" > 1\n': ["1:10: this cannot follow `|` or `>`; begin on the next line, or put the text in quotes"],
    'a: "x" == 1\n': ["1:8: this cannot follow the value before it; put the whole value in quotes"],
    "a: [b] c\n": ["1:8: this cannot follow the value before it; put the whole value in quotes"],
    "a: - b\n": ["1:4: a list cannot begin here; begin it on a line of its own"],
    "a: [1, 2\nb: 3\n": ["2:2 and 1:4: `,` or `]` is expected here; close the list, or check the quotes"],
    "a: {b: 1\nc: 2\n": ["2:2 and 1:4: `,` or `}` is expected here; close the mapping, or check the quotes"],
    "a: [b,,c]\n": ["1:7: a value is expected here; write a value, or check the brackets"],
    "a: @foo\n": ["1:4: text cannot begin with `@`; put the text in quotes"],
    "include: [*.yaml]\n": ["1:11: text cannot begin with `*`; put the text in quotes"],
    "a: & b\n": ["1:4: text cannot begin with `&`; put the text in quotes"],
    "a: | foo\n": ["1:6: this cannot follow `|` or `>`; begin on the next line, or put the text in quotes"],
    "'a'\nb\n": [f"2:1: nothing may follow the end of the document; {INDENT}"],
    "%YAML 2.0\n---\na: 1\n": ["1:1: this line is no directive of YAML 1.2; remove it"],
    "a: 1\n---\nb: 2\n": ["2:1: a second document begins here; keep one document in a file; remove `---`"],
    # keys
    "a: 1\nb: 2\na: 3\n": ["3:1 and 1:1: key `a` stands twice in one mapping; remove one of the two"],
    "a: {b: 1, c: 2, 'b': 3}\n": ["1:17 and 1:5: key `b` stands twice in one mapping; remove one of the two"],
    "1: x\nb: {true: x}\n": [
        '1:1: key `1` is not text; put it in quotes: `"1"`',
        '2:5: key `true` is not text; put it in quotes: `"true"`',
    ],
    "a: {{ x }}\n": ["1:5: a key is text, not a mapping; put text that begins with `{` or `[` in quotes"],
    "? [x]\n: 1\n": ["1:3: a key is text, not a list; put text that begins with `{` or `[` in quotes"],
    "a:\n  ? \n  : 1\n": ["2:4: a key is missing before `:`; write `key: value`"],
    "a: {<<: 1}\n": ["1:9: `<<` takes a mapping or a list of mappings; give it an alias such as `*defaults`"],
    "a: {<<: [x]}\n": ["1:9: `<<` takes a mapping or a list of mappings; give it an alias such as `*defaults`"],
    "x: &x {a: 1}\ny: {<<: *x, <<: *x}\n": [
        "2:13: key `<<` stands twice in one mapping; give one `<<` a list of aliases"
    ],
    # tags, numbers, aliases
    "a: !foo x\nb: !!python/object:os.system {}\nc: !!binary aa\n": [
        f"1:4: tag `!foo` is not supported; {NO_TAGS}",
        f"2:4: tag `!!python/object:os.system` is not supported; {NO_TAGS}",
        f"3:4: tag `!!binary` is not supported; {NO_TAGS}",
    ],
    "a: !x!foo 1\n": [f"1:4: tags are not supported; {NO_TAGS}"],
    "a: !!int x\n": ["1:4: `x` is not what its tag `!!int` says; remove the tag"],
    f"a: {'1' * 101}\n": ["1:4: number `1111111111111111111…` is too long; put it in quotes if it is text"],
    "a: *x\n": ["1:4: alias `*x` has no anchor before it; write `&x` before the value that it names"],
    "a: &x [*x]\n": ["1:8: alias `*x` contains itself; an alias cannot stand within the value that it names"],
    BOMB: [f"8:10: the file stands for more than 2,000,000 values; {MULTIPLY}"],
    f"a: {'[' * 2000}": [DEEP.format(53)],
    CHAIN: [DEEP.format(CHAIN.index("*a48") + 1)],
    # files
    b"": [f"1:1: {FILE} is empty; write some"],
    b"\xef\xbb\xbf# nothing\n": [f"1:1: {FILE} is empty; write some"],
    "- a\n": [f"1:1: {FILE} holds a list instead of keys; begin with `key: value` lines"],
    "hello\n": [f"1:1: {FILE} holds a single value instead of keys; begin with `key: value` lines"],
    "é: 1\nb: é".encode() + b"\xff\n": ["2:5: byte 0xff is not UTF-8; save the file as UTF-8"],
    "a: 1".encode("utf-16"): [f"1:1: {FILE} is encoded as UTF-16; save it as UTF-8"],
    "a: 1".encode("utf-32"): [f"1:1: {FILE} is encoded as UTF-32; save it as UTF-8"],
    "a: 1".encode("utf-16-le"): [
        "1:2: character U+0000 is not allowed; this looks like a binary file, or UTF-16; save it as UTF-8"
    ],
    "a: 1\r\nb: \u2028\n": [
        "2:4: character U+2028 is not allowed; remove it; YAML text in double quotes can write it as an escape"
    ],
    # several at once, those before a syntax error included
    "a: 1\na: 2\n2: x\nb: *y\nc: [\n": [
        "2:1 and 1:1: key `a` stands twice in one mapping; remove one of the two",
        '3:1: key `2` is not text; put it in quotes: `"2"`',
        "4:4: alias `*y` has no anchor before it; write `&y` before the value that it names",
        "6:1: a value is expected here; write a value, or check the brackets",
    ],
}

VALUES: dict[str, Any] = {
    "a: no\nb: 1:20\nc: 012\nd: 0o14\ne: 0x1F\nf: 2026-01-01\ng: 1_000\n": {
        "a": "no",
        "b": "1:20",
        "c": 12,
        "d": 12,
        "e": 31,
        "f": "2026-01-01",
        "g": "1_000",
    },
    "a: [true, False, ~, null, '', .inf, -.INF, 1e3, .5, 5., +7, -0]\n": {
        "a": [True, False, None, None, "", math.inf, -math.inf, 1000.0, 0.5, 5.0, 7, 0]
    },
    "a:\nb: ''\nc: '1'\nd: \"true\"\ne: |\n  1\n": {"a": None, "b": "", "c": "1", "d": "true", "e": "1\n"},
    "a: !!str 12\nb: !!int '12'\nc: !!float 1\nd: ! 12\ne: !!map {}\nf: !!seq []\ng: !!null ''\n": {
        "a": "12",
        "b": 12,
        "c": 1,
        "d": "12",
        "e": {},
        "f": [],
        "g": None,
    },
    "%YAML 1.2\n---\na: 1\n...\n": {"a": 1},
    "\ufeffa: 1\r\nb: 2\r\n": {"a": 1, "b": 2},
    "a: &x [1]\nb: *x\nc: &y t\n*y : 1\n": {"a": [1], "b": [1], "c": "t", "t": 1},
    "d: &d {a: 1, b: 2}\ne: {<<: *d, b: 3}\nf: {b: 4, <<: *d}\n": {
        "d": {"a": 1, "b": 2},
        "e": {"b": 3, "a": 1},
        "f": {"b": 4, "a": 1},
    },
    "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}\nq: {'<<': 1}\nr: {<<: {a: 1}}\n": {
        "x": {"a": 1},
        "y": {"a": 2, "b": 2},
        "z": {"a": 1, "b": 2},
        "q": {"<<": 1},
        "r": {"a": 1},
    },
    "서울: 'é😀'\n": {"서울": "é😀"},
    f"a: {'[' * 49}{']' * 49}": None,
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.items())
def test_each_fault_is_told_with_its_place_and_a_remedy(text: str | bytes, expected: list[str]) -> None:
    assert expected == [told(problem) for problem in read(text).problems]


@pytest.mark.parametrize(("text", "expected"), VALUES.items())
@pytest.mark.parametrize("libyaml", [True, False])
def test_values_are_those_of_yaml_1_2(
    text: str, expected: Any, *, libyaml: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not libyaml:
        monkeypatch.setattr(yamlparser, "CParser", None)
    file = read(text)
    assert file.problems == ()
    if expected is not None:
        assert expected == file.data
        assert repr(expected) == repr(file.data)  # 1, 1.0 and True are equal, not the same


def test_without_libyaml_the_same_faults_are_found_on_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def lines() -> dict[str | bytes, list[tuple[str, int]]]:
        return {text: [(p.message, p.place.line) for p in read(text).problems if p.place] for text in FAULTS}

    expected = lines()
    monkeypatch.setattr(yamlparser, "CParser", None)
    assert expected == lines()


def test_escapes_beyond_unicode_are_refused_without_libyaml_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlparser, "CParser", None)
    expected = ["1:7: unknown escape; double a backslash, or use single quotes"]
    assert expected == [told(problem) for problem in read('a: "\\UFFFFFFFF"\n').problems]


def test_data_is_made_of_plain_containers() -> None:
    file = read("a: {b: [1]}\n")
    file.place(("a",))
    assert [dict, dict, list] == [type(value) for value in (file.data, file.data["a"], file.data["a"]["b"])]


PLACED = """\
# a comment
cluster:
  name: seoul   # another
racks:
  r01: &r {nodes: "gpu-[1-2]", gpu: {count: 8}}
  r02:
    <<: *r
    labels: [a, "b"]
  r03: *r
empty:
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (2, 1), (2, 1)),
        (("cluster",), (3, 3), (2, 1)),
        (("cluster", "name"), (3, 9), (3, 3)),
        (("cluster", "nmae"), (3, 3), (3, 3)),
        (("cluster", "name", "x", 0), (3, 9), (3, 9)),
        (("cluster", "name", 0), (3, 9), (3, 9)),
        (("racks", "r01", "gpu", "count"), (5, 45), (5, 38)),
        (("racks", "r02", "labels", 1), (8, 17), (8, 17)),
        (("racks", "r02", "labels", 2), (8, 13), (8, 13)),
        (("racks", "r02", "nodes"), (5, 19), (5, 12)),
        (("racks", "r03"), (9, 8), (9, 3)),
        (("racks", "r03", "nodes"), (5, 19), (5, 12)),
        (("empty",), (10, 7), (10, 1)),
        (("nothing", "here"), (2, 1), (2, 1)),
    ],
)
def test_places_are_those_of_the_text(
    path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    file = read(PLACED)
    assert Place("site.yaml", *value) == file.place(path)
    assert Place("site.yaml", *key) == file.place_of_key(path)


def test_the_collector_runs_again_after_a_place_was_found() -> None:
    file = read("a: 1\n")
    file.place(("a",))
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{hunter2: a, hunter2: b}", "key stands twice in one mapping; remove one of the two"),
        ("*hunter2", "alias has no anchor before it; write its anchor before the value that it names"),
        ("{file: *hunter2}", "alias has no anchor before it; write its anchor before the value that it names"),
        ("!hunter2 a", f"tag is not supported; {NO_TAGS}"),
        ("!!int hunter2", "the value is not what its tag `!!int` says; remove the tag"),
        ("[{1234: a}]", "key is not text; put it in quotes"),
        ("9" * 101, "number is too long; put it in quotes if it is text"),
    ],
)
@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_what_stands_where_a_secret_belongs_is_not_shown(key: str, text: str, message: str) -> None:
    (problem,) = read(f"{key}: {text}\n").problems
    assert f"{problem.message}; {problem.hint}" == message
