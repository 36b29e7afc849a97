"""`aamic dashboards preview`: each dashboard as a page and a picture, from a Prometheus or Thanos Query alone."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.dashboards import Names, Out, named, with_dashboards
from aamic.commands.dashboards_asking import Asking, Wish, reached
from aamic.commands.options import DEFAULT_SITE, SitePath, span
from aamic.errors import OutsideError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aamic.model.dashboard import Dashboard
    from aamic.model.fleet import Fleet
    from aamic.model.preview import Preview

_LONGEST: Final = 2 * 365 * 86_400.0
_SHORTEST: Final = 60.0
_EXTRA: Final = "matplotlib"
_VARIABLE: Final = re.compile(r"(\w+)=(.*)")
_MOST: Final = 50
"""Values of one variable that a person may name; each is part of every query."""


class Format(StrEnum):
    """What is written."""

    html = "html"
    png = "png"
    both = "both"


Url = Annotated[
    str | None,
    typer.Option("--prometheus", metavar="URL", help="Server to ask; the site's Thanos Query, or its central server."),
]
Formats = Annotated[Format, typer.Option("--format", help="Pages of HTML, pictures, or both.")]
Range = Annotated[
    str, typer.Option("--range", metavar="DURATION", help="How far back, such as `6h`; each dashboard's own if absent.")
]
At = Annotated[
    str, typer.Option("--at", metavar="TIME", help="The moment that is shown, such as `2026-11-25T12:00Z`; now.")
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="What a variable is set to, such as `node=gpu-001`; repeatable."),
]


def preview(  # noqa: PLR0913  # one argument for each option
    names: Names = None,
    site: SitePath = DEFAULT_SITE,
    *,
    prometheus: Url = None,
    out: Out = Path("preview"),
    format_: Formats = Format.html,
    range_: Range = "",
    at: At = "",
    var: Variables = None,
) -> None:
    """Draw the dashboards as they look now, without a Grafana; exit 1 if a query failed or a value is unknown."""
    from aamic.clients.files import expect_folder, write_below
    from aamic.views import dashboards as view

    _expect_extra()
    if prometheus is not None and not prometheus.startswith(("http://", "https://")):
        raise typer.BadParameter("write a URL such as `http://mon-01:9090`", param_hint="--prometheus")
    seconds, moment, given = _range(range_), _moment(at), _given(var or ())
    fleet = with_dashboards(site)
    wanted = named(fleet, names)
    _expect_variables(given, wanted)
    expect_folder(out)
    asking = Asking(
        fleet, reached(fleet, prometheus), Wish(moment, seconds, given), own=bool(at) or prometheus is not None
    )
    previews = [asking.preview(each) for each in wanted]
    files = _files(previews, fleet, format_)
    write_below(out, files)
    typer.echo(view.outcome(previews), nl=False)
    typer.echo(f"wrote {len(files)} files to `{out}`" + ("" if format_ is Format.png else f"; open `{out}/index.html`"))
    if failed := view.failures(previews):
        typer.echo("".join(f"error: {each}\n" for each in failed), nl=False, err=True)
        raise typer.Exit(1)


def _expect_extra() -> None:
    if find_spec(_EXTRA) is None:
        raise OutsideError("drawing needs matplotlib, which is not installed", "pip install 'aamic[preview]'")


def _range(text: str) -> float | None:
    if not text:
        return None
    seconds = span(text, "--range")
    if not _SHORTEST <= seconds <= _LONGEST:
        raise typer.BadParameter("write from `1m` to `2y`", param_hint="--range")
    return seconds


def _moment(text: str) -> float:
    if not text:
        return float(int(time.time()))
    try:
        at = datetime.fromisoformat(text)
        moment = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter("write a time such as `2026-11-25T12:00Z`", param_hint="--at") from None
    if not 0 < moment <= time.time():
        raise typer.BadParameter(f"`{text}` is still to come, or before 1970", param_hint="--at")
    return moment


def _given(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What is chosen of each variable; a name that stands twice has both values."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        match = _VARIABLE.fullmatch(text)
        if match is None or not match[2] or not match[2].isprintable():
            raise typer.BadParameter("write `NAME=VALUE`, such as `node=gpu-001`", param_hint="--var")
        found[match[1]] = (*found.get(match[1], ()), match[2])[:_MOST]
    return found


def _expect_variables(given: Mapping[str, tuple[str, ...]], wanted: Sequence[Dashboard]) -> None:
    known = dict.fromkeys(each.name for dashboard in wanted for each in dashboard.variables)
    for name in given:
        if name not in known:
            there = ", ".join(f"`{each}`" for each in known) or "none"
            raise typer.BadParameter(f"no such variable `{name}`: there are {there}", param_hint="--var")


def _files(previews: Sequence[Preview], fleet: Fleet, format_: Format) -> dict[str, bytes]:
    from aamic.views.preview_page import index, page
    from aamic.views.preview_png import png

    files: dict[str, bytes] = {}
    titles = {each.dashboard.uid: each.dashboard.title for each in previews}
    for each in previews:
        if format_ is not Format.png:
            files[f"{each.dashboard.uid}.html"] = page(each, titles).encode()
        if format_ is not Format.html:
            files[f"{each.dashboard.uid}.png"] = png(each)
    if format_ is not Format.png:
        files["index.html"] = index(previews, fleet.unfed).encode()
    return files
