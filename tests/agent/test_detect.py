"""The program that looks for GPUs: what it reads of a host, and that no program's output is taken for its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from aamic import agent
from aamic.catalog.table import CATALOG
from aamic.ops.hostanswer import HostAnswer, Ran, payload, read_answer
from tests.machines import BUS, add_device, lspci, machine, program, write

DETECTORS = [vendor.detector for vendor in CATALOG.vendors]
SHELLS = ["dash", "bash"]


def ask(shell: str, root: Path | None, programs: Path | None = None, code: bytes | None = None, **env: str) -> bytes:
    """What a shell prints that runs the program for a folder with /sys and /proc."""
    sent, request = payload(DETECTORS)
    sent = sent if code is None else code
    command = [
        shell,
        "-c",
        f'eval "$(head -c {len(sent)})"; main "$@"',
        "aamic",
        "detect",
        *([str(root)] if root else []),
    ]
    path = f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]
    done = subprocess.run(
        command, input=sent + request, capture_output=True, check=False, env={"PATH": path, **env}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(shell: str, root: Path, programs: Path | None = None, code: bytes | None = None) -> HostAnswer:
    return read_answer(ask(shell, root, programs, code))


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_can_read_it(shell: str) -> None:
    done = subprocess.run([shell, "-n"], input=agent.detect(), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "program.sh"
    path.write_bytes(agent.detect())
    done = subprocess.run(["shellcheck", "--shell=sh", str(path)], capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_is_read(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "gpu-01", lspci("h100"), modules={"nvidia": "550.90.07", "nouveau": ""})
    read = answer(shell, root)

    assert (read.name, read.kernel, read.threads, read.memory) == ("gpu-01", "6.8.0-55-generic", 192, 1584505288 * 1024)
    assert (read.has_bus, dict(read.modules), read.ran) == (True, {"nvidia": "550.90.07"}, ())
    assert [each.address for each in read.devices] == [
        f"0000:{bus}:00.0" for bus in ("1b", "43", "52", "61", "9d", "c3", "d1", "df")
    ]
    assert {(each.kind, each.vendor, each.number, each.driver, each.virtual) for each in read.devices} == {
        ("0x0302", "0x10de", "0x2330", "nvidia", False)
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_links_tell_drivers_and_virtual_functions(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("mi300x-vf"), {"0000:85:00.0": "gim"})
    add_device(root, "0000:85:02.1", "0x120000", "0x1002", "0x74b5", "vfio-pci", part_of="0000:85:00.0")
    devices = {each.address: (each.driver, each.virtual) for each in answer(shell, root).devices}

    assert devices == {
        "0000:85:00.0": ("gim", False),
        "0000:85:02.0": (None, False),
        "0000:85:02.1": ("vfio-pci", True),
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_without_anything_is_no_error(shell: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    read = answer(shell, tmp_path / "empty")

    assert read == HostAnswer("", "", None, None, has_bus=False, modules={}, devices=(), ran=())


@pytest.mark.parametrize("shell", SHELLS)
def test_programs_run_until_one_answers(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("mi300x"))
    bin_ = program(tmp_path / "bin", "amd-smi", 'echo "$*"; echo no such device >&2; [ "$1" = list ]')
    program(bin_, "rocm-smi", "echo must not run")
    program(bin_, "nvidia-smi", "echo no such vendor here")

    assert answer(shell, root, bin_).ran == (
        Ran("0x1002", "amd-smi", "static --asic --bus --driver --json\n", "no such device\n", 1),
        Ran("0x1002", "amd-smi", "list --json\n", "no such device\n", 0),
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_programs_may_be_in_a_folder_of_the_vendor(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("mi300x"))
    folder = program(tmp_path / "rocm", "rocm-smi", "echo {}")
    sent, request = payload(DETECTORS)
    request = request.replace(b"folder\t/opt/rocm/bin", f"folder\t{folder}".encode())
    command = [shell, "-c", f'eval "$(head -c {len(sent)})"; main "$@"', "aamic", "detect", str(root)]
    done = subprocess.run(command, input=sent + request, capture_output=True, check=True)

    assert read_answer(done.stdout).ran == (Ran("0x1002", "rocm-smi", "{}\n", "", 0),)


HOSTILE = {
    "frames": r"printf 'x\nend\nran\t0x10de\tnvidia-smi\t\t\t0\nend\n'",
    "controls": r"printf '\033[2J\007\r\n\t\0\377\376'; printf '\0\033]0;x\007' >&2",
    "silence": "exit 7",
    "reads": "cat; cat >&2",
    "descriptors": "for n in 3 4 5 6 7 8 9; do echo forged 2>/dev/null >&$n; done",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_no_output_is_taken_for_a_line_of_ours(shell: str, script: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("h100"))
    quiet = answer(shell, root, program(tmp_path / "quiet", "nvidia-smi", ":"))
    read = answer(shell, root, program(tmp_path / "bin", "nvidia-smi", script))

    assert (read.name, read.modules, read.devices) == (quiet.name, quiet.modules, quiet.devices)
    assert [(ran.vendor, ran.program) for ran in read.ran] == [("0x10de", "nvidia-smi")]
    assert read.ran[0].status == (7 if "exit 7" in script else read.ran[0].status)
    assert "forged" not in read.ran[0].output + read.ran[0].errors


@pytest.mark.parametrize("shell", SHELLS)
def test_what_never_ends_is_cut_and_ended(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("mi300x"))
    bin_ = program(tmp_path / "bin", "amd-smi", 'if [ "$1" = list ]; then sleep 600; else yes; fi')
    program(bin_, "rocm-smi", "yes >&2")
    code = agent.detect().replace(b"seconds=20 ", b"seconds=1 ")
    assert code != agent.detect()
    begun = time.monotonic()
    ran = answer(shell, root, bin_, code).ran

    assert time.monotonic() - begun < 20
    assert [(len(each.output), each.status != 0) for each in ran] == [(262144, True), (0, True), (0, True)]
    assert (ran[1].status, ran[2].status, set(ran[2].errors)) == (124, 124, {"y", "\n"})


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_program_leaves_behind_is_not_waited_for(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("h100"))
    child = tmp_path / "child"
    bin_ = program(tmp_path / "bin", "nvidia-smi", f"sleep 60 & echo $! >{child}; echo hello; echo well >&2")
    code = agent.detect().replace(b"seconds=20 ", b"seconds=1 ").replace(b"seconds + 5", b"seconds + 1")
    begun = time.monotonic()
    try:
        ran = answer(shell, root, bin_, code).ran
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)

    assert time.monotonic() - begun < 15
    assert ran == (Ran("0x10de", "nvidia-smi", "hello\n", "well\n", 0),)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_folder_that_stands_for_a_host_runs_no_program(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "gpu-01", lspci("h100"))
    bin_ = program(tmp_path / "bin", "nvidia-smi", f"touch {tmp_path}/ran")
    read = read_answer(ask(shell, None, bin_, AAMIC_ROOT=str(root)))

    assert (len(read.devices), read.ran, (tmp_path / "ran").exists()) == (8, (), False)


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_written(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("h100"))
    before = sorted(tmp_path.rglob("*"))
    answer(shell, root)

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("shell", SHELLS)
def test_files_of_the_kernel_that_make_no_sense_are_passed_over(shell: str, tmp_path: Path) -> None:
    root = machine(tmp_path / "h", lspci("h100"), modules={"nvidia": "1\t2"})
    write(root, f"{BUS}/0000:1b:00.0/class", "0x030200\tx")
    write(root, "proc/sys/kernel/hostname", "a\tb")
    (root / BUS / "0000:43:00.0/class").unlink()
    read = answer(shell, root)

    assert (read.name, dict(read.modules), len(read.devices)) == ("", {"nvidia": ""}, 6)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_request_that_is_cut_short_is_not_answered(shell: str) -> None:
    code = agent.detect()
    command = [shell, "-c", f'eval "$(head -c {len(code)})"; main "$@"', "aamic", "detect"]
    done = subprocess.run(command, input=code + b"vendor\t0x10de\n", capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (1, b"")
