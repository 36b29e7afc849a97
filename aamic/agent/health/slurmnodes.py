"""Nodes as `scontrol` shows them, and the one change that the drain controller makes to them.

What scontrol prints has texts that people wrote, unquoted (`slurm_sprint_node_table` of src/api/node_info.c): where a
line can be read in two ways, its node is left out, and so nothing is done to it.
"""

import os
import re
import subprocess
from typing import Dict, List, Mapping, Optional, Tuple

from .drainwords import OURS, line
from .policy import Node, drained

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
_HEAD = re.compile(r"NodeName=(\S+) ")
_STATE = re.compile(r" State=([A-Z_]+)[-*~#!%$@^+]*((?:\+[A-Z_]+)*)[-*~#!%$@^+]* ThreadsPerCore=[0-9]+ ")
_REASON = re.compile(r" (Reason|Comment|Extra|InstanceId|InstanceType|ReservationName|Topology)=")
_STAMP = re.compile(r" \[([^@\[\]]*)@([0-9]+)\](?= |$)")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_ITS_OWN = ("/usr/local/slurm/bin", "/opt/slurm/bin", "/opt/slurm/current/bin")
"""Where Slurm's programs are when they were installed apart, besides the `bin` that stands beside its `etc`."""
_NO_ARGUMENT = frozenset(("all", "localhost"))


class NoSlurm(Exception):  # noqa: N818  # it is a result like any other, and no fault of the program
    """Slurm gave no answer, or refused; whether it did what it was asked is not known."""


def nodes(timeout: float, name: Optional[str] = None) -> Dict[str, Node]:
    """Return the nodes that slurmctld knows, or one of them; times are by its clock.

    Raises:
        NoSlurm: It does not answer within `timeout` seconds.
    """
    return parse(_scontrol(["show", "node", "-o", *([name] if name else [])], timeout))


def drain(name: str, reason: str, timeout: float) -> None:
    """Let a node finish its jobs and start no others.

    Raises:
        NoSlurm: Slurm refused or did not answer in time, or the name stands for something else than a node.
    """
    _update(name, ["State=DRAIN", f"Reason={line(reason)}"], timeout)


def explain(name: str, reason: str, timeout: float) -> None:
    """Give a node that is drained already another reason; Slurm ignores that for one that is not any more.

    Raises:
        NoSlurm: As for `drain`.
    """
    _update(name, [f"Reason={line(reason)}"], timeout)


def _update(name: str, settings: List[str], timeout: float) -> None:
    if not _NAME.fullmatch(name) or name.lower() in _NO_ARGUMENT:
        raise NoSlurm(f"`{line(name)}` is no name of a node")
    _scontrol(["update", f"NodeName={name}", *settings], timeout)


def parse(text: str) -> Dict[str, Node]:
    """Return the nodes of the output of `scontrol show node -o`, with times in seconds since 1970.

    >>> parse("NodeName=n1 State=IDLE+DRAIN ThreadsPerCore=1 Owner=N/A  Reason=disk is full [root@1764090000]")["n1"]
    Node(state='IDLE', flags=frozenset({'DRAIN'}), reason='disk is full', reason_at=1764090000.0, reason_by='root')
    """
    found = {}  # type: Dict[str, List[Optional[Node]]]
    for each in text.split("\n"):
        head = _HEAD.match(each)
        if head and _NAME.fullmatch(head.group(1)):
            found.setdefault(head.group(1), []).append(_node(each))
    said = {name: _one(readings) for name, readings in found.items()}
    return {name: node for name, node in said.items() if node is not None}


def _one(readings: List[Optional[Node]]) -> Optional[Node]:
    """The node, if there is one way to read it; or that in which it counts as drained by us, and so is left alone."""
    ours = [node for node in readings if node is not None and drained(node) and node.reason.startswith(OURS)]
    return readings[0] if len(readings) == 1 else ours[0] if ours else None


def _node(text: str) -> Optional[Node]:
    states = list(_STATE.finditer(text))
    if len(states) != 1:
        return None
    reason, at, by = _reason(text[states[0].end() - 1 :])
    flags = frozenset(filter(None, states[0].group(2).split("+")))
    return Node(states[0].group(1), flags, reason, at, by)


def _reason(rest: str) -> Tuple[str, Optional[float], str]:
    """The reason, its time and user; it comes before all other fields of free text, and what follows is left out."""
    field = _REASON.search(rest)
    if field is None or field.group(1) != "Reason":
        return "", None, ""
    text = rest[field.end() :]
    stamps = list(_STAMP.finditer(text))
    if len(stamps) != 1:
        return text.strip(), None, ""
    return text[: stamps[0].start()], float(stamps[0].group(2)), stamps[0].group(1)


def _environment(given: Mapping[str, str]) -> Dict[str, str]:
    """What scontrol is told, of all that this program was told."""
    conf = given.get("SLURM_CONF", "")
    folder, etc = os.path.split(os.path.dirname(conf))
    beside = (os.path.join(folder, "bin"),) if etc == "etc" and folder.startswith("/") and folder != "/" else ()
    path = ":".join((given.get("PATH", _PATH), *beside, *_OF_ITS_OWN))
    told = {"PATH": path, "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
    return {**told, "SLURM_CONF": conf} if conf else told


def _scontrol(arguments: List[str], timeout: float) -> str:
    """What scontrol prints; times in seconds since 1970 whatever the time zone, texts in the C locale."""
    try:
        ran = subprocess.run(
            ["scontrol", *arguments],
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoSlurm(f"`scontrol {arguments[0]}` has not ended within {timeout:g} s") from None
    except OSError as error:
        raise NoSlurm(f"`scontrol` cannot be run: {line(str(error))}") from None
    if ran.returncode != 0:
        said = line((ran.stderr or ran.stdout).decode("utf-8", "replace"))
        raise NoSlurm(f"`scontrol {arguments[0]}` failed with {ran.returncode}: {said}")
    return ran.stdout.decode("utf-8", "replace")
