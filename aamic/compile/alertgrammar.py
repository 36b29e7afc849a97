"""The grammar of Go's text/template, as of the Go 1.19 that Prometheus 2.42 is built with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from aamic.compile.alerttokens import END, Cursor, TemplateError, Token, unexpected
from aamic.compile.suggest import closest
from aamic.compile.text import shown

_OF_GO: Final = "and or not len index slice print printf println html js urlquery call eq ne lt le gt ge"
_OF_PROMETHEUS: Final = (
    "query first label value sortByLabel strvalue args reReplaceAll safeHtml match title toUpper toLower graphLink "
    "tableLink stripPort stripDomain humanize humanize1024 humanizeDuration humanizePercentage humanizeTimestamp "
    "toTime externalURL pathPrefix parseDuration"
)
"""Those of 2.42, template/template.go; `tmpl` is for consoles alone."""
_FUNCTIONS: Final = frozenset(f"{_OF_GO} {_OF_PROMETHEUS}".split())
_VARIABLES: Final = ("$", "$labels", "$externalLabels", "$externalURL", "$value")
"""What Prometheus declares before each text, model/rulefmt/rulefmt.go."""
_OPERANDS: Final = frozenset({"literal", "dot", "field", "variable", "function", "("})
_CONTROLS: Final = frozenset({"if", "range", "with"})
_IF: Final = ("keyword", "if")
_MOST: Final = 10
"""Slips in names that are told of one text."""
_DEEPEST: Final = 60
"""Of blocks and parentheses within each other; Go has no such bound, Python's stack has."""


@dataclass(slots=True)
class _Scope:
    """What a place in a template sees: a definition sees nothing but what is passed to it."""

    variables: list[str] = field(default_factory=lambda: ["$"])
    dot: bool = False
    """Whether `.` is the alert."""
    root: bool = False
    """Whether `$` is the alert."""
    loops: int = 0


class Parser:
    """One pass over a text, as Go's parser goes.

    `faults` has the names in it that nothing has, each with a hint; `labels` those of the alert's labels that it shows.
    """

    def __init__(self, text: str) -> None:
        self.faults: list[tuple[str, str | None]] = []
        self.labels: list[str] = []
        self._words = Cursor(text)
        self._scope = _Scope(list(_VARIABLES), dot=True, root=True)
        self._defined: set[str] = set()
        self._depth = 0

    def template(self) -> None:
        """Read all of the text.

        Raises:
            TemplateError: It is no template, for more than a name that nothing has.
        """
        while self._words.peek() is not END:
            if stop := self._item():
                raise TemplateError(f"its text has an `{{{{ {stop} }}}}` without a beginning")

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TemplateError(f"its text nests more than {_DEEPEST} deep", "write it flatter")
        yield
        self._depth -= 1

    def _item(self) -> str | None:
        """A text or an action; `end` or `else` if it is one of these."""
        token = self._words.next()
        if token.kind == "text":
            return None
        if token.kind != "{{":
            raise unexpected(token)
        if self._words.peek().kind != "keyword":
            self._pipeline("")
            return None
        word = self._words.next().text
        if word in {"end", "else"}:
            if word == "end" or self._words.peek()[:2] != _IF:
                self._words.close()
            return word
        self._keyword(word)
        return None

    def _keyword(self, word: str) -> None:
        if word in _CONTROLS:
            self._control(word)
        elif word in {"break", "continue"}:
            self._words.close()
            if not self._scope.loops:
                raise TemplateError(f"its text has `{{{{ {word} }}}}` outside of a `{{{{ range }}}}`")
        else:
            self._named(word)

    def _control(self, word: str) -> None:
        scope = self._scope
        outer, dot = len(scope.variables), scope.dot
        self._pipeline(word)
        scope.loops += word == "range"
        scope.dot = dot and word == "if"
        stop = self._body(word)
        scope.loops -= word == "range"
        scope.dot = dot
        while word == "if" and stop == "else" and self._words.peek()[:2] == _IF:
            self._words.next()
            self._pipeline(word)
            stop = self._body(word)
        if stop == "else" and self._body(word) == "else":
            raise TemplateError(f"its text has a second `{{{{ else }}}}` in one `{{{{ {word} }}}}`")
        del scope.variables[outer:]

    def _body(self, word: str) -> str:
        """What stands between a beginning and its `end` or `else`, which comes back."""
        with self._deeper():
            while self._words.peek() is not END:
                if stop := self._item():
                    return stop
        raise TemplateError(f"its text has an opening `{{{{ {word} }}}}` without `{{{{ end }}}}`")

    def _named(self, word: str) -> None:
        """A `template`, or a `define` or `block`, which has a body."""
        if word == "define" and self._depth:
            raise TemplateError("its text has a `{{ define }}` within something else", "definitions stand on their own")
        token = self._words.next()
        if token.kind != "literal" or token.text[0] not in '"`':
            raise TemplateError(f"its text has a `{{{{ {word} }}}}` without a name in quotes")
        if word == "define" or (word == "template" and self._words.peek().kind == "}}"):
            self._words.close()
        else:
            self._pipeline(word)
        if word != "template":
            self._definition(word, _unquoted(token.text))

    def _definition(self, word: str, name: str) -> None:
        outer, self._scope = self._scope, _Scope()
        start = self._words.at
        if self._body(word) == "else":
            raise TemplateError(f"its text has an `{{{{ else }}}}` in a `{{{{ {word} }}}}`")
        self._scope = outer
        body = self._words.since(start)[:-3]
        if all(token.kind == "text" and not token.text.strip() for token in body):
            return
        # Prometheus calls the text itself `__alert_` and the alert's name.
        if name in self._defined or name.startswith("__alert_"):
            raise TemplateError(f"its text defines {shown(name)}, which is defined already")
        self._defined.add(name)

    def _pipeline(self, place: str, end: str = "}}") -> None:
        """Commands between bars, up to and with what ends them."""
        self._declaration(place)
        stages = []
        while self._words.peek().kind != end:
            stages.append(self._command())
        self._words.next()
        if not stages:
            raise TemplateError(_without_value(place, end))
        for stage in stages[1:]:
            if stage.kind in {"literal", "dot"}:
                raise TemplateError(
                    f"its text has {shown(stage.text)} after a `|`, where a function must stand",
                    "for a choice, write {{ or a b }}",
                )

    def _declaration(self, place: str) -> None:
        names: list[str] = []
        while self._words.peek().kind == "variable" and self._words.peek(1).kind in {":=", "=", ","}:
            names.append(self._words.next().text)
            self._scope.variables.append(names[-1])
            if self._words.next().kind != ",":
                return
            if place != "range" or len(names) > 1 or self._words.peek().kind not in {"variable", "}}", ")"}:
                raise TemplateError(
                    f"its text has a `,` after {shown(names[-1])}",
                    "two variables can be declared at a range alone: {{ range $index, $sample := ... }}",
                )

    def _command(self) -> Token:
        """Operands apart by space; the first comes back, which says what the command is."""
        first = self._operand()
        while (token := self._words.peek()).kind not in {"}}", ")"}:
            if token.kind == "|":
                self._words.next()
                break
            if not token.apart:
                raise unexpected(token, f"right after {shown(self._words.last.text)}")
            self._operand()
        return first

    def _operand(self) -> Token:
        """A value and the fields of it."""
        token = self._words.next()
        if token.kind not in _OPERANDS:
            raise unexpected(token)
        if token.kind == "(":
            with self._deeper():
                self._pipeline("", ")")
        elif token.kind == "function":
            self._check_function(token.text)
        elif token.kind == "variable":
            self._check_variable(token.text)
        fields = []
        while self._words.peek().kind == "field" and not self._words.peek().apart:
            fields.append(self._words.next().text)
        if fields and token.kind in {"literal", "dot"}:
            raise TemplateError(f"its text has {shown(fields[0])} right after {shown(token.text)}, which has no fields")
        self._note_label([token.text, *fields])
        return token

    def _check_function(self, name: str) -> None:
        if name not in _FUNCTIONS and len(self.faults) < _MOST:
            variable = f"${name}"
            near = variable if variable in self._scope.variables else closest(name, _FUNCTIONS)
            fault = f"its text calls {shown(name)}, which templates do not have"
            self.faults.append((fault, near and f"did you mean `{near}`?"))

    def _check_variable(self, name: str) -> None:
        known = self._scope.variables
        if name not in known and len(self.faults) < _MOST:
            near = closest(name, known[1:])
            names = ", ".join(map(shown, known[1:9]))
            advice = f"it has {names}" if names else "a definition sees only what is passed to it, as `.`"
            self.faults.append(
                (f"its text uses {shown(name)}, which it does not have", f"did you mean `{near}`?" if near else advice)
            )

    def _note_label(self, path: list[str]) -> None:
        """Note the label that a value is, if it is one of the alert's own."""
        scope = self._scope
        if path[0] == "$labels" and scope.root and scope.variables.count("$labels") == 1:
            path = path[1:]
        elif path[0] == "$" and scope.root and path[1:2] == [".Labels"]:
            path = path[2:]
        elif path[0] == ".Labels" and scope.dot:
            path = path[1:]
        else:
            return
        self.labels += [step[1:] for step in path[:1]]


def _unquoted(literal: str) -> str:
    if literal[0] == "`":
        return literal[1:-1]
    # Python reads each of Go's escapes.
    return literal[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")


def _without_value(place: str, end: str) -> str:
    if end == ")":
        return "its text has an empty `( )`"
    return f"its text has an opening `{{{{ {place} }}}}` without a value" if place else "its text has an empty `{{ }}`"
