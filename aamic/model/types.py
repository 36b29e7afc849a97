r"""The scalar types of site.yaml: strings with patterns, shared by the model and the published JSON Schema.

Patterns stay inside what Rust's regex, ECMA-262 and Python's `re` read alike: no look-around, no `\\d`.
`^` and `$` mean the ends of the whole text, as in JSON Schema.

A type's title and examples are what messages and editors call it: "a duration such as `15s`".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.config import JsonDict
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


def host_port(example: str) -> Any:
    """A type of text: a host and its port."""
    return text(
        rf"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):{_PORT}$",
        "host and port",
        f"a host and a port from 1 to 65535, such as `{example}`",
        example,
        max_length=300,
    )


def text(pattern: str, title: str, rule: str, *examples: str, max_length: int | None = None) -> Any:
    """A type of text; `rule` ends the sentence "write ..." in messages and editors."""
    extra: JsonDict = {"patternErrorMessage": rule}
    return Field(
        pattern=pattern, max_length=max_length, title=title, examples=list(examples) or None, json_schema_extra=extra
    )


NONCHARACTERS: Final = "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
"""The last two characters of each plane but the first; as they are, for no escape of them is common to the engines."""
_PRINTED = rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufffe\uffff{NONCHARACTERS}]"
"""A character that is neither control, line break nor noncharacter: systemd and terminals take all others."""
_AMOUNT = "[1-9][0-9]{0,%d}"
_DURATION = "".join(
    f"({_AMOUNT % (digits - 1)}{unit})?"
    for unit, digits in (("y", 2), ("w", 3), ("d", 4), ("h", 6), ("m", 7), ("s", 8), ("ms", 9))
)
"""All of them together stay below the 292 years that Go counts in nanoseconds."""
_SIZE = "|".join(
    f"{amount}{unit}"
    for amount, unit in ((_AMOUNT % 8, "([KMG]i?)?"), (_AMOUNT % 5, "Ti?"), (_AMOUNT % 2, "Pi?"), ("[1-7]", "Ei?"))
)
"""Below 2^63 bytes, which Prometheus counts in."""
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_URL = rf"""https?://[A-Za-z0-9.-]+(:{_PORT})?(/[^ \t\r\n"'<>{{}}|\\^`]*)?"""
_PART = "[A-Za-z0-9_@+][A-Za-z0-9._@+~-]*"

Count = Annotated[int, Whole(1, 1_000_000)]
Port = Annotated[int, Whole(1, 65_535), Field(title="port")]
Name = Annotated[
    str,
    text(
        r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        "name",
        "up to 63 letters, digits, `_`, `.` and `-`, beginning with a letter or digit",
    ),
]
"""A rack, shard, cluster or exporter: safe in a path, a unit name and a label."""
NodeName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$",
        "node name",
        "letters, digits, `_`, `.` and `-`, beginning with a letter or digit",
    ),
]
HostList = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_000_000,
        title="host list",
        examples=["gpu-[001-032]", "mon-01,mon-02"],
    ),
]
"""A Slurm host list, `gpu-[001-032],login1`; read by `compile.hostlist`."""
Address = Annotated[
    str,
    text(
        r"^[A-Za-z0-9:]([A-Za-z0-9:._-]{0,252})$",
        "address",
        "an IP address or a host name, without a port",
        "10.10.1.7",
        "fd00::17",
        "gpu-001.example.com",
    ),
]
LabelName = Annotated[
    str,
    text(
        r"^([a-zA-Z][a-zA-Z0-9_]*|_[a-zA-Z0-9][a-zA-Z0-9_]*)$",
        "label name",
        "letters, digits and `_`, not beginning with a digit or `__`",
        max_length=128,
    ),
]
LabelValue = Annotated[
    str,
    text(rf"^{_PRINTED}*$", "label value", "one line, without tabs and other control characters", max_length=1024),
]
Labels = dict[LabelName, LabelValue]
MetricName = Annotated[
    str,
    text(
        r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        "metric name",
        "letters, digits, `_` and `:`, not beginning with a digit",
        max_length=256,
    ),
]
Duration = Annotated[
    str,
    Field(min_length=1),
    text(
        f"^{_DURATION}$",
        "duration",
        "a Prometheus duration such as `15s`, `5m`, `1h30m` or `30d`",
        "15s",
        "5m",
        "30d",
    ),
]
"""A Prometheus duration above zero: `15s`, `1h30m`, `30d`."""
FOREVER: Final = "0d"
Keep = Annotated[
    str,
    Field(min_length=1),
    text(
        f"^({_DURATION}|0d)$",
        "duration or 0d",
        "a Prometheus duration such as `30d` or `1y`, or `0d` for ever",
        "30d",
        "1y",
        "0d",
    ),
]
"""How long something is kept: a Prometheus duration, or `0d`, which means for ever."""
Percent = Annotated[str, text("^([1-9][0-9]?|100)%$", "percentage", "a percentage from `1%` to `100%`", "20%")]
Size = Annotated[
    str,
    text(f"^({_SIZE})B$", "size", "a whole number and a unit, such as `512MB` or `64GB`", "512MB", "64GB"),
]
"""A size in powers of 1024, as Prometheus reads them: `512MB`, `64GB`."""
AbsolutePath = Annotated[
    str,
    text(
        r"^(/[A-Za-z0-9_@][A-Za-z0-9._@-]*)+$",
        "absolute path",
        "a path such as `/var/lib/aami`, of letters, digits, `_`, `.`, `@` and `-`",
        "/var/lib/aami",
        max_length=1024,
    ),
]
HttpPath = Annotated[
    str,
    text(
        r"^/[A-Za-z0-9._~/-]*$",
        "URL path",
        "a path such as `/metrics`, without `?` and `#`",
        "/metrics",
        max_length=1024,
    ),
]
UserName = Annotated[
    str,
    text(
        "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$",
        "user name",
        "up to 64 letters, digits, `_`, `.` and `-`, beginning with a letter or `_`",
        "aamic",
    ),
]
"""A user of a host that is logged in to."""
JumpHost = Annotated[
    str,
    text(
        rf"^([A-Za-z_][A-Za-z0-9_.-]{{0,63}}@)?([A-Za-z0-9][A-Za-z0-9._-]{{0,252}}|\[[0-9A-Fa-f:.]+\])(:{_PORT})?$",
        "jump host",
        "a host such as `jump@gate.example.com:2222`; user and port may be left out, and IPv6 stands in brackets",
        "jump@gate.example.com",
        max_length=400,
    ),
]
"""`[user@]host[:port]`."""
Sha256 = Annotated[str, text("^[0-9a-f]{64}$", "SHA-256 digest", "64 hexadecimal digits in lower case")]
HttpUrl = Annotated[
    str,
    text(
        f"^{_URL}$",
        "URL",
        "a URL such as `https://alerts.example.com/hook`, without `user:password@`",
        "https://alerts.example.com/hook",
    ),
]
"""A URL without credentials: they belong in a secret reference."""
RestUrl = Annotated[
    str,
    text(
        f"^{_URL}$",
        "URL of slurmrestd",
        "a URL such as `http://slurm-ctl:6820`, without `user:password@`",
        "http://slurm-ctl:6820",
    ),
]
"""Like `HttpUrl`, with an example that helps those who forgot the scheme."""
Endpoint = Annotated[
    str,
    text(
        rf"""^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:{_PORT})?(/[^ \t\r\n"'<>{{}}|\\^`?#]*)?$""",
        "URL of a cluster",
        "a URL such as `https://mon.busan.example:9443`, without `user:password@`, `?` and `#`; IPv6 in brackets",
        "https://mon.busan.example:9443",
        max_length=2048,
    ),
]
"""Where another cluster answers: what is asked for is put behind it, so it has no query."""
Bound = Annotated[float, Field(ge=0, le=1_000_000)]
"""A measured value, as `Limits` compare with."""
UrlOrPath = Annotated[
    str,
    text(
        rf"^({_URL}|/?(\.{{1,2}}/)*{_PART}(/{_PART})*)$",
        "URL or path",
        "a URL without `user:password@`, such as `https://example.com/a.tgz`, or a path such as `dist/a.tgz`",
        "https://example.com/a.tgz",
        "dist/a.tgz",
        max_length=4096,
    ),
]
"""Where a file comes from; a URL without credentials."""
InnerPath = Annotated[
    str,
    text(
        rf"^(\./)?{_PART}(/{_PART})*$",
        "path without `..`",
        "a path such as `bin/prometheus`, of letters, digits, `_`, `.`, `@`, `+`, `~` and `-`, without `/` in front",
        "bin/prometheus",
        max_length=1024,
    ),
]
"""A path that stays inside the folder it is read from."""
Line = Annotated[
    str,
    Field(min_length=1),
    text(
        rf"^{_PRINTED}*$",
        "line of text",
        "one line, without tabs and other control characters",
        max_length=4096,
    ),
]
"""One line of text without control characters."""
Expr = Annotated[str, Field(min_length=1, max_length=10_000, title="PromQL expression", examples=["up == 0"])]
"""A PromQL expression."""
