from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.graph import topology
from aamic.model.graph import Arrow, Box, Graph
from aamic.views.mermaid import mermaid
from aamic.views.svg import svg
from tests import fleets

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1)


def hostile(text: str) -> Graph:
    return Graph((Box("a", "nodes", 0, (text,)), Box("b", "shard", 1, (text, text))), (Arrow("a", "b", "metrics"),))


@given(TEXTS)
def test_no_text_breaks_out_of_a_mermaid_label(text: str) -> None:
    first, *lines = mermaid(hostile(text)).splitlines()

    assert first == "flowchart LR"
    assert len(lines) == 3
    assert re.fullmatch(r'    n0\["[^"<>`]*"\]', lines[0])


@given(TEXTS)
def test_any_text_stays_text_in_svg(text: str) -> None:
    root = ET.fromstring(svg(hostile(text)))  # noqa: S314  # our own output

    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["metrics", text, f"{text} {text}"]


def test_every_server_stands_in_the_picture_once() -> None:
    graph = topology(fleets.paired())

    assert [box.lines[0] for box in graph.boxes if box.kind in {"shard", "central"}] == [
        "shard-1",
        "shard-2",
        "central",
    ]
    assert {arrow.target for arrow in graph.arrows} <= {box.key for box in graph.boxes}
    assert {arrow.source for arrow in graph.arrows} <= {box.key for box in graph.boxes}
