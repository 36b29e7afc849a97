"""Templates in an alert's texts: Prometheus refuses a whole rule file for one that does not parse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aamic.compile.alertgrammar import Parser
from aamic.compile.alerttokens import TemplateError

_USUAL: Final = re.compile(
    r"(?<!\{)\{\{ (?:\$labels\.([A-Za-z_][A-Za-z0-9_]*)|\$value(?: \| humanize(?:1024|Duration|Percentage)?)?) \}\}"
)
"""What nearly every text has alone, for which no tree is needed."""


def labels(text: str) -> list[str]:
    """The labels of the alert that a text shows, in order.

    >>> labels("{{ $labels.node }} at {{ .Labels.gpu | title }}, no $labels.x")
    ['node', 'gpu']
    >>> labels('{{ range query "up" }}{{ .Labels.instance }}{{ end }}')
    []
    """
    return list(_read(text).labels)


def faults(text: str) -> Iterator[tuple[str, str | None]]:
    """What keeps a text from being a template of Prometheus 2.42, each with a hint.

    >>> list(faults("{{ $value | humanise }}"))
    [('its text calls `humanise`, which templates do not have', 'did you mean `humanize`?')]
    """
    yield from _read(text).faults


@dataclass(frozen=True, slots=True)
class _Reading:
    faults: tuple[tuple[str, str | None], ...]
    labels: tuple[str, ...]


@lru_cache(maxsize=1024)
def _read(text: str) -> _Reading:
    if "{{" not in _USUAL.sub("", text):
        return _Reading((), tuple(match[1] for match in _USUAL.finditer(text) if match[1]))
    parser = Parser(text)
    try:
        parser.template()
    except TemplateError as error:
        parser.faults.append((str(error), error.hint))
    return _Reading(tuple(parser.faults), tuple(parser.labels))
