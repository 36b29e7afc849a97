"""Scalars of site.yaml: what stands in a file is what its reader can take, and a password is in none."""

from __future__ import annotations

from typing import Annotated, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from aamic import templates
from aamic.model.types import HttpUrl, InnerPath, LabelValue, Line, UrlOrPath, host_port

HOST_PORT: Final = Annotated[str, host_port("mail.example.com:25")]
PLANES: Final = [plane << 16 | last for plane in range(17) for last in (0xFFFD, 0xFFFE, 0xFFFF)]


def accepts(kind: Any, text: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


def quotable(text: str) -> bool:
    try:
        templates.systemd_arg(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("code", PLANES)
@pytest.mark.parametrize("kind", [Line, LabelValue])
def test_the_last_characters_of_each_plane(kind: Any, code: int) -> None:
    assert accepts(kind, f"a{chr(code)}") is (code & 0xFFFE != 0xFFFE)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_line_can_be_quoted_for_systemd(text: str) -> None:
    assert quotable(text) or not accepts(Line, text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("prometheus", True),
        ("prometheus-2.42.0.linux-amd64/prometheus", True),
        ("./bin/a+b", True),
        ("../bin/a", False),
        ("bin/../../a", False),
        ("bin/..", False),
        ("..", False),
        ("/usr/bin/a", False),
        ("bin//a", False),
        ("bin/a b", False),
        ("bin/a\n", False),
    ],
)
def test_a_path_stays_inside(text: str, good: bool) -> None:  # noqa: FBT001  # a column of the table
    assert accepts(InnerPath, text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://example.com/a.tgz", True),
        ("http://example.com:8080/a@1.tgz?b=c", True),
        ("dist/a.tgz", True),
        ("../dist/a.tgz", True),
        ("/srv/a.tgz", True),
        ("https://u:p@example.com/a.tgz", False),
        ("https://p@example.com/a.tgz", False),
        ("https://example.com:99999/a.tgz", False),
        ("u:p@example.com/a.tgz", False),
        ("ftp://u:p@example.com/a.tgz", False),
        ("a b", False),
    ],
)
def test_a_tarball_is_a_url_without_credentials_or_a_path(text: str, good: bool) -> None:  # noqa: FBT001  # as above
    assert accepts(UrlOrPath, text) is good


@given(st.integers(-1, 100_000))
def test_a_port_in_text_is_a_port(port: int) -> None:
    fits = 1 <= port <= 65_535
    assert accepts(HOST_PORT, f"mail.example.com:{port}") is fits
    assert accepts(HOST_PORT, f"[fd00::1]:{port}") is fits
    assert accepts(HttpUrl, f"https://example.com:{port}/") is fits


@pytest.mark.parametrize("text", ["u:p@example.com:25", "example.com", "example.com:", "example.com:025", ":25"])
def test_what_is_no_host_and_port(text: str) -> None:
    assert not accepts(HOST_PORT, text)
