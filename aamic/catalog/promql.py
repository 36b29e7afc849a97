"""PromQL as syntax: parsed once, with guards around the parser, and what an expression asks for by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import promql_parser as promql
from pydantic_core import SchemaError, SchemaValidator, core_schema

_MAX_LENGTH: Final = 10_000
_MAX_OPERATORS: Final = 200
"""The parser recurses and has no limit of its own: some thousands of operators in a row overflow its stack."""

Values = Mapping[str, frozenset[str]]
"""All values that `job` can have, and `vendor` of `gpu:*` series; a label that is absent is not checked."""
EVERYTHING: Final[Values] = {}

_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_MATCHERS: Final = re.compile(r"\{[^{}]*\}")
_OPERATOR: Final = re.compile(r"[-+*/%^(<>\[]|==|!=|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_RENAMED: Final = "double_exponential_smoothing"
"""What Prometheus 3 calls `holt_winters`; the parser knows the new name alone, 2.42 the old one alone."""
_HOLT_WINTERS: Final = re.compile(rf"({_QUOTED.pattern})|(?<![\w:])holt_winters(?=\s*\()", re.DOTALL)
_LATER: Final = frozenset(
    {
        "first_over_time",
        "histogram_avg",
        "histogram_quantiles",
        "histogram_stddev",
        "histogram_stdvar",
        "info",
        "limit_ratio",
        "limitk",
        "mad_over_time",
        "sort_by_label",
        "sort_by_label_desc",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    }
)
"""Functions the parser knows and a Prometheus without feature flags, or of 2.42, does not."""


_NEWER: Final = re.compile(
    r'\{(?:[^{}]*,)?\s*""\s*[,}=!]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\(\s*""|\[\s*[0-9.]+\s*[\]:]'
)
"""Quoted names of metrics and labels, and ranges without a unit, came with Prometheus 3."""
_NEWER_HINT: Final = "write names without quotes, and a unit behind each range"


class PromqlError(ValueError):
    """The text is no PromQL that every supported Prometheus runs; the message says why, in one line."""


@lru_cache(maxsize=4096)
def parse(text: str) -> promql.Expr:
    """The syntax tree of an expression.

    Raises:
        PromqlError: It does not parse, is too long or too deep, or needs a newer Prometheus than 2.42.
    """
    if len(text) > _MAX_LENGTH:
        raise PromqlError(f"is longer than {_MAX_LENGTH:,} characters")
    bare = _MATCHERS.sub("", _QUOTED.sub("", text))
    if len(_OPERATOR.findall(bare)) > _MAX_OPERATORS:
        raise PromqlError(f"has more than {_MAX_OPERATORS} operators and parentheses")
    if newer := _NEWER.search(_QUOTED.sub('""', text)):
        raise PromqlError(f"has `{newer.group().strip()}`, which Prometheus 2.42 does not read: {_NEWER_HINT}")
    if _RENAMED in bare:
        raise PromqlError(f"uses `{_RENAMED}`, which Prometheus 2.42 does not have")
    try:
        expr = promql.parse(_HOLT_WINTERS.sub(lambda match: match[1] or _RENAMED, text))
    except ValueError as error:
        message = str(error).replace(_RENAMED, "holt_winters")
        raise PromqlError(f"is not PromQL: {_explained(message, text)}") from error
    _refuse_later(expr)
    return expr


def _explained(message: str, text: str) -> str:
    """The parser's message, with the place where brackets or quotes go wrong: the parser names none."""
    if "paren" in message or "brace" in message or "bracket" in message:
        place = _unbalanced(text)
        return f"{message} at {place}" if place else message
    return "it is cut off, or two parts stand side by side" if message == "invalid promql query" else message


def _unbalanced(text: str) -> str | None:
    """Line and column of the first bracket without a partner."""
    blank = _QUOTED.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    partner = {")": "(", "}": "{", "]": "["}
    opened: list[tuple[str, int]] = []
    for offset, char in enumerate(blank):
        if char in "({[":
            opened.append((char, offset))
        elif char in partner and (not opened or opened.pop()[0] != partner[char]):
            return _place(text, offset)
    return _place(text, opened[-1][1]) if opened else None


def _place(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    return f"line {line}, column {offset - text.rfind(chr(10), 0, offset)}"


def _refuse_later(expr: promql.Expr) -> None:
    for node in walk(expr):
        if isinstance(node, promql.Call) and _is_later(node.func):
            raise PromqlError(f"uses `{node.func.name}`, which Prometheus 2.42 does not have")
        if isinstance(node, promql.AggregateExpr) and str(node.op) in _LATER:
            raise PromqlError(f"uses `{node.op}`, which Prometheus 2.42 does not have")
        if isinstance(node, promql.VectorSelector) and node.matchers.or_matchers:
            raise PromqlError("uses `or` between matchers, which Prometheus does not have")


def _is_later(function: promql.Function) -> bool:
    return function.name in _LATER or (function.experimental and function.name != _RENAMED)


def children(expr: promql.Expr) -> tuple[promql.Expr, ...]:
    """The parts of an expression that are expressions themselves."""
    match expr:
        case promql.BinaryExpr():
            return (expr.lhs, expr.rhs)
        case promql.AggregateExpr():
            return (expr.expr,) if expr.param is None else (expr.param, expr.expr)
        case promql.Call():
            return tuple(expr.args)
        case promql.MatrixSelector():
            return (expr.vector_selector,)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return (expr.expr,)
    return ()


def walk(expr: promql.Expr) -> Iterator[promql.Expr]:
    """An expression and everything in it."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def selectors(expr: promql.Expr) -> Iterator[promql.VectorSelector]:
    """Every selector of an expression, those of ranges included."""
    return (node for node in walk(expr) if isinstance(node, promql.VectorSelector))


_NOT_IN_GO: Final = re.compile(r"\(\?<|\(\?[a-zA-Z-]*x|\\u|\{[0-9]*,?(?:[1-9][0-9]{3,})")
"""What Rust's regular expressions have and Go's do not: named groups without P, flag x, escapes of Unicode, and more
than 1,000 repeats."""


@lru_cache(maxsize=4096)
def pattern(regex: str) -> Callable[[str], bool]:
    """Whether a text matches an anchored regular expression, in time linear in the text, as in Prometheus."""
    if _NOT_IN_GO.search(regex):
        raise PromqlError(f"has a regular expression that Prometheus cannot read: {regex}")
    try:
        schema = core_schema.str_schema(pattern=rf"\A(?s:{regex})\z", regex_engine="rust-regex")
        return SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        raise PromqlError(f"has a regular expression that Prometheus cannot read: {regex}") from error


def accepts(matcher: promql.Matcher, value: str) -> bool:
    """Whether a label value satisfies a matcher; an absent label has the value ''.

    >>> matcher = next(selectors(parse('up{job=~"no.*"}'))).matchers.matchers[0]
    >>> accepts(matcher, "node"), accepts(matcher, "dcgm")
    (True, False)
    """
    if matcher.op == promql.MatchOp.Equal:
        return bool(value == matcher.value)
    if matcher.op == promql.MatchOp.NotEqual:
        return bool(value != matcher.value)
    return pattern(matcher.value)(value) is (matcher.op == promql.MatchOp.Re)


def matchers(selector: promql.VectorSelector, label: str) -> list[promql.Matcher]:
    """The matchers of one label."""
    return [matcher for matcher in selector.matchers.matchers if matcher.name == label]


def exact_name(selector: promql.VectorSelector) -> str | None:
    """The one metric a selector can mean; None if it picks names by another matcher, or none."""
    if selector.name is not None:
        return str(selector.name)
    equal = [each.value for each in matchers(selector, "__name__") if each.op == promql.MatchOp.Equal]
    return equal[0] if equal else None


def names(selector: promql.VectorSelector, known: Iterable[str]) -> list[str]:
    """Those of the known metrics that a selector can mean."""
    exact = exact_name(selector)
    if exact is not None:
        return [exact] if exact in known else []
    wanted = matchers(selector, "__name__")
    return [name for name in known if all(accepts(matcher, name) for matcher in wanted)]


def shown(selector: promql.VectorSelector) -> str:
    """What a selector asks for, for a message."""
    exact = exact_name(selector)
    return exact if exact is not None else " and ".join(map(str, matchers(selector, "__name__"))) or str(selector)


def missing(text: str, known: frozenset[str], values: Values = EVERYTHING) -> list[str]:
    """What an expression asks for that is not there: metrics not in `known`, matchers that no value satisfies.

    >>> missing('rate(a[5m]) + b', frozenset({"a"}))
    ['b']
    >>> missing('up{job="nodes"}', frozenset({"up"}), {"job": frozenset({"node"})})
    ['job="nodes"']
    """
    lacking = []
    for selector in selectors(parse(text)):
        found = names(selector, known)
        lacking += unsatisfied(selector, values) if found else [shown(selector)]
    return list(dict.fromkeys(lacking))


def unsatisfied(selector: promql.VectorSelector, values: Values) -> list[str]:
    """Matchers of labels whose values are all known, when none of those values satisfies them."""
    return [
        ", ".join(map(str, wanted))
        for label, possible in values.items()
        if (wanted := matchers(selector, label))
        and (label != "vendor" or (exact_name(selector) or "").startswith("gpu:"))
        and not any(all(accepts(each, value) for each in wanted) for value in possible)
    ]


def federated(match: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Those of the known metrics that a server may give to `/federate` with these `match[]` selectors.

    Only names are looked at: `compile.provenance` knows the labels, and which series are given.
    """
    parsed = [parse(text) for text in match]
    known = frozenset(known)
    return frozenset(name for expr in parsed if isinstance(expr, promql.VectorSelector) for name in names(expr, known))


def check_selector(text: str) -> str | None:
    """What is wrong with a `match[]` selector, or None.

    >>> check_selector('{__name__=~"gpu:.*"}') is None
    True
    >>> check_selector("sum(up)")
    'is an expression; a selector such as `up{job="node"}` is needed'
    """
    try:
        expr: Any = parse(text)
        if isinstance(expr, promql.VectorSelector) and expr.offset is None and expr.at is None:
            names(expr, ("",))
            return None
    except PromqlError as error:
        return str(error)
    return 'is an expression; a selector such as `up{job="node"}` is needed'
