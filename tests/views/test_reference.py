from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from aamic.views.markdown import code, escaped, fenced, prose, table
from aamic.views.reference import Reference, excerpts


def page(**properties: dict[str, Any]) -> str:
    return Reference({"properties": properties, "$defs": {"Host": HOST}}).markdown()


HOST: dict[str, Any] = {
    "type": "object",
    "description": "A host.",
    "properties": {
        "name": {"type": "string", "title": "host name", "examples": ["mon-01"], "description": "Its name."},
        "port": {"type": "integer", "minimum": 1, "maximum": 9, "default": 4, "description": "Its port."},
    },
    "required": ["name"],
}
REF = {"$ref": "#/$defs/Host"}
TEXT = {"type": "string", "title": "line of text"}


def rows(markdown: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith("| `")]


def test_keys_of_a_mapping_have_dotted_names() -> None:
    assert rows(page(host=REF)) == [
        "| `host.name` | host name, such as `mon-01` | **required** | Its name. |",
        "| `host.port` | whole number, 1 to 9 | `4` | Its port. |",
    ]


def test_a_heading_is_followed_by_what_the_mapping_says_of_itself() -> None:
    assert "## `host`\n\nA host.\n\n| Key" in page(host=REF | {"description": "Where it runs."})


def test_an_optional_mapping_is_described_like_another() -> None:
    assert rows(page(host={"anyOf": [REF, {"type": "null"}]})) == rows(page(host=REF))


def test_entries_of_a_list_and_of_a_mapping_stand_for_all() -> None:
    by_name = {"type": "object", "propertyNames": {"title": "name"}, "additionalProperties": REF}

    assert [row.split(" | ")[0] for row in rows(page(hosts={"type": "array", "items": REF}, by=by_name))] == [
        "| `hosts[].name`",
        "| `hosts[].port`",
        "| `by.<name>.name`",
        "| `by.<name>.port`",
    ]


def test_mappings_of_mappings_are_described_apart() -> None:
    markdown = page(hosts={"type": "object", "properties": {"one": REF, "two": REF}})

    assert re.findall("^#+ .*", markdown, re.MULTILINE)[1:4] == ["## `hosts`", "### `hosts.one`", "### `hosts.two`"]


def test_types_in_words() -> None:
    kinds: dict[str, dict[str, Any]] = {
        "const": {"const": 1, "type": "integer"},
        "names": {"enum": ["a", "b"], "type": "string"},
        "bool": {"type": "boolean"},
        "lines": {"oneOf": [TEXT, {"type": "array", "items": TEXT}]},
        "count": {"oneOf": [HOST["properties"]["port"], {"type": "array", "items": REF}]},
        "labels": {"type": "object", "propertyNames": {"title": "label name"}, "additionalProperties": TEXT},
    }
    reference = Reference({"$defs": {"Host": HOST}})

    assert {name: reference.kind(kind) for name, kind in kinds.items()} == {
        "const": "`1`",
        "names": "`a`, `b`",
        "bool": "`true`, `false`",
        "lines": "line of text, or a list of them",
        "count": "whole number, 1 to 9, or a list of mappings",
        "labels": "mapping of label names to lines of text",
    }


def test_a_long_choice_stands_below_its_table_once() -> None:
    names = [f"n{number}" for number in range(13)]
    choice = {"type": "array", "items": {"type": "string", "enum": names}}
    markdown = page(pick={"type": "object", "properties": {"on": choice, "off": choice}})

    assert "| `pick.on` | list of names listed below |" in markdown
    assert f"Names for `pick.on` and `pick.off`: {', '.join(f'`{name}`' for name in names)}." in markdown
    assert markdown.count("`n12`") == 1


def test_a_named_union_is_described_once_and_linked() -> None:
    union = {"title": "secret place", "oneOf": [REF], "description": "Where it is."}
    markdown = page(one=union, two=union)

    assert "| `one` | [secret place](#secret-place) |  | Where it is. |" in markdown
    assert markdown.count("## Secret place") == 1
    assert "| `name` | host name, such as `mon-01` | **required** | Its name. |" in markdown


def test_examples_stand_in_their_section() -> None:
    markdown = Reference({"properties": {"host": REF}, "$defs": {"Host": HOST}}, {"host": "host: {}\n"}).markdown()

    assert "A host.\n\n```yaml\nhost: {}\n```\n\n| Key" in markdown


def test_the_first_document_that_has_a_key_gives_its_excerpt() -> None:
    assert excerpts(["# head\na: 1\n\n# about b\nb:\n  - 2\n", "b: 3\nc: 4\n"]) == {
        "a": "a: 1\n",
        "b": "b:\n  - 2\n",
        "c": "c: 4\n",
    }


@given(st.text())
@example("\\|")
def test_no_text_leaves_its_cell(text: str) -> None:
    row = table(("a", "b", "c"), [[escaped(text), prose(text), code(text)]]).split("\n")

    assert len(row) == 3
    assert len(re.findall(r"(?<!\\)\|", row[2].replace("\\\\", ""))) == 4


@given(st.text(alphabet="`a \n"))
def test_no_text_ends_a_code_span_or_a_block(text: str) -> None:
    span, block = code(text), fenced(text).split("\n")
    ticks = re.match("`+", span)

    assert ticks is not None
    assert span.endswith(ticks[0])
    assert ticks[0] not in re.findall("`+", span[len(ticks[0]) : -len(ticks[0])])
    assert all(block[-1] not in line for line in block[1:-1])


@given(st.text(alphabet="ab<>*_|[]&$~\\"))
def test_escaped_text_is_what_was_written(text: str) -> None:
    assert re.sub(r"\\([^A-Za-z])", r"\1", escaped(text)) == text
