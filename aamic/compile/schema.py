"""The model of a site with the catalog's exporters in it, and its published JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from pydantic import Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from aamic.catalog.base import Exporter
from aamic.model.site import CustomExporter, Site
from aamic.model.types import NONCHARACTERS, Model

SCHEMA_ID: Final = "urn:aamic:schema:site:1"


def site_model(exporters: Sequence[Exporter[Any]]) -> type[Site]:
    """The class of a site whose `exporters` has a key for each of these, and `custom`.

    `getattr(site.exporters, exporter.name)` are its options. The same table gives the same class.
    """
    return _site_model(tuple(exporters))


@cache
def _site_model(exporters: tuple[Exporter[Any], ...]) -> type[Site]:
    fields: dict[str, Any] = {exporter.name: _options(exporter) for exporter in exporters}
    custom: Any = Field(default=[], description="Exporters of the site's own.")
    options = create_model(
        "Exporters",
        __base__=Model,
        __doc__="Options of the exporters.",
        **fields,
        custom=(list[CustomExporter], custom),
    )
    return create_model("Site", __base__=Site, __doc__=Site.__doc__, exporters=(options, options()))


def _options(exporter: Exporter[Any]) -> tuple[type[Model], Any]:
    return exporter.options, Field(default=exporter.options(), description=exporter.options.__doc__)


class _Published(GenerateJsonSchema):
    """Says in JSON Schema exactly what the model accepts, and calls things by the names of `model.types` only."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Refuse the keys that the key's type refuses; pydantic's own `patternProperties` lets them pass."""
        return {
            "type": "object",
            "propertyNames": self.generate_inner(schema["keys_schema"]),
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out a default of null: it says no more than that the key is optional."""
        described = super().default_schema(schema)
        if described.get("default", ...) is None:
            del described["default"]
        return described

    def encode_default(self, dft: Any) -> Any:
        """Show what a default says, not the defaults of its own keys."""
        return dft.model_dump(by_alias=True, exclude_defaults=True) if isinstance(dft, Model) else dft

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's signature
        """Leave out titles made from keys."""
        return False


def json_schema(model: type[Site]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that accepts the documents that `model` accepts.

    References between keys, such as the name of a node, are beyond it; `compile.check` sees to them.
    """
    return _with_head(model, SCHEMA_ID, "Site of aamic")


def _with_head(model: type[Model], identity: str, title: str) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Published)
    head = {"$schema": _Published.schema_dialect, "$id": identity, "title": title}
    return head | {key: value for key, value in schema.items() if key not in head}


def schema_text(model: type[Site]) -> bytes:
    """The published file, `schema/site.schema.json`."""
    return published(model, SCHEMA_ID, "Site of aamic")


def published(model: type[Model], identity: str, title: str) -> bytes:
    """The JSON Schema of a model as a file."""
    text = json.dumps(_with_head(model, identity, title), indent=2, ensure_ascii=False)
    # Patterns hold characters that text editors and reviewers rather see escaped.
    return re.sub(f"[{NONCHARACTERS}]", lambda found: json.dumps(found[0])[1:-1], text).encode() + b"\n"
