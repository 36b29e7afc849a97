"""Kernel logs in the forms of dmesg, journalctl and syslog, and whatever else may come."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.model.gpulog import GpuLog, Sight
from aamic.ops.gpulog import read_log

RECORDED = Path(__file__).parents[1] / "recorded/kernel"
MARKERS = (b"NVRM: Xid", b"amdgpu", b'"MESSAGE"')

Row = tuple[str | None, str | None, str, int, str]


def rows(log: GpuLog) -> list[Row]:
    """Host, address, code, how often, and when."""
    return [(s.host, s.pci, f"{s.error.kind} {s.error.code}", s.count, when(s)) for s in log.sights]


def when(sight: Sight) -> str:
    return f"{sight.first}" if sight.first == sight.last else f"{sight.first} to {sight.last}"


def recorded(name: str) -> list[bytes]:
    return (RECORDED / name).read_bytes().splitlines(keepends=True)


FOUND: dict[str, list[Row]] = {
    "decode.log": [
        (None, "0000:68:00.0", "sign poison-consumed", 1, "2024-11-24T17:53:23,028841-06:00"),
        (None, "0000:68:00.0", "sign poison-created", 1, "2024-11-24T17:53:23,028841-06:00"),
    ],
    "dmesg-t.log": [
        (None, "0000:cb:00", "XID 109", 1, "Fri Aug 30 11:43:14 2024"),
        (None, "0000:03:00.0", "sign gpu-hang", 1, "Fri Aug 30 11:50:00 2024"),
        (None, "0000:03:00.0", "sign gpu-reset", 1, "Fri Aug 30 11:50:02 2024"),
        (None, None, "sign queue-recovered", 1, "Fri Aug 30 11:55:00 2024"),
    ],
    "dmesg.log": [
        (None, "0000:1b:00", "XID 79", 1, "12345.678915"),
        (None, "0018:01:00", "XID 149", 1, "12350.100000"),
        (None, "0000:1b:00", "XID 154", 1, "12345.679112"),
        (None, "0000:01:00 GPU-I:05", "XID 94", 1, "12350.200000"),
        (None, "0000:cb:00", "XID 13", 2, "12346.000001 to 12346.000002"),
        (None, "0000:dc:00", "XID 45", 1, "12360.000000"),
    ],
    "journal-iso.log": [
        ("gpu-018", "0000:3b:00", "XID 48", 2, "2026-11-24T17:09:15+0000 to 2026-11-24T17:09:16.123456+00:00"),
    ],
    "journal.json": [
        ("gpu-019", "0000:1b:00", "XID 31", 1, "2026-11-24 17:09:15 UTC"),
        ("gpu-019", "0000:1b:00", "XID 43", 1, "2026-11-24 17:09:16 UTC"),
    ],
    "journal.log": [("gpu-017", "0000:01:00", "XID 79", 1, "Okt 06 17:59:27")],
    "kern.log": [
        ("mi-002", "0000:42:00.0", "sign bad-pages", 1, "Nov 24 17:09:18"),
        ("mi-002", "0000:75:00.0", "sign gpu-lost", 1, "Nov 24 17:09:19"),
        ("mi-002", "0000:75:00.0", "sign gpu-reset-failed", 1, "Nov 24 17:09:19"),
        ("mi-001", "0000:1c:00.0", "sign ras-error", 1, "Nov 24 17:09:13"),
        ("mi-001", "0000:42:00.0", "RAS bif-uncorrectable", 1, "Nov 24 17:09:17"),
        ("mi-001", "0000:42:00.0", "RAS umc-deferred", 2, "Nov 24 17:09:16"),
        ("mi-002", "0000:75:00.0", "sign gpu-reset", 1, "Nov 24 17:09:19"),
        ("mi-001", "0000:42:00.0", "sign hardware-error", 1, "Nov 24 17:09:14"),
        ("mi-002", "0000:42:00.0", "sign poison-consumed", 1, "Nov 24 17:09:18"),
        ("mi-001", "0000:42:00.0", "RAS umc-correctable", 7, "Nov 24 17:09:15"),
        ("mi-002", "0000:0b:00.0", "sign gpu-fault", 1, "Nov 24 17:09:20"),
    ],
    "kmsg.log": [(None, "0000:3b:00", "XID 62", 1, "100.000001")],
    "pdsh.log": [
        ("gpu-001", "0000:3b:00", "XID 119", 1, "99.100000"),
        ("gpu-002", "0000:3b:00", "XID 119", 1, "98.100000"),
    ],
}


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDED.iterdir()))
def test_each_form_of_a_log_is_read(name: str) -> None:
    assert rows(read_log(recorded(name))) == FOUND[name]


@pytest.mark.parametrize(
    ("line", "at", "host"),
    [
        ("NVRM: Xid", None, None),
        ("<3>[  99.1] NVRM: Xid", "99.1", None),
        ("<3>Nov  4 01:02:03 n kernel: NVRM: Xid", "Nov  4 01:02:03", "n"),
        ("[  99.1] n kernel: NVRM: Xid", "99.1", "n"),
        ("1795540155.123456 n kernel: NVRM: Xid", "1795540155.123456", "n"),
        ("Tue 2026-11-24 17:09:15 UTC n kernel: NVRM: Xid", "Tue 2026-11-24 17:09:15 UTC", "n"),
        ("2026-11-24T17:09:15,123456+01:00 NVRM: Xid", "2026-11-24T17:09:15,123456+01:00", None),
        ("2026-11-24T17:09:15.123456Z n.example kernel: [ 9.1] NVRM: Xid", "2026-11-24T17:09:15.123456Z", "n.example"),
        ("11月 24 17:09:15 n kernel: NVRM: Xid", "11月 24 17:09:15", "n"),
        ("n: Nov 24 17:09:15 kernel: NVRM: Xid", "Nov 24 17:09:15", "n"),
        ("kernel: [ 9.1] NVRM: Xid", None, None),
        ("<4>1 2026-11-25T03:11:09Z n-017 kernel - - - NVRM: Xid", "2026-11-25T03:11:09Z", "n-017"),
        ('2026-11-25T03:11:09.1Z n kernel 7 ID [a@1 b="c"][d@1] \ufeff[ 9.1] NVRM: Xid', "2026-11-25T03:11:09.1Z", "n"),
        ("\x1b[32m[    9.1] \x1b[0m\x1b[33mNVRM: \x1b[0mXid", "9.1", None),
    ],
)
def test_time_and_host_are_taken_from_what_stands_before(line: str, at: str | None, host: str | None) -> None:
    log = read_log([f"{line} (PCI:0000:01:00): 79, x\r\n".encode()])

    assert rows(log) == [(host, "0000:01:00", "XID 79", 1, f"{at}")]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("amdgpu 0000:c1:00.0: amdgpu: Saved bad pages 65 reaches threshold value 64", "bad-pages"),
        ("amdgpu: [powerplay] GPU hang detected", "gpu-hang"),
        ("amdgpu 0000:c1:00.0: amdgpu: [powerplay] GPU hang detected", "gpu-hang"),
        ("amdgpu 0000:c1:00.0: amdgpu: some text RAS ERROR in umc", "ras-error"),
        ("amdgpu 0000:c1:00.0: [mmhub] VMC page fault (src_id:0 ring:169 vmid:0 pasid:0)", "gpu-fault"),
        ("[drm:amdgpu_device_init.cold [amdgpu]] *ERROR* hw_init of IP block <psp> failed -22", "start-failed"),
        ("amdgpu: probe of 0000:c1:00.0 failed with error -22", "start-failed"),
        ("amdgpu 0000:c1:00.0: probe with driver amdgpu failed with error -22", "start-failed"),
    ],
)
def test_real_lines_of_amdgpu_are_known(message: str, word: str) -> None:
    (sight,) = read_log([b"[ 9.1] " + message.encode()]).sights

    assert sight.error.code == word


def test_another_program_is_not_the_kernel_in_the_newer_syslog_either() -> None:
    line = b"<4>1 2026-11-25T03:11:09Z n watcher 7 - - saw NVRM: Xid (PCI:0000:01:00): 79, x"

    assert read_log([line]).sights == ()


def test_totals_are_not_added_to_what_they_count() -> None:
    lines = [f"amdgpu 0000:01:00.0: amdgpu: {text} in umc block".encode() for text in COUNTS]

    assert [(sight.count, sight.lines) for sight in read_log(lines).sights] == [(9, 4)]


COUNTS = (
    "2 new correctable hardware errors detected",
    "8 correctable hardware errors detected in total",
    "1 new correctable hardware errors detected",
    "9 correctable hardware errors detected in total",
)


def test_lines_beyond_what_can_be_kept_apart_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aamic.ops.gpulog._MOST", 2)
    log = read_log(f"NVRM: Xid (PCI:0000:0{number}:00): 79".encode() for number in (1, 2, 3, 1, 4))

    assert ([sight.count for sight in log.sights], log.lines, log.dropped) == ([2, 1], 5, 2)


def test_a_log_is_never_held_as_a_whole() -> None:
    noise = b"[ 1.0] " + b"x" * 2_000
    tracemalloc.start()
    log = read_log(noise + b"NVRM: Xid (PCI:0000:01:00): 31" for _ in range(5_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert log.sights[0].count == 5_000
    assert peak < 2_000_000


# Whatever may come

NOISE = st.binary(max_size=200).filter(lambda line: not any(marker in line for marker in MARKERS))
LINES = st.sampled_from([line for path in sorted(RECORDED.iterdir()) for line in recorded(path.name)])
PLANTED = [
    b"NVRM: Xid (PCI:0000:1b:00): 79, GPU has fallen off the bus.",
    b"[ 99.1] NVRM: Xid (PCI:0000:1b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.\n",
    b'{"MESSAGE":"NVRM: Xid (PCI:0000:1b:00): 79, x"}',
]


@given(st.lists(st.binary(max_size=300) | LINES))
def test_no_bytes_are_too_much(lines: list[bytes]) -> None:
    assert read_log(lines).lines == len(lines)


@given(LINES, st.integers(0, 400), st.integers(0, 20), st.binary(max_size=20))
def test_damaged_lines_are_read_too(line: bytes, start: int, gone: int, instead: bytes) -> None:
    assert read_log([line[:start] + instead + line[start + gone :]]).lines == 1


@given(st.text(), st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists), st.none() | st.text())
def test_entries_of_a_journal_may_hold_anything(host: str, message: object, at: str | None) -> None:
    entry = {"_HOSTNAME": host, "MESSAGE": message, "__REALTIME_TIMESTAMP": at, "note": "amdgpu NVRM: Xid"}

    assert read_log([json.dumps(entry).encode()]).lines == 1


@given(st.lists(NOISE))
def test_noise_alone_tells_of_nothing(noise: list[bytes]) -> None:
    assert read_log(noise).sights == ()


@given(st.lists(NOISE), st.lists(st.sampled_from(PLANTED), min_size=1), st.randoms(use_true_random=False))
def test_an_error_among_noise_is_always_found(noise: list[bytes], planted: list[bytes], chance: random.Random) -> None:
    lines = [*noise, *planted]
    chance.shuffle(lines)

    assert [(s.pci, s.error.code, s.count) for s in read_log(lines).sights] == [("0000:1b:00", 79, len(planted))]


@given(st.lists(LINES, max_size=30), st.randoms(use_true_random=False))
def test_counts_do_not_depend_on_the_order_of_lines(lines: list[bytes], chance: random.Random) -> None:
    shuffled = chance.sample(lines, len(lines))

    assert [row[:4] for row in rows(read_log(shuffled))] == [row[:4] for row in rows(read_log(lines))]
