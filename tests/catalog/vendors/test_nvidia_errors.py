"""The table of XIDs: as NVIDIA's catalog has them, and in our own words."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import gpuerrors
from aamic.model.gpuerror import GpuError

FOLDER = Path(gpuerrors.__file__).parent / "vendors/nvidia"
TABLE: dict[str, Any] = yaml.safe_load((FOLDER / "errors.yaml").read_text())
ERRORS = list(gpuerrors.errors("nvidia").values())
RUN = 6
RUNS = frozenset((Path(__file__).parent / "xid_catalog_runs.txt").read_text().split())
"""Digests of every run of six words of the catalog's triggers and actions, so that its text need not stand here."""

IMMEDIATE = {
    "RESTART_APP": {
        *(8, 11, 13, 25, 31, 32, 39, 40, 41, 60, 68, 69, 80, 94),
        *(70, 71, 72, 75, 76, 77, 82, 83, 84, 85, 86, 88, 89, *range(96, 106), *range(126, 136), 139),
    },
    "IGNORE": {14, 37, 38, 43, 44, 63, 66, 67, 92, 93, 106, 107, 108, 121, 137, 141, 152, 153, 157, 160, 161},
    "RESET_GPU": {46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158},
    "RESTART_BM": {79},
    "RESTART_VM": {151},
    "CHECK_MECHANICALS": {54},
    "UPDATE_SWFW": {78},
    "CHECK_UVM": {159},
    "CONTACT_SUPPORT": {142},
    "XID_45": {45},
    "XID_48": {48, 171, 172},
    "XID_154": {154},
    "NVLINK": {74},
    "NVLINK5": set(range(144, 151)),
}
"""The catalog's immediate action of each code that has one; 171 and 172 refer to 48."""


def shingles(text: str) -> set[str]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    runs = (" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1))
    return {hashlib.sha256(run.encode()).hexdigest()[:10] for run in runs}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error.code))
def test_every_code_is_explained_in_full(error: GpuError) -> None:
    unused = error.name == "unused"

    assert all((error.name, error.meaning, error.actions, error.source))
    assert bool(error.causes) != unused
    assert error.meaning.rstrip(".").lower() != error.name.lower()
    assert not any(re.search(r"\b[A-Z]+_[A-Z_]+\b", text) for text in (*error.causes, *error.actions))


def test_the_immediate_action_comes_first_and_is_the_catalogs() -> None:
    expected = {code: TABLE["actions"][step] for step, codes in IMMEDIATE.items() for code in codes}
    found = {error.code: error.actions[0] for error in ERRORS if error.code in expected}

    assert found == expected


def test_a_code_without_an_action_in_the_catalog_is_one_of_its_newest() -> None:
    listed = {code for codes in IMMEDIATE.values() for code in codes} | set(TABLE["unused"])

    assert {error.code for error in ERRORS} - listed == set(range(162, 171))


def test_unused_codes_are_said_to_be_so() -> None:
    unused = [error for error in ERRORS if error.name == "unused"]

    assert len(unused) == 61
    assert {error.policy for error in unused} == {"unlisted"}
    assert all("unused" in error.meaning and "V100" in error.meaning for error in unused)


def test_every_word_of_the_table_is_used_and_known() -> None:
    used = {word for entry in TABLE["errors"] for word in entry["causes"]}
    sources = {entry["source"] for entry in TABLE["errors"] if "source" in entry}

    assert used == TABLE["causes"].keys()
    assert sources == TABLE["sources"].keys()


def test_whose_fault_it_is_goes_with_the_causes() -> None:
    words = {"application": {"APP", "INJECTED"}, "driver": {"DRIVER"}}
    wrong = [
        entry["codes"]
        for entry in TABLE["errors"]
        if entry["fault"] in words and not words[entry["fault"]] & set(entry["causes"])
    ]

    assert wrong == []


def test_the_digests_find_a_sentence_of_the_catalog() -> None:
    assert shingles("the user has walked past the end of an array") <= RUNS


@pytest.mark.parametrize("file", ["errors.yaml", "nvlink.yaml"])
def test_facts_are_told_in_our_own_words(file: str) -> None:
    said = [line for line in re.split(r"\n\s*- |: |\. |\n\n", (FOLDER / file).read_text()) if shingles(line) & RUNS]

    assert said == []


@given(vendor=st.sampled_from(["nvidia", "amd", "intel", "", "../nvidia"]), code=st.integers())
def test_any_number_is_explained_and_known_only_where_the_table_has_it(vendor: str, code: int) -> None:
    error = gpuerrors.explain(vendor, code)

    assert error.known == (code in gpuerrors.errors(vendor))
    assert error.known or (error.name, error.policy, error.causes) == ("unknown", "unlisted", ())
    assert str(code) in str(error)
    assert error.actions
