"""Problems for a person, and for a machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.errors import Place, Problem
from aamic.views.problems import text, to_json

TWICE = Problem(
    "node `gpu-07` stands in shards `east` and `west`",
    Place("site.yaml", 41, 14),
    "narrow one of the two host lists",
    (Place("racks/r1.yaml", 2, 3),),
)
LATE = Problem("`retention_downsampled` has no effect", Place("site.yaml", 9), severity="warning")


def test_a_problem_with_two_places_and_a_warning() -> None:
    expected = """\
error: node `gpu-07` stands in shards `east` and `west`
  --> site.yaml:41:14
  --> racks/r1.yaml:2:3
hint: narrow one of the two host lists

warning: `retention_downsampled` has no effect
  --> site.yaml:9:1

1 error, 1 warning
"""
    assert expected == text([TWICE, LATE])


def test_no_problems_are_no_text() -> None:
    assert text([]) == ""


def test_a_problem_without_a_place() -> None:
    assert text([Problem("`a` cannot be read")]) == "error: `a` cannot be read\n\n1 error\n"


def test_plurals() -> None:
    assert text([TWICE, TWICE]).endswith("\n\n2 errors\n")
    assert text([LATE, LATE]).endswith("\n\n2 warnings\n")


def test_more_than_a_screenful_is_counted() -> None:
    printed = text([TWICE, TWICE, LATE], limit=1)
    assert printed.count("error:") == 1
    assert printed.endswith("\n\n2 more are not shown\n\n2 errors, 1 warning\n")


def test_colour_only_when_asked() -> None:
    assert "\033" not in text([TWICE])
    assert text([TWICE], colour=True).startswith("\033[1;31merror:\033[0m node `gpu-07`")


@given(st.text(), st.text(), st.text())
def test_no_input_steers_the_terminal(message: str, path: str, hint: str) -> None:
    printed = text([Problem(message, Place(path, 1), hint)])
    assert all(line.isprintable() for line in printed.split("\n"))
    assert len(printed.split("\n")) == 6


def test_values_for_json() -> None:
    assert to_json([TWICE, Problem("m")]) == [
        {
            "severity": "error",
            "message": "node `gpu-07` stands in shards `east` and `west`",
            "path": "site.yaml",
            "line": 41,
            "column": 14,
            "hint": "narrow one of the two host lists",
            "also": [{"path": "racks/r1.yaml", "line": 2, "column": 3}],
        },
        {"severity": "error", "message": "m", "path": None, "line": None, "column": None, "hint": None, "also": []},
    ]
