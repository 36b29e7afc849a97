r"""The scalar types of site.yaml: strings with patterns, shared by the model and the published JSON Schema.

Patterns stay inside what Rust's regex, ECMA-262 and Python's `re` read alike: no look-around, no `\\d`.
`^` and `$` mean the ends of the whole text, as in JSON Schema.

A type's title and examples are what messages and editors call it: "a duration such as `15s`".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Model(BaseModel):
    """A mapping of site.yaml: unknown keys are refused, values are never converted, nothing changes later.

    Errors hide their input: it may be a secret that was written in the wrong place.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class Whole:
    """Marks an `int` as a whole number from `low` to `high`, both included.

    What JSON Schema calls an integer: 3.0 is read as 3; text and booleans are refused. Written for pydantic's core,
    since a Python validator would run once for each node of a large site.
    """

    low: int
    high: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.union_schema(
            [core_schema.int_schema(strict=True), core_schema.float_schema(strict=True)],
            mode="left_to_right",
            custom_error_type="int_type",
        )
        bounded = core_schema.int_schema(strict=False, ge=self.low, le=self.high)
        return core_schema.chain_schema([number, bounded])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if self.low == self.high:
            return {"type": "integer", "const": self.low}
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


_AMOUNT = "[1-9][0-9]{0,8}"

Count = Annotated[int, Whole(1, 1_000_000)]
Port = Annotated[int, Whole(1, 65_535), Field(title="port")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", title="name", examples=["seoul-1"])]
"""A rack, shard, cluster or exporter: safe in a path, a unit name and a label."""
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$", title="node name", examples=["gpu-001"])]
HostList = Annotated[
    str, Field(min_length=1, max_length=1_000_000, title="host list", examples=["gpu-[001-032]", "mon-01,mon-02"])
]
"""A Slurm host list, `gpu-[001-032],login1`; read by `compile.hostlist`."""
Address = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9:]([A-Za-z0-9:._-]{0,252})$",
        title="address",
        examples=["10.10.1.7", "fd00::17", "gpu-001.example.com"],
    ),
]
LabelName = Annotated[
    str,
    Field(
        pattern=r"^([a-zA-Z][a-zA-Z0-9_]*|_[a-zA-Z0-9][a-zA-Z0-9_]*)$",
        max_length=128,
        title="label name",
        examples=["row", "power_feed"],
    ),
]
LabelValue = Annotated[str, Field(max_length=1024, title="label value")]
Labels = dict[LabelName, LabelValue]
MetricName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=256, title="metric name", examples=["ib_port_errors_total"]
    ),
]
Duration = Annotated[
    str,
    Field(
        min_length=1,
        pattern="^" + "".join(f"({_AMOUNT}{unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms")) + "$",
        title="duration",
        examples=["15s", "5m", "30d"],
    ),
]
"""A Prometheus duration above zero: `15s`, `1h30m`, `30d`."""
Size = Annotated[str, Field(pattern=f"^{_AMOUNT}([KMGTPE]i?)?B$", title="size", examples=["512MB", "64GB"])]
"""A size in powers of 1024, as Prometheus reads them: `512MB`, `64GB`."""
AbsolutePath = Annotated[
    str,
    Field(
        pattern=r"^(/[A-Za-z0-9_@][A-Za-z0-9._@-]*)+$",
        max_length=1024,
        title="absolute path",
        examples=["/var/lib/aami"],
    ),
]
HttpPath = Annotated[
    str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=1024, title="URL path", examples=["/metrics"])
]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", title="SHA-256 digest of 64 lower-case hexadecimal digits")]
HttpUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^ \t\r\n\"'<>{}|\\^`]*)?$",
        title="URL",
        examples=["https://alerts.example.com/hook"],
    ),
]
"""A URL without credentials: they belong in a secret reference."""
Line = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$", title="line of text")]
"""One line of text without control characters."""
Expr = Annotated[str, Field(min_length=1, max_length=10_000, title="PromQL expression")]
"""A PromQL expression."""
