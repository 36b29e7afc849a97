"""`aamic explain`, and `explain` and `list-errors` of the vendors, as a user meets them."""

from __future__ import annotations

import errno
import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aamic.catalog import gpuerrors, gpuwords
from aamic.cli import app
from aamic.commands.explain import PolicyName, SeverityName
from aamic.model.gpuerror import POLICIES

RECORDED = Path(__file__).parents[1] / "recorded/kernel"
GOLDEN = Path(__file__).parent / "golden"


def run(*arguments: str, log: bytes = b"") -> tuple[int, str, str]:
    """Status, output and what stands on standard error."""
    done = CliRunner().invoke(app, arguments, input=log, env={"COLUMNS": "100"})
    return done.exit_code, done.stdout, done.stderr


def found(*arguments: str, log: bytes = b"") -> list[dict[str, Any]]:
    answer: dict[str, Any] = json.loads(run(*arguments, "--json", log=log)[1])
    return list(answer["found"] if "found" in answer else answer["errors"])


def golden(name: str, text: str) -> str:
    """The file that says what is expected; `AAMIC_GOLDEN=update` writes it."""
    path = GOLDEN / name
    if os.environ.get("AAMIC_GOLDEN") == "update":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path.read_text()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("explain-xid.txt", ("explain", "xid", "79,48", "13")),
        ("explain-afid.txt", ("explain", "AFID", "18", "99")),
        ("explain-ras.txt", ("explain", "ras", "umc", "umd")),
        ("explain-amd.txt", ("amd", "explain", "19", "gpu-reset", "bif-deferred")),
        ("list-errors-amd.txt", ("amd", "list-errors")),
        ("list-errors-nvidia-fatal.txt", ("nvidia", "list-errors", "--policy", "fatal")),
    ],
)
def test_codes_are_explained(name: str, arguments: tuple[str, ...]) -> None:
    status, output, problems = run(*arguments)

    assert (status, problems) == (0, "")
    assert golden(name, output) == output


@pytest.mark.parametrize("log", ["dmesg.log", "kern.log"])
def test_a_log_is_explained_from_a_pipe_and_from_a_file(log: str) -> None:
    status, output, problems = run("explain", log=(RECORDED / log).read_bytes())

    assert (status, problems) == (0, "")
    assert golden(f"explain-{log}.txt", output) == output
    assert run("explain", "--log", str(RECORDED / log)) == (0, output, "")


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (b"", "the log is empty, so nothing is known; `dmesg` and `journalctl -k` may want root\n"),
        (
            b"\xff\x00\n[ 1.0] usb 1-1: reset\n",
            "no error of a GPU in 2 lines; looked at are those with `amdgpu` or `NVRM: Xid`\n",
        ),
        (b"amdgpu 0000:01:00.0: amdgpu: 0 correctable hardware errors detected in umc block\n", "no error of a GPU "),
    ],
)
def test_a_log_without_an_error_says_so_and_is_no_failure(log: bytes, told: str) -> None:
    status, output, _ = run("explain", log=log)

    assert status == 0
    assert output.startswith(told)


def test_what_a_log_says_does_not_steer_the_terminal() -> None:
    log = b"Nov 24 17:09:15 n\x1b7 kernel: NVRM: Xid (PCI:0000:01:00): 31, pid=1, name=\x1b[2J\xe2\x80\xaeabc, fault\n"
    output = run("explain", log=log)[1]

    assert "\x1b" not in output
    assert output.splitlines()[1:3] == [
        "  info: XID 31 (GPU memory page fault) on GPU 0000:01:00 of n\\x1b7",
        "    once at Nov 24 17:09:15: pid=1, name=\\x1b[2J\\u202eabc, fault",
    ]


def test_json_of_codes_says_what_was_asked_and_what_is_near() -> None:
    errors = found("amd", "explain", "18", "GPU-Hnag")

    assert [(each["asked"], each["code"], each["known"], each["did_you_mean"]) for each in errors] == [
        ("18", 18, True, None),
        ("GPU-Hnag", "GPU-Hnag", False, "gpu-hang"),
    ]


def test_json_of_a_log_has_every_gpu_with_the_whole_error() -> None:
    sights = found("explain", log=(RECORDED / "pdsh.log").read_bytes())

    assert [(each["host"], each["count"], each["error"]["code"]) for each in sights] == [
        ("gpu-001", 1, 119),
        ("gpu-002", 1, 119),
    ]
    assert sights[0]["error"]["actions"]


@pytest.mark.parametrize("vendor", gpuerrors.vendors())
def test_everything_that_is_listed_can_be_explained(vendor: str) -> None:
    listed = found(vendor, "list-errors")
    explained = found(vendor, "explain", *(str(each["code"]) for each in listed))

    assert len(listed) == len(gpuerrors.errors(vendor)) + len(gpuwords.words(vendor))
    assert [{key: each[key] for key in listed[0]} for each in explained] == listed


def test_filters_add_up() -> None:
    listed = found("nvidia", "list-errors", "--severity", "critical", "--policy", "workflow")

    assert {(each["severity"], each["policy"]) for each in listed} == {("critical", "workflow")}
    assert run("amd", "list-errors", "--severity", "critical", "--policy", "corrected") == (
        0,
        "no error is like that\n",
        "",
    )


def test_filters_are_the_words_of_the_model() -> None:
    assert [*PolicyName] == [*POLICIES]
    assert {*SeverityName} == {"critical", "warning", "info"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "xid", "abc"), "`abc` is no number; write one such as `aamic explain xid 18`"),
        (("explain", "xid", "1234567890"), "`1234567890` is no number; write one such as `aamic explain xid 18`"),
        (
            ("explain", "afid", "umc"),
            "`umc` is no number, but `aamic explain ras umc` knows it; write one such as `aamic explain afid 18`",
        ),
        (("explain", "ras", "18"), "`18` is no word; write one such as `aamic explain ras umc-correctable`"),
        (("explain", "sign", "!"), "`!` is no word; write one such as `aamic explain sign gpu-hang`"),
        (("explain", "xid"), "write at least one code"),
        (("explain", "xid", ","), "write at least one code"),
        (("explain", "xod", "79"), "`xod` is no kind of code (afid, ras, sign, xid); did you mean `xid`?"),
        (
            ("explain", "79"),
            "`79` is no kind of code (afid, ras, sign, xid); write one before it, such as `aamic explain xid 79`",
        ),
        (("explain", "xid", "79", "--log", "x"), "codes and a log cannot be explained in one"),
        (("nvidia", "explain", "umc"), "`umc` is no number; XIDs of nvidia are numbers"),
        (("amd", "explain", "1 2;"), "`2;` is neither a number nor a word; `aamic amd list-errors` has all of them"),
    ],
)
def test_what_can_be_no_code_is_wrong_usage_with_a_hint(arguments: tuple[str, ...], told: str) -> None:
    status, output, problems = run(*arguments)

    assert (status, output) == (2, "")
    assert problems.endswith(f": {told}\n")


def test_all_that_can_be_no_code_is_told_at_once() -> None:
    problems = run("explain", "xid", "79", "a", "b")[2]

    assert "`a` is no number" in problems
    assert "`b` is no number" in problems


def test_a_file_that_cannot_be_read_is_an_outside_failure(tmp_path: Path) -> None:
    told = f"error: cannot read `{tmp_path}/none.log`: No such file or directory\n"

    assert run("explain", "--log", f"{tmp_path}/none.log") == (1, "", told)


def test_a_packed_log_does_not_pass_for_one_without_errors(tmp_path: Path) -> None:
    (tmp_path / "kern.log.2.gz").write_bytes(gzip.compress((RECORDED / "kern.log").read_bytes()))
    told = "error: the log is not text\nhint: it is packed: `zcat FILE | aamic explain`\n"

    assert run("explain", "--log", f"{tmp_path}/kern.log.2.gz") == (1, "", told)


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        ("NVRM: Xid (PCI:0000:01:00): 79, x\n".encode("utf-16"), "it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | "),
        ("NVRM: Xid (PCI:0000:01:00): 79, x\n".encode("utf-16-le"), "give it the text of a log, as `dmesg` and "),
        (b"PK\x03\x04 and more", "it is packed: `unzip -p FILE | aamic explain`"),
        (b"\x04\x22\x4d\x18 and more", "it is packed: `lz4cat FILE | aamic explain`"),
        (b'[{"MESSAGE":"NVRM: Xid (PCI:0000:01:00): 79"},{"MESSAGE":"NVRM: Xid (PCI:0000:02:00): 48"}]',
         "it is one array of JSON: `jq -c '.[]' FILE | aamic explain`"),
    ],
)  # fmt: skip
def test_what_would_be_read_in_part_only_is_refused(log: bytes, hint: str) -> None:
    status, output, problems = run("explain", log=log)

    assert (status, output) == (1, "")
    assert problems.startswith(f"error: the log is not text\nhint: {hint}")


def test_a_log_that_begins_with_what_a_crash_left_is_read() -> None:
    log = b"\0" * 4096 + b"Nov 24 17:09:15 n kernel: NVRM: Xid (PCI:0000:01:00): 79, x\n"

    assert [(each["host"], each["error"]["code"]) for each in found("explain", log=log)] == [("n", 79)]


# On a terminal


def on_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Status and what a terminal shows, which is also what the program would read from."""
    master, slave = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "aamic", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=inherited | {"COLUMNS": "100"} | environment,
    )
    os.close(slave)
    try:
        shown = b"".join(iter(lambda: read_some(master), b""))
        return process.wait(timeout=30), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(master)
        process.kill()
        process.wait()


def read_some(master: int) -> bytes:
    """What comes next; nothing once the program has ended, which Linux tells as an error."""
    try:
        return os.read(master, 65_536)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


def test_severities_have_colours_on_a_terminal() -> None:
    status, shown = on_terminal("explain", "xid", "79", "119", "13", "45", "144")

    assert status == 0
    heads = [line for line in shown.splitlines() if "XID" in line and not line.startswith(" ")]
    assert heads[0] == "\x1b[1;31mcritical\x1b[0m: XID 79 (GPU has fallen off the bus)"
    assert heads[2].startswith("\x1b[2minfo\x1b[0m: XID 13 ")
    assert heads[4].startswith("\x1b[33mwarning\x1b[0m: XID 144 ")


def test_no_color_is_respected() -> None:
    _, shown = on_terminal("nvidia", "list-errors", NO_COLOR="1")

    assert "\x1b" not in shown
    assert "critical  XID 79 " in shown


def test_a_person_who_gives_nothing_is_told_what_to_give() -> None:
    status, shown = on_terminal("explain")

    assert status == 2
    assert "write a kind and codes, such as `aamic explain xid 79`, or give it a kernel log:" in shown
