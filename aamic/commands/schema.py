"""`aamic schema`: the published contracts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aamic.errors import OutsideError

EXIT_DIFFERENT = 16


class Format(StrEnum):
    """How the contract is written."""

    json = "json"
    markdown = "markdown"


class Contract(StrEnum):
    """What is published."""

    site = "site"
    plan = "plan"
    health = "health"


DEFAULT_FILES = {
    (Contract.site, Format.json): Path("schema/site.schema.json"),
    (Contract.site, Format.markdown): Path("docs/site.md"),
    (Contract.plan, Format.json): Path("schema/plan.schema.json"),
    (Contract.health, Format.json): Path("schema/health.schema.json"),
}

EXAMPLE = Path("site.example")
"""Where the Markdown takes its excerpts from; without this folder it has none."""

Contracts = Annotated[
    Contract,
    typer.Option("--of", help="site.yaml, the plans that `plan --out` writes, or what `health --json` prints."),
]
Formats = Annotated[Format, typer.Option("--format", help="JSON Schema for machines, Markdown for people.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="File to write; with --check the file to compare: "
        f"{' or '.join(str(path) for path in DEFAULT_FILES.values())} if not given.",
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 16 when the file is stale.")]


def schema(
    *, of: Contracts = Contract.site, format_: Formats = Format.json, out: Out = None, check: Check = False
) -> None:
    """Print what site.yaml, a saved plan or the JSON of health holds, as JSON Schema; site.yaml's also as Markdown."""
    if (of, format_) not in DEFAULT_FILES:
        raise OutsideError(f"the contract of `{of}` is published as JSON Schema only", "leave out `--format`")
    text = _text(of, format_)
    if check:
        _compare(text, out or DEFAULT_FILES[of, format_], of, format_)
    elif out is not None:
        try:
            out.write_bytes(text)
        except OSError as error:
            raise OutsideError(f"cannot write `{out}`: {error.strerror}") from error
    else:
        typer.echo(text.decode(), nl=False)


def _text(of: Contract, format_: Format) -> bytes:
    return _of_site(format_) if of is Contract.site else _WRITERS[of]()


def _of_plan() -> bytes:
    from aamic.deploy.saved import schema_text

    return schema_text()


def _of_health() -> bytes:
    from aamic.ops.healthdocument import schema_text

    return schema_text()


_WRITERS = {Contract.plan: _of_plan, Contract.health: _of_health}


def _of_site(format_: Format) -> bytes:
    from aamic.compile.compiler import shipped_catalog
    from aamic.compile.schema import json_schema, schema_text, site_model
    from aamic.views.reference import Reference, excerpts

    model = site_model(shipped_catalog().exporters)
    if format_ is Format.json:
        return schema_text(model)
    return Reference(json_schema(model), excerpts(_example())).markdown().encode()


def _example() -> list[str]:
    """The documents of the example site, site.yaml first."""
    paths = [*sorted(EXAMPLE.glob("*.yaml")), *sorted(EXAMPLE.glob("racks/*.yaml"))]
    try:
        return [path.read_text("utf-8") for path in paths]
    except (OSError, UnicodeDecodeError) as error:
        raise OutsideError(f"cannot read `{EXAMPLE}`: {error}") from error


def _compare(text: bytes, path: Path, of: Contract, format_: Format) -> None:
    try:
        stale = path.read_bytes() != text
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}") from error
    if stale:
        wanted = ("" if of is Contract.site else f"--of {of} ") + (
            "" if format_ is Format.json else f"--format {format_} "
        )
        typer.echo(f"{path} is stale: run `aamic schema {wanted}--out {path}`")
        raise typer.Exit(EXIT_DIFFERENT)
    typer.echo(f"{path} is up to date")
