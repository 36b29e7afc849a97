"""The dashboards of a site: what there is, and what is left out and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aamic.model.dashboard import Dashboard
from aamic.model.preview import Preview
from aamic.views import preview_words as words
from aamic.views.table import table
from aamic.views.terminal import safe


def text(fed: Sequence[Dashboard], unfed: Sequence[Dashboard]) -> str:
    """A line for each dashboard, then what is left out."""
    rows = [("uid", "panels", "title"), *((each.uid, f"{len(each.panels)}", each.title) for each in fed)]
    return (table(rows) if fed else "no dashboard has anything to show\n") + "".join(_left(fed, unfed))


def _left(fed: Sequence[Dashboard], unfed: Sequence[Dashboard]) -> Iterator[str]:
    """Each panel that is left out, with its reason; a reason that several share is told once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for dashboard in (*unfed, *fed):
        for title, why in dashboard.omitted:
            reasons.setdefault((dashboard.uid, why), []).append(title)
    if reasons or unfed:
        yield "\nleft out, as this site cannot feed it:\n"
    told = {uid for uid, _ in reasons}
    for dashboard in unfed:
        if dashboard.uid not in told:
            yield f"  {safe(dashboard.uid)}: {safe(dashboard.title)}\n"
    for (uid, why), titles in reasons.items():
        yield f"  {safe(uid)}: {safe(', '.join(titles))}\n    {safe(why)}\n"


def to_json(fed: Sequence[Dashboard], unfed: Sequence[Dashboard]) -> dict[str, Any]:
    """The same for a machine."""
    return {"dashboards": [_json(each) for each in fed], "left_out": [_json(each) for each in unfed]}


def _json(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "about": dashboard.about,
        "variables": [each.name for each in dashboard.variables],
        "panels": [
            {"row": row.title, "title": each.title, "kind": each.kind} for row in dashboard.rows for each in row.panels
        ],
        "left_out": [{"panel": title, "why": why} for title, why in dashboard.omitted],
    }


def outcome(previews: Sequence[Preview]) -> str:
    """A line for each dashboard that was drawn: how it looks, and what does not show."""
    rows = [("dashboard", "at one look", "panels", "failed", "no data")]
    for each in previews:
        panels, failed, empty = (f"{len(those)}" for those in (each.every, each.failed, each.empty))
        rows.append((each.dashboard.uid, words.verdict(each)[1] or "no bounds", panels, failed, empty))
    return table(rows)


def failures(previews: Sequence[Preview]) -> list[str]:
    """What was chosen and is not there, and each query that failed, and why."""
    strange = dict.fromkeys(safe(each) for preview in previews for each in preview.strangers)
    return [
        *strange,
        *_failed(previews),
    ]


def _failed(previews: Sequence[Preview]) -> list[str]:
    return [
        f"{safe(each.dashboard.uid)}: `{safe(picture.panel.title)}`: {safe(fault)}"
        for each in previews
        for picture in each.failed
        for fault in picture.faults
    ]
