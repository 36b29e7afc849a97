"""Sites for tests, from YAML text."""

from __future__ import annotations

import textwrap
from pathlib import Path

from aamic.compile.compiler import Checked, check_document, shipped_catalog
from aamic.compile.folder import Folder
from aamic.compile.parse import Document, parse
from aamic.errors import InputError, Problem

MINIMAL = """
    version: 1
    cluster: {name: test}
    prometheus: {node: mon}
    nodes:
      mon: {address: 198.18.0.1}
    """


def document(text: str) -> Document:
    """The document of a site.yaml with this text."""
    return parse(textwrap.dedent(text).encode(), "site.yaml", Folder(Path("no-such-folder")))


def checked(text: str) -> Checked:
    """The checked site; InputError where it is wrong."""
    return check_document(document(text), shipped_catalog())


def problems(text: str) -> tuple[Problem, ...]:
    """Every problem of a site, warnings of a right one among them."""
    try:
        return checked(text).warnings
    except InputError as error:
        return error.problems


def told(text: str) -> list[str]:
    """Each problem on one line: place, message and hint."""
    return [
        f"{problem.place}: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
        for problem in problems(text)
    ]
