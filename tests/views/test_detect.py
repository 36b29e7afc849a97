"""How findings are told: equal hosts in one line however many they are, and nothing that steers a terminal."""

from __future__ import annotations

import time

from aamic.compile.hostlist import fold
from aamic.model.detected import Compared, Detected, Device, Found
from aamic.model.host import Unobserved
from aamic.views.detect import text, to_json


def found(host: str, *buses: str, trouble: str = "") -> Compared:
    devices = tuple(Device(f"0000:{bus}:00.0", "0x2330", "nvidia") for bus in buses)
    gpus = Found("nvidia", devices, "H100", "550.90.07", (trouble,) if trouble else ())
    return Compared(Detected(host, host, (gpus,), 64, 1 << 30), "same")


def test_ten_thousand_equal_hosts_are_one_line() -> None:
    begun = time.process_time()
    told = text([found(f"gpu-{n:05}", "1b", "43") for n in range(1, 10_001)], [], fold)

    assert told == (
        "same · 10,000 hosts · gpu-[00001-10000]\n"
        "  2 nvidia H100, driver 550.90.07\n    at 0000:1b:00.0, 0000:43:00.0\n"
        "10,000 hosts: 10,000 same\n"
    )
    assert time.process_time() - begun < 5


def test_hosts_are_told_together_wherever_their_gpus_are() -> None:
    assert text([found("a1", "1b"), found("a2", "43")], [], fold) == (
        "same · 2 hosts · a[1-2]\n  1 nvidia H100, driver 550.90.07\n"
        "    at various addresses of the PCI bus; `--json` has them\n2 hosts: 2 same\n"
    )


def test_failures_that_are_the_same_are_told_once() -> None:
    failed = [
        Unobserved(name, "unreachable", f"`{name}` (10.0.0.{n}): no answer", "h\x1b") for n, name in enumerate("ab")
    ]

    assert (
        text([], failed, fold) == "unknown · 2 hosts · a,b\n  `HOST`: no answer\n  hint: h\\x1b\n2 hosts: 2 unknown\n"
    )
    assert to_json([], failed)["hosts"]["a"] == {
        "state": "unknown", "kind": "unreachable", "message": "`a` (10.0.0.0): no answer", "hint": "h\x1b",
    }  # fmt: skip


def test_nothing_steers_the_terminal() -> None:
    told = text([found("a", "1b", trouble="`x` says \x1b[2J\u202e\nend")], [], fold)

    assert r"  nvidia: `x` says \x1b[2J\u202e\nend" in told
    assert "\x1b" not in told
