"""The copy of the site on the central hosts: left after an apply, and marked when a release was undone since.

It is of use only when the site's folder is lost, so nothing that goes wrong here makes an apply fail: that is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.clients.base import Hosts
from aamic.compile.hostlist import fold
from aamic.compile.sitecopy import LARGEST
from aamic.deploy import wire
from aamic.deploy.fanout import fan_out
from aamic.errors import HostError
from aamic.model.fleet import Fleet
from aamic.model.report import GOOD, Report

_REFUSED: Final = "refused"
_NONE: Final = "none"
_CHANGED: Final = frozenset({"done", "half restored", "unknown"})


@dataclass(frozen=True, slots=True)
class Keepers:
    """The hosts that keep a copy, how they are reached, and seconds that each may take."""

    hosts: Hosts
    names: Sequence[str]
    timeout: float
    parallel: int


def central_hosts(fleet: Fleet) -> tuple[str, ...]:
    """The hosts of the central server, or of the single one."""
    return tuple(dict.fromkeys(each.host for each in fleet.servers if each.role in {"central", "single"}))


def is_applied(report: Report) -> bool:
    """Whether hosts carry something of the site, or need nothing: then it is the one that they are to become.

    A host that failed does not matter, nor does an end before the last: the site that they had before would plan to
    take back what the others got.
    """
    states = {each.state for each in report.hosts}
    return bool(states & _CHANGED) or (not (report.interrupted or report.stopped) and states <= {*GOOD, "not reached"})


def leave(keepers: Keepers, copy: bytes, *, changed: bool, unseen: Collection[str] = ()) -> tuple[str, ...]:
    """Leave a copy on every central host, and return what is to be told.

    Where the same site stands already, nothing is written unless the apply `changed` hosts: its release tells which of
    two copies is the newer one. Hosts that were just seen to be down, `unseen`, are not asked again.
    """
    if len(copy) > LARGEST:
        return (f"no copy of the site is left on {fold(keepers.names)}: it is larger than {LARGEST // 1024**2} MiB",)
    digest, how = hashlib.sha256(copy).hexdigest(), "always" if changed else "changed"
    names = [host for host in keepers.names if host not in unseen]

    def keep(host: str) -> str:
        command = wire.command("site_keep", digest, how)
        payload = (wire.program("site_keep"), copy)
        return _not_kept(wire.result(host, keepers.hosts.run(host, command, payload, keepers.timeout), "site_keep"))

    reasons = {host: "it was not reached" for host in keepers.names if host in unseen}
    reasons |= _asked(keepers, names, keep)
    return _told("no copy of the site is left on {}: {} (hint: the next apply leaves one)", reasons)


def mark(keepers: Keepers, release: str) -> tuple[str, ...]:
    """Write into the copies that a release was undone since they were left, and return what is to be told."""

    def undo(host: str) -> str:
        command = wire.command("site_undo", release)
        answer = keepers.hosts.run(host, command, (wire.program("site_undo"),), keepers.timeout)
        return _refusal(wire.result(host, answer, "site_undo"))

    return _told("the copy of the site on {} does not know of this rollback: {}", _asked(keepers, keepers.names, undo))


def _refusal(result: wire.Result) -> str:
    return result.message if result.state == _REFUSED else ""


def _not_kept(result: wire.Result) -> str:
    return "it carries nothing of this site yet" if result.state == _NONE else _refusal(result)


def _asked(keepers: Keepers, names: Sequence[str], ask: Callable[[str], str]) -> dict[str, str]:
    """Why it could not be done, of each host where that is so."""
    answers = fan_out(names, ask, keepers.parallel)
    told = {host: _said(answer) if isinstance(answer, HostError) else answer for host, answer in answers.items()}
    return {host: reason for host, reason in told.items() if reason}


def _said(error: HostError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)


def _told(form: str, reasons: Mapping[str, str]) -> tuple[str, ...]:
    by_reason: dict[str, list[str]] = {}
    for host, reason in reasons.items():
        by_reason.setdefault(reason, []).append(host)
    return tuple(form.format(fold(hosts), reason) for reason, hosts in by_reason.items())
