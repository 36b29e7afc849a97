"""Pages and pictures of dashboards: strict, the same each time, and no text in them becomes more than text."""

from __future__ import annotations

import math
import re
import zlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.model.dashboard import Dashboard, Panel, Query, Row
from aamic.model.preview import Firing, Preview
from aamic.views.preview_page import index, page
from aamic.views.preview_png import png
from aamic.views.preview_words import headline, summary, verdict
from tests.everykind import END, Answering, drawn, every_kind, panel

VOID = {"meta", "path", "circle", "rect"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "nav", "header", "section", "details", "summary"),
    *("h1", "h2", "h3", "p", "span", "i", "b", "code", "a", "div", "dl", "dt", "dd", "ul", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "path", "circle", "rect", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "scope", "role", "tabindex", "href", "title"),
    *("viewbox", "d", "x", "y", "cx", "cy", "r", "width", "height", "stroke-width", "stroke-dasharray", "text-anchor"),
    *("font-size", "preserveaspectratio"),
}
NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg></main><b>",
    "$\\frac{1}{2}$ ${a} %s {0}",
    "&lt;b&gt; \u202e \x1b[31m",
    "\u4e2d\u6587 \U0001f600",
    "x" * 5000,
]


class Strict(HTMLParser):
    """Refuses what is not closed where it should be, and what pages have no use for."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag in ELEMENTS, tag
        assert {name for name in found if not name.startswith("aria-")} <= ATTRIBUTES, (tag, found)
        self.links += [str(found["href"])] if "href" in found else []
        self.ids += [str(found["id"])] if "id" in found else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(html: str) -> Strict:
    reader = Strict()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    return reader


def words(html: str) -> str:
    return " ".join(" ".join(read(html).text).split())


def fires() -> list[Firing]:
    return [Firing("GpuTooHot", "critical", "critical", "node=gpu-9", END - 90)]


def one(*panels: Panel, server: Answering | None = None) -> Preview:
    return drawn(server, dashboard=Dashboard("aamic-one", "One", "", (), (Row("Row", panels),)))


def test_every_kind_is_on_the_page() -> None:
    found = words(page(drawn(alarms=fires), {}))

    for part in (
        "Every kind ✕ critical",
        "2025-11-24 16:00:00 UTC, and 1 h before; times in UTC; node: gpu-9; from http://mon-01:9090",
        "gpu-9 95 °C (GpuTooHot); gpu-11 86 °C (GpuHot)",
        "query failed: too <many> samples",
        "No data: empty.",
        "fire",
        "Node Heat Power gpu-9 ✕ 95 °C 950 W",
        "gpu-10 65 W",
        "✕ critical GpuTooHot node=gpu-9 1.5 min",
        "How hot <nodes> are.",
        "Head bold code <i> item",
        "critical 92 °C",
    ):
        assert part in found, part


def test_what_to_look_at_comes_first_and_leads_there() -> None:
    preview = drawn(alarms=fires)
    reader = read(page(preview, {}))
    anchors = [link[1:] for link in reader.links if link.startswith("#")]

    assert [each.word for each in summary(preview)] == ["critical"] * 6 + ["failed"]
    assert len(anchors) == 7
    assert set(anchors) <= set(reader.ids)


def test_the_policy_allows_the_one_style_and_nothing_else() -> None:
    html = page(drawn(), {})
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()

    assert f"style-src &#x27;sha256-{digest}&#x27;;" in html
    assert "default-src &#x27;none&#x27;" in html
    assert " style=" not in html


def test_nothing_is_called_well_that_was_not_answered() -> None:
    quiet = {"a": 20.0}
    assert verdict(one(panel("stat", bounds=every_kind().panels[0].bounds), server=Answering(quiet))) == (
        "ok",
        "no bound crossed",
    )
    assert verdict(one(panel("stat", "broken"))) == ("unknown", "queries failed")
    assert verdict(one(panel("stat", "gone", bounds=every_kind().panels[0].bounds))) == ("unknown", "no data")
    assert verdict(one(panel("stat"))) == ("none", "")


def test_too_many_series_are_told() -> None:
    many = Answering({f"gpu-{number}": float(number) for number in range(500)})

    assert "and 488 more, which are lower" in words(page(one(panel("timeseries"), server=many), {}))


@pytest.mark.parametrize("nasty", NASTY)
def test_names_stay_names(nasty: str) -> None:
    server = Answering({nasty: 95.0, "b": 1.0})
    named = replace(panel("stat"), title=nasty, about=nasty, empty=nasty, queries=(Query("heat", "{{node}} $x$"),))
    dashboard = replace(every_kind(), title=nasty, about=nasty)
    hostile = replace(dashboard, rows=(*dashboard.rows, Row(nasty, (named, panel("text", title="t2", content=nasty)))))
    preview = replace(
        drawn(server, lambda: [Firing(nasty, nasty, "critical", nasty, None)], hostile),
        source=nasty,
        notes=(nasty,),
        choices=((nasty, nasty),),
    )

    html = page(preview, {"aamic-every": nasty, "aamic-two": nasty})
    read(html)
    read(index([preview], [replace(every_kind(), rows=(), title=nasty)]))
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert png(preview).startswith(b"\x89PNG")


def test_the_same_data_give_the_same_bytes() -> None:
    assert page(drawn(alarms=fires), {}) == page(drawn(alarms=fires), {})
    assert png(drawn(alarms=fires)) == png(drawn(alarms=fires))


def chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(image):
        length = int.from_bytes(image[at : at + 4])
        yield image[at + 4 : at + 8], image[at + 8 : at + 8 + length]
        assert zlib.crc32(image[at + 4 : at + 8 + length]) == int.from_bytes(image[at + 8 + length : at + 12 + length])
        at += 12 + length


def test_a_picture_is_as_wide_as_the_page_and_has_no_date() -> None:
    found = dict(chunks(png(drawn())))

    assert int.from_bytes(found[b"IHDR"][:4]) == 1920
    assert not any(name in found for name in (b"tIME", b"tEXt", b"iTXt"))


@pytest.mark.parametrize("value", [0.0, -5.0, 1e308, -1e308, 5e-324, math.nan, math.inf])
def test_odd_values_are_drawn(value: float) -> None:
    preview = drawn(Answering({"a": value, "b": value}))

    read(page(preview, {}))
    assert png(preview).startswith(b"\x89PNG")


def test_a_page_of_absurd_length_is_cut() -> None:
    tall = one(*(panel("stat", title=f"p{number}", width=24, height=20) for number in range(60)))

    assert int.from_bytes(dict(chunks(png(tall)))[b"IHDR"][4:8]) == 21_000


def test_ten_thousand_cells_fit_into_a_panel() -> None:
    many = Answering({f"gpu-{number:05}": float(number % 100) for number in range(10_000)})
    found = words(page(one(panel("heatmap", bounds=every_kind().panels[0].bounds), server=many), {}))

    assert "and 8,000 more" in found
    assert "gpu-00099 99" in found


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=5))
def test_whatever_numbers_come_are_drawn(values: list[float]) -> None:
    server = Answering({f"n{number}": value for number, value in enumerate(values)})
    preview = one(panel("timeseries", bounds=every_kind().panels[0].bounds), server=server)

    read(page(preview, {}))


def test_the_index_leads_to_every_page_and_says_what_to_look_at() -> None:
    preview = drawn(alarms=fires)
    left = replace(every_kind(), uid="aamic-left", title="Left", rows=())
    html = index([preview], [left])

    assert read(html).links == ["aamic-every.html"]
    assert "Every kind ✕ critical stat: gpu-9 95 °C (GpuTooHot)" in words(html)
    assert "Left" in words(html)


def test_the_head_says_when_and_of_whom() -> None:
    assert headline(drawn()) == (
        "2025-11-24 16:00:00 UTC, and 1 h before; times in UTC; node: gpu-9; from http://mon-01:9090"
    )
