"""What `apply` and `rollback` share: who asks, asking back, progress, the journal, and the report at the end."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from aamic.clients.base import Hosts
    from aamic.deploy.gate import Gate
    from aamic.deploy.rollout import Wave
    from aamic.deploy.wave import Means, Prover
    from aamic.model.fleet import Fleet, Rollout
    from aamic.model.report import HostReport, Origin, Report, WaveReport

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
EXIT_NOT_DONE = 1
EXIT_INTERRUPTED = 130
STOPPING: Final = "stopping after this wave; its hosts are brought to an end"
_PROBLEM = 400


def who() -> str:
    """The person that a CI acts for, or the user of this machine."""
    for variable in ("GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
        if actor := os.environ.get(variable):
            return f"{actor} (CI)"
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container may run as a user that it does not know
        return f"uid {os.getuid()}@{socket.gethostname()}"


def release_name(revision: str) -> str:
    """A name that sorts by time, tells the commit, and that nobody else chooses in the same second."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{revision[:7] or 'nocommit'}-{secrets.token_hex(2)}"


def interactive() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def need_consent(*, yes: bool, hint: str) -> None:
    """Refuse at once to do what nobody can be asked about."""
    if not yes and not interactive():
        raise InputError([Problem("nobody can be asked: this is no terminal", hint=hint)])


def ask(question: str, *, yes: bool) -> None:
    """Go on, or end with nothing changed."""
    try:
        if yes or typer.confirm(question, err=True):
            return
    except typer.Abort:
        typer.echo("\ninterrupted: nothing was changed", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    typer.echo("nothing was changed", err=True)
    raise typer.Exit(EXIT_NOT_DONE)


def width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size((100, 24)).columns


@dataclass(frozen=True, slots=True)
class Reach:
    """How hosts are worked on: seconds for one program on one of them, and hosts at once; timers are armed or not."""

    hosts: Hosts
    parallel: int
    timeout: float
    timer: bool


def means(  # noqa: PLR0913  # all that waves are made with
    reach: Reach, origin: Origin, rollout: Rollout, gate: Gate, watching: Lines, *, prover: Prover | None = None
) -> Means:
    """What waves are made with."""
    from math import ceil

    from aamic.deploy.calls import Caller
    from aamic.deploy.wave import Means

    confirm = ceil(rollout.confirm_timeout) if reach.timer else 0
    caller = Caller(reach.hosts, origin, reach.timeout, confirm)
    return Means(caller, gate, rollout, reach.parallel, time.monotonic, watching.host, prover)


def gate_of(fleet: Fleet, *, live: bool) -> Gate:
    """The gate that asks every Prometheus server of the site; folders are scraped by none."""
    from aamic.clients.prometheus import Prometheus
    from aamic.deploy.gate import Gate, Source

    wanted: dict[str, set[tuple[str, str]]] = {}
    for endpoint in fleet.endpoints:
        for host in endpoint.hosts:
            wanted.setdefault(host, set()).add((endpoint.job, fleet.address(host, endpoint.port)))
    sources = [
        Source(
            f"{server.name}/{server.replica}" if server.replica else server.name,
            server.host,
            Prometheus(f"http://{fleet.address(server.host, server.port)}"),
            frozenset(server.nodes),
        )
        for server in fleet.servers
        if live
    ]
    return Gate(sources, wanted)


class Lines:
    """Tells of each wave on standard error, and of each host that fails when it does."""

    def begins(self, number: int, total: int, wave: Wave) -> None:
        """A wave begins."""
        from aamic.compile.hostlist import fold
        from aamic.views.report import counted

        canary = ", canary" if wave.canary else ""
        hosts = fold(wave.hosts)
        shown = hosts if len(hosts) <= _PROBLEM else f"{hosts[:_PROBLEM]}…"
        self._line(f"wave {number} of {total} · {wave.stage}{canary} · {counted(len(wave.hosts))} · {shown}")

    def host(self, report: HostReport) -> None:
        """A host is done with."""
        if report.state != "done":
            self._line(f"  {report.host}: {report.state}: {report.message}")

    def ended(self, report: WaveReport) -> None:
        """A wave has ended."""
        from aamic.views.report import wave_line

        self._line(f"  {wave_line(report)}")

    def _line(self, text: str) -> None:
        from aamic.views.terminal import safe

        with suppress(OSError):  # hosts are changed to their end, whether or not somebody still looks on
            typer.echo(safe(text), err=True)


def finish(report: Report, *, as_json: bool) -> None:
    """Print a report, and end with its exit code."""
    from aamic.compile.hostlist import fold
    from aamic.views import report as view

    if as_json:
        from aamic.commands.options import print_json

        print_json(view.to_json(report))
    else:
        typer.echo(view.text(report, fold, width=width()), nl=False)
    if report.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if not report.ok:
        raise typer.Exit(EXIT_NOT_DONE)


def keeper(cluster: str) -> Callable[[Report], None]:
    """Keeps reports in the journal of this cluster; one that cannot be written must not hide what happened."""
    from aamic.clients import journal

    def keep(report: Report) -> None:
        try:
            if report.hosts:
                journal.append(_entry(report, cluster))
        except OutsideError as error:
            with suppress(OSError):
                typer.echo(f"warning: {error}", err=True)

    return keep


def _entry(report: Report, cluster: str) -> dict[str, Any]:
    from aamic.compile.hostlist import fold
    from aamic.views.report import summary

    by_state = {state: fold(each.host for each in report.hosts if each.state == state) for state in report.counts()}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cluster": cluster,
        **summary(report),
        "hosts": by_state,
    }
