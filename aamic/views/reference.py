"""The keys of site.yaml as a Markdown reference, from the published JSON Schema.

Keys stand by their dotted names: `federation.central.port`; `racks.<name>.nodes` in a mapping whose keys the user
chooses; `federation.shards[].name` in a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aamic.views.markdown import anchor, code, escaped, fenced, prose, table

Schema = Mapping[str, Any]

_LONG: Final = 12
"""More names than this to choose from stand below a table, not in a cell."""

_NUMBERS: Final = {"integer": "whole number", "number": "number"}
_HEAD: Final = """\
<!-- Written by `aamic schema --format markdown`; edit the descriptions in the model instead. -->

# Every key of site.yaml

A site is YAML 1.2: `no` is text, `1:20` is text and `012` is twelve. A key that is not listed here is an error.
Keys are written with dots. `<name>` stands for a key that you choose, `[]` for each entry of a list.
A key marked **required** must stand wherever the mapping around it stands.
The same contract as JSON Schema, for editors: [schema/site.schema.json](../schema/site.schema.json).
"""

_TYPES: Final = """\
## Types of text

A host list is written as in Slurm: names with commas between them, and ranges in square brackets. Zeros in front are
kept: `gpu-1` and `gpu-01` are two hosts. Nodes and addresses are paired in the order in which they are written.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One key: its dotted name, its schema with references followed, and whether it must be there."""

    name: str
    schema: Schema
    required: bool


@dataclass(frozen=True)
class Reference:
    """A schema, read for people. `examples` holds the YAML of top-level keys."""

    schema: Schema
    examples: Mapping[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """The whole page, ending in a newline."""
        rows = list(self.children("", self.schema))
        overview = table(("Key", "What it is"), ([f"[`{row.name}`](#{row.name})", _prose(row)] for row in rows))
        parts = [_HEAD, overview, *(self._section(row) for row in rows), self._types(), *self._unions()]
        return re.sub("\n{3,}", "\n\n", "\n\n".join(part.strip("\n") for part in parts)) + "\n"

    def children(self, prefix: str, schema: Schema) -> Iterator[Row]:
        """The keys directly below a schema: of a mapping, of each entry of a list, or of each alternative.

        None of a named union, which is described once, on its own.
        """
        for branch in () if _is_union(schema) else self._branches(schema):
            required = branch.get("required", ())
            for key, value in branch.get("properties", {}).items():
                yield Row(f"{prefix}.{key}" if prefix else key, self._followed(value), key in required)
            if "items" in branch:
                yield from self.children(f"{prefix}[]", self._followed(branch["items"]))
            if isinstance(values := branch.get("additionalProperties"), Mapping):
                key = branch.get("propertyNames", {}).get("title", "name")
                yield from self.children(f"{prefix}.<{key}>", self._followed(values))

    def below(self, row: Row) -> Iterator[Row]:
        """Every key below a key, however deep."""
        for child in self.children(row.name, row.schema):
            yield child
            yield from self.below(child)

    def _followed(self, schema: Schema) -> Schema:
        """The schema without a reference and without null; what stands beside a reference wins.

        `about` keeps what the schema referred to says of itself.
        """
        if "$ref" in schema:
            target = self.schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
            merged = {"about": target.get("description", ""), **target, **schema}
            return {key: value for key, value in merged.items() if key not in {"$ref", "title"}}
        options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
        if len(options) == 1:
            return {**self._followed(options[0]), **{key: schema[key] for key in schema if key != "anyOf"}}
        return schema

    def _branches(self, schema: Schema) -> list[Schema]:
        options = schema.get("oneOf") or schema.get("anyOf")
        return [self._followed(option) for option in options] if options else [schema]

    def _section(self, row: Row) -> str:
        """One top-level key: an example, and its keys; each of them apart where all of them are mappings."""
        parts = [f"## `{row.name}`", _about(row)]
        if row.name in self.examples:
            parts.append(fenced(self.examples[row.name]))
        children = list(self.children(row.name, row.schema))
        if len(children) > 1 and all(any(self.children("", child.schema)) for child in children):
            parts += [text for child in children for text in (f"### `{child.name}`", _about(child), self._keys(child))]
        else:
            parts.append(self._keys(row))
        return "\n\n".join(parts)

    def _keys(self, row: Row) -> str:
        rows = list(self.below(row)) or [row]
        cells = ([code(each.name), self._kind_of(each), _default(each), _prose(each)] for each in rows)
        return "\n\n".join([table(("Key", "Type", "Default", "What it is"), cells), *self._choices(rows)])

    def _choices(self, rows: Iterable[Row]) -> Iterator[str]:
        """Long lists of names to choose from, each once, with the keys that take them."""
        users: dict[tuple[str, ...], list[str]] = {}
        for row in rows:
            for branch in self._branches(row.schema):
                names = tuple(self._followed(branch.get("items", branch)).get("enum", ()))
                if len(names) > _LONG:
                    users.setdefault(names, []).append(code(row.name))
        for names, keys in users.items():
            yield f"Names for {' and '.join(keys)}: {', '.join(code(name) for name in names)}."

    def _kind_of(self, row: Row) -> str:
        """The type of a key; its default is example enough."""
        words = self.kind(row.schema)
        return _bare(words) if _default(row).startswith("`") else words

    def kind(self, schema: Schema) -> str:
        """The type in words, as Markdown."""
        if _is_union(schema):
            return f"[{schema['title']}](#{anchor(schema['title'])})"
        words = list(dict.fromkeys(self._kind(branch) for branch in self._branches(schema)))
        listed = [word for word in words if word.startswith("list of ")]
        alone = [word for word in words if word not in listed]
        if len(alone) == 1 and listed == [f"list of {_plural(alone[0])}"]:
            return f"{alone[0]}, or a list of them"
        return ", or ".join(alone + [f"a {word}" if alone else word for word in listed])

    def _kind(self, schema: Schema) -> str:
        if "const" in schema:
            return code(schema["const"])
        if "enum" in schema:
            names = schema["enum"]
            return "name listed below" if len(names) > _LONG else ", ".join(code(name) for name in names)
        if schema.get("type") == "array":
            return f"list of {_plural(self.kind(self._followed(schema['items'])))}"
        if schema.get("type") == "object":
            return self._mapping(schema)
        if number := _NUMBERS.get(schema.get("type", "")):
            return f"{number}, {schema['minimum']:.0f} to {schema['maximum']:.0f}"
        return _named(schema)

    def _mapping(self, schema: Schema) -> str:
        values = schema.get("additionalProperties")
        if not isinstance(values, Mapping):
            return "mapping"
        keys = _plural(str(schema.get("propertyNames", {}).get("title", "name")))
        return f"mapping of {escaped(keys)} to {_plural(_bare(self.kind(self._followed(values))))}"

    def _types(self) -> str:
        """The named types of text, with their rule and examples."""
        found: dict[str, Schema] = {}
        for schema in _walk(self.schema):
            if schema.get("type") == "string" and {"patternErrorMessage", "examples"} & schema.keys():
                found[schema["title"]] = {**schema, **found.get(schema["title"], {})}
        names = sorted(found, key=str.lower)
        rows = ([escaped(name), prose(_rule(found[name])), _examples(found[name])] for name in names)
        return f"{_TYPES}\n{table(('Type', 'How it is written', 'Examples'), rows)}"

    def _unions(self) -> Iterator[str]:
        """The alternatives of each named union, each with its keys."""
        unions: dict[str, list[Schema]] = {}
        for schema in filter(_is_union, _walk(self.schema)):
            known = unions.setdefault(schema["title"], [])
            known.extend(branch for branch in self._branches(schema) if branch not in known)
        for title in sorted(unions):
            yield f"## {title[:1].upper()}{title[1:]}\n\nOne of these mappings:"
            for branch in unions[title]:
                row = Row("", branch, required=True)
                yield f"{_prose(row)}\n\n{self._keys(row)}"


def excerpts(documents: Iterable[str]) -> dict[str, str]:
    r"""The YAML text of each top-level key, of the document that has it first; comments between keys are left out.

    >>> excerpts(["# a site\nversion: 1\n\ncluster:\n  name: a   # who\n"])
    {'version': 'version: 1\n', 'cluster': 'cluster:\n  name: a   # who\n'}
    """
    found: dict[str, str] = {}
    for document in documents:
        for block in re.split(r"^(?=\S)", document, flags=re.MULTILINE):
            if match := re.match(r"([a-z_]+):", block):
                found.setdefault(match[1], block.rstrip() + "\n")
    return found


def _prose(row: Row) -> str:
    return prose(row.schema.get("description", ""))


def _about(row: Row) -> str:
    """What a heading is followed by: the mapping's own words, where it has any."""
    return prose(row.schema.get("about", ""))


def _default(row: Row) -> str:
    if row.required:
        return "**required**"
    default = row.schema.get("default")
    return "" if default is None or default in ([], {}) else code(default)


def _is_union(schema: Schema) -> bool:
    """Whether the schema is one of the model's named choices between mappings."""
    return "title" in schema and "oneOf" in schema


def _named(schema: Schema) -> str:
    if schema.get("type") == "boolean":
        return "`true`, `false`"
    name = escaped(schema.get("title", "text"))
    return f"{name}, such as {code(schema['examples'][0])}" if schema.get("examples") else name


def _bare(words: str) -> str:
    return words.split(", such as ", 1)[0]


def _plural(words: str) -> str:
    """The plural of a type; a choice of values has none.

    >>> _plural("line of text"), _plural("address, such as `fd00::17`"), _plural("`a`, `b`")
    ('lines of text', 'addresses, such as `fd00::17`', '`a`, `b`')
    """
    noun, comma, rest = words.partition(", ")
    if "`" in noun or "](" in noun:
        return words
    head, link, tail = next((parts for parts in map(noun.partition, (" of ", " listed ")) if parts[1]), (noun, "", ""))
    return f"{head}{'es' if head.endswith('s') else 's'}{link}{tail}{comma}{rest}"


def _rule(schema: Schema) -> str:
    return str(schema.get("patternErrorMessage", ""))


def _examples(schema: Schema) -> str:
    return ", ".join(code(example) for example in schema.get("examples", ()))


def _walk(value: Any) -> Iterator[Schema]:
    """Every mapping of a schema, itself first; defaults and examples are values, not schemas."""
    if isinstance(value, Mapping):
        yield value
        for key, each in value.items():
            if key not in {"default", "examples"}:
                yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)
