"""How clusters are shown: lines that fit, colours where they are wanted, and nothing good of what is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from aamic.model.api import AlertCounts, Gpus, NodeCounts, Status
from aamic.model.overview import Absent, FoundAlert, FoundAlerts, Overview, Seen, Total
from aamic.ops.clusters import missing, total
from aamic.views.clusters import alerts_text, missing_text, overview_text


def seen(name: str, verdict: Any = "ok", **given: Any) -> Seen:
    found = Status(
        cluster=name,
        at=1.0,
        verdict=verdict,
        reasons=["one is down", "two is", "three is"] if verdict != "ok" else [],
        nodes=NodeCounts(total=12_345, up=12_340, down=5),
        verdicts=None,
        score=99.96,
        gpus=[Gpus(vendor="amd", expected=98_760, present=98_720, unhealthy=0, utilization=0.5)],
        alerts=AlertCounts(critical=12, warning=3),
    )
    return Seen(name=name, kind="aami", endpoint="https://x.example", state="connected", status=found, **given)


def gone(name: str, message: str = "`https://x.example` is not known") -> Seen:
    return Seen(
        name=name, kind="aami", endpoint="https://x.example", state="certificate refused", message=message, hint="look"
    )


def overview(*clusters: Seen) -> Overview:
    return Overview(at=1.0, clusters=list(clusters), total=total(clusters), missing=missing(clusters))


def test_large_clusters_with_long_names_fit_a_terminal() -> None:
    text = overview_text(
        overview(seen("seoul", own=True), seen("a" * 63, "critical"), gone("b" * 63)), 80, colour=False
    )

    assert text.splitlines()[:4] == [
        "cluster       verdict   score  nodes          GPUs           alerts  state",
        "seoul (own)   ok        99.9   12,340/12,345  98,720/98,760  12c 3w  connected",
        "aaaaaaaaaaa…  critical  99.9   12,340/12,345  98,720/98,760  12c 3w  connected",
        "bbbbbbbbbbb…  -         -      -              -              -       certificate refused",
    ]
    assert "  " + "a" * 63 + ": one is down" in text
    assert "b" * 63 + " (certificate refused)" in text.replace("\n  ", "")


def test_colours_mark_verdicts_and_change_no_letter() -> None:
    found = overview(seen("seoul", own=True), seen("busan", "critical"), gone("jeju"))
    plain, coloured = (overview_text(found, 80, colour=colour) for colour in (False, True))

    assert "\x1b" not in plain
    assert "\x1b[1;31mcritical\x1b[0m" in coloured
    for code in ("32", "1;31", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert plain == coloured


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=3), st.integers(40, 120), st.booleans())
def test_no_text_of_others_breaks_a_line_or_the_terminal(texts: list[str], width: int, colour: bool) -> None:  # noqa: FBT001
    clusters = [gone(f"c{number}", text) for number, text in enumerate(texts)]
    alert = FoundAlert(
        name=texts[0],
        severity=texts[-1],
        state="firing",
        since=1.0,
        labels={"node": texts[0]},
        cluster="c0",
        about=texts[0],
    )
    told = missing_text(missing(clusters), len(clusters), width)
    told += alerts_text(FoundAlerts(at=1.0, connected=1, alerts=[alert], total=5, missing=[]), width, colour=colour)

    assert all(line.isprintable() for line in told.split("\n"))
    assert all(cell_len(line) <= width for line in told.split("\n"))


@pytest.mark.parametrize(
    ("alerts", "connected", "absent", "text"),
    [
        (0, 1, 0, "no alerts\n"),
        (0, 1, 1, "no alerts in the clusters that answered\n"),
        (0, 0, 1, ""),
        (7, 1, 0, "and 7 more; `--limit` shows more, `--severity` fewer\n"),
    ],
)
def test_no_alerts_are_told_only_where_somebody_said_so(alerts: int, connected: int, absent: int, text: str) -> None:
    away = [Absent(name="x", state="slow", message="slow", hint=None)] * absent
    found = FoundAlerts(at=1.0, connected=connected, alerts=[], total=alerts, missing=away)

    assert text == alerts_text(found, 80, colour=False)


def test_sums_of_nothing_are_nothing() -> None:
    text = overview_text(overview(gone("jeju")), 80, colour=False)

    assert "0 of 1 cluster connected: nothing is known" in text.splitlines()
    assert isinstance(total([]), Total)
