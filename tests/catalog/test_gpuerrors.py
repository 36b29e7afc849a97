"""The tables of error codes: complete, sound, and of one mind with the alerts' lists."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml

from aamic.catalog import gpuerrors
from aamic.model.gpuerror import POLICIES, Culprit, GpuError, Severity

RANGES = {"nvidia": range(1, 173), "amd": range(1, 35)}


def test_vendors_are_those_with_a_table() -> None:
    assert gpuerrors.vendors() == tuple(sorted(RANGES))


@pytest.mark.parametrize("vendor", RANGES)
def test_every_code_of_the_vendor_is_explained(vendor: str) -> None:
    assert list(gpuerrors.errors(vendor)) == list(RANGES[vendor])


@pytest.mark.parametrize("vendor", RANGES)
def test_no_code_stands_twice(vendor: str) -> None:
    table = yaml.safe_load((Path(gpuerrors.__file__).parent / "vendors" / vendor / "errors.yaml").read_text())
    entries = [entry["codes"] for entry in table["errors"]]
    listed = [code for codes in entries for code in ([codes] if isinstance(codes, int) else codes)]
    listed += table.get("unused", [])

    assert sorted(listed) == sorted(set(listed))


@pytest.mark.parametrize("error", [error for vendor in RANGES for error in gpuerrors.errors(vendor).values()], ids=str)
def test_every_entry_says_what_it_has_to(error: GpuError) -> None:
    assert error.policy in POLICIES
    assert error.fault in get_args(Culprit)
    assert error.severity in get_args(Severity)
    assert error.action.endswith(".")
    assert error.meaning.endswith(".")
    assert error.source
    assert error.known


def test_what_takes_a_node_out_of_service_is_critical_and_never_the_programs_fault() -> None:
    fatal = [gpuerrors.explain(vendor, code) for vendor in RANGES for code in gpuerrors.codes(vendor, "fatal")]

    assert {error.severity for error in fatal} == {"critical"}
    assert "application" not in {error.fault for error in fatal}


@pytest.mark.parametrize(
    ("vendor", "code", "told"),
    [("nvidia", 999, "XID 999 (unknown)"), ("amd", 0, "AFID 0 (unknown)"), ("other", 7, "error code 7 (unknown)")],
)
def test_an_unknown_code_is_said_to_be_unknown_with_what_to_collect(vendor: str, code: int, told: str) -> None:
    error = gpuerrors.explain(vendor, code)

    assert (str(error), error.known, error.policy) == (told, False, "unlisted")
    assert "kernel log" in error.action


def test_an_unused_code_is_not_unknown() -> None:
    error = gpuerrors.explain("nvidia", 61)

    assert (error.name, error.known, error.policy) == ("unused", True, "unlisted")
