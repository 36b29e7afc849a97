"""`aamic slurm install-hooks` and `uninstall-hooks`: what the site says of hooks, and what a plan makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.applying import Yes
from aamic.commands.editing import About, DryRun, PlanWanted, Way, carry_out, propose
from aamic.commands.options import DEFAULT_SITE, Json, SitePath
from aamic.commands.transport import HostRoot
from aamic.commands.workloads import settings
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from aamic.commands.editing import Proposal
    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources

HOOKS: Final = ("pre_job_check", "post_job_check")

Shadow = Annotated[bool, typer.Option("--shadow", help="Only log what would be refused and drained.")]
Enforce = Annotated[bool, typer.Option("--enforce", help="Refuse jobs on failing nodes, and drain these.")]


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
    way = Way(plan, host_root, yes, dry_run, json)
    proposal = propose(site, lambda checked, files: _install(checked, files, mode))
    carry_out(proposal, site, way, About(notes=_after_install(proposal)))


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
    way = Way(plan, host_root, yes, dry_run, json)
    proposal = propose(site, _uninstall)
    carry_out(proposal, site, way, About(notes=_after_uninstall(proposal)))


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


def _after_install(proposal: Proposal) -> tuple[str, ...]:
    slurm = settings(proposal.compiled.fleet)
    meaning = {
        "off": "`auto_drain: off`: the hooks let every job run, and say nothing",
        "shadow": "`auto_drain: shadow`: hooks and drain controller log what they would do, and do nothing",
        "on": "`auto_drain: on`: jobs are refused on nodes that fail, and these are drained, up to "
        f"{slurm.max_drained} at a time",
    }
    return (meaning[slurm.auto_drain],)


def _after_uninstall(proposal: Proposal) -> tuple[str, ...]:
    slurm = settings(proposal.compiled.fleet)
    notes = []
    if slurm.auto_drain == "on":
        notes.append("`auto_drain: on` stays: nodes that fail are still drained; `off` ends that")
    if slurm.job_mapping:
        notes.append("`job_mapping` stays, and with it a prolog and an epilog that only tell exporters of jobs")
    return tuple(notes)
