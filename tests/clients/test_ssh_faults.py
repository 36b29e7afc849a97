from __future__ import annotations

import pytest

from aamic.clients.base import Answer
from aamic.clients.sshfaults import Target, no_right

TARGET = Target("gpu-1", "10.0.0.1", 22, "ops", ("10.0.0.1", "gpu-1"))


@pytest.mark.parametrize(
    ("status", "told", "expected"),
    [
        (1, "sudo: a password is required\n", "sudo asks for a password"),
        (1, "sudo: a terminal is required to read the password; either use the -S option", "sudo asks for a password"),
        (1, "ops is not in the sudoers file.\n", "sudo does not know this user"),
        (1, "ops is not in the sudoers file.  This incident will be reported.\n", "sudo does not know this user"),
        (1, "Sorry, user ops may not run sudo on gpu-1.\n", "sudo does not know this user"),
        (
            1,
            "Sorry, user ops is not allowed to execute '/usr/bin/sh -c x' as root on gpu-1.\n",
            "sudo does not let this user run programs as root",
        ),
        (1, "sudo: sorry, you must have a tty to run sudo\n", "sudo wants a terminal"),
        (1, "sudo: account validation failure, is your account locked?\n", "sudo says that the account is shut"),
        (
            1,
            "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set\n",
            "sudo is not set up to give rights",
        ),
        (127, "bash: line 1: sudo: command not found\n", "there is no sudo"),
        (127, "env: 'sudo': No such file or directory\n", "there is no sudo"),
        (
            1,
            "sudo: unable to resolve host gpu-1: Name or service not known\nsudo: a password is required\n",
            "sudo asks for a password",
        ),
    ],
)
def test_what_sudo_says(status: int, told: str, expected: str) -> None:
    failure = no_right(TARGET, Answer(status, b"", told.encode()))

    assert failure is not None
    assert failure.kind == "no-right"
    assert str(failure) == f"user `ops` cannot become root on `gpu-1` (10.0.0.1): {expected}"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0, b"", b"sudo: a password is required\n"),
        Answer(3, b"", b"sudo: a password is required\n"),
        Answer(1, b"output of the program", b"sudo: a password is required\n"),
        Answer(1, b"", b"mysql: a password is required\n"),
        Answer(1, b"", b"sudo: unable to resolve host gpu-1: Name or service not known\n"),
        Answer(127, b"", b"sh: 1: promtool: not found\n"),
    ],
)
def test_what_a_program_says_is_not_taken_for_sudo(answer: Answer) -> None:
    assert no_right(TARGET, answer) is None


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("sudo: a password is required", "`ops ALL=(root) NOPASSWD: ALL`"),
        ("sudo: sorry, you must have a tty to run sudo", "`Defaults:ops !requiretty`"),
        ("env: 'sudo': No such file or directory", "install sudo"),
    ],
)
def test_hints_say_what_to_do(told: str, hint: str) -> None:
    failure = no_right(TARGET, Answer(1, b"", told.encode()))

    assert failure is not None
    assert hint in str(failure.hint)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("gpu-1", "10.0.0.1", 22, "u", ()), "`gpu-1` (10.0.0.1)"),
        (Target("gpu-1", "10.0.0.1", 2222, "u", ()), "`gpu-1` (10.0.0.1 port 2222)"),
        (Target("gpu-1", "gpu-1", 22, "u", ()), "`gpu-1`"),
        (Target("gpu-1", "gpu-1", 2222, "u", ()), "`gpu-1` (port 2222)"),
    ],
)
def test_how_a_host_is_called(target: Target, expected: str) -> None:
    assert expected == target.label
