"""`aamic graph`: a picture of what scrapes what."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, SitePath, checked


class Format(StrEnum):
    """How the picture is written."""

    mermaid = "mermaid"
    svg = "svg"


Formats = Annotated[Format, typer.Option("--format", help="Mermaid text, which GitHub draws, or an SVG picture.")]


def graph(site: SitePath = DEFAULT_SITE, *, format_: Formats = Format.mermaid) -> None:
    """Print the topology: racks, shards, central, Alertmanager and who is told."""
    from aamic.compile.graph import topology
    from aamic.views.mermaid import mermaid
    from aamic.views.svg import svg

    draw = mermaid if format_ is Format.mermaid else svg
    typer.echo(draw(topology(checked(site).fleet)), nl=False)
