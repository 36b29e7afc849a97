"""From answers of hosts to their GPUs: what is there, what it is called, and what does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aamic.catalog.table import VENDORS
from aamic.model.detected import Compared, Detected, Device, Found
from aamic.model.fleet import Gpu
from aamic.ops.detect import detected
from aamic.ops.detectdiff import compare
from aamic.ops.hostanswer import HostAnswer, Ran, Seen
from tests.machines import RECORDED

DETECTORS = {vendor.name: vendor.detector for vendor in VENDORS}
EMPTY = HostAnswer("h", "6.8.0", 64, 1 << 30, has_bus=True, modules={}, devices=(), ran=())
H100 = tuple(
    Seen(f"0000:{bus}:00.0", "0x0302", "0x10de", "0x2330", "nvidia", virtual=False)
    for bus in ("1b", "43", "52", "61", "9d", "c3", "d1", "df")
)
MI300X = tuple(
    Seen(f"0000:{bus}:00.0", "0x1200", "0x1002", "0x74a1", "amdgpu", virtual=False)
    for bus in ("05", "26", "46", "65", "85", "a6", "c6", "e5")
)
LOADED = {"nvidia": "550.90.07", "amdgpu": ""}


def smi(output: str, status: int = 0, errors: str = "") -> Ran:
    return Ran("0x10de", "nvidia-smi", output, errors, status)


def csv(*lines: int) -> str:
    every = (RECORDED / "h100.csv").read_text().splitlines(keepends=True)
    return "".join(every[line] for line in lines or range(8))


def found(answer: HostAnswer) -> tuple[Found, ...]:
    return detected("gpu-01", answer, DETECTORS).gpus


def only(answer: HostAnswer) -> Found:
    (one,) = found(answer)
    return one


def test_a_host_with_all_in_order() -> None:
    answer = replace(EMPTY, devices=H100, modules=LOADED, ran=(smi(csv()),))

    assert detected("gpu-01", answer, DETECTORS) == Detected(
        "gpu-01", "h",
        (Found("nvidia", tuple(Device(each.address, "0x2330", "nvidia") for each in H100), "H100", "550.90.07"),),
        64, 1 << 30,
    )  # fmt: skip


def test_a_host_without_gpus() -> None:
    assert found(EMPTY) == ()


def test_both_vendors_are_an_answer() -> None:
    both = found(replace(EMPTY, devices=(*MI300X, *H100), modules=LOADED))

    assert [(each.vendor, each.model, each.count, each.driver) for each in both] == [
        ("nvidia", "H100", 8, "550.90.07"),
        ("amd", "MI300X", 8, "6.8.0"),
    ]


def test_a_missing_driver_is_an_answer() -> None:
    bare = tuple(replace(each, driver=None) for each in H100)
    one = only(replace(EMPTY, devices=bare, ran=(smi("NVIDIA-SMI has failed", 9),)))

    assert (one.model, one.count, one.driver) == ("H100", 8, None)
    assert one.troubles == (
        "8 of 8 GPUs have no driver: install `nvidia`, or see in the kernel log why it is not loaded",
    )


def test_gpus_that_somebody_else_holds() -> None:
    held = (replace(H100[0], driver="vfio-pci"), replace(H100[1], driver="nouveau"), *H100[2:])

    assert only(replace(EMPTY, devices=held, modules=LOADED)).troubles == (
        "1 of 8 GPUs are held by `nouveau`, not by `nvidia`",
        "1 of 8 GPUs are held by `vfio-pci`, not by `nvidia`",
    )


@pytest.mark.parametrize(
    ("ran", "trouble"),
    [
        (smi("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161\n", 18),
         "`nvidia-smi` failed with status 18: Failed to initialize NVML: Driver/library version mismatch"),
        (smi("", 1, "a\nsegfault\n\n"), "`nvidia-smi` failed with status 1: segfault"),
        (smi("", 127), "`nvidia-smi` failed with status 127"),
        (smi("x" * 300, 2), f"`nvidia-smi` failed with status 2: {'x' * 200}…"),
        (smi("half", 124), "`nvidia-smi` did not answer in time"),
        (smi("hello\n"), "`nvidia-smi` says what is not understood: a line does not have three values"),
        (smi(csv(0, 1, 2, 3, 4, 5, 6)), "`nvidia-smi` sees 7 of 8 GPUs: not 0000:df:00.0"),
        (smi(""), "`nvidia-smi` sees 0 of 8 GPUs: none of them"),
    ],
)  # fmt: skip
def test_troubles_of_programs(ran: Ran, trouble: str) -> None:
    one = only(replace(EMPTY, devices=H100, modules=LOADED, ran=(ran,)))

    assert (one.model, one.count, one.troubles) == ("H100", 8, (trouble,))


LOST = "Unable to determine the device handle for GPU0: 0000:1B:00.0: Unknown Error"


@pytest.mark.parametrize(
    ("ran", "troubles"),
    [
        (smi(csv(1, 2, 3, 4, 5, 6, 7), 15, "it is lost\n"), ("`nvidia-smi` failed with status 15: it is lost", "not")),
        (smi(f"{LOST}\n{csv(1, 2, 3, 4, 5, 6, 7)}", 15), (f"`nvidia-smi` failed with status 15: {LOST}", "not")),
        (smi(f"{LOST}\n{csv(1, 2, 3, 4, 5, 6, 7)}"), ("not",)),
        (smi(csv(), 14, "WARNING: infoROM is corrupted\n"),
         ("`nvidia-smi` failed with status 14: WARNING: infoROM is corrupted",)),
    ],
)  # fmt: skip
def test_a_program_that_fails_for_one_gpu_tells_of_the_others(ran: Ran, troubles: tuple[str, ...]) -> None:
    seven = "`nvidia-smi` sees 7 of 8 GPUs: not 0000:1b:00.0"
    one = only(replace(EMPTY, devices=H100, modules=LOADED, ran=(ran,)))

    assert one.troubles == tuple(seven if trouble == "not" else trouble for trouble in troubles)
    assert (one.model, one.driver) == ("H100", "550.90.07")


def test_a_name_that_no_site_could_have_is_none() -> None:
    strange = replace(H100[0], number="0xffff")
    said = [
        only(replace(EMPTY, devices=(strange,), modules=LOADED, ran=(smi(f"00000000:1B:00.0, 1, NVIDIA {name}\n"),)))
        for name in ("X1", "X\x1b[2J", "X" * 300)
    ]

    assert [each.model for each in said] == ["X1", None, None]


def test_gpus_of_another_driver_are_left_to_a_person() -> None:
    held = only(replace(EMPTY, devices=(replace(H100[0], driver="vfio-pci"), *H100[1:]), modules=LOADED))
    there = Detected("g", "g", (held,), None, None)
    because = "`vfio-pci` holds GPUs that no exporter sees then: mend it, or write `gpu` by hand"
    stands = [compare(there, said, DETECTORS) for said in (None, Gpu("nvidia", "H100", 4), Gpu("nvidia", "H100", 8))]

    assert [(each.state, each.wanted, each.because) for each in stands] == [
        ("not in the site", None, because),
        ("different", None, because),
        ("same", None, ""),
    ]


def test_a_program_that_fails_is_forgiven_if_another_answers() -> None:
    listed = (RECORDED / "amd-smi-list.json").read_text()
    ran = (Ran("0x1002", "amd-smi", "", "no", 1), Ran("0x1002", "amd-smi", listed, "", 0))
    one = only(replace(EMPTY, devices=MI300X, modules={"amdgpu": "6.10.5"}, ran=ran))

    assert (one.model, one.count, one.driver, one.troubles) == ("MI300X", 8, "6.10.5", ())


def test_parts_of_gpus_count_once_and_functions_of_a_card_each() -> None:
    card = tuple(replace(MI300X[0], address=f"0000:{bus}:00.0", kind="0x0380", number="0x740c") for bus in ("29", "2c"))
    one = only(replace(EMPTY, devices=card, modules=LOADED))

    assert (one.count, one.model, one.perhaps) == (2, None, ("MI250", "MI250X"))


def test_the_driver_knows_which_of_two_it_is() -> None:
    one = replace(H100[0], number="0x25b6")
    answer = replace(EMPTY, devices=(one,), modules=LOADED, ran=(smi("00000000:1B:00.0, 550.90.07, NVIDIA A16\n"),))

    assert (only(answer).model, only(answer).perhaps) == ("A16", ())


def test_virtual_functions_count_only_where_there_is_nothing_else() -> None:
    virtual = Seen("0000:85:02.0", "0x1200", "0x1002", "0x74b5", "vfio-pci", virtual=True)
    host = only(replace(EMPTY, devices=(replace(MI300X[4], driver="gim"), virtual)))
    guest = only(replace(EMPTY, devices=(virtual,)))

    assert [each.address for each in host.devices] == ["0000:85:00.0"]
    assert (host.troubles, guest.model, guest.count) == ((), "MI300X", 1)


@pytest.mark.parametrize(
    "other",
    [
        Seen("0000:c5:00.0", "0x0380", "0x1002", "0x1586", "amdgpu", virtual=False),
        Seen("0000:0a:00.0", "0x0300", "0x1002", "0x13c0", "amdgpu", virtual=False),
        Seen("0000:0b:00.0", "0x0300", "0x10de", "0x1fb0", "nvidia", virtual=False),
    ],
    ids=["integrated accelerator", "integrated display", "display of a DGX Station"],
)
def test_what_only_shows_pictures_is_no_gpu(other: Seen) -> None:
    assert found(replace(EMPTY, devices=(other,), modules=LOADED)) == ()


def test_a_number_that_nobody_knows() -> None:
    new = replace(EMPTY, devices=(replace(H100[0], number="0x9999"),), modules=LOADED)
    named = replace(new, ran=(smi("00000000:1B:00.0, 700.1, NVIDIA X1 Ultra\n"),))

    told = "device number 0x9999 is not known here: write the product's name as `gpu.model` in the site, "
    assert only(new).model is None
    assert only(new).troubles == (f"{told}and tell the authors of aamic of the number",)
    assert (only(named).model, only(named).troubles) == ("X1 Ultra", ())


def test_different_gpus_on_one_host() -> None:
    mixed = replace(EMPTY, devices=(replace(H100[0], number="0x27b8"), *H100[1:]), modules=LOADED)

    assert (only(mixed).model, only(mixed).troubles) == (None, ("they differ: 7 H100, 1 L4",))


# Against the site


def host(*gpus: Found) -> Detected:
    return Detected("gpu-01", "gpu-01", gpus, None, None)


def gpus(vendor: str, model: str | None, count: int, perhaps: tuple[str, ...] = ()) -> Found:
    return Found(
        vendor, tuple(Device(f"0000:{n:02x}:00.0", "0x0", None) for n in range(count)), model, None, (), perhaps
    )


def compared(detected: Detected, said: Gpu | None, *, fewer: bool = False) -> Compared:
    return compare(detected, said, DETECTORS, fewer=fewer)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (host(), None),
        (host(gpus("nvidia", "H100", 8)), Gpu("nvidia", "H100", 8)),
        (host(gpus("nvidia", "H100", 8)), Gpu("nvidia", "NVIDIA H100 80GB HBM3", 8)),
        (host(gpus("nvidia", "A100", 8)), Gpu("nvidia", "a100-sxm4-80gb", 8)),
        (host(gpus("nvidia", "X1 Ultra", 8)), Gpu("nvidia", "X1 Ultra", 8)),
        (host(gpus("nvidia", None, 8)), Gpu("nvidia", "H100", 8)),
        (host(gpus("amd", None, 8, ("MI250", "MI250X"))), Gpu("amd", "MI250", 8)),
    ],
)
def test_a_site_that_is_right(there: Detected, said: Gpu | None) -> None:
    assert compared(there, said) == Compared(there, "same")


SAID = Gpu("nvidia", "H100", 8)
FEWER = "fewer GPUs than the site says are rather a fault than a change: `--fewer` writes them all the same"
SEVERAL = "it has GPUs of several vendors, and a node of a site has those of one"
CASES = {
    "another model": (host(gpus("nvidia", "H200", 8)), ("the site says H100, it is H200",),
                      Gpu("nvidia", "H200", 8), ""),
    "more": (host(gpus("nvidia", "H100", 9)), ("the site says 8 GPUs, there are 9",), Gpu("nvidia", "H100", 9), ""),
    "fewer": (host(gpus("nvidia", "H100", 1)), ("the site says 8 GPUs, there is 1",), None, FEWER),
    "none": (host(), ("the site says 8 nvidia H100, there are none",), None,
             "it shows no GPU at all: mend it, or take `gpu` out of the site by hand"),
    "another vendor": (host(gpus("amd", "MI300X", 8)), ("the site says 8 nvidia H100, there are 8 amd MI300X",),
                       Gpu("amd", "MI300X", 8), ""),
    "more vendors": (host(gpus("nvidia", "H100", 8), gpus("amd", None, 1)),
                     ("the site says nothing of 1 amd GPU of unknown model",), None, SEVERAL),
    "one of two": (host(gpus("amd", None, 2, ("MI250", "MI250X"))),
                   ("the site says 8 nvidia H100, there are 2 amd MI250 or MI250X",),
                   None, "its model is not known for sure: write `gpu` by hand"),
    "too many": (host(gpus("nvidia", "H100", 65)), ("the site says 8 GPUs, there are 65",), None,
                 "a node of a site has at most 64 GPUs"),
}  # fmt: skip


@pytest.mark.parametrize(("there", "differences", "wanted", "because"), CASES.values(), ids=CASES)
def test_a_site_that_is_wrong(there: Detected, differences: tuple[str, ...], wanted: Gpu | None, because: str) -> None:
    assert compared(there, SAID) == Compared(there, "different", differences, wanted, because)


def test_fewer_are_written_where_that_is_wished() -> None:
    assert compared(host(gpus("nvidia", "H100", 7)), SAID, fewer=True).wanted == Gpu("nvidia", "H100", 7)


def test_a_name_that_says_more_stays() -> None:
    assert compared(host(gpus("nvidia", "H100", 8)), Gpu("nvidia", "H100 NVL", 4)).wanted == Gpu(
        "nvidia", "H100 NVL", 8
    )


def test_a_site_that_says_nothing() -> None:
    new, nameless = host(gpus("nvidia", "H100", 8)), host(gpus("nvidia", None, 8))
    both = host(gpus("nvidia", "H100", 8), gpus("amd", "MI300X", 8))

    assert compared(new, None) == Compared(new, "not in the site", (), SAID)
    assert [compared(each, None).because for each in (nameless, both)] == [
        "its model is not known for sure: write `gpu` by hand", SEVERAL,
    ]  # fmt: skip
