"""The numbers with which the alerts of a site compare, so that dashboards change colour where alerts fire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, get_args

import promql_parser as ast

from aamic.catalog import promql
from aamic.model.dashboard import AlertBound, Bound, Severity
from aamic.model.fleet import AlertRule, RuleGroup

_UPWARD: Final = frozenset({">", ">=", "=="})
_DOWNWARD: Final = frozenset({"<", "<="})
_DIGITS: Final = 12
"""So many digits of `1 - 0.05` are its own, and none of binary fractions."""
_SOME: Final = 0.001
"""Where an alert fires on more than none: colours change at a value, and none itself is well."""
_RANKS: Final = get_args(Severity)


def by_name(groups: Iterable[RuleGroup]) -> Mapping[str, AlertRule]:
    """The alerts of a site by name; one of both scopes is the same in both."""
    return {rule.name: rule for group in groups for rule in group.rules if isinstance(rule, AlertRule)}


def bounds(wanted: Iterable[AlertBound], alerts: Mapping[str, AlertRule]) -> tuple[Bound, ...]:
    """The bounds that these alerts have in this site, lowest first; none of an alert that it has not.

    Of two at one value the worse is taken.
    """
    worst: dict[float, Bound] = {}
    for each in wanted:
        for bound in _of(each, alerts):
            other = worst.setdefault(bound.value, bound)
            worst[bound.value] = max(other, bound, key=lambda bound: _RANKS.index(bound.severity))
    return tuple(worst[value] for value in sorted(worst))


def _of(wanted: AlertBound, alerts: Mapping[str, AlertRule]) -> Iterator[Bound]:
    alert = alerts.get(wanted.alert)
    if alert is None:
        return
    for left, operator, number in comparisons(alert.expr):
        fits = _DOWNWARD if wanted.rest else _UPWARD
        if operator in fits and all(_about(left, label, value) for label, value in wanted.labels):
            value = round(1 - number, _DIGITS) if wanted.rest else number
            yield Bound(value if value or operator != ">" else _SOME, severity_of(alert), wanted.alert)


def severity_of(alert: AlertRule) -> Severity:
    """How severe an alert is to a dashboard; a word of the site's own counts as a warning."""
    return next((each for each in _RANKS if alert.severity == each), "warning")


def _about(expr: ast.Expr, label: str, value: str) -> bool:
    """Whether no matcher of an expression speaks against a value of a label."""
    wanted = (matcher for each in promql.selectors(expr) for matcher in promql.matchers(each, label))
    return all(promql.accepts(matcher, value) for matcher in wanted)


def comparisons(text: str) -> Iterator[tuple[ast.Expr, str, float]]:
    """What an alert compares, how, and with which number, once for each alternative that compares with a number.

    A number that multiplies other series is the share of them with which something is compared.

    >>> [(str(left), operator, number) for left, operator, number in comparisons("(a > 1 and b < 3) or c / 2 >= -4")]
    [('a{}', '>', 1.0), ('c{} / 2', '>=', -4.0)]
    """
    yield from _comparisons(promql.parse(text))


def _comparisons(expr: ast.Expr) -> Iterator[tuple[ast.Expr, str, float]]:
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    if not isinstance(expr, ast.BinaryExpr):
        return
    operator = str(expr.op)
    if operator in {"or", "and", "unless"}:
        yield from _comparisons(expr.lhs)
        if operator == "or":
            yield from _comparisons(expr.rhs)
    elif operator in _UPWARD | _DOWNWARD and (number := _number(expr.rhs)) is not None:
        yield expr.lhs, operator, number


def _number(expr: ast.Expr) -> float | None:
    """A number, or the share of other series with which something is compared."""
    match expr:
        case ast.BinaryExpr() if str(expr.op) == "*":
            return _number(expr.lhs)
        case ast.ParenExpr():
            return _number(expr.expr)
        case ast.UnaryExpr():
            inner = _number(expr.expr)
            return None if inner is None else -inner
        case ast.NumberLiteral():
            return float(expr.val)
    return None
