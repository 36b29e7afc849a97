"""The published schema and the model accept and refuse the same documents."""

from __future__ import annotations

import copy
import math
import re
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from aamic.catalog.table import CATALOG
from aamic.compile.schema import json_schema, site_model

Node = dict[str, Any]
Path = tuple[str | int, ...]

MODEL = site_model(CATALOG.exporters)
SCHEMA = json_schema(MODEL)
SMALLEST: Node = {"version": 1, "cluster": {"name": "a"}}

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
JUNK = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, 2, -1, 1.0, 8.0, 3.5, 10**400, 1e300, math.nan, math.inf, "", "1", "yes"]
    ),
    st.sampled_from(
        ["a", "a\n", "15s", "5m\n", "-x", "\u2028", "a b", "(one)", "(file)", "[key]", "prometheus", [], {}]
    ),
    st.sampled_from([[1], ["a"], [[]], {"a": 1}, {"file": "x"}, {"file": "x", "env": "Y"}, {"package": "aa"}]),
    TEXT,
    st.integers(),
)
KEYS = st.one_of(
    TEXT, st.sampled_from(["file", "env", "command", "for", "for_", "from_", "node", "nodes", "binary", "(one)"])
)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Any:
    """The keyword as ECMA-262 reads it: `$` is the end of the text, not a place before a last line break."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError("no match")


_Validator: Any = jsonschema.validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
VALIDATOR = _Validator(SCHEMA)


def model_accepts(document: Any) -> bool:
    try:
        MODEL.model_validate(document)
    except ValidationError:
        return False
    return True


def schema_accepts(document: Any) -> bool:
    return bool(VALIDATOR.is_valid(document))


def optional(node: Node) -> st.SearchStrategy[Any]:
    required = node.get("required", [])
    properties = {key: values(child) for key, child in node["properties"].items()}
    few = st.sets(st.sampled_from(sorted(properties)), max_size=4)
    return few.flatmap(
        lambda chosen: st.fixed_dictionaries({key: properties[key] for key in sorted(chosen.union(required))})
    )


def mapping(node: Node) -> st.SearchStrategy[Any]:
    if "properties" in node:
        return st.deferred(lambda: optional(node))
    return st.dictionaries(values(node["propertyNames"]), values(node["additionalProperties"]), max_size=3)


def texts(node: Node) -> st.SearchStrategy[str]:
    if "pattern" not in node:
        return st.text(st.characters(codec="utf-8"), min_size=node.get("minLength", 0), max_size=12)
    whole = st.from_regex(re.sub(r"\$$", r"\\Z", node["pattern"]))
    return whole.filter(lambda text: node.get("minLength", 0) <= len(text) <= node.get("maxLength", 10**9))


@cache
def definition(name: str) -> st.SearchStrategy[Any]:
    return mapping(SCHEMA["$defs"][name])


def values(node: Node) -> st.SearchStrategy[Any]:
    """Values that the schema accepts."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return st.deferred(lambda: definition(name))
    if branches := node.get("oneOf") or node.get("anyOf"):
        return st.one_of([values(branch) for branch in branches])
    if "const" in node or "enum" in node:
        return st.sampled_from(node.get("enum") or [node["const"]])
    if node["type"] == "integer":
        whole = st.integers(node["minimum"], node["maximum"])
        return st.one_of(whole, whole.map(float))
    if node["type"] == "array":
        return st.lists(values(node["items"]), min_size=node.get("minItems", 0), max_size=3)
    return {"string": texts, "object": mapping}.get(node["type"], _plain)(node)


def _plain(node: Node) -> st.SearchStrategy[Any]:
    if node["type"] == "number":
        return st.floats(node.get("minimum"), node.get("maximum"), allow_nan=False, allow_infinity=False)
    return {"boolean": st.booleans(), "null": st.none()}[node["type"]]


SITES = mapping(SCHEMA)


def paths(value: Any, path: Path = ()) -> list[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for step, item in items for below in paths(item, (*path, step)))]


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """A document that is right but for one place."""
    document = copy.deepcopy(draw(SITES))
    *above, step = draw(st.sampled_from(paths(document)[1:]))
    parent = document
    for part in above:
        parent = parent[part]
    action = draw(st.sampled_from(["replace", "delete", "rename", "add"]))
    if action == "replace":
        parent[step] = draw(JUNK)
    elif action == "delete":
        del parent[step]
    elif action == "rename" and isinstance(parent, dict):
        parent[draw(KEYS)] = parent.pop(step)
    elif isinstance(parent, dict):
        parent[draw(KEYS)] = draw(JUNK)
    else:
        parent.append(draw(JUNK))
    return document


QUICK = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(SITES)
def test_what_the_schema_describes_is_accepted_by_both(document: Any) -> None:
    assert (schema_accepts(document), model_accepts(document)) == (True, True)


@settings(QUICK, max_examples=350)
@given(mutants())
@example(SMALLEST | {"version": 1.0})
@example(SMALLEST | {"version": True})
@example({"version": 1, "cluster": {"name": "a\n"}})
@example(SMALLEST | {"racks": {"a b": {"nodes": "a"}}})
@example(SMALLEST | {"racks": {"a\n": {"nodes": "a"}}})
@example({"version": 1, "cluster": {"name": "a", "labels": {"l" * 129: "x"}}})
@example(SMALLEST | {"nodes": {"": {}}})
@example(SMALLEST | {"federation": {"shards": 3.0}})
@example(SMALLEST | {"federation": {"shards": math.inf}})
@example(SMALLEST | {"federation": {"shards": "(list)"}})
@example(SMALLEST | {"federation": {"match": []}})
@example(SMALLEST | {"federation": None})
@example(SMALLEST | {"prometheus": None})
@example(SMALLEST | {"prometheus": {"source": {"package": "ab", "tarball": "b"}}})
@example(SMALLEST | {"notifications": {"slack": {"webhook_url": {"file": "a", "env": "B"}}}})
@example(SMALLEST | {"alerts": {"custom": [{"name": "A", "expr": "up", "for_": "5m"}]}})
@example(SMALLEST | {"exporters": None})
def test_one_change_is_judged_alike_by_both(document: Any) -> None:
    assert schema_accepts(document) == model_accepts(document)


@given(st.one_of(JUNK, st.dictionaries(KEYS, JUNK)))
@settings(QUICK)
def test_anything_is_judged_alike_by_both(document: Any) -> None:
    assert schema_accepts(document) == model_accepts(document)


def test_a_default_written_out_changes_nothing() -> None:
    """Editors fill in defaults: each must be a value that the schema accepts there."""
    for node in [SCHEMA, *SCHEMA["$defs"].values()]:
        for key, value in node.get("properties", {}).items():
            if "default" in value:
                resolver = VALIDATOR.evolve(schema={"$defs": SCHEMA["$defs"], **value})
                assert (key, True) == (key, resolver.is_valid(value["default"]))


@pytest.mark.parametrize("name", sorted(MODEL.model_fields))
def test_every_key_of_the_model_is_published(name: str) -> None:
    assert name in SCHEMA["properties"]
