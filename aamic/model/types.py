"""The scalar types of site.yaml: strings with patterns, shared by the model and the published JSON Schema.

Patterns stay inside what Rust's regex, ECMA-262 and Python's `re` read alike: no look-around, no `\\d`.
`^` and `$` mean the ends of the whole text, as in JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Model(BaseModel):
    """A mapping of site.yaml: unknown keys are refused, values are never converted, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _whole_number(value: Any) -> Any:
    """Read 3.0 as 3, as JSON Schema does; everything else stays for pydantic to judge."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_AMOUNT = "[1-9][0-9]{0,8}"

Int = Annotated[int, BeforeValidator(_whole_number)]
Count = Annotated[Int, Field(ge=1, le=1_000_000)]
Port = Annotated[Int, Field(ge=1, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
"""A rack, shard, cluster or exporter: safe in a path, a unit name and a label."""
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$")]
HostList = Annotated[str, Field(min_length=1, max_length=1_000_000)]
"""A Slurm host list, `gpu-[001-032],login1`; read by `compile.hostlist`."""
Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9:]([A-Za-z0-9:._-]{0,252})$")]
LabelName = Annotated[str, Field(pattern=r"^([a-zA-Z][a-zA-Z0-9_]*|_[a-zA-Z0-9][a-zA-Z0-9_]*)$", max_length=128)]
LabelValue = Annotated[str, Field(max_length=1024)]
Labels = dict[LabelName, LabelValue]
MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=256)]
Duration = Annotated[
    str,
    Field(
        min_length=1,
        pattern="^" + "".join(f"({_AMOUNT}{unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms")) + "$",
    ),
]
"""A Prometheus duration above zero: `15s`, `1h30m`, `30d`."""
Size = Annotated[str, Field(pattern=f"^{_AMOUNT}([KMGTPE]i?)?B$")]
"""A size in powers of 1024, as Prometheus reads them: `512MB`, `64GB`."""
AbsolutePath = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_@][A-Za-z0-9._@-]*)+$", max_length=1024)]
HttpPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=1024)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^ \t\r\n\"'<>{}|\\^`]*)?$")]
"""A URL without credentials: they belong in a secret reference."""
Line = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text without control characters."""
Expr = Annotated[str, Field(min_length=1, max_length=10_000)]
"""A PromQL expression."""
