from __future__ import annotations

import pytest

from aamic.compile.inventory import Row, read_inventory
from aamic.errors import InputError

COLUMNS = "`name`, `address`, `rack`, `gpu_vendor`, `gpu_model`, `gpu_count`"
QUOTES = 'close each quoted value; within it, write `"` twice'
WIDTH = "the columns are `name`, `address`; put a value with a comma in quotes"

FAULTS = {
    b"": ["n.csv:1:1 `n.csv` is empty; begin with the line `name,address,rack,gpu_vendor,gpu_model,gpu_count`"],
    b"\n\n": ["n.csv:1:1 `n.csv` is empty; begin with the line `name,address,rack,gpu_vendor,gpu_model,gpu_count`"],
    b"name\n": ["n.csv:1:1 column `address` is missing; the header needs `name`, `address`"],
    b"\nname,adress,colour,name\n": [
        "n.csv:2:1 column `name` stands twice; remove one of the two",
        "n.csv:2:1 unknown column `adress`; did you mean `address`?",
        f"n.csv:2:1 unknown column `colour`; the columns are {COLUMNS}",
        "n.csv:2:1 column `address` is missing; the header needs `name`, `address`",
    ],
    b'name,address\na,1\nb\n"c\nd",2\n\ne,3,4\n': [
        f"n.csv:3:1 this row has 1 columns instead of 2; {WIDTH}",
        f"n.csv:7:1 this row has 3 columns instead of 2; {WIDTH}",
    ],
    b'name,address\nb\na,"1\nb,2\n': [
        f"n.csv:2:1 this row has 1 columns instead of 2; {WIDTH}",
        f"n.csv:3:1 a quote in this row is not closed, or not doubled; {QUOTES}",
    ],
    b'name,address\na,"1"x\n': [f"n.csv:2:1 a quote in this row is not closed, or not doubled; {QUOTES}"],
    b"name,address\na," + b"1" * 131_073: [
        f"n.csv:2:1 a value of this row is longer than 131,072 characters; {QUOTES}"
    ],
    b"name,address\na,\xff\n": ["n.csv:2:3 byte 0xff is not UTF-8; save the file as UTF-8"],
}


@pytest.mark.parametrize(("data", "expected"), FAULTS.items())
def test_each_fault_is_told_with_its_line_and_a_remedy(data: bytes, expected: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_inventory(data, "n.csv")
    assert expected == [f"{problem.place} {problem.message}; {problem.hint}" for problem in caught.value.problems]


def test_columns_come_in_any_order_and_most_may_be_absent() -> None:
    expected = [Row("a", "10.0.0.1", "", "", "", "8", 2, "n.csv"), Row("b", "10.0.0.2", "", "", "", "", 3, "n.csv")]
    assert expected == read_inventory(b"gpu_count,address,name\n8,10.0.0.1,a\n,10.0.0.2,b\n", "n.csv")


def test_values_are_kept_as_written() -> None:
    data = '\ufeffname,address,rack\r\n" a","x, ""y""\r\nz",\r\n\r\nb,é ,r1'.encode()
    expected = [
        Row(" a", 'x, "y"\r\nz', "", "", "", "", 2, "n.csv"),
        Row("b", "é ", "r1", "", "", "", 5, "n.csv"),
    ]
    assert expected == read_inventory(data, "n.csv")


def test_a_header_alone_is_an_inventory_without_nodes() -> None:
    assert read_inventory(b"address,name", "n.csv") == []
