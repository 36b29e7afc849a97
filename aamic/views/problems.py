"""Problems for a person, and for a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from aamic.errors import Place, Problem
from aamic.views.terminal import safe

LIMIT: Final = 100
"""Problems that are printed; who has more wants to repair these first."""

_COLOURS: Final = {"error": "31", "warning": "33", "hint": "36"}


def text(problems: Sequence[Problem], *, colour: bool = False, limit: int = LIMIT) -> str:
    r"""All problems in the order given, each with its places and hint, and how many there are.

    >>> print(text([Problem("unknown key `prot`", Place("site.yaml", 3, 5), "did you mean `port`?")]), end="")
    error: unknown key `prot`
      --> site.yaml:3:5
    hint: did you mean `port`?
    <BLANKLINE>
    1 error

    Control characters are escaped, so that no file can steer the terminal. No problems are the empty string.
    """
    if not problems:
        return ""
    blocks = ["\n".join(_lines(problem, colour=colour)) for problem in problems[:limit]]
    if len(problems) > limit:
        blocks.append(f"{len(problems) - limit:,} more are not shown")
    return "\n\n".join([*blocks, _count(problems)]) + "\n"


def to_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """All problems as values for JSON; `path` is None where a problem has no place."""
    return [
        {
            "severity": problem.severity,
            "message": problem.message,
            **_place(problem.place),
            "hint": problem.hint,
            "also": [_place(place) for place in problem.also],
        }
        for problem in problems
    ]


def _lines(problem: Problem, *, colour: bool) -> Iterator[str]:
    yield f"{_label(problem.severity, colour=colour)} {safe(problem.message)}"
    for place in (problem.place, *problem.also):
        if place is not None:
            yield f"  --> {safe(str(place))}"
    if problem.hint is not None:
        yield f"{_label('hint', colour=colour)} {safe(problem.hint)}"


def _label(name: str, *, colour: bool) -> str:
    return f"\033[1;{_COLOURS[name]}m{name}:\033[0m" if colour else f"{name}:"


def _place(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"path": None, "line": None, "column": None}
    return {"path": place.path, "line": place.line, "column": place.column}


def _count(problems: Sequence[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    counts = (errors, "error"), (len(problems) - errors, "warning")
    return ", ".join(f"{count:,} {noun}{'s' if count != 1 else ''}" for count, noun in counts if count)
