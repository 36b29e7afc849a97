"""The words of GPU errors, and the lines of kernel logs that tell them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from aamic.catalog import gpuerrors, gpulines, gpuwords
from aamic.model.gpuerror import POLICIES, Culprit, GpuError, Severity

VENDORS = gpuerrors.vendors()
AMD = Path(gpuerrors.__file__).parent / "vendors/amd"
ALL = [error for vendor in VENDORS for error in gpuwords.words(vendor).values()]


@pytest.mark.parametrize("error", ALL, ids=str)
def test_every_word_says_what_it_has_to(error: GpuError) -> None:
    assert error.policy in POLICIES
    assert error.fault in get_args(Culprit)
    assert error.severity in get_args(Severity)
    assert error.meaning.endswith(".")
    assert all(step.endswith(".") for step in error.actions)
    assert error.causes
    assert "our policy" in error.source


@pytest.mark.parametrize("code", range(1, 35))
def test_every_afid_is_explained_in_full_and_says_what_is_ours(code: int) -> None:
    error = gpuerrors.explain("amd", code)

    assert error.known
    assert error.meaning != f"{error.name}."
    assert error.causes
    assert error.actions
    assert error.source.endswith("causes and actions are our policy")


def test_blocks_are_those_of_the_exporter() -> None:
    metrics = yaml.safe_load((AMD / "emits.yaml").read_text())["metrics"]
    found = {match[1] for name in metrics if (match := re.search("gpu_ecc_(?:correct|uncorrect|deferred)_(.*)", name))}

    assert {word.rsplit("-", 1)[0] for word, error in gpuwords.words("amd").items() if error.kind == "RAS"} == (
        found - {"total"}
    )


def test_a_block_has_each_kind_of_error_and_keeps_whose_fault_it_is() -> None:
    errors = gpuwords.look_up("amd", "xgmi_wafl")

    assert [(error.code, error.policy, error.fault) for error in errors] == [
        ("xgmi_wafl-correctable", "corrected", "link"),
        ("xgmi_wafl-uncorrectable", "uncorrected", "link"),
        ("xgmi_wafl-deferred", "workflow", "link"),
    ]


def test_a_word_that_is_in_no_table_is_said_to_be_unknown_with_what_to_collect() -> None:
    (error,) = gpuwords.look_up("amd", "warp-core")

    assert (str(error), error.known, error.policy) == ("RAS warp-core (unknown)", False, "unlisted")
    assert "kernel log" in error.action


def test_the_kernel_may_name_a_block_that_the_table_does_not_have() -> None:
    assert not gpuwords.of_block("amd", "mmsch", "deferred").known


LINES = {
    "NVRM: Xid (0000:03:00): 14, Channel 00000001": "XID 14",
    "NVRM: Xid (PCI:0000:01:00): 79, ": "XID 79",
    "NVRM: Xid (PCI:0000:01:00): 79": "XID 79",
    "NVRM: Xid (PCI:0000:3b:00 GPU-I:01 GPU-CI:02): 13, pid=9, name=a, Graphics Exception": "XID 13",
    "NVRM: Xid (PCI:0000:01:00): 999, pid=1": "XID 999",
    "amdgpu 0000:0c:00.0: amdgpu: GPU reset begin!": "sign gpu-reset",
    "amdgpu: GPU reset begin!": "sign gpu-reset",
    "amdgpu 0000:0b:00.0: amdgpu: GPU reset(1) failed": "sign gpu-reset-failed",
    "amdgpu 0000:02:00.0: GPU Recovery Failed: -19": "sign gpu-reset-failed",
    "amdgpu 0000:01:00.0: GPU fault detected: 147 0x0a504801 for process x pid 1 thread x pid 1": "sign gpu-fault",
    "amdgpu 0000:04:00.0: amdgpu: [gfxhub0] retry page fault (src_id:0 ring:0 vmid:3 pasid:32769)": "sign gpu-fault",
    "amdgpu 0000:03:00.0: amdgpu: [mmhub] page fault (src_id:0 ring:8 vmid:1 pasid:32777)": "sign gpu-fault",
    "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout, signaled seq=1, emitted seq=2": "sign gpu-hang",
    "amdgpu 0000:03:00.0: [drm] *ERROR* ring gfx_0.0.0 timeout": "sign gpu-hang",
    "amdgpu 0000:03:00.0: amdgpu: ring comp_1.0.1 timeout, but soft recovered": "sign queue-recovered",
    "amdgpu 0000:0c:00.0: amdgpu: RAS ERROR: block gfx": "sign ras-error",
    "amdgpu 0000:0c:00.0: amdgpu: [Hardware error] Accelerator Check Architecture events logged": "sign hardware-error",
    "amdgpu 0000:0c:00.0: {3}RAS poison is created, no user action is needed.": "sign poison-created",
    "amdgpu 0000:0c:00.0: amdgpu: RAS poison consumption, unmap queue flow succeeded: client id 10": (
        "sign poison-consumed"
    ),
    "amdgpu 0000:0c:00.0: device lost from bus!": "sign gpu-lost",
    "amdgpu 0000:0c:00.0: amdgpu: RAS records:260 exceed threshold:256, GPU will not be initialized": "sign bad-pages",
    "amdgpu 0000:c1:00.0: probe with driver amdgpu failed with error -22": "sign start-failed",
    "amdgpu 0000:08:00.0: {1}1 correctable hardware errors detected in umc block": "RAS umc-correctable",
    "amdgpu 0000:08:00.0: amdgpu: 2 uncorrectable hardware errors detected in UMC block": "RAS umc-uncorrectable",
    "amdgpu 0000:08:00.0: amdgpu: socket: 1, die: 0 4 deferred hardware errors detected in mca_mp0 block": (
        "RAS mp0-deferred"
    ),
    "amdgpu 0000:08:00.0: amdgpu: 2 uncorrectable hardware errors detected in mmsch block": "RAS mmsch-uncorrectable",
}
"""Messages in the forms of several drivers, and what they tell."""


def read(message: str) -> list[gpulines.Told]:
    return [told for vendor in gpulines.every() if (told := vendor.read(message))]


@pytest.mark.parametrize("message", LINES)
def test_each_form_of_a_message_is_understood(message: str) -> None:
    assert [f"{told.error.kind} {told.error.code}" for told in read(message)] == [LINES[message]]


def test_every_sign_of_the_table_can_be_told_by_a_line() -> None:
    signs = {f"sign {error.code}" for error in ALL if error.kind == gpuwords.SIGN}

    assert signs == {told for told in LINES.values() if told.startswith("sign")}


@pytest.mark.parametrize(
    "message",
    [
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.133.20",
        "NVRM: Xid (PCI:0000:01:00): ",
        "NVRM: Xid (PCI:0000:01:00): 12345678901, pid=1",
        "NVRM: Xid: 79",
        "amdgpu 0000:08:00.0: amdgpu: 0 correctable hardware errors detected in umc block",
        "amdgpu 0000:08:00.0: amdgpu: no uncorrectable hardware errors detected in umc block",
        "amdgpu 0000:03:00.0: amdgpu: GPU reset(2) succeeded!",
        "amdgpu 0000:03:00.0: amdgpu: RAS: optional ras ta ucode is not available",
        "amdgpu 0000:03:00.0: amdgpu: ring gfx_0.0.0 uses VM inv eng 0 on hub 0",
        "amdgpu 0000:03:00.0: amdgpu:  Process GPU reset begin! pid 1 thread x pid 2",
        "snd_hda_intel 0000:0b:00.1: Unable to change power state, GPU reset begin!",
    ],
)
def test_what_is_no_error_is_none(message: str) -> None:
    assert read(message) == []
