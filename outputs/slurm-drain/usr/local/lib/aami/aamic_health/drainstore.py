"""What the drain controller remembers, kept so that neither a crash nor a clock that jumps loses the count."""

import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, NamedTuple

from . import drainstate
from .drainstate import State

_UPTIME = "/proc/uptime"
_BOOT = "/proc/sys/kernel/random/boot_id"
_LIMIT = 64 << 20


class Busy(Exception):  # noqa: N818  # it is a result like any other, and no fault of the program
    """Another run holds the lock."""


class Memory(NamedTuple):
    """The state at the time of the last run, and what that run told, as plain values; `fault` is '' if all was read."""

    state: State
    boot: str
    uptime: float
    last: Dict[str, Any]
    fault: str


class Moment(NamedTuple):
    """A time by the controller's own clock, and by that of the kernel."""

    clock: float
    uptime: float


@contextmanager
def locked(folder: str, patience: float) -> Iterator[None]:
    """Keep other runs out, which the kernel ends with this process whatever becomes of it.

    Raises:
        Busy: Another run has not ended within `patience` seconds.
        OSError: The folder cannot be written to.
    """
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Busy("another run is under way") from None
            time.sleep(0.05)
        else:
            return


def load(folder: str) -> Memory:
    """Return what was remembered; what cannot be read is kept beside it, and taken as a breaker that has tripped."""
    path = os.path.join(folder, "state.json")
    try:
        with open(path, "rb") as file:
            return _memory(json.loads(file.read(_LIMIT).decode("utf-8")))
    except FileNotFoundError:
        return Memory(drainstate.EMPTY, "", 0.0, {}, "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fault = f"`{path}` cannot be read ({type(error).__name__}: {error})"
    return Memory(drainstate.tripped(drainstate.EMPTY, 0.0, fault), "", 0.0, {}, fault)


def _memory(document: Any) -> Memory:
    state = drainstate.from_document(document["state"])
    return Memory(state, str(document["boot"]), float(document["uptime"]), dict(document["last"]), "")


def moment(memory: Memory) -> Moment:
    """Return now: only what has surely passed is added, so wall clocks may jump; over a reboot, the time since it."""
    uptime = _uptime()
    passed = uptime - memory.uptime if memory.boot == _boot() else uptime
    return Moment(memory.state.clock + max(0.0, passed), uptime)


def save(folder: str, state: State, now: Moment, last: Dict[str, Any]) -> None:
    """Keep a state as that of `now`, whole and on the disk when this returns.

    Raises:
        OSError: It could not be kept; the former one is.
    """
    state = state._replace(clock=now.clock)
    document = {"state": drainstate.to_document(state), "boot": _boot(), "uptime": now.uptime, "last": last}
    path = os.path.join(folder, "state.json")
    made = path + ".new"
    with open(made, "wb") as file:
        file.write(json.dumps(document, indent=1, sort_keys=True).encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(made, path)
    _sync(folder)


def keep_unreadable(folder: str) -> None:
    """Let what cannot be read stand beside the state too, so that a person can look at it.

    It stays the state as well, until another one is surely kept: without any, the breaker would be taken as closed.
    """
    path = os.path.join(folder, "state.json")
    try:
        if os.path.lexists(path + ".unreadable"):
            os.unlink(path + ".unreadable")
        os.link(path, path + ".unreadable")
    except OSError:
        return  # it is no file that can have two names; saving the next state tells


def _uptime() -> float:
    """The seconds since boot, with those of sleep."""
    with open(_UPTIME, "rb") as file:
        return float(file.read().split()[0])


def _boot() -> str:
    with open(_BOOT, "rb") as file:
        return file.read().decode("ascii").strip()


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
