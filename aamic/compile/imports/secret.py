"""What may be a secret: it is never copied from one file into another."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = re.compile(
    r"pass(word|wd|phrase)?(_|$)|(^|_)(pwd|pw|auth|bearer|authorization)$|secret|token|api_?key|private_?key|credential|vault"
    r"|webhook",
    re.IGNORECASE,
)
_VALUES: Final = re.compile(
    r"://[^/?#@\s]*:[^/?#@\s]+@|-----BEGIN|^\$ANSIBLE_VAULT|^(Bearer|Basic) |hooks\.slack\.com/", re.IGNORECASE
)


def is_secret(name: str, text: str = "") -> bool:
    """Whether a name says that its value is secret, or the value looks like it.

    >>> is_secret("ansible_become_pass"), is_secret("url", "http://u:p@h/"), is_secret("row", "a"), is_secret("passive")
    (True, True, False, False)
    >>> is_secret("pwd"), is_secret("auth"), is_secret("x", "Basic YTpi"), is_secret("author")
    (True, True, True, False)
    """
    return _NAMES.search(name) is not None or _VALUES.search(text) is not None
