"""Templates in an alert's texts: Prometheus refuses a whole rule file for one that does not parse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aamic.compile.suggest import closest

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`|\'(?:\\.|[^\'\\\n])*\'|\}\}')
_COMMENT: Final = re.compile(r"-?\s*/\*")
_WORD: Final = re.compile(r"(?<![\w.$])[A-Za-z_]\w*")
_LABEL: Final = re.compile(r"\$labels\.([A-Za-z_]\w*)|\.Labels\.([A-Za-z_]\w*)")
_OPENERS: Final = frozenset({"if", "range", "with", "define", "block"})
_KEYWORDS: Final = _OPENERS | {"else", "end", "template", "break", "continue", "nil", "true", "false"}
_OF_GO: Final = "and or not len index slice print printf println html js urlquery call eq ne lt le gt ge"
_OF_PROMETHEUS: Final = (
    "query first label value sortByLabel strvalue args reReplaceAll safeHtml match title toUpper toLower graphLink "
    "tableLink stripPort stripDomain humanize humanize1024 humanizeDuration humanizePercentage humanizeTimestamp "
    "toTime tmpl externalURL pathPrefix parseDuration"
)
"""Those of 2.42, template/template.go."""
_FUNCTIONS: Final = frozenset(f"{_OF_GO} {_OF_PROMETHEUS}".split())


def labels(text: str) -> list[str]:
    """The labels that a text shows, in order.

    >>> labels("{{ $labels.node }} at {{ .Labels.gpu | title }}, no $labels.x")
    ['node', 'gpu']
    """
    shown = (match for action in _actions(text) for match in _LABEL.finditer(action or ""))
    return [match[1] or match[2] for match in shown]


def faults(text: str) -> Iterator[tuple[str, str | None]]:
    """What keeps a text from being a template, each with a hint.

    >>> list(faults("{{ $value | humanise }}"))
    [('its text calls `humanise`, which templates do not have', 'did you mean `humanize`?')]
    """
    depth = 0
    for action in _actions(text):
        if action is None:
            yield "its text has a `{{` that is not closed by `}}`", "for two braces as they are, write {{ `{{` }}"
            return
        if not action.strip("- \t\n"):
            yield "its text has an empty `{{ }}`", None
        words = _WORD.findall(action)
        depth += len(_OPENERS.intersection(words[:1])) - (words[:1] == ["end"])
        if depth < 0:
            yield "its text has an `{{ end }}` without a beginning", None
            return
        for word in words:
            if word not in _FUNCTIONS and word not in _KEYWORDS:
                near = closest(word, _FUNCTIONS)
                yield f"its text calls `{word}`, which templates do not have", near and f"did you mean `{near}`?"
    if depth:
        yield "its text has an `{{ if }}`, `{{ range }}` or `{{ with }}` without `{{ end }}`", None


def _actions(text: str) -> Iterator[str | None]:
    """What stands between each pair of braces, its literals emptied and comments as `""`; None for a pair left open."""
    start = text.find("{{")
    while start >= 0:
        comment = _COMMENT.match(text, start + 2)
        if comment:
            close = text.find("*/", comment.end())
            end = text.find("}}", close) if close >= 0 else -1
            action = '""'
        else:
            action, end = _action(text, start + 2)
        if end < 0:
            yield None
            return
        yield action
        start = text.find("{{", end + 2)


def _action(text: str, start: int) -> tuple[str, int]:
    """An action without its literals, and where it ends; -1 if it does not."""
    parts = []
    while token := _TOKEN.search(text, start):
        parts.append(text[start : token.start()])
        if any(quote in parts[-1] for quote in "\"'`"):
            return "", -1
        if token[0] == "}}":
            return "".join(parts), token.start()
        parts.append('""')
        start = token.end()
    return "", -1
