"""Text of a site in Grafana's files: none of it is taken for a variable, a setting or an address of somebody else."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_VARIABLE: Final = re.compile(r"\$(?=[\w{])|\[(?=\[)")
"""What Grafana takes for the start of a variable: `$name`, `${name}` and `[[name]]`."""
_JOINER: Final = "\N{WORD JOINER}"
"""It is not seen, and no letter of a name."""
_INI_PLAIN: Final = re.compile(r"[A-Za-z0-9_/.:-]*")
_IN_LINKS: Final = {"$": "%24", "[": "%5B", "]": "%5D"}


def literal(text: str) -> str:
    r"""Text as it is shown in a dashboard, where a variable of the same name would else stand in its place.

    Grafana has no way to quote: an invisible character after the sign keeps it from being one.

    >>> literal("a rack of $cluster costs $5.").encode("ascii", "namereplace").decode()
    'a rack of $\\N{WORD JOINER}cluster costs $\\N{WORD JOINER}5.'
    """
    return _VARIABLE.sub(lambda match: match[0] + _JOINER, text)


def address(url: str) -> str:
    """A URL of the site as the address of a link, in which Grafana looks for variables too.

    >>> address("https://runbooks.example.com/$cluster#[[node]]")
    'https://runbooks.example.com/%24cluster#%5B%5Bnode%5D%5D'
    """
    return "".join(_IN_LINKS.get(letter, letter) for letter in url)


def parameter(name: str) -> str:
    """A name as it stands in the query of a URL.

    >>> parameter("a b&c")
    'a%20b%26c'
    """
    return quote(name, safe="")


def provisioned(text: str) -> str:
    """Text in a provisioning file, whose readers put environment variables in place of `$NAME`.

    >>> provisioned("GPUs of $HOME")
    'GPUs of $$HOME'
    """
    return text.replace("$", "$$")


def ini(text: str) -> str:
    """A value of grafana.ini: in backticks where `#` or `;` would begin a comment.

    Raises:
        ValueError: No quoting would keep it as it is: it holds a backtick, a line break, or `${` or `%(`, by which the
            reader takes other values in.

    >>> ini("https://grafana.example.com/a;b")
    '`https://grafana.example.com/a;b`'
    """
    if _INI_PLAIN.fullmatch(text):
        return text
    if "`" in text or not text.isprintable() or "${" in text or "%(" in text:
        raise ValueError(f"grafana.ini cannot hold {text!r}")
    return f"`{text}`"
