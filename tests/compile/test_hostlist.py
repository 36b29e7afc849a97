from __future__ import annotations

import itertools

import pytest

from aamic.compile.hostlist import LIMIT, HostListError, expand, fold, pair


@pytest.mark.parametrize(
    ("hostlist", "expected"),
    [
        ("login1", ("login1",)),
        ("a,b,c", ("a", "b", "c")),
        ("a, b ,c", ("a", "b", "c")),
        ("gpu-[001-003,007],login1", ("gpu-001", "gpu-002", "gpu-003", "gpu-007", "login1")),
        ("r[1-2]n[1-3]", ("r1n1", "r1n2", "r1n3", "r2n1", "r2n2", "r2n3")),
        ("n[1-2].d,x", ("n1.d", "n2.d", "x")),
        ("n[09-11]", ("n09", "n10", "n11")),
        ("n[98-101]", ("n98", "n99", "n100", "n101")),
        ("n[098-099,3]", ("n098", "n099", "n3")),
        ("n[99-101,01]", ("n99", "n100", "n101", "n01")),
        ("n[07]", ("n07",)),
        ("n[0-0]", ("n0",)),
        ("[1-2]", ("1", "2")),
        ("10.10.1.[1-3]", ("10.10.1.1", "10.10.1.2", "10.10.1.3")),
        ("10.10.[1-2].[254-255]", ("10.10.1.254", "10.10.1.255", "10.10.2.254", "10.10.2.255")),
        ("n[2,1,2],n1", ("n2", "n1", "n2", "n1")),
        ("fd00::[1-2]", ("fd00::1", "fd00::2")),
        ("(null)", ("(null)",)),
    ],
)
def test_expands_in_the_order_written(hostlist: str, expected: tuple[str, ...]) -> None:
    assert expected == expand(hostlist)


@pytest.mark.parametrize(
    ("hostlist", "message", "hint"),
    [
        ("", "host list `` holds an empty name", "remove the surplus comma"),
        (" ", "host list ` ` holds an empty name", "remove the surplus comma"),
        ("a,,b", "host list `a,,b` holds an empty name", "remove the surplus comma"),
        ("a[1-2],", "host list `a[1-2],` holds an empty name", "remove the surplus comma"),
        ("a[1-3", "bracket in `a[1-3` is not closed", "add `]`"),
        ("a[1],b[2", "bracket in `a[1],b[2` is not closed", "add `]`"),
        ("a1-3]", "bracket in `a1-3]` is closed but was never opened", "remove it, or add `[`"),
        ("a[1]]", "bracket in `a[1]]` is closed but was never opened", "remove it, or add `[`"),
        ("a[1-[2-3]]", "bracket inside a bracket in `a[1-[2-3]]`", "close the first bracket before it"),
        ("n[4-1]", "range `4-1` runs backwards", "write `1-4`"),
        ("n[10-9]", "range `10-9` runs backwards", "write `9-10`"),
        (
            "n[1-010]",
            "range `1-010` pads its two numbers differently",
            "write `001-010`, or both numbers without leading zeros",
        ),
        (
            "n[001-20]",
            "range `001-20` pads its two numbers differently",
            "write `001-020`, or both numbers without leading zeros",
        ),
        ("gpu-1 gpu-2", "`gpu-1 gpu-2` holds a space", "write commas between names"),
        ("n[1-2] m", "` m` holds a space", "write commas between names"),
        (
            "a\nb",
            r"host list `a\nb` holds the control character or space `\n`",
            "write it on one line, with commas between names",
        ),
        (
            "a\u00a0b",
            r"host list `a\xa0b` holds the control character or space `\xa0`",
            "write it on one line, with commas between names",
        ),
    ],
)
def test_refuses_with_a_remedy(hostlist: str, message: str, hint: str) -> None:
    with pytest.raises(HostListError) as caught:
        expand(hostlist)
    assert (message, hint) == (caught.value.message, caught.value.hint)
    assert message == str(caught.value)


@pytest.mark.parametrize("inside", ["", "1,", "1--2", "-1", "1-2-3", "a", "1, 2", "\u0661", "1" * 19, "1-" + "1" * 19])
def test_refuses_what_is_no_number_in_a_bracket(inside: str) -> None:
    with pytest.raises(HostListError, match="is neither a number nor a range"):
        expand(f"n[{inside}]")


@pytest.mark.parametrize(
    ("hostlist", "count"),
    [
        ("n[0-999999999]", "1,000,000,000"),
        ("n[0-65536]", "65,537"),
        ("a[0-65535],b", "65,537"),
        ("a[1-999]b[1-999]c[1-999]", "997,002,999"),
        ("a[0-999999999999999999],b[0-999999999999999999]", "2,000,000,000,000,000,000"),
    ],
)
def test_refuses_a_huge_list_before_expanding_it(hostlist: str, count: str) -> None:
    with pytest.raises(HostListError) as caught:
        expand(hostlist)
    assert f"host list `{hostlist}` stands for {count} names, more than 65,536" == caught.value.message


def test_expands_up_to_the_limit() -> None:
    assert len(expand("n[1-65536]")) == LIMIT
    assert expand("n[1-3]", limit=3) == ("n1", "n2", "n3")
    with pytest.raises(HostListError, match="stands for 3 names, more than 2"):
        expand("n[1-3]", limit=2)


def test_a_long_list_is_cut_in_a_message() -> None:
    with pytest.raises(HostListError) as caught:
        expand(",".join(["gpu-1"] * 50_000) + ",")
    assert len(caught.value.message) < 120


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", ""),
        ("login1", "login1"),
        ("b a", "a,b"),
        ("n1 n1", "n1"),
        ("login1 gpu-007 gpu-001 gpu-003 gpu-002", "gpu-[001-003,007],login1"),
        ("n1 n2 n10 n9 n11", "n[1-2,9-11]"),
        ("n1 n01 n001", "n[1,01,001]"),
        ("n1 n2 n01 n02", "n[1-2,01-02]"),
        ("n98 n99 n100 n101", "n[98-101]"),
        ("n098 n099 n100 n101", "n[098-101]"),
        ("n08 n09 n10 n99 n100 n101", "n[08-10,99-101]"),
        ("r1n1 r1n2 r2n1 r2n2", "r1n[1-2],r2n[1-2]"),
        ("r1n1 r2n1 r3n1", "r[1-3]n1"),
        ("gpu-1.dc2.net4.x gpu-2.dc2.net4.x gpu-4.dc2.net4.x", "gpu-[1-2,4].dc2.net4.x"),
        ("10.10.2.1 10.10.1.1 10.10.1.2", "10.10.1.[1-2],10.10.2.1"),
        ("rack10 rack9 rack2a rack2b", "rack2a,rack2b,rack[9-10]"),
        ("1 2 3", "[1-3]"),
        ("1a 2a a", "[1-2]a,a"),
        ("0 00", "[0,00]"),
        ("n" + "1" * 30 + " n" + "1" * 29 + "2", "n" + "1" * 30 + ",n" + "1" * 29 + "2"),
    ],
)
def test_folds_the_last_number(names: str, expected: str) -> None:
    assert expected == fold(names.split())


@pytest.mark.parametrize("name", ["", "a,b", "a[1]", "]", "a b", "a\n", "\x00"])
def test_refuses_to_fold_what_no_list_can_hold(name: str) -> None:
    with pytest.raises(HostListError, match="cannot stand in a host list"):
        fold(["gpu-1", name])


def test_a_hundred_thousand_names_fold_into_one_short_string() -> None:
    names = [f"gpu-{number:06d}" for number in range(100_000)]
    assert fold(reversed(names)) == "gpu-[000000-099999]"
    assert tuple(names) == expand("gpu-[000000-099999]", limit=100_000)


def test_pairs_by_position() -> None:
    expected = (("gpu-01", "10.0.0.9"), ("gpu-02", "10.0.1.1"), ("gpu-03", "10.0.1.2"))
    assert expected == pair("gpu-[01-03]", "10.0.0.9,10.0.1.[1-2]")


def test_pairs_two_brackets_with_the_last_counting_fastest() -> None:
    nodes = [f"r{rack}n{node}" for rack, node in itertools.product((1, 2), (1, 2))]
    addresses = ["10.0.1.1", "10.0.1.2", "10.0.2.1", "10.0.2.2"]
    assert tuple(zip(nodes, addresses, strict=True)) == pair("r[1-2]n[1-2]", "10.0.[1-2].[1-2]")


@pytest.mark.parametrize(
    ("nodes", "addresses", "message"),
    [
        ("gpu-[01-32]", "10.10.1.[1-31]", "32 nodes in `gpu-[01-32]` but 31 addresses in `10.10.1.[1-31]`"),
        ("gpu-1", "10.10.1.[1-2]", "1 node in `gpu-1` but 2 addresses in `10.10.1.[1-2]`"),
        ("n[1-2]", "10.0.0.1", "2 nodes in `n[1-2]` but 1 address in `10.0.0.1`"),
    ],
)
def test_refuses_to_pair_different_counts(nodes: str, addresses: str, message: str) -> None:
    with pytest.raises(HostListError) as caught:
        pair(nodes, addresses)
    assert message == caught.value.message
    assert caught.value.hint == "give one address for each node, in the same order"


@pytest.mark.parametrize(
    ("nodes", "addresses"),
    [("a[1-2]b[1-2]c[1-2]", "10.0.0.[1-8]"), ("n[1-8]", "10.[0-1].[0-1].[0-1]")],
)
def test_refuses_to_pair_where_tools_disagree_on_the_order(nodes: str, addresses: str) -> None:
    with pytest.raises(HostListError, match="holds 3 brackets in one name, whose order is not defined") as caught:
        pair(nodes, addresses)
    assert caught.value.hint is not None


def test_pairs_any_number_of_brackets_of_a_single_name() -> None:
    assert pair("a[1]b[2]c[3]", "10.0.0.1") == (("a1b2c3", "10.0.0.1"),)
