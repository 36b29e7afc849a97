import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aamic.clients.processes import Processes, find_program, vanishing_folder
from aamic.errors import OutsideError


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def soon(fact: Callable[[], bool]) -> bool:
    until = time.monotonic() + 40
    while not fact() and time.monotonic() < until:
        time.sleep(0.02)
    return fact()


def test_children_and_their_children_end_with_the_block(tmp_path: Path) -> None:
    with Processes() as processes:
        process = processes.start("sh", ["sh", "-c", "sleep 60 & echo $!; wait"], tmp_path, tmp_path / "log")
        assert soon(lambda: bool(process.log_tail()))
        grandchild = int(process.log_tail()[-1])
        assert lives(process.child.pid)
        assert lives(grandchild)

    assert not lives(process.child.pid)
    assert soon(lambda: not lives(grandchild))


def test_a_child_that_ends_by_itself_is_told_with_its_log(tmp_path: Path) -> None:
    with Processes() as processes:
        process = processes.start(
            "a shell",
            ["sh", "-c", 'echo "$GREETING" in "$PWD"; exit 3'],
            tmp_path,
            tmp_path / "log",
            {"GREETING": "hi"},
        )

        assert soon(lambda: processes.ended() == (process,))
        assert process.child.returncode == 3
        assert process.log_tail() == (f"hi in {tmp_path}",)


def test_killing_one_leaves_the_others(tmp_path: Path) -> None:
    with Processes() as processes:
        first, second = (processes.start(n, ["sleep", "60"], tmp_path, tmp_path / n) for n in ("one", "two"))
        processes.kill(first)

        assert (lives(first.child.pid), lives(second.child.pid)) == (False, True)
        assert processes.ended() == ()


def test_a_program_that_is_not_there_is_told_with_its_package() -> None:
    with pytest.raises(OutsideError) as caught:
        find_program("/usr/bin/aamic-no-such-program", "some-package")

    assert str(caught.value) == "`aamic-no-such-program` is not on this machine"
    assert caught.value.hint == "install the package `some-package`"


def test_a_program_elsewhere_on_the_path_is_found() -> None:
    assert Path(find_program("/no/such/folder/sh")).name == "sh"


def test_the_folder_goes_at_the_end_of_the_block() -> None:
    with vanishing_folder("aamic-test-") as folder:
        (folder / "file").write_text("x")

    assert not folder.exists()


PARENT = """
import sys, time
from pathlib import Path
from aamic.clients.processes import Processes, vanishing_folder
with vanishing_folder("aamic-test-") as folder, Processes() as processes:
    child = processes.start("sleep", ["sleep", "60"], folder, folder / "log").child
    print(folder, child.pid, flush=True)
    time.sleep(60)
"""


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        folder, child = parent.stdout.readline().split()
        # Until the program itself runs, the child has not yet asked to end with its parent.
        assert soon(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
        os.kill(parent.pid, signal.SIGKILL)

    assert soon(lambda: not lives(int(child)))
    assert soon(lambda: not Path(folder).exists())
