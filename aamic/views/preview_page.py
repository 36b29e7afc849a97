"""A dashboard as one page of HTML: no file beside it, no program in it, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from aamic.model.dashboard import Dashboard
from aamic.model.preview import Preview
from aamic.views import preview_words as words
from aamic.views.markup import element, shown, text
from aamic.views.preview_panels import badge, panel
from aamic.views.preview_style import STYLE
from aamic.views.wholepage import whole


def page(preview: Preview, others: Mapping[str, str]) -> str:
    """The whole page; `others` are the titles of the dashboards that have a page beside it, by uid."""
    numbers = {each.title: number for number, each in enumerate(preview.dashboard.panels)}
    parts = [_head(preview, others), _look(preview)]
    for row in preview.dashboard.rows:
        panels = (panel(preview.pictures[each.title], numbers[each.title], preview.window) for each in row.panels)
        parts += [text("h2", row.title), element("div", "".join(panels), "grid")]
    return _whole(preview.dashboard.title, parts)


def index(previews: Sequence[Preview], left: Sequence[Dashboard]) -> str:
    """A page that leads to those of all dashboards; `left` are those of which this site feeds nothing."""
    heads = "".join(f'<th scope="col">{each}</th>' for each in ("dashboard", "at one look", "what to look at first"))
    rows = "".join(map(_line, previews))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    told = words.headline(previews[0]) if previews else "nothing to show"
    parts = [
        element("header", text("h1", "Dashboards") + text("p", told)),
        element(
            "section", f'<div class="scroll" role="region" aria-label="dashboards" tabindex="0">{table}</div>', "look"
        ),
        *([_left(left)] if left else []),
    ]
    return _whole("Dashboards", parts)


def _whole(title: str, parts: Sequence[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return whole(title, STYLE, body)


def _head(preview: Preview, others: Mapping[str, str]) -> str:
    uids = [uid for uid in others if uid != preview.dashboard.uid]
    links = '<a href="index.html">all dashboards</a>' + "".join(
        f'<a href="{escape(uid)}.html">{shown(others[uid])}</a>' for uid in uids
    )
    title = element("h1", shown(preview.dashboard.title) + badge(*words.verdict(preview)))
    about = text("p", preview.dashboard.about) + text("p", words.headline(preview))
    return element("nav", links) + element("header", title + about + "".join(text("p", each) for each in preview.notes))


def _look(preview: Preview) -> str:
    """What to look at first, with links to it."""
    items = [
        element(
            "li",
            f'{badge(each.severity, each.word)} <a href="#p{each.number}">{shown(each.title)}</a>: {shown(each.what)}',
        )
        for each in words.summary(preview)
    ]
    quiet = words.quiet(preview)
    return element(
        "section", (element("ul", "".join(items)) if items else "") + (text("p", quiet) if quiet else ""), "look"
    )


def _line(preview: Preview) -> str:
    uid = escape(preview.dashboard.uid)
    link = f'<th scope="row"><a href="{uid}.html">{shown(preview.dashboard.title)}</a></th>'
    first = next((f"{each.title}: {each.what}" for each in words.summary(preview)), words.quiet(preview))
    return element("tr", link + element("td", badge(*words.verdict(preview))) + text("td", first))


def _left(left: Sequence[Dashboard]) -> str:
    items = "".join(element("li", f"<b>{shown(each.title)}</b>") for each in left)
    return text("h2", "Left out, as this site has nothing of it") + element("ul", items, "look")
