"""The model with the catalog's exporters in it, and the published schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field, ValidationError

from aamic.catalog.base import Contribution, Exporter
from aamic.catalog.table import CATALOG
from aamic.compile.schema import json_schema, schema_text, site_model
from aamic.model.secret import REFERENCE, SECRET_KEYS
from aamic.model.types import Model, Port

SITE: dict[str, Any] = {"version": 1, "cluster": {"name": "a"}}


class Options(Model):
    """An exporter for tests."""

    port: Port = Field(default=9999, description="Port.")


def exporter(name: str) -> Exporter[Options]:
    return Exporter(
        name=name,
        options=Options,
        contribute=lambda _options, _ground: Contribution(),
        series=lambda _options, _node: 0,
        sample=lambda _options, _node, _faults, _seconds: "",
    )


def test_each_exporter_has_a_key_of_its_name() -> None:
    site = site_model([exporter("ib-counters")]).model_validate(SITE | {"exporters": {"ib-counters": {"port": 1}}})
    assert getattr(site.exporters, "ib-counters").port == 1


def test_options_that_are_not_written_are_the_defaults() -> None:
    site = site_model([exporter("ib")]).model_validate(SITE)
    assert Options() == site.exporters.ib
    assert site.exporters.custom == []


def test_an_exporter_of_no_product_is_refused() -> None:
    with pytest.raises(ValidationError):
        site_model([exporter("ib")]).model_validate(SITE | {"exporters": {"other": {}}})


def test_the_same_table_gives_the_same_class() -> None:
    table = (exporter("a"), exporter("b"))
    assert site_model(table) is site_model(list(table))
    assert site_model(table) is not site_model(table[:1])


def test_the_schema_is_one_of_the_draft_that_it_names() -> None:
    schema = json_schema(site_model(CATALOG.exporters))
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator.META_SCHEMA["$id"] == schema["$schema"]


def test_keys_with_a_pattern_are_refused_where_they_do_not_match() -> None:
    schema = json_schema(site_model([]))
    assert "patternProperties" not in json.dumps(schema)
    assert schema["properties"]["racks"]["propertyNames"]["title"] == "name"


def test_every_property_is_described() -> None:
    schema = json_schema(site_model(CATALOG.exporters))
    undescribed = [
        f"{name}.{key}"
        for name, node in [("site", schema), *schema["$defs"].items()]
        for key, value in node.get("properties", {}).items()
        if "description" not in value and "$ref" not in value
    ]
    assert undescribed == []


def test_the_schema_of_equal_tables_is_the_same_text() -> None:
    one, other = site_model([exporter("a"), exporter("b")]), site_model([exporter("a"), exporter("b")])
    assert one is not other
    assert schema_text(one) == schema_text(other)


def test_errors_of_the_model_hide_their_input() -> None:
    secret = {"slack": {"webhook_url": "https://hooks.example.com/T0K3N"}}
    with pytest.raises(ValidationError) as caught:
        site_model([]).model_validate(SITE | {"notifications": secret})
    assert "T0K3N" not in str(caught.value)


def test_the_published_schema_is_up_to_date() -> None:
    published = Path(__file__).parents[2] / "schema" / "site.schema.json"
    assert schema_text(site_model(CATALOG.exporters)) == published.read_bytes()


def test_the_published_schema_is_plain_to_editors() -> None:
    """Characters that stand for nothing are escaped, and read the same."""
    text = schema_text(site_model(CATALOG.exporters)).decode()
    assert "\U0001fffe" not in text
    assert "\\ud83f\\udffe" in text
    assert json.loads(text) == json_schema(site_model(CATALOG.exporters))


def test_the_keys_of_secrets_are_known_to_who_reads_the_text() -> None:
    schema = json_schema(site_model(CATALOG.exporters))
    keys = {
        key
        for definition in schema["$defs"].values()
        for key, value in definition.get("properties", {}).items()
        for kind in (value, *value.get("anyOf", ()))
        if kind.get("title") == REFERENCE
    }
    assert keys == SECRET_KEYS


def test_patterns_are_what_every_engine_reads() -> None:
    """ECMA-262 with its flag `u`, as JSON Schema asks for, refuses an escape that it does not know."""
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', schema_text(site_model(CATALOG.exporters)).decode())
    escaped = {character for pattern in patterns for character in re.findall(r"\\(.)", json.loads(pattern))}
    assert escaped <= set("^$\\.*+?()[]{}|/trnxu")
    assert len(patterns) > 20
