"""Look at hosts for their GPUs: shared by the commands that need to know, with a site or without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from aamic.errors import HostError
from aamic.model.detected import Detected
from aamic.model.host import Unobserved

if TYPE_CHECKING:
    from aamic.catalog.base import Detector
    from aamic.clients.base import Answer, Hosts
    from aamic.commands.progress import Tick

TIMEOUT: Final = 120.0
"""Seconds for a host whose programs all hang."""
_ROOTLESS: Final = "or look without root, which is enough for GPUs: `ssh.become: none`, or `--become none` of `import`"
Outcome = Detected | Unobserved


def detectors() -> Mapping[str, Detector]:
    """How the GPUs of each vendor of the catalog are told."""
    from aamic.compile.compiler import shipped_catalog

    return {vendor.name: vendor.detector for vendor in shipped_catalog().vendors}


def detect_hosts(  # noqa: PLR0913  # what is asked, of whom, and how
    hosts: Hosts,
    names: Iterable[str],
    known: Mapping[str, Detector],
    *,
    parallel: int = 50,
    timeout: float = TIMEOUT,
    tick: Tick | None = None,
) -> dict[str, Outcome]:
    """What each host has, or why that is not known; one call a host, and none keeps another from being asked."""
    from aamic.deploy.fanout import fan_out
    from aamic.ops import hostanswer

    command, payload = hostanswer.command(), hostanswer.payload(known.values())

    def ask(host: str) -> Outcome:
        return _read(host, hosts.run(host, command, payload, timeout), known)

    found = fan_out(tuple(names), ask, parallel, tick)
    return {host: _unobserved(host, each) if isinstance(each, HostError) else each for host, each in found.items()}


def _read(host: str, answer: Answer, known: Mapping[str, Detector]) -> Detected:
    """Raises HostError where the answer makes no sense, or says that nothing can be seen."""
    from aamic.ops.detect import detected
    from aamic.ops.hostanswer import read_answer

    try:
        read = read_answer(answer.output)
    except ValueError as error:
        said = answer.errors.decode(errors="replace").strip().splitlines()
        hint = f"it said: {said[-1][:200]}" if said else "the login shell of the user must print nothing by itself"
        raise HostError("broken", f"`{host}`: {error} (status {answer.status})", hint) from error
    if not read.has_bus:
        raise HostError("broken", f"`{host}`: it has no `/sys/bus/pci/devices`, so its GPUs cannot be seen")
    return detected(host, read, known)


def _unobserved(host: str, error: HostError) -> Unobserved:
    hint = f"{error.hint}; {_ROOTLESS}" if error.kind == "no-right" and error.hint else error.hint
    return Unobserved(host, error.kind, str(error), hint)
