"""Slurm host lists: many names in one short string, and back.

The grammar is that of Slurm (`gpu-[001-004,007],login1`, several brackets in one name, a suffix after a bracket as
Slurm 23.11 and later take it), and stands for addresses too: `10.10.1.[1-32]`. Where tools read one text in two
ways, such as `[1-010]`, the list is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final, TypeAlias

LIMIT: Final = 65_536
"""Names that one list may stand for: Slurm's own cap on a range."""

_SHOWN: Final = 60
_DIGITS: Final = 18
_FIELDS: Final = 3
_ORDERED_BRACKETS: Final = 2

_MARKS = frozenset("[], ")

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(rf"([0-9]{{1,{_DIGITS}}})(?:-([0-9]{{1,{_DIGITS}}}))?")
_BRACKET_INSIDE = re.compile(rf"{_RANGE.pattern}(?:,{_RANGE.pattern})*")
_LAST_NUMBER = re.compile(r"^(?:(|.*[^0-9\n])([0-9]+))?([^0-9\n]*)$", re.MULTILINE)
_NUMBER = re.compile(r"([0-9]+)")


class HostListError(ValueError):
    """A host list that cannot be read; `message` says why, `hint` what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


_Span: TypeAlias = tuple[str, str]
"""First and last number of a range as written; the last is empty where one number stands alone."""

_Item: TypeAlias = tuple[str, str]
"""A part of a folded list: the first name it stands for, which sorts it, and its text."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One item of a list that holds brackets: `literals` stand before, between and after the `brackets`."""

    literals: tuple[str, ...]
    brackets: tuple[list[_Span], ...]

    def count(self) -> int:
        return prod(
            sum([int(high) - int(low) + 1 if high else 1 for low, high in bracket]) for bracket in self.brackets
        )

    def names(self) -> Iterator[str]:
        pieces: list[Iterable[str]] = [self.literals[:1]]
        for bracket, literal in zip(self.brackets, self.literals[1:], strict=True):
            pieces += _numbers(bracket), (literal,)
        return map("".join, product(*pieces))


def expand(hostlist: str, limit: int = LIMIT) -> tuple[str, ...]:
    """Expand a host list into its names, in the order written; the last bracket of a name counts fastest.

    >>> expand("gpu-[01-03,07],login1")
    ('gpu-01', 'gpu-02', 'gpu-03', 'gpu-07', 'login1')

    Zero padding is kept: *gpu-1* and *gpu-01* are two hosts. A name that is written twice comes back twice. Spaces
    may surround a comma between names.

    Raises:
        HostListError: A bracket is unclosed, a range runs backwards, a name is empty or holds a space or control
            character, or the list stands for more than `limit` names (found before any is made).
    """
    if _is_name(hostlist):
        return (hostlist,)
    items = _parse(hostlist)
    total = _total(items)
    if total > limit:
        raise HostListError(
            f"host list `{_shown(hostlist)}` stands for {total:,} names, more than {limit:,}",
            "check the bounds of its ranges, or split the list",
        )
    names: list[str] = []
    for item in items:
        if isinstance(item, str):
            names.append(item)
        else:
            names.extend(item.names())
    return tuple(names)


def count(hostlist: str) -> int:
    """How many names a host list stands for, found without making them.

    >>> count("gpu-[000000-999999],login1")
    1000001

    Raises:
        HostListError: The list is malformed.
    """
    return _total(_parse(hostlist)) if not _is_name(hostlist) else 1


def fold(names: Iterable[str]) -> str:
    """Fold names into one host list, in natural order: what `expand` turns back into the same set.

    >>> fold(["login1", "gpu-007", "gpu-001", "gpu-003", "gpu-002"])
    'gpu-[001-003,007],login1'

    The last number of a name is folded; a name that finds no partner there is tried with the number before it, so
    that `a1.dc2` and `a3.dc2` become `a[1,3].dc2`. No name gets two brackets: any tool expands the list in the same
    order. Order and repetition of `names` do not matter. No names fold to the empty string.

    Raises:
        HostListError: A name is empty, or holds a comma, a bracket, a space or a control character.
    """
    unique = dict.fromkeys(names)
    _check_names(unique)
    items: list[_Item] = []
    heads, tails = list(unique), [""] * len(unique)
    for _ in range(_FIELDS):
        if heads:
            heads, tails = _fold_field(heads, tails, items)
    items += [(name, name) for name in map(str.__add__, heads, tails)]
    items.sort(key=_natural)
    return ",".join(text for _, text in items)


def pair(nodes: str, addresses: str) -> tuple[tuple[str, str], ...]:
    """Pair each name of one host list with the address in the same position of another.

    >>> pair("gpu-[01-02]", "10.10.1.[1-2]")
    (('gpu-01', '10.10.1.1'), ('gpu-02', '10.10.1.2'))

    Raises:
        HostListError: Either list is malformed, the counts differ, or a name holds three or more brackets: tools
            disagree in which order such a name expands, so the pairs would be a guess.
    """
    if _is_name(nodes) and _is_name(addresses):
        return ((nodes, addresses),)
    names, places = expand(nodes), expand(addresses)
    if len(names) != len(places):
        raise HostListError(
            f"{_counted(len(names), 'node', 'nodes')} in `{_shown(nodes)}` but "
            f"{_counted(len(places), 'address', 'addresses')} in `{_shown(addresses)}`",
            "give one address for each node, in the same order",
        )
    if len(names) > 1:
        _check_order(nodes)
        _check_order(addresses)
    return tuple(zip(names, places, strict=True))


def _is_name(hostlist: str) -> bool:
    """Whether a list is one plain name, as most keys of a long `nodes:` are."""
    return hostlist.isprintable() and bool(hostlist) and _MARKS.isdisjoint(hostlist)


def _total(items: Iterable[str | _Pattern]) -> int:
    return sum(1 if isinstance(item, str) else item.count() for item in items)


def _parse(text: str) -> list[str | _Pattern]:
    """The items of a list: a plain name stays a string."""
    _check_characters(text)
    outside_and_inside = _BRACKET.split(text)
    items: list[str | _Pattern] = []
    literals: list[str] = []
    brackets: list[list[_Span]] = []
    for index, piece in enumerate(outside_and_inside):
        if index % 2:
            brackets.append(_spans(piece))
            continue
        if "[" in piece or "]" in piece:
            raise _bracket_fault(text)
        head, *others = piece.split(",")
        literals.append(head)
        if others:
            items.append(_item(literals, brackets))
            items += [name.strip(" ") for name in others[:-1]]
            literals, brackets = [others[-1]], []
    items.append(_item(literals, brackets))
    for item in items:
        _check_item(item, text)
    return items


def _item(literals: list[str], brackets: list[list[_Span]]) -> str | _Pattern:
    literals[0] = literals[0].lstrip(" ")
    literals[-1] = literals[-1].rstrip(" ")
    return _Pattern(tuple(literals), tuple(brackets)) if brackets else literals[0]


def _spans(inside: str) -> list[_Span]:
    if not _BRACKET_INSIDE.fullmatch(inside):
        part = next(part for part in inside.split(",") if not _RANGE.fullmatch(part))
        raise HostListError(
            f"`{_shown(part)}` in bracket `[{_shown(inside)}]` is neither a number nor a range",
            f"write numbers of at most {_DIGITS} digits and ranges, with commas between, such as `[1-4,7]`",
        )
    spans: list[_Span] = _RANGE.findall(inside)
    for low, high in spans:
        if high and (len(low) != len(high) or low > high):
            _check_span(low, high)
    return spans


def _check_span(low: str, high: str) -> None:
    if int(high) < int(low):
        raise HostListError(f"range `{low}-{high}` runs backwards", f"write `{high}-{low}`")
    if len(high) < len(low) or high.startswith("0"):
        width = max(len(low), len(high))
        raise HostListError(
            f"range `{low}-{high}` pads its two numbers differently",
            f"write `{low.zfill(width)}-{high.zfill(width)}`, or both numbers without leading zeros",
        )


def _numbers(bracket: list[_Span]) -> list[str]:
    """Every number of a bracket, padded as its range is written."""
    numbers: list[str] = []
    for low, high in bracket:
        if high:
            numbers += map(f"%0{len(low)}d".__mod__, range(int(low), int(high) + 1))
        else:
            numbers.append(low)
    return numbers


def _fold_field(heads: list[str], tails: list[str], items: list[_Item]) -> tuple[list[str], list[str]]:
    """Fold the last number of each head; what finds no partner comes back with that number moved to its tail."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    # One search over all heads: a call for each costs more than the search itself.
    found = _LAST_NUMBER.findall("\n".join(heads))
    for (prefix, number, suffix), tail in zip(found, tails, strict=True):
        if number:
            groups[prefix, suffix + tail].append(number)
        else:
            items.append((suffix + tail, suffix + tail))
    left_heads: list[str] = []
    left_tails: list[str] = []
    for (prefix, suffix), numbers in groups.items():
        if len(numbers) == 1:
            left_heads.append(prefix)
            left_tails.append(numbers[0] + suffix)
        elif max(map(len, numbers)) > _DIGITS:
            names = [prefix + number + suffix for number in numbers]
            items += zip(names, names, strict=True)
        else:
            first, inside = _fold_numbers(numbers)
            items.append((prefix + first + suffix, f"{prefix}[{inside}]{suffix}"))
    return left_heads, left_tails


def _fold_numbers(numbers: list[str]) -> tuple[str, str]:
    """The lowest of two or more numbers, and all of them as the inside of a bracket."""
    padded = sorted({len(number) for number in numbers if number[0] == "0"} | {1}, reverse=True)
    by_width: defaultdict[int, list[int]] = defaultdict(list)
    if padded[0] <= min(map(len, numbers)):
        by_width[padded[0]] = list(map(int, numbers))
    else:
        for number in numbers:
            # 100 goes on after 099, or after 99 where that is padded to two digits.
            width = next(width for width in padded if width <= len(number))
            by_width[width].append(int(number))
    runs = sorted((low, width, high) for width, members in by_width.items() for low, high in _runs(sorted(members)))
    texts = [f"{low:0{width}d}-{high:0{width}d}" if high > low else f"{low:0{width}d}" for low, width, high in runs]
    return f"{runs[0][0]:0{runs[0][1]}d}", ",".join(texts)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each row of consecutive numbers."""
    low = high = numbers[0]
    for number in numbers[1:]:
        if number != high + 1:
            yield low, high
            low = number
        high = number
    yield low, high


def _natural(item: _Item) -> tuple[list[str | int], str]:
    """Sort key: numbers by value, compared by length first since int() refuses very long ones."""
    key: list[str | int] = []
    for index, piece in enumerate(_NUMBER.split(item[0])):
        if index % 2:
            digits = piece.lstrip("0")
            key += len(digits), digits
        else:
            key.append(piece)
    return key, item[0]


def _check_names(names: Collection[str]) -> None:
    joined = "".join(names)
    if "" not in names and joined.isprintable() and not any(mark in joined for mark in _MARKS):
        return
    name = min(name for name in names if not name or not name.isprintable() or not _MARKS.isdisjoint(name))
    raise HostListError(f"name {_quoted(name)} cannot stand in a host list")


def _check_characters(text: str) -> None:
    if text.isprintable():
        return
    character = next(character for character in text if not character.isprintable())
    raise HostListError(
        f"host list {_quoted(text)} holds the control character or space `{ascii(character)[1:-1]}`",
        "write it on one line, with commas between names",
    )


def _check_item(item: str | _Pattern, text: str) -> None:
    if not item:
        raise HostListError(f"host list `{_shown(text)}` holds an empty name", "remove the surplus comma")
    literals = (item,) if isinstance(item, str) else item.literals
    for literal in literals:
        if " " in literal:
            raise HostListError(f"`{_shown(literal)}` holds a space", "write commas between names")


def _check_order(hostlist: str) -> None:
    for item in _parse(hostlist):
        if not isinstance(item, str) and len(item.brackets) > _ORDERED_BRACKETS:
            raise HostListError(
                f"`{_shown(hostlist)}` holds {len(item.brackets)} brackets in one name, whose order is not defined",
                "write it as several names of at most two brackets, so that addresses pair up plainly",
            )


def _bracket_fault(text: str) -> HostListError:
    """Which bracket does not match; looked for only once it is known that one does not."""
    opened = -1
    for position, character in enumerate(text):
        excerpt = _shown(text[max(0, position - _SHOWN // 2) :])
        if character == "[":
            if opened >= 0 and "]" in text[position:]:
                return HostListError(f"bracket inside a bracket in `{excerpt}`", "close the first bracket before it")
            opened = position
        elif character == "]":
            if opened < 0:
                return HostListError(f"bracket in `{excerpt}` is closed but was never opened", "remove it, or add `[`")
            opened = -1
    return HostListError(f"bracket in `{_shown(text[max(0, opened - _SHOWN // 2) :])}` is not closed", "add `]`")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _quoted(text: str) -> str:
    return f"`{_shown(ascii(text)[1:-1])}`"


def _shown(text: str) -> str:
    """The text, cut where it is too long for a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
