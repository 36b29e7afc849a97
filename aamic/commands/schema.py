"""`aamic schema`: the published contract of site.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aamic.errors import OutsideError

EXIT_DIFFERENT = 16

DEFAULT_FILE = Path("schema/site.schema.json")

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help=f"File to write; with --check the file to compare, {DEFAULT_FILE} if not given."),
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 16 when the file is stale.")]


def schema(out: Out = None, *, check: Check = False) -> None:
    """Print the JSON Schema of site.yaml."""
    from aamic.compile.compiler import shipped_catalog
    from aamic.compile.schema import schema_text, site_model

    text = schema_text(site_model(shipped_catalog().exporters))
    if check:
        _compare(text, out or DEFAULT_FILE)
    elif out is not None:
        try:
            out.write_bytes(text)
        except OSError as error:
            raise OutsideError(f"cannot write `{out}`: {error.strerror}") from error
    else:
        typer.echo(text.decode(), nl=False)


def _compare(text: bytes, path: Path) -> None:
    try:
        stale = path.read_bytes() != text
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}") from error
    if stale:
        typer.echo(f"{path} is stale: run `aamic schema --out {path}`")
        raise typer.Exit(EXIT_DIFFERENT)
    typer.echo(f"{path} is up to date")
