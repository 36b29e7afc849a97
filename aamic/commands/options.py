"""Options that several commands share, and how they begin: by compiling the site."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.errors import Problem

if TYPE_CHECKING:
    from aamic.compile.compiler import Checked, Compiled

SitePath = Annotated[Path, typer.Option("--site", "-f", help="The site to read.", show_default=True)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]

DEFAULT_SITE = Path("site.yaml")
_DURATION: Final = re.compile("(?:[0-9]{1,9}(?:ms|[ywdhms]))+")


def checked(site: Path) -> Checked:
    """The site, checked; its warnings are told on standard error."""
    from aamic.compile.compiler import check_site

    outcome = check_site(site)
    warn(outcome.warnings)
    return outcome


def compiled(site: Path) -> Compiled:
    """The site, compiled; its warnings are told on standard error."""
    from aamic.compile.compiler import compile_site

    outcome = compile_site(site)
    warn(outcome.warnings)
    return outcome


def warn(warnings: Iterable[Problem]) -> None:
    """Tell warnings on standard error, where they do not disturb what a machine reads."""
    if told := tuple(warnings):
        from aamic.views.problems import text

        typer.echo(text(told), err=True)


def span(text: str, option: str) -> float:
    """The seconds of a duration on the command line, such as `2h` or `7d`; a usage error where it is none, or zero."""
    from aamic.model.quantities import duration_seconds

    if _DURATION.fullmatch(text) and (seconds := duration_seconds(text)):
        return seconds
    raise typer.BadParameter("write a duration such as `2h` or `7d`", param_hint=option)


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    typer.echo(json.dumps(value, indent=2))


def colourful() -> bool:
    """Whether what is printed may have colours: a terminal reads it, and nobody asked for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def columns() -> int:
    """How wide lines may be."""
    return shutil.get_terminal_size((100, 24)).columns
