"""How vendors' GPUs are told: device numbers, and what the vendors' programs print."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.base import Asked, Detector, Vendor
from aamic.catalog.devices import models_in
from aamic.catalog.table import VENDORS
from aamic.catalog.vendors.amd.detect import DETECTOR as AMD
from aamic.catalog.vendors.nvidia.detect import DETECTOR as NVIDIA
from tests.machines import RECORDED

SMI = NVIDIA.programs[0]
STATIC, LIST, ROCM = AMD.programs
MI300X = tuple(f"0000:{bus}:00.0" for bus in ("05", "26", "46", "65", "85", "a6", "c6", "e5"))


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def test_nvidia_smi_is_understood() -> None:
    buses = ("1b", "43", "52", "61", "9d", "c3", "d1", "df")

    assert NVIDIA.read(SMI, recorded("h100.csv")) == Asked(
        "550.90.07", ("H100 80GB HBM3",) * 8, tuple(f"0000:{bus}:00.0" for bus in buses)
    )
    assert NVIDIA.read(SMI, recorded("h200nvl.csv")).addresses[4] == "0001:04:00.0"
    assert NVIDIA.read(SMI, "") == Asked()


def test_names_of_nvidia() -> None:
    names = ["Tesla V100-SXM2-16GB", "NVIDIA A, B", "NVIDIA Graphics Device", "[N/A]"]
    lines = "".join(f"00000000:0{n}:00.0, 1.{n}, {name}\r\n" for n, name in enumerate(names))

    assert NVIDIA.read(SMI, lines) == Asked(
        None, ("V100-SXM2-16GB", "A, B"), tuple(f"0000:0{n}:00.0" for n in range(4))
    )


@pytest.mark.parametrize(
    ("name", "driver"),
    [("amd-smi-static-26", "6.19.14"), ("amd-smi-static-25", "6.10.5"), ("amd-smi-static-5", "6.2.4")],
)
def test_every_generation_of_amd_smi_is_understood(name: str, driver: str) -> None:
    assert AMD.read(STATIC, recorded(f"{name}.json")) == Asked(driver, ("MI300X",) * 8, MI300X)


def test_a_warning_before_the_json_is_passed_over() -> None:
    warning = (
        "WARNING: User is missing the following required groups: render, video. Please add user to these groups.\n"
    )

    assert len(AMD.read(STATIC, warning + recorded("amd-smi-static-25.json")).addresses) == 8


def test_parts_of_a_gpu_have_addresses_of_their_own() -> None:
    asked = AMD.read(LIST, recorded("amd-smi-list.json"))

    assert (asked.driver, asked.models, asked.addresses[:3]) == (
        None,
        (),
        ("0000:05:00.0", "0000:05:00.1", "0000:26:00.0"),
    )


def test_rocm_smi_is_understood() -> None:
    asked = AMD.read(ROCM, recorded("rocm-smi-mi210.json"))
    old = AMD.read(ROCM, recorded("rocm-smi-5.json"))

    assert (asked.driver, asked.models, asked.addresses[3]) == ("6.8.5", ("MI210",) * 8, "0000:4a:00.0")
    assert old == Asked("5.18.13", (), ("0000:c9:00.0",))


def test_what_is_not_there_is_not_said() -> None:
    gpu = {"gpu": 0, "asic": {"market_name": "N/A"}, "bus": "N/A", "driver": {"version": "N/A"}}

    assert AMD.read(STATIC, json.dumps({"gpu_data": [gpu]})) == Asked()


BAD = {
    "no csv": (NVIDIA, SMI, "No devices were found\n", "a line does not have three values"),
    "no address": (NVIDIA, SMI, "x, 1, NVIDIA H100\n", "an address of PCI is malformed"),
    "no json": (AMD, STATIC, "ERROR: no\n", "there is no JSON in it"),
    "no list": (AMD, STATIC, '{"gpu_data": {"a": 1}}', "it holds no list of GPUs"),
    "numbers": (AMD, STATIC, "[1, 2]", "it holds no list of GPUs"),
    "no cards": (AMD, ROCM, "{}", "it holds no cards"),
    "a list of cards": (AMD, ROCM, "[]", "it holds no cards"),
    "too deep": (AMD, STATIC, "[" * 200_000, "its JSON is too deep"),
}


@pytest.mark.parametrize(("detector", "program", "output", "message"), BAD.values(), ids=BAD)
def test_anything_else_is_refused(detector: Detector, program: tuple[str, ...], output: str, message: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011  # its whole text is compared
        detector.read(program, output)

    assert str(told.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["gpu_data", "bus", "bdf", "asic", "market_name", "driver", "version", "card0", "system"])
            | st.text(max_size=9),
            inner,
            max_size=4,
        )
    ),
)


@pytest.mark.parametrize(
    ("detector", "program"), [(vendor.detector, each) for vendor in VENDORS for each in vendor.detector.programs]
)
@given(output=st.text(max_size=200) | JSON.map(json.dumps))
def test_no_output_is_an_error_of_ours(detector: Detector, program: tuple[str, ...], output: str) -> None:
    with suppress(ValueError):
        detector.read(program, output)


def test_device_numbers() -> None:
    expected = {
        "0x1db4": ("V100",), "0x1eb8": ("T4",), "0x20b2": ("A100",), "0x2330": ("H100",), "0x2331": ("H100",),
        "0x2321": ("H100",), "0x2335": ("H200",), "0x2342": ("GH200",), "0x2901": ("B200",), "0x2941": ("GB200",),
        "0x3182": ("B300",), "0x27b8": ("L4",), "0x26b5": ("L40",), "0x26b9": ("L40S",), "0x2236": ("A10",),
        "0x20b7": ("A30",), "0x2235": ("A40",), "0x25b6": ("A2", "A16"), "0x738c": ("MI100",), "0x740f": ("MI210",),
        "0x7408": ("MI250X",), "0x740c": ("MI250", "MI250X"), "0x74a0": ("MI300A",), "0x74a1": ("MI300X",),
        "0x74a2": ("MI308X",), "0x74a5": ("MI325X",), "0x75a0": ("MI350X",), "0x75a3": ("MI355X",),
    }  # fmt: skip
    devices = {**NVIDIA.devices, **AMD.devices}

    assert {number: devices.get(number) for number in expected} == expected


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_detector_is_complete(vendor: Vendor) -> None:
    detector = vendor.detector
    known = {model for models in detector.devices.values() for model in models}

    assert all(len(models) in {1, 2} for models in detector.devices.values())
    assert [word for program in detector.programs for word in program if set("\t\n") & set(word)] == []
    assert {model for model in known if models_in(f"the {model} 80GB-x", known) != {model}} == set()
