from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from aamic.deploy.fanout import fan_out, spread
from aamic.errors import HostError

HOSTS = tuple(f"gpu-{number}" for number in range(40))


class Memory:
    """A client in memory: some hosts fail, and at one of them its process dies."""

    def __init__(self, closed: Path, deadly: str = "") -> None:
        self._closed, self._deadly = closed, deadly

    def ask(self, host: str) -> str:
        if host == self._deadly:
            os._exit(9)
        if host.endswith("3"):
            raise HostError("refused", f"`{host}` refused", "a hint")
        if host == "bug":
            raise ValueError(host)
        return f"{host} by {os.getpid()}"

    def close(self) -> None:
        (self._closed / str(os.getpid())).touch()


def ask(client: Memory, host: str) -> str:
    return client.ask(host)


def test_results_are_in_the_order_given_and_failures_stop_nobody() -> None:
    def work(host: str) -> str:
        time.sleep(0.02 if host == "a" else 0)
        if host == "b":
            raise HostError("timeout", "slow")
        return host.upper()

    seen: list[str] = []
    results = fan_out(["a", "b", "c"], work, 3, lambda host, _: seen.append(host))

    assert list(results) == ["a", "b", "c"]
    assert (results["a"], results["c"]) == ("A", "C")
    assert isinstance(results["b"], HostError)
    assert sorted(seen) == ["a", "b", "c"]


def test_no_more_run_at_once_than_is_said() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work(_: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    fan_out(HOSTS, work, 4)

    assert most == 4


def test_no_hosts() -> None:
    assert fan_out([], str.upper, 4) == {}


def test_a_bug_is_raised_and_ends_what_has_not_begun() -> None:
    begun: list[str] = []

    def work(host: str) -> None:
        begun.append(host)
        raise ValueError(host)

    with pytest.raises(ValueError, match="gpu-0"):
        fan_out(HOSTS, work, 1)

    assert begun == ["gpu-0"]


INTERRUPTED = """
import sys, time
from aamic.deploy.fanout import fan_out
def work(host):
    sys.stdout.write(f"{host}{chr(10)}")
    sys.stdout.flush()
    time.sleep(60)
try:
    fan_out(["a", "b", "c"], work, 2)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_does_not_wait_for_hosts() -> None:
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    first = {child.stdout.readline(), child.stdout.readline()}
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=30)

    assert first == {"a\n", "b\n"}
    assert rest == "interrupted\n"
    assert time.monotonic() - start < 10


SLOW_TO_START = """
import os, sys, time
from pathlib import Path
from aamic.deploy.fanout import spread
folder = Path(sys.argv[1])
if __name__ != "__main__":
    (folder / str(os.getpid())).touch()
    time.sleep(1)
class Client:
    def close(self): pass
def work(client, host):
    time.sleep(60)
if __name__ == "__main__":
    try:
        spread(["a", "b"], Client, work, 2, 2)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_an_interrupt_of_processes_that_are_starting_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "started").mkdir()
    script = tmp_path / "script.py"
    script.write_text(SLOW_TO_START)
    words = [sys.executable, str(script), str(tmp_path / "started")]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 30
    while len(list((tmp_path / "started").iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(parent.pid, signal.SIGINT)

    assert parent.communicate(timeout=30) == ("interrupted\n", "")


def test_processes_share_the_hosts_and_close_their_clients(tmp_path: Path) -> None:
    seen: list[str] = []
    results = spread(HOSTS, partial(Memory, tmp_path), ask, 4, 2, on_done=lambda host, _: seen.append(host))
    pids = {result.split()[-1] for result in results.values() if isinstance(result, str)}
    failed = [host for host, result in results.items() if isinstance(result, HostError)]

    assert list(results) == list(HOSTS)
    assert sorted(seen) == sorted(HOSTS)
    assert failed == ["gpu-3", "gpu-13", "gpu-23", "gpu-33"]
    assert len(pids) == 2
    assert {path.name for path in tmp_path.iterdir()} == pids
    assert str(os.getpid()) not in pids


def test_failures_cross_processes_whole(tmp_path: Path) -> None:
    result = spread(["gpu-3", "gpu-4"], partial(Memory, tmp_path), ask, 4, 2)["gpu-3"]

    assert isinstance(result, HostError)
    assert (result.kind, str(result), result.hint) == ("refused", "`gpu-3` refused", "a hint")


def test_one_process_is_this_one(tmp_path: Path) -> None:
    results = spread(["gpu-1", "gpu-2"], partial(Memory, tmp_path), ask, 4, 1)

    assert results == {host: f"{host} by {os.getpid()}" for host in ("gpu-1", "gpu-2")}


def test_a_process_that_dies_is_lost_with_its_hosts_only(tmp_path: Path) -> None:
    results = spread(["gpu-0", "gpu-1", "gpu-2"], partial(Memory, tmp_path, "gpu-1"), ask, 2, 2)
    lost = results["gpu-1"]

    assert isinstance(lost, HostError)
    assert (lost.kind, "gpu-1" in str(lost)) == ("lost", True)
    assert [isinstance(results[host], str) for host in ("gpu-0", "gpu-2")] == [True, True]


@pytest.mark.parametrize("hosts", [["bug", "gpu-1"], ["gpu-1", "gpu-2", "gpu-4", "bug"]])
def test_a_bug_in_a_process_is_raised_here(hosts: list[str], tmp_path: Path) -> None:
    make: Callable[[], Memory] = partial(Memory, tmp_path)
    with pytest.raises(ValueError, match="bug"):
        spread(hosts, make, ask, 2, 2)
