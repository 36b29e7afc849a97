from __future__ import annotations

import pytest

from aamic.compile.inventory import Inventory, Row, read_inventory
from aamic.errors import Place

COLUMNS = "`name`, `address`, `rack`, `gpu_vendor`, `gpu_model`, `gpu_count`"
QUOTES = 'close each quoted value; within it, write `"` twice'
WIDTH = "the columns are `name`, `address`; put a value with a comma in quotes"
BLANKS = "remove them: a value begins right after its comma"

FAULTS = {
    b"": ["n.csv:1:1 `n.csv` is empty; begin with the line `name,address,rack,gpu_vendor,gpu_model,gpu_count`"],
    b"\n\n": ["n.csv:1:1 `n.csv` is empty; begin with the line `name,address,rack,gpu_vendor,gpu_model,gpu_count`"],
    b"name\n": ["n.csv:1:1 column `address` is missing; the header needs `name`, `address`"],
    b"\nname,adress,colour,name\n": [
        "n.csv:2:1 unknown column `adress`; did you mean `address`?",
        f"n.csv:2:1 unknown column `colour`; the columns are {COLUMNS}",
        "n.csv:2:1 column `name` stands twice; remove one of the two",
    ],
    b"name;address\na;1\n": ["n.csv:1:1 the columns are separated by `;`; separate them with commas"],
    b"name\taddress\track\n": ["n.csv:1:1 the columns are separated by tabs; separate them with commas"],
    b"colour;sound\n": [
        f"n.csv:1:1 unknown column `colour;sound`; the columns are {COLUMNS}",
        "n.csv:1:1 column `name` is missing; the header needs `name`, `address`",
        "n.csv:1:1 column `address` is missing; the header needs `name`, `address`",
    ],
    b"name, address\na,1,2\n": [
        "n.csv:1:1 column ` address` has spaces around its name; write `address`",
        f"n.csv:2:1 this row has 3 columns instead of 2; {WIDTH}",
    ],
    b'name,address\na,1\nb\n"c\nd",2\n\ne,3,4\n': [
        f"n.csv:3:1 this row has 1 column instead of 2; {WIDTH}",
        f"n.csv:7:1 this row has 3 columns instead of 2; {WIDTH}",
    ],
    b'name,address\nb\na,"1\nb,2\n': [
        f"n.csv:2:1 this row has 1 column instead of 2; {WIDTH}",
        f"n.csv:3:1 a quote in this row is not closed, or not doubled; {QUOTES}",
    ],
    b'name,address\na,"1"x\n': [f"n.csv:2:1 a quote in this row is not closed, or not doubled; {QUOTES}"],
    b"name,address\na,1 \nb c,2\n": [f"n.csv:2:1 a value of this row has spaces around it; {BLANKS}"],
    b"name,address\na,1 \n b,2\n": [f"n.csv:2:1 2 rows have spaces around values; {BLANKS}"],
    b"name,address\na," + b"1" * 131_073: [
        f"n.csv:2:1 a value of this row is longer than 131,072 characters; {QUOTES}"
    ],
    b"name,address\na,\xff\n": ["n.csv:2:3 byte 0xff is not UTF-8; save the file as UTF-8"],
}


@pytest.mark.parametrize(("data", "expected"), FAULTS.items())
def test_each_fault_is_told_with_its_line_and_a_remedy(data: bytes, expected: list[str]) -> None:
    problems = read_inventory(data, "n.csv").problems
    assert expected == [f"{problem.place} {problem.message}; {problem.hint}" for problem in problems]


def test_a_fault_of_many_rows_is_told_once_with_its_first_places() -> None:
    (problem,) = read_inventory(b"name,address\n" + b"a,1,2\n" * 1000, "n.csv").problems
    assert problem.message == "1,000 rows have 3 columns instead of 2"
    assert problem.place == Place("n.csv", 2)
    assert problem.also == tuple(Place("n.csv", line) for line in (3, 4, 5, 6))


def test_rows_beside_a_wrong_one_are_read() -> None:
    rows = read_inventory(b'name,address,colour\na,1,red\nb,2\n c,3,\n"d,4,\n', "n.csv").rows
    assert [(row.name, row.address, row.line) for row in rows] == [("a", "1", 2), ("c", "3", 4)]


def test_an_inventory_has_a_greatest_length() -> None:
    rows, problems = read_inventory(b"name,address\na,1\nb,2\nc,3\n", "n.csv", most=2)
    assert [row.name for row in rows] == ["a", "b"]
    assert [(problem.place, problem.message) for problem in problems] == [
        (Place("n.csv", 4), "the inventory has more than 200,000 rows")
    ]


def test_columns_come_in_any_order_and_most_may_be_absent() -> None:
    expected = [Row("a", "10.0.0.1", "", "", "", "8", 2, "n.csv"), Row("b", "10.0.0.2", "", "", "", "", 3, "n.csv")]
    data = b"gpu_count,address,name\n8,10.0.0.1,a\n,10.0.0.2,b\n"
    assert read_inventory(data, "n.csv") == Inventory(expected, [])


def test_values_are_kept_as_written_but_for_spaces_around_them() -> None:
    data = '\ufeffname,address,rack\r\n" a","x, ""y""\r\nz",\r\n\r\nb,é ,r1'.encode()
    expected = [
        Row("a", 'x, "y"\r\nz', "", "", "", "", 2, "n.csv"),
        Row("b", "é", "r1", "", "", "", 5, "n.csv"),
    ]
    assert read_inventory(data, "n.csv").rows == expected


def test_a_header_alone_is_an_inventory_without_nodes() -> None:
    assert read_inventory(b"address,name", "n.csv") == Inventory([], [])
