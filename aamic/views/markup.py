"""Pieces of HTML: every text in them is escaped."""

from __future__ import annotations

from html import escape

from aamic.views.terminal import safe


def shown(text: str) -> str:
    r"""Text as a page shows it; marks that would turn or hide text are escaped like controls.

    >>> shown("<b>\u202e")
    '&lt;b&gt;\\u202e'
    """
    return escape(safe(text))


def element(tag: str, content: str, kind: str = "") -> str:
    """An element around HTML, with a class if `kind` is given."""
    return f'<{tag} class="{kind}">{content}</{tag}>' if kind else f"<{tag}>{content}</{tag}>"


def text(tag: str, content: str, kind: str = "") -> str:
    """An element around text."""
    return element(tag, shown(content), kind)


def prose(content: str) -> str:
    """A message, in which names between backticks are code.

    >>> prose("shard `s1` is down")
    'shard <code>s1</code> is down'
    """
    pieces = content.split("`")
    if len(pieces) % 2 == 0:
        return shown(content)
    return "".join(text("code", piece) if number % 2 else shown(piece) for number, piece in enumerate(pieces))
