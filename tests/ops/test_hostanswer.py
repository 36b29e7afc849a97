"""Answers of hosts are read as they are written, and refused otherwise: never anything but a value or a ValueError."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.ops.hostanswer import HostAnswer, Ran, Seen, read_answer

GOOD = b"\n".join([
    b"aamic\t1\tdetect", b"host\tgpu-01", b"kernel\t6.8.0", b"cpus\t0-63,128", b"memory\t1024",
    b"module\tnvidia\t550.90.07",
    b"device\t0000:1b:00.0\t0x030200\t0x10de\t0x2330\tnvidia\tphysical",
    b"device\t0000:0b:00.0\t0x120000\t0x1002\t0x74b5\t\tvirtual",
    b"ran\t0x10de\tnvidia-smi\t" + b64encode(b"out\n\xff") + b"\t3\t" + b64encode(b"err"), b"end", b"",
])  # fmt: skip


def test_an_answer_is_read() -> None:
    assert read_answer(GOOD) == HostAnswer(
        "gpu-01", "6.8.0", 65, 1024 * 1024, True, {"nvidia": "550.90.07"},
        (
            Seen("0000:0b:00.0", "0x1200", "0x1002", "0x74b5", None, virtual=True),
            Seen("0000:1b:00.0", "0x0302", "0x10de", "0x2330", "nvidia", virtual=False),
        ),
        (Ran("0x10de", "nvidia-smi", "out\n�", "err", 3),),
    )  # fmt: skip


BAD = {
    "nothing": (b"", "the program of aamic did not run there"),
    "a banner": (b"welcome\n" + GOOD, "the program of aamic did not run there"),
    "cut short": (GOOD[:-5], "its answer ended early"),
    "a foreign line": (GOOD.replace(b"end\n", b"\x1b[2Jx\nend\n"), r"a line of it begins with '\x1b[2Jx'"),
    "two hosts": (GOOD.replace(b"kernel", b"host\tb\nkernel"), "it does not have one line of `host`"),
    "no memory": (GOOD.replace(b"memory\t1024\n", b""), "it does not have one line of `memory`"),
    "a class": (GOOD.replace(b"0x030200", b"0x03020"), "a line of `device` is malformed"),
    "an address": (GOOD.replace(b"0000:1b:00.0", b"0000:1b:00.9"), "an address of PCI is malformed"),
    "a driver": (GOOD.replace(b"\tnvidia\tphysical", b"\tnv idia\tphysical"), "a name in it is malformed"),
    "fields": (GOOD.replace(b"\tphysical", b""), "a line of `device` is malformed"),
    "a status": (GOOD.replace(b"\t3\t", b"\t-3\t"), "a line of `ran` is malformed"),
    "base64": (GOOD.replace(b"\t3\t", b"*\t3\t"), "a line of `ran` is malformed"),
}


@pytest.mark.parametrize(("output", "message"), BAD.values(), ids=BAD)
def test_what_is_no_answer_is_refused(output: bytes, message: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011  # its whole text is compared
        read_answer(output)

    assert str(told.value) == message


@pytest.mark.parametrize("cpus", ["", "5-2", "x", "0-", "0,,2"])
def test_threads_that_make_no_sense_are_unknown(cpus: str) -> None:
    assert read_answer(GOOD.replace(b"0-63,128", cpus.encode())).threads is None


@given(st.binary(max_size=400))
def test_bytes_are_never_an_error_of_ours(output: bytes) -> None:
    with suppress(ValueError):
        read_answer(output)


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=40))
def test_neither_are_answers_that_were_changed(at: int, gone: int, instead: bytes) -> None:
    with suppress(ValueError):
        read_answer(GOOD[:at] + instead + GOOD[at + gone :])
