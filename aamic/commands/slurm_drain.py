"""`aamic slurm drain`, `resume` and `breaker`: what people do to nodes, and to the brake of the drain controller."""

from __future__ import annotations

import json as json_
import math
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.commands.applying import Yes
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.commands.workloads import Local, chosen_nodes, controller, opened_slurm, settings
from aamic.errors import OutsideError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aamic.clients.base import Answer, Workloads
    from aamic.model.slurm import SlurmNode
    from aamic.ops.drains import Step

EXIT_NOT_DONE: Final = 1
PROGRAM: Final = ("/usr/bin/python3", "-IB", "/usr/local/lib/aami/aamic-drain")
"""The drain controller, as an apply puts it on the host of slurmctld."""
_ABSENT: Final = (2, 126, 127)
_FRESH: Final = 2.0
"""Seconds for which what Slurm shows of its nodes is taken to hold."""

Nodes = Annotated[str, typer.Argument(metavar="NODE", help="A node, or a host list such as `gpu-[001-004]`.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; `aamic: ` is put before it.")]
Force = Annotated[bool, typer.Option("--force", help="Also nodes that somebody else drained.")]
Reset = Annotated[bool, typer.Option("--reset", help="Let the drain controller drain again.")]


def drain(  # noqa: PLR0913  # one argument for each option
    node: Nodes,
    site: SitePath = DEFAULT_SITE,
    *,
    reason: Reason,
    yes: Yes = False,
    local: Local = False,
    json: Json = False,
) -> None:
    """Let nodes finish their jobs and start no others; a reason that somebody else gave is never overwritten."""
    from aamic.clients.slurmruns import check_reason
    from aamic.ops.drains import OURS, drain_step

    if not reason.removeprefix(OURS.strip()).strip():
        raise typer.BadParameter("write why, such as `fan 3 is loud`", param_hint="--reason")
    check_reason(OURS + reason)
    fleet = checked(site).fleet
    with opened_slurm(fleet, site, local=local) as slurm:
        steps = [drain_step(each, reason) for each in chosen_nodes(node, slurm.nodes())]
        _consent("Drain", steps, yes=yes)
        done = _done(
            steps, slurm, lambda seen: drain_step(seen, reason), lambda step: slurm.drain(step.node.name, step.reason)
        )
        _finish(done, "drained", as_json=json)


def resume(  # noqa: PLR0913  # one argument for each option
    node: Nodes,
    site: SitePath = DEFAULT_SITE,
    *,
    force: Force = False,
    yes: Yes = False,
    local: Local = False,
    json: Json = False,
) -> None:
    """Let nodes start jobs again that aamic drained; those that somebody else drained only with `--force`."""
    from aamic.ops.drains import resume_step

    fleet = checked(site).fleet
    with opened_slurm(fleet, site, local=local) as slurm:
        steps = [resume_step(each, force=force) for each in chosen_nodes(node, slurm.nodes())]
        _consent("Resume", steps, yes=yes)
        done = _done(
            steps, slurm, lambda seen: resume_step(seen, force=force), lambda step: slurm.resume(step.node.name)
        )
        _finish(done, "resumed", as_json=json)


def breaker(site: SitePath = DEFAULT_SITE, *, reset: Reset = False, local: Local = False, json: Json = False) -> None:
    """Show whether the drain controller has stopped itself, and let it go on with `--reset`."""
    from aamic.views import slurm_drain as view

    fleet = checked(site).fleet
    host = settings(fleet).controller
    with controller(fleet, site, local=local) as hosts:
        if reset:
            said = _ended(host, hosts.run(host, (*PROGRAM, "reset"), (), fleet.ssh.command_timeout))
            typer.echo(view.lines(said), err=json)
        answer = hosts.run(host, (*PROGRAM, "show"), (), fleet.ssh.command_timeout)
    found = _document(host, _ended(host, answer))
    if json:
        print_json(found)
    else:
        typer.echo(view.breaker_text(found))


def _consent(verb: str, steps: Sequence[Step], *, yes: bool) -> None:
    """Ask before several nodes are changed."""
    from aamic.commands.applying import ask, need_consent

    names = [step.node.name for step in steps if step.outcome == "do"]
    if len(names) > 1:
        need_consent(yes=yes, hint="`--yes` goes on without asking")
        ask(f"{verb} {len(names):,} nodes?", yes=yes)


def _done(
    steps: Sequence[Step], slurm: Workloads, decide: Callable[[SlurmNode], Step], change: Callable[[Step], None]
) -> list[tuple[Step, str]]:
    """Each step with what became of it; one that fails is told, and the others go on.

    Whose drain it is may have changed since people were asked, so each is decided again, by a look of just now.
    """
    results: list[tuple[Step, str]] = []
    seen: dict[str, SlurmNode] = {}
    looked = -math.inf
    for each in steps:
        step, fault = each, ""
        if step.outcome == "do":
            try:
                if time.monotonic() - looked > _FRESH:
                    seen, looked = {node.name: node for node in slurm.nodes()}, time.monotonic()
                step = decide(seen.get(step.node.name, step.node))
                if step.outcome == "do":
                    change(step)
            except OutsideError as error:
                fault = f"{error} ({error.hint})" if error.hint else str(error)
        results.append((step, fault))
    return results


def _finish(results: Sequence[tuple[Step, str]], done: str, *, as_json: bool) -> None:
    from aamic.views import slurm_drain as view

    names = {"do": done, "nothing": "unchanged", "refused": "refused"}
    told = [
        (step.node.name, "failed" if fault else names[step.outcome], fault or step.message) for step, fault in results
    ]
    if as_json:
        print_json(view.steps_json(told))
    else:
        typer.echo(view.steps_text(told), nl=False)
    if any(fault or step.outcome == "refused" for step, fault in results):
        raise typer.Exit(EXIT_NOT_DONE)


def _ended(host: str, answer: Answer) -> str:
    """What the drain controller printed; OutsideError where it is not there or failed."""
    if answer.status == 0:
        return answer.output.decode(errors="replace").strip()
    said = (answer.output + answer.errors).decode(errors="replace").strip().splitlines()
    last = said[-1] if said else "it said nothing"
    hint = "`aamic apply` puts it there where `slurm.auto_drain` is not `off`" if answer.status in _ABSENT else None
    raise OutsideError(f"`{host}`: the drain controller failed (status {answer.status}): {last}", hint)


def _document(host: str, text: str) -> dict[str, Any]:
    try:
        found = json_.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OutsideError(f"`{host}`: the drain controller printed no JSON", "is it of this release of aamic?")
    return found
