"""What the kernel's line says of NVLink: as the catalog has it, and nothing that it does not have."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import gpuerrors
from aamic.catalog.vendors.nvidia import decode as module
from aamic.catalog.vendors.nvidia.decode import decode
from aamic.model.gpuerror import Detail

TABLE: dict[str, Any] = yaml.safe_load((Path(module.__file__).parent / "nvlink.yaml").read_text())
ACTIONS = gpuerrors.actions("nvidia")


def line(code: int, unit: str, word: str, *words: int, link: str = "03", injected: int = 0) -> str:
    hexes = " ".join(f"0x{each:08x}" for each in (*words, 0, 0, 0))
    return f"[ 71.620] NVRM: Xid (PCI:0018:01:00): {code}, {unit}  {word:<9}XC0 i{injected} Link {link} ({hexes})"


def read(code: int, text: str) -> Detail:
    found = decode(code, text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "text", "policy", "severity", "first"),
    [
        (144, line(144, "SAW_MVB", "Nonfatal", 0x021, 0x4), "workflow", "info", "IGNORE"),
        (144, line(144, "SAW_MVB", "Fatal", 0x021, 0x10), "fatal", "critical", "RESET_GPU"),
        (145, line(145, "RLW_CTRL", "Nonfatal", 0x03, 0x80000000), "workflow", "info", "IGNORE"),
        (145, line(145, "RLW_REMAP", "Nonfatal", 0x04, 0x1), "workflow", "warning", "FOLLOW_154"),
        (145, line(145, "RLW_RXPIPE", "Nonfatal", 0x0409A0C2, 0x8), "workflow", "info", "IGNORE"),
        (145, line(145, "RLW_RXPIPE", "Nonfatal", 0x0C2, 0x1), "workflow", "warning", "IGNORE"),
        (145, line(145, "RLW_RXPIPE", "Fatal", 0x4C2, 0x1), "fatal", "critical", "RESET_GPU"),
        (145, line(145, "RLW_RXPIPE", "Fatal", 0x086, 0x4), "fatal", "critical", "RESET_GPU"),
        (145, line(145, "RLW_SRC_TRACK", "Fatal", 0x07, 0x20), "fatal", "critical", "RESET_GPU"),
        (146, line(146, "TLW_RX", "Nonfatal", 0x143, 0x2), "workflow", "warning", "FOLLOW_MEMORY"),
        (146, line(146, "TLW_RX_PIPE1", "Fatal", 0x0B, 0x4), "fatal", "critical", "RESET_GPU"),
        (147, line(147, "TREX", "Nonfatal", 0x184, 0x1), "workflow", "info", "IGNORE"),
        (148, line(148, "NVLPW", "Nonfatal", 0x0F, 0x80000000), "workflow", "info", "IGNORE"),
        (149, line(149, "NETIR", "Fatal", 0x000FE406, 0), "fatal", "critical", "RESET_GPU"),
        (149, line(149, "NETIR_LINK_EVT", "Fatal", 0x021425C6, 0), "fatal", "critical", "RESET_GPU"),
        (149, line(149, "NETIR_LINK_DOWN", "Fatal", 0x02800011, 0), "workflow", "warning", "IGNORE"),
        (149, line(149, "NETIR_BER_EVENT", "Nonfatal", 0x226, 0x3), "workflow", "warning", "IGNORE"),
        (149, line(149, "NETIR_MFDE_EVENT", "Fatal", 0x14, 0x7), "fatal", "critical", "RESET_GPU"),
        (150, line(150, "MSE Degraded", "Fatal", 0x0, 0xFFFFFFFF), "fatal", "critical", "RESET_GPU"),
        (150, line(150, "MSE_WATCHDOG", "Fatal", 0x0, 0x0), "fatal", "critical", "RESET_GPU"),
    ],
)
def test_a_line_as_the_catalog_has_it(code: int, text: str, policy: str, severity: str, first: str) -> None:
    found = read(code, text)

    assert (found.policy, found.severity, found.actions[0], found.known) == (policy, severity, ACTIONS[first], True)


def test_the_words_of_a_line_are_told() -> None:
    found = read(149, line(149, "NETIR_LINK_EVT", "Fatal", 0x025525C6, 0, link="09"))
    none = read(149, line(149, "NETIR_LINK_EVT", "Fatal", 0x025525C6, 0, link="-1", injected=1))

    assert (found.unit, found.fatal, found.link, found.injected) == ("NETIR_LINK_EVT", True, 9, False)
    assert (none.link, none.injected) == (None, True)
    assert none.meaning.startswith("NETIR_LINK_EVT, fatal, injected for a test: ")


@pytest.mark.parametrize(
    ("code", "text", "missing"),
    [
        (145, line(145, "RLW_REMAP", "Nonfatal", 0x82, 0x3), "its status 0x00000003"),
        (145, line(145, "RLW_REMAP", "Nonfatal", 0x83, 0x1), "these bits 0x00000083 for its unit"),
        (145, line(145, "RLW_REMAP", "Nonfatal", 0x00100082, 0x1), "these bits 0x00100082 for its unit"),
        (145, line(145, "RLW_FUTURE", "Nonfatal", 0x82, 0x1), "this unit for XID 145"),
        (149, line(149, "RLW_REMAP", "Nonfatal", 0x82, 0x1), "this unit for XID 149"),
        (149, line(149, "NETIR_LINK_EVT", "Fatal", 0x03F001C6, 0), "its reason 63"),
        (145, "145, RLW_REMAP Nonfatal XC0 i0 Link 01 (0x00000082)", "a line without a status"),
    ],
)
def test_what_the_catalog_does_not_have_is_unknown(code: int, text: str, missing: str) -> None:
    found = read(code, text)

    assert not found.known
    assert found.meaning.endswith(f": The catalog does not have {missing}.")
    assert found.causes == ()


def test_an_unknown_detail_is_fatal_only_where_the_line_says_so() -> None:
    texts = [line(145, "RLW_FUTURE", word, 0x1, 0x1) for word in ("Fatal", "Nonfatal")]
    fatal, other = (read(145, text) for text in texts)

    assert (fatal.policy, fatal.severity, fatal.actions[0]) == ("fatal", "critical", ACTIONS["RESET_GPU"])
    assert (other.policy, other.severity, other.actions) == ("workflow", "warning", (ACTIONS["CONTACT_SUPPORT"],))


def test_a_line_that_disagrees_with_the_catalog_says_so_and_decides() -> None:
    worse = read(144, line(144, "SAW_MVB", "Fatal", 0x021, 0x4))
    milder = read(149, line(149, "NETIR_MFDE_EVENT", "Nonfatal", 0x14, 0x1))

    assert (worse.policy, worse.actions[0]) == ("fatal", ACTIONS["RESET_GPU"])
    assert worse.meaning.endswith("The catalog does not expect it to be fatal.")
    assert (milder.policy, milder.severity) == ("workflow", "warning")
    assert milder.meaning.endswith("The catalog expects it to be fatal.")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (79, line(79, "RLW_REMAP", "Fatal", 0x82, 0x1)),
        (149, "NVRM: Xid (PCI:0000:01:00): 149, something else"),
        (145, ""),
        (154, "NVRM: Xid (PCI:0009:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x9 (Dance)"),
    ],
)
def test_a_line_without_detail_says_nothing(code: int, text: str) -> None:
    assert decode(code, text) is None


@pytest.mark.parametrize(
    ("wanted", "severity", "action"),
    [
        ("None", "info", "IGNORE"),
        ("Drain P2P", "warning", "DRAIN_P2P"),
        ("Drain and Reset", "warning", "DRAIN_RESET"),
        ("GPU Reset Required", "critical", "RESET_GPU"),
        ("Node Reboot Required", "critical", "RESTART_BM"),
    ],
)
def test_what_the_driver_wants(wanted: str, severity: str, action: str) -> None:
    found = read(154, f"NVRM: Xid (PCI:0009:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x4 ({wanted})")

    assert (found.severity, found.actions, found.policy) == (severity, (ACTIONS[action],), "ignored")


def cases() -> list[tuple[dict[str, Any], str, int, int]]:
    """Every row of the table in both formats: unit, its name, first and second word."""
    rows = []
    for unit in TABLE["units"]:
        infos = [unit["old"], *unit["new"]]
        keys = unit.get("status") or unit["reason"]
        for name, info, key in product(unit["names"], infos, keys):
            rows.append((unit, name, info if "status" in unit else info | key << 20, key if "status" in unit else 0))
    return rows


@pytest.mark.parametrize(("unit", "name", "info", "status"), cases())
def test_every_row_of_the_table_is_read_in_both_formats(
    unit: dict[str, Any], name: str, info: int, status: int
) -> None:
    key = status if "status" in unit else info >> 20
    outcome = TABLE["outcomes"][(unit.get("status") or unit["reason"])[key]]
    found = read(unit["xid"], line(unit["xid"], name, "Fatal" if outcome["fatal"] else "Nonfatal", info, status))

    assert found.known
    assert found.meaning.endswith(f": {outcome['meaning']}")
    assert found.policy == (outcome.get("policy", "fatal") if outcome["fatal"] else "workflow")


def test_no_word_of_a_unit_is_another_units_word() -> None:
    told = [(unit["xid"], unit["old"]) for unit in TABLE["units"] if unit["xid"] != 150]
    since = [word for unit in TABLE["units"] if unit["xid"] != 150 for word in unit["new"]]

    assert len(told) == len(set(told))
    assert len(since) == len(set(since))
    assert not any(old & 0x7F in unit["new"] for unit in TABLE["units"] if (old := unit["old"]))


def test_every_outcome_is_used_and_has_known_actions() -> None:
    used = {name for unit in TABLE["units"] for name in (unit.get("status") or unit["reason"]).values()}
    used |= {row["promoted"] for row in TABLE["outcomes"].values() if "promoted" in row}
    steps = [row["action"] for row in (*TABLE["outcomes"].values(), *TABLE["recovery"].values())]

    assert used == TABLE["outcomes"].keys()
    assert {step for each in steps for step in ([each] if isinstance(each, str) else each)} <= ACTIONS.keys()


UNITS = st.sampled_from([name for unit in TABLE["units"] for name in unit["names"]]) | st.text(max_size=20)
WORDS = st.lists(st.integers(0, 2**40).map(hex) | st.text(max_size=9), max_size=9).map(" ".join)


@given(
    code=st.integers(140, 155) | st.integers(),
    text=st.text()
    | st.builds(
        "{}, {} {} XC{} i{} Link {} ({})".format,
        st.integers(),
        UNITS,
        st.sampled_from(["Fatal", "Nonfatal", "Non-fatal", "x"]),
        st.integers(0, 12),
        st.integers(0, 12),
        st.integers(),
        WORDS,
    ),
)
def test_no_line_makes_it_fail_and_none_becomes_fatal_by_itself(code: int, text: str) -> None:
    error = gpuerrors.explain("nvidia", code)
    refined = gpuerrors.refine(error, text)

    assert refined == error or code in range(144, 155)
    assert refined.policy != "fatal" or error.policy == "fatal" or "Fatal" in text


def test_a_line_refines_an_error_and_leaves_what_it_is() -> None:
    error = gpuerrors.explain("nvidia", 149)
    refined = gpuerrors.refine(error, line(149, "NETIR_LINK_EVT", "Fatal", 0x025525C6, 0))

    assert str(refined) == str(error)
    assert (error.policy, refined.policy) == ("workflow", "fatal")


@pytest.mark.parametrize("code", ["umc", 18])
def test_a_vendor_without_a_decoder_keeps_its_error(code: int | str) -> None:
    error = replace(gpuerrors.explain("amd", 18), code=code)

    assert gpuerrors.refine(error, "0x1") == error
