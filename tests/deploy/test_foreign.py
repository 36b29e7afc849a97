from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.deploy.foreign import holds, settings, with_lines

LINE = "Include aamic.conf"
BYTES = st.lists(
    st.sampled_from([b"# c", b"A=1", b"\n", b"\\", b" ", b"\r\n", b"#", b"include", b"x\\\n", b"\xff", b"\t"]),
    max_size=30,
).map(b"".join)


@given(BYTES)
def test_a_line_that_comes_and_goes_leaves_no_trace(content: bytes) -> None:
    after = with_lines(content, [LINE])

    assert holds(after, LINE)
    assert len(after) == len(content) + len(LINE) + 1
    assert with_lines(after, [], [LINE]) == content


@given(BYTES)
def test_nothing_is_put_twice(content: bytes) -> None:
    once = with_lines(content, [LINE, LINE])

    assert with_lines(once, [LINE]) == once


@given(BYTES)
def test_it_comes_before_every_setting(content: bytes) -> None:
    first = next(settings(with_lines(content, [LINE])))

    assert first.text == LINE


def test_a_comment_is_no_line_and_other_spellings_are() -> None:
    assert not holds(b"# Include aamic.conf\nX=1 # Include aamic.conf\n", LINE)
    assert holds(b"X=1\n\tinclude   aamic.conf # ours\n", LINE)
    assert holds(b"X=1\nInclude \\\n aamic.conf\n", LINE)
    assert with_lines(b"X=1\nInclude \\\n aamic.conf\nY=2\n", [], [LINE]) == b"X=1\nY=2\n"


def test_a_comment_does_not_go_on_but_a_setting_does() -> None:
    read = list(settings(b"# one \\\nA=1\\ \n\\\\\n  2\nB=\\#1\n"))

    assert [(each.number, each.text) for each in read] == [(2, "A=1\\\\"), (4, "2"), (5, "B=\\#1")]
