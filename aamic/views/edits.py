"""What an edit of a site's files changes, as lines."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from aamic.views.terminal import safe


def difference(name: str, before: str, after: str) -> Iterator[str]:
    r"""Lines of a unified diff; a line break that is missing or of another kind counts, and is shown.

    >>> print("\n".join(difference("site.yaml", "a: 1\n", "a: 2\n")))
    --- site.yaml
    +++ site.yaml
    @@ -1 +1 @@
    -a: 1
    +a: 2
    """
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    for line in unified_diff(old, new, name, name):
        yield safe(line.removesuffix("\n").removesuffix("\r"))
