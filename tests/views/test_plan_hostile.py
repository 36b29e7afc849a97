"""Plans that hold anything: no text in them becomes markup, steers a terminal, or makes a comment too long."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from aamic.compile.hostlist import fold
from aamic.model.host import Entry, Unobserved
from aamic.model.plan import Blocked, Change, Difference, Group, Impact, KeptFolder, Plan, What
from aamic.views.plan_html import html
from aamic.views.plan_markdown import LIMIT, markdown
from aamic.views.plan_text import text
from aamic.views.terminal import safe
from tests.views.plans import ALL, file, gpus, key, large, plan

BITES = [
    "```", "````", "~~~", "`", "``", "|", "</details>", "<script>alert(1)</script>", "<!--", "-->", "]]>", "&lt;", "&",
    "@everyone", "#12", "https://a.b", "www.a.b", "\x1b[2J", "\r\n", "\n", "\t", "\x00", "\u202e", "\u2028", "\ud800",
    "'", '"', "$x$", "**", "[a](b)", "{title}", "字", "\U0001f600", "é", "a\u0301", " ", "- ", "+", "@@",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(BITES) | st.text(max_size=8), max_size=6).map("".join)
LINES = st.lists(TEXT, max_size=8).map(tuple)


def nameless(names: Iterable[str]) -> str:
    """A host list of names that a real one refuses."""
    return ",".join(names)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    name, bundle, detail = draw(TEXT), draw(TEXT), draw(TEXT)
    before, after = Entry("file", "1", draw(TEXT), draw(TEXT), draw(TEXT)), Entry("file", "2", draw(TEXT), draw(TEXT))
    impacts = (Impact("restart", draw(TEXT)), Impact("sysusers"))
    kinds: st.SearchStrategy[What] = st.sampled_from(["file", "link", "program", "secret", "package", "unit"])
    changes = tuple(
        Change("change", what, name, bundle, before, after, detail, impacts, draw(st.booleans()), draw(st.booleans()))
        for what in draw(st.lists(kinds, min_size=1, max_size=3))
    )
    hosts = tuple(draw(st.lists(TEXT, min_size=1, max_size=3, unique=True)))
    return replace(
        plan(Group(hosts, changes), adopt=draw(st.booleans())),
        cluster=draw(TEXT),
        revision=draw(TEXT),
        limit=draw(TEXT),
        unobserved=(Unobserved(draw(TEXT), draw(TEXT), draw(TEXT), draw(TEXT)),),
        blocked=(Blocked(draw(TEXT), draw(TEXT), draw(TEXT)),),
        differences={key(name, before, after): Difference(draw(LINES), draw(LINES), draw(TEXT))},
        undecided=(draw(TEXT),),
        notes=(draw(TEXT),),
        kept=(KeptFolder(draw(TEXT), draw(TEXT), "removed", hosts),),
    )


class Reader(HTMLParser):
    """Checks that elements close in order, and gathers what a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.comments: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, name) for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "footer"),
    *("h1", "h2", "h3", "p", "ul", "li", "div", "span", "code", "pre", "b", "i", "details", "summary"),
}
ATTRIBUTES = {"class", "lang", "charset", "content", "name", "http-equiv", "open"}


@given(plans())
def test_a_page_holds_no_markup_of_others(value: Plan) -> None:
    page = Reader(html(value, nameless))
    assert (page.open, page.comments) == ([], [])
    assert page.tags - TAGS == set()
    assert {name for _, name in page.attributes} - ATTRIBUTES == set()


@pytest.mark.parametrize("name", ALL)
def test_a_page_fetches_and_runs_nothing(name: str) -> None:
    page = html(ALL[name](), fold)
    assert "default-src 'none'" in unescape(page)
    assert "unsafe-" not in page
    assert not re.search(r"url\(|@import|<script|<link|<img|src=|href=", page)


@given(plans(), st.integers(30, 140), st.booleans())
def test_a_terminal_sees_printable_text_within_its_width(value: Plan, width: int, raw: bool) -> None:  # noqa: FBT001
    printed = text(value, nameless, width=width, raw=raw)
    assert printed.replace("\n", "").isprintable()
    assert printed.encode()
    assert max(map(cell_len, printed.split("\n"))) <= width


OURS = re.compile(r"(<details><summary>[0-9,]+ lines? of difference</summary>|</details>)\n?")
LINK = re.compile(r"[@#]\w|://|www\.")


@given(plans())
def test_a_comment_holds_no_markup_of_others(value: Plan) -> None:
    page = markdown(value, nameless)
    assert page.replace("\n", "").replace("\u200b", "").isprintable()
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    pieces = [piece for block in blocks for piece in block.children or [block]]
    assert [piece.content for piece in pieces if piece.type == "html_block" and not OURS.fullmatch(piece.content)] == []
    kinds = {"html_inline", "link_open", "image", "em_open", "s_open", "table_open", "blockquote_open", "hr"}
    assert {piece.type for piece in pieces} & (kinds | {"code_block", "ordered_list_open"}) == set()
    assert [piece.content for piece in pieces if piece.type == "text" and LINK.search(piece.content)] == []
    tags = [piece.content.rstrip() for piece in pieces if piece.type == "html_block"]
    assert tags[1::2] == ["</details>"] * (len(tags) // 2)


@given(LINES.filter(any))
def test_lines_stay_in_their_fence(lines: tuple[str, ...]) -> None:
    change = Change("change", "file", "/f", "n", file("1"), file("2"))
    told = {key("/f", change.before, change.after): Difference(lines)}
    page = markdown(plan(Group(("h",), (change,)), differences=told), fold)
    fences = [block.content for block in MarkdownIt("commonmark").parse(page) if block.type == "fence"]
    assert ["".join(f"{safe(line)}\n" for line in lines)] == fences


@given(plans(), st.integers(0, 400), st.integers(1, 3000))
def test_a_comment_is_never_too_long(value: Plan, times: int, length: int) -> None:
    (group,) = value.groups
    first = group.changes[0]
    names = [f"{first.name * (length % 50)}{number}" for number in range(times)]
    changes = tuple(replace(first, name=name, bundle=f"{first.bundle}{name[-1:]}") for name in names)
    lines = Difference(("+" + "`" * length, "+\U0001f600字" * length) * 20)
    told = {key(each.name, each.before, each.after): lines for each in changes}
    grown = replace(
        value,
        groups=(Group(group.hosts, (*group.changes, *changes)),),
        differences={**value.differences, **told},
        unobserved=tuple(replace(value.unobserved[0], message=f"{n} {'`' * length}") for n in range(times)),
        notes=tuple(f"@{'*' * length}" for _ in range(times)),
    )
    assert len(markdown(grown, nameless).encode("utf-16-le")) // 2 <= LIMIT


def test_a_comment_counts_what_it_left_out() -> None:
    changes = tuple(
        Change("change", "file", f"/etc/{'x' * 60}/{number}", f"b{number // 10:03d}", file("a"), file("b"))
        for number in range(2000)
    )
    told = {key(each.name, each.before, each.after): Difference((f"+{each.name}",)) for each in changes}
    page = markdown(plan(Group(gpus(1), changes), differences=told), fold)
    shown = page.count("\n`~` "), page.count("\n#### "), page.count("```diff")
    left = re.search(r"([\d,]+) more bundles, ([\d,]+) more changes, ([\d,]+) more differences", page)
    assert left is not None
    changes_left, bundles_left, hunks_left = (int(left[n].replace(",", "")) for n in (2, 1, 3))
    assert (shown[0] + changes_left, shown[1] + bundles_left, shown[2] + hunks_left) == (2000, 200, 2000)


def test_a_small_limit_holds() -> None:
    assert len(markdown(large(), fold, limit=16_384)) <= 16_384
