"""`aamic slurm install-hooks` and `uninstall-hooks`: what the site says of hooks, and what a plan makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.commands.applying import Yes, need_consent
from aamic.commands.editing import DryRun, differences_of, propose, settle
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, print_json
from aamic.commands.transport import HostRoot
from aamic.commands.workloads import settings
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from aamic.commands.editing import Proposal
    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources
    from aamic.model.plan import Plan

HOOKS: Final = ("pre_job_check", "post_job_check")

Shadow = Annotated[bool, typer.Option("--shadow", help="Only log what would be refused and drained.")]
Enforce = Annotated[bool, typer.Option("--enforce", help="Refuse jobs on failing nodes, and drain these.")]
PlanWanted = Annotated[
    bool, typer.Option("--plan/--no-plan", help="Look at the hosts and show what an apply would do.")
]


def install_hooks(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    shadow: Shadow = False,
    enforce: Enforce = False,
    plan: PlanWanted = True,
    host_root: HostRoot = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Let site.yaml ask for the prolog and the epilog, then show the plan. Nothing is applied."""
    if shadow and enforce:
        raise typer.BadParameter("`--shadow` and `--enforce` exclude each other", param_hint="--shadow / --enforce")
    mode = "shadow" if shadow else "on" if enforce else None
    need_consent_unless(yes=yes, dry_run=dry_run)
    proposal = propose(site, lambda checked, files: _install(checked, files, mode))
    _carry_out(proposal, site, _Way(plan, host_root, yes, dry_run, json), _after_install(proposal))


def uninstall_hooks(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    plan: PlanWanted = True,
    host_root: HostRoot = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Let site.yaml ask for no prolog and no epilog any more, then show the plan. Nothing is applied."""
    need_consent_unless(yes=yes, dry_run=dry_run)
    proposal = propose(site, _uninstall)
    _carry_out(proposal, site, _Way(plan, host_root, yes, dry_run, json), _after_uninstall(proposal))


# The edits


def _install(checked: Checked, files: Sources, mode: str | None) -> Sources:
    """The site with both hooks; in shadow mode unless it says otherwise, or `mode` does."""
    from aamic.compile.edit import set_value

    _expect_slurm(checked)
    for hook in HOOKS:
        files = set_value(files, ("slurm", hook), True)
    spec = checked.site.slurm
    if mode is not None or (spec is not None and "auto_drain" not in spec.model_fields_set):
        files = set_value(files, ("slurm", "auto_drain"), mode or "shadow")
    return files


def _uninstall(checked: Checked, files: Sources) -> Sources:
    """The site without the hooks, and without a mode that means what no mode means."""
    from aamic.compile.edit import remove

    _expect_slurm(checked)
    for hook in HOOKS:
        files = remove(files, ("slurm", hook))
    spec = checked.site.slurm
    if spec is not None and spec.auto_drain == "shadow":
        files = remove(files, ("slurm", "auto_drain"))
    return files


def _expect_slurm(checked: Checked) -> None:
    if checked.site.slurm is not None and not checked.site.slurm.enabled:
        raise InputError([Problem("`slurm.enabled` is false in this site", hint="set it to true first")])
    settings(checked.fleet)


def _after_install(proposal: Proposal) -> list[str]:
    slurm = settings(proposal.compiled.fleet)
    meaning = {
        "off": "`auto_drain: off`: the hooks let every job run, and say nothing",
        "shadow": "`auto_drain: shadow`: hooks and drain controller log what they would do, and do nothing",
        "on": "`auto_drain: on`: jobs are refused on nodes that fail, and these are drained, up to "
        f"{slurm.max_drained} at a time",
    }
    return [meaning[slurm.auto_drain]]


def _after_uninstall(proposal: Proposal) -> list[str]:
    slurm = settings(proposal.compiled.fleet)
    notes = []
    if slurm.auto_drain == "on":
        notes.append("`auto_drain: on` stays: nodes that fail are still drained; `off` ends that")
    if slurm.job_mapping:
        notes.append("`job_mapping` stays, and with it a prolog and an epilog that only tell exporters of jobs")
    return notes


# What becomes of them


@dataclass(frozen=True, slots=True)
class _Way:
    """How a command was asked to go about it."""

    plan: bool
    host_root: Path | None
    yes: bool
    dry_run: bool
    json: bool


def need_consent_unless(*, yes: bool, dry_run: bool) -> None:
    """Refuse at once to write what nobody can be asked about."""
    need_consent(yes=yes or dry_run, hint="`--yes` writes without asking; `--dry-run` only shows the edit")


def _carry_out(proposal: Proposal, site: Path, way: _Way, notes: list[str]) -> None:
    """Show the edit, write it, and show what an apply would do then."""
    differences = differences_of(proposal)
    for difference in differences.values():
        typer.echo(difference, err=way.json)
    written = settle(proposal, yes=way.yes, dry_run=way.dry_run)
    if not way.json:
        typer.echo(_outcome(proposal, site, written=written))
        for note in notes:
            typer.echo(f"note: {note}")
    made = _plan(proposal, site, way.host_root) if way.plan else None
    if way.json:
        files = [{"path": path, "diff": difference} for path, difference in differences.items()]
        print_json({"version": 1, "files": files, "written": written, "notes": notes, "plan": made and _as_json(made)})
    elif made is not None:
        from aamic.commands.plan import Format, shown

        typer.echo("\n" + shown(made, Format.text), nl=False)


def _outcome(proposal: Proposal, site: Path, *, written: bool) -> str:
    if not proposal.files:
        return f"`{site}` says so already"
    return f"wrote {proposal.names}" if written else "nothing was written"


def _plan(proposal: Proposal, site: Path, host_root: Path | None) -> Plan:
    from aamic.commands import planning
    from aamic.commands.plan import look

    return look(planning.scope(proposal.compiled, planning.Wish()), site, host_root)


def _as_json(made: Plan) -> Any:
    import json

    from aamic.deploy.saved import dump

    return json.loads(dump(made))
