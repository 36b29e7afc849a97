"""The page of a cluster: a strict reader understands it, nothing in it runs or is fetched, and no text becomes more."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.model.api import (
    Alert,
    AlertCounts,
    Alerts,
    Gpus,
    Group,
    Health,
    NodeCounts,
    Remote,
    Shard,
    Status,
    VerdictCounts,
)
from aamic.views.statuspage import CSP, page

VOID = {"meta"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "details", "summary"),
    *("h1", "h2", "p", "span", "i", "code", "a", "div", "dl", "dt", "dd", "ul", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "scope",
    "role",
    "tabindex",
    "href",
    "rel",
}
NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></main><b>",
    "`</code><script>`",
    "&lt;b&gt; \u202e \x1b[31m {title} %s",
]


class Strict(HTMLParser):
    """Refuses what is not closed where it should be, and every element or attribute that the page has no use for."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.heads: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag in ELEMENTS, tag
        assert {name for name in found if not name.startswith("aria-")} <= ATTRIBUTES, (tag, found)
        assert len(found) == len(attrs), (tag, attrs)
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag == "th":
            self.heads.append(found)
        self.ids += [str(found["id"])] if "id" in found else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(html: str) -> Strict:
    assert html.startswith("<!DOCTYPE html>\n")
    reader = Strict()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def status(**changes: Any) -> Status:
    found: dict[str, Any] = {
        "cluster": "seoul",
        "at": 1764121312,
        "verdict": "critical",
        "reasons": ["`gpu-001`: none of its exporters answers"],
        "nodes": NodeCounts(total=1024, up=1020, down=4),
        "verdicts": VerdictCounts(ok=1000, critical=4, warning=15, unknown=5),
        "score": 97.65,
        "gpus": [Gpus(vendor="amd", expected=16, present=15, unhealthy=1, utilization=0.63, power_watts=1500)],
        "alerts": AlertCounts(critical=3, warning=2),
        "shards": [Shard(name="s1", replica="a", up=False, nodes=2, series=90, predicted_series=100, age_seconds=70)],
        "clusters": [
            Remote(name="busan", endpoint="https://b", kind="aami", state="connected", nodes_up=1234, age_seconds=9)
        ],
        "missing": ["ages: no answer"],
    }
    return Status.model_validate({**found, **changes})


def alert(**changes: Any) -> Alert:
    found = {
        "name": "NodeDown",
        "severity": "critical",
        "state": "firing",
        "since": 1764121312 - 7300,
        "labels": {"node": "gpu-001", "alertname": "NodeDown"},
        "summary": "gpu-001 is down",
        "runbook_url": "https://runbooks.example.com/NodeDown?a=1&b=2",
    }
    return Alert.model_validate({**found, **changes})


def alerts(*found: Alert, total: int | None = None) -> Alerts:
    return Alerts(cluster="seoul", at=0, alerts=list(found), total=len(found) if total is None else total)


def health(*racks: Group) -> Health:
    return Health(cluster="seoul", at=0, overall="ok", score=None, nodes=VerdictCounts(), racks=list(racks))


def words(html: str) -> str:
    return " ".join(" ".join(read(html).text).split())


def test_page_shows_the_numbers_of_a_cluster() -> None:
    rack = Group(name="r7", nodes=VerdictCounts(ok=30, critical=4))
    text = words(page(status(), health(rack), alerts(alert())))

    for part in (
        "seoul: critical",
        "As of 2025-11-26 01:41:52 UTC",
        "Nodes up 1,020 of 1,024 4 down",
        "GPUs present 15 of 16 1 unhealthy",
        "Critical alerts 3 2 warning, 0 info",
        "Nodes that are ok 97.6 % 4 critical, 15 warning, 5 unknown",
        "Why gpu-001 : none of its exporters answers",
        "Not known ages: no answer",
        "NodeDown ✕ critical gpu-001 is down node=gpu-001 2 h",
        "amd 15 16 1 63 % 1.5 kW",
        "r7 ✕ critical 4 0 0 30",
        "s1 replica a ✕ down 2 unknown unknown 90 90 % 1 min",
        "busan ✓ connected 1,234 unknown unknown 9 s",
    ):
        assert part in text


def test_what_is_not_known_is_called_so() -> None:
    unknown = status(
        nodes=NodeCounts(total=None, up=None, down=None),
        verdicts=None,
        score=None,
        alerts=None,
        gpus=[],
        shards=[Shard(name="s1", up=None, nodes=None)],
        clusters=[],
    )
    text = words(page(unknown, None, None))

    for part in (
        "Nodes up unknown how many are down is unknown",
        "GPUs present unknown their health is unknown",
        "Critical alerts unknown nobody could be asked",
        "Nodes that are ok unknown no node is judged",
        "Nobody could be asked for alerts.",
        "s1 ? unknown unknown unknown unknown unknown unknown unknown",
    ):
        assert part in text
    assert re.search(r"\b0\b", text.partition("Loads")[0].partition("UTC")[2]) is None


def test_numbers_of_gpus_of_which_some_are_unknown_are_not_added_up() -> None:
    some = [
        Gpus(vendor=vendor, expected=8, present=present, unhealthy=None, utilization=None)
        for vendor, present in (("amd", 8), ("nvidia", None))
    ]

    assert "GPUs present unknown of 16" in words(page(status(gpus=some), None, None))


def test_gpus_of_unknown_health_are_not_well() -> None:
    some = [
        Gpus(vendor=vendor, expected=24, present=24, unhealthy=unhealthy, utilization=None)
        for vendor, unhealthy in (("amd", 0), ("nvidia", None))
    ]

    assert "48 of 48 0 unhealthy, 24 unknown" in words(page(status(gpus=some), None, None))


def test_an_alert_about_another_cluster_says_so() -> None:
    assert "about cluster busan" in words(page(status(), None, alerts(alert(about="busan"))))


def test_silenced_alerts_are_counted_and_not_shown() -> None:
    text = words(page(status(), None, alerts(alert(state="suppressed", name="Quiet"))))

    assert "None fires. 1 silenced or inhibited" in text
    assert "Quiet" not in text


def test_of_many_alerts_the_first_are_shown_and_the_others_counted() -> None:
    found = [alert(name=f"A{number}") for number in range(25)]
    text = words(page(status(), None, alerts(*found, total=1300)))

    assert "A19 " in text
    assert "A20 " not in text
    assert "1,280 more not shown" in text


def test_racks_that_are_well_are_folded_behind_those_that_are_not() -> None:
    racks = [Group(name=f"r{n}", nodes=VerdictCounts(ok=1, warning=int(n > 44))) for n in range(50)]
    text = words(page(status(), health(*racks), None))

    assert text.index("r45 ") < text.index("r0 ")
    assert "45 more" in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>",
        "//evil.example.com",
        "https:",
        "https://[",
        "ftp://example.com",
        "https://a b",
        None,
    ],
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert read(page(status(), None, alerts(alert(runbook_url=url)))).links == []


def test_a_runbook_is_linked_with_its_address_as_it_is() -> None:
    nasty = 'https://example.com/"><script>?a=1&lt;b'
    found = read(page(status(), None, alerts(alert(), alert(runbook_url=nasty))))

    assert found.links == ["https://runbooks.example.com/NodeDown?a=1&b=2", nasty]


def hostile(text: str) -> str:
    return page(
        status(
            cluster=text,
            reasons=[text, f"`{text}`: {text}"],
            missing=[text],
            gpus=[Gpus(vendor=text, expected=1, present=1, unhealthy=1, utilization=1)],
            shards=[Shard(name=text, replica=text, up=None, nodes=1)],
            clusters=[Remote(name=text, endpoint=text, kind=text, labels={text: text}, state="gone")],
        ),
        health(Group(name=text, nodes=VerdictCounts(ok=1))),
        alerts(
            alert(
                name=text, severity=text, labels={text: text}, summary=text, runbook_url=f"https://h/{text}", about=text
            )
        ),
    )


@pytest.mark.parametrize("text", NASTY)
def test_hostile_texts_are_shown_and_do_nothing(text: str) -> None:
    html = hostile(text)
    found = read(html)

    assert text.split(maxsplit=1)[0].replace("`", "") in "".join(found.text).replace("`", "")
    assert html.count("<script") == 0
    assert html.count("<style>") == html.count("</style>") == 1
    assert "\u202e" not in html
    assert "\x1b" not in html


@given(st.text(max_size=60))
def test_any_text_leaves_the_page_whole(text: str) -> None:
    read(hostile(text))


def test_nothing_runs_and_nothing_is_fetched() -> None:
    html = page(status(), None, alerts(alert()))
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()

    assert (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ) == CSP
    assert re.search(r"url\(|@import|<link|<script|src=| on\w+=| style=", html) is None
    assert re.findall(r"https?://[^\"<]*", html) == ["https://runbooks.example.com/NodeDown?a=1&amp;b=2"]
    assert '<meta http-equiv="refresh" content="60">' in html


def test_page_is_told_to_people_who_do_not_see_it_and_fits_a_phone() -> None:
    html = page(status(), health(Group(name="r1", nodes=VerdictCounts(ok=1))), alerts(alert()))
    found = read(html)

    assert all(each.get("scope") in {"col", "row"} for each in found.heads)
    assert len(found.ids) == len(set(found.ids))
    assert re.findall(r"<h([1-6])", html) == ["1", *["2"] * 7]
    assert html.count("<table>") == len(
        re.findall(r'<div class="scroll" role="region" [^>]*tabindex="0"><table>', html)
    )
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "@media (max-width: 40rem)" in html
    assert ".scroll { overflow-x: auto; }" in html


def test_a_page_that_cannot_load_itself_says_that_it_is_old() -> None:
    html = page(status(), None, None)

    assert '<p class="old">' in html
    assert "animation: reveal 1ms linear 180s forwards" in html


def _luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_is_that_of_wcag_aa_in_light_and_dark() -> None:
    style = page(status(), None, None).partition("<style>")[2]
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        pairs = [(name, f"{name}-back") for name in ("ok", "warning", "critical", "unknown")]
        pairs += [(ink, back) for ink in ("ink", "soft", "link") for back in ("paper", "ground")] + [
            ("warning", "ground")
        ]
        for ink, back in pairs:
            dark, light = sorted((_luminance(colors[ink]), _luminance(colors[back])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, back)
