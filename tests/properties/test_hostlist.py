from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.compile.hostlist import HostListError, count, expand, fold, pair

FIELDS = st.one_of(
    st.sampled_from(["gpu-", "r", "n", ".dc", "-", "", "é"]),
    st.integers(0, 120).map(str),
    st.integers(0, 120).map("{:03d}".format),
    st.sampled_from(["0", "00", "9" * 18, "1" * 19]),
)
NAMES = st.lists(FIELDS, min_size=1, max_size=5).map("".join).filter(bool)
HOSTLIST_LIKE = st.text(alphabet="a1029[]-, .\n", max_size=40)


@given(st.sets(NAMES, min_size=1, max_size=60))
def test_expanding_what_was_folded_gives_the_same_names_once_each(names: set[str]) -> None:
    expanded = expand(fold(names))
    assert names == set(expanded)
    assert len(names) == len(expanded)


@given(st.data())
def test_folding_depends_neither_on_order_nor_on_repetition(data: st.DataObject) -> None:
    names = data.draw(st.lists(NAMES, min_size=1, max_size=40))
    assert fold(names) == fold(data.draw(st.permutations(names + names[:3])))


@given(st.sets(NAMES, min_size=1, max_size=40))
def test_folding_again_changes_nothing(names: set[str]) -> None:
    folded = fold(names)
    assert folded == fold(expand(folded))


@given(st.sets(NAMES, min_size=1, max_size=40))
def test_folding_never_lengthens_a_list_by_more_than_its_brackets(names: set[str]) -> None:
    folded = fold(names)
    assert len(folded) <= len(",".join(names)) + 2 * folded.count("[")


@given(st.sets(st.integers(0, 3000), min_size=1), st.integers(1, 6))
def test_consecutive_padded_numbers_fold_into_the_fewest_ranges(numbers: set[int], width: int) -> None:
    gaps = sum(1 for number in numbers if number + 1 not in numbers)
    folded = fold(f"n{number:0{width}d}" for number in numbers)
    # Numbers that outgrow the padding go on in the same row, unless no padded number is there to go on from.
    assert gaps == folded.count(",") + 1


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), HOSTLIST_LIKE))
def test_any_text_expands_to_names_that_fold_or_is_refused(text: str) -> None:
    with contextlib.suppress(HostListError):
        names = expand(text, limit=1000)
        assert all(name.isprintable() and not set(name) & set("[], ") for name in names)
        assert set(names) == set(expand(fold(names)))


@given(st.one_of(st.text(max_size=40), HOSTLIST_LIKE))
def test_as_many_names_are_counted_as_made(text: str) -> None:
    with contextlib.suppress(HostListError):
        assert count(text) == len(expand(text))


@given(st.one_of(st.text(max_size=20), HOSTLIST_LIKE), HOSTLIST_LIKE)
def test_pairing_any_two_texts_pairs_all_or_is_refused(nodes: str, addresses: str) -> None:
    with contextlib.suppress(HostListError):
        pairs = pair(nodes, addresses)
        assert (expand(nodes), expand(addresses)) == tuple(map(tuple, zip(*pairs, strict=True)))


@given(st.lists(st.text(max_size=6), max_size=10))
def test_any_names_fold_and_come_back_or_are_refused(names: list[str]) -> None:
    with contextlib.suppress(HostListError):
        assert set(names) == (set(expand(fold(names))) if names else set())
