"""`aamic detect`: which GPUs hosts have, against what the site says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.commands.applying import Yes
from aamic.commands.editing import DryRun
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.commands.transport import HostRoot, Parallel
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from aamic.commands.detecting import Outcome
    from aamic.commands.editing import Proposal
    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources
    from aamic.model.detected import Compared
    from aamic.model.fleet import Gpu, Node
    from aamic.model.host import Unobserved

EXIT_UNKNOWN: Final = 1
EXIT_DIFFERENT: Final = 16
_TOLD: Final = 3

HostList = Annotated[
    str, typer.Argument(metavar="[HOSTLIST]", help="Nodes to look at; all if not given.", show_default=False)
]
Write = Annotated[bool, typer.Option("--write", help="Edit the site to say what was found; asks first.")]
Fewer = Annotated[bool, typer.Option("--fewer", help="Also write fewer GPUs than the site says.")]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit 16 when something differs, 1 when some host is unknown.")
]


def detect(  # noqa: PLR0913  # one argument for each option
    hostlist: HostList = "",
    site: SitePath = DEFAULT_SITE,
    *,
    write: Write = False,
    fewer: Fewer = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    json: Json = False,
) -> None:
    """Look at hosts for their GPUs, and compare with the site; `--write` edits it. Nothing on a host is changed."""
    from aamic.commands.applying import need_consent
    from aamic.commands.transport import folder

    if write and not dry_run:
        need_consent(yes=yes, hint="`--yes` writes without asking; `--dry-run` only shows the edit")
    before = checked(site)
    names = _named(hostlist, before.fleet.nodes)
    found = _Findings.of(_look(before, site, names, folder(host_root), parallel), before, fewer=fewer)
    proposal = _propose(site, found) if write or dry_run else None
    found = found.without(proposal.left if proposal is not None else _left(site, before, found))
    _tell(found, proposal, offer=proposal is None, json=json)
    if proposal is not None:
        _settle(proposal, found, site, _Way(yes, dry_run, json))
    if code := _exit_code(found, exact=exit_code):
        raise typer.Exit(code)


def _named(hostlist: str, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """The nodes of a host list, in the site's order. Raises InputError where it names one that the site lacks."""
    from aamic.compile.hostlist import HostListError, expand
    from aamic.compile.suggest import closest

    if not hostlist:
        return tuple(nodes)
    try:
        wanted = dict.fromkeys(expand(hostlist))
    except HostListError as error:
        raise InputError([Problem(str(error), hint=error.hint)]) from error
    if unknown := [name for name in wanted if name not in nodes]:
        near = {name: closest(name, nodes) for name in unknown[:_TOLD]}
        told = "this site has no node like it"
        raise InputError(
            [
                Problem(f"unknown host `{name}`", hint=f"did you mean `{like}`?" if like else told)
                for name, like in near.items()
            ]
        )
    return tuple(name for name in nodes if name in wanted)


def _look(
    before: Checked, site: Path, names: Sequence[str], host_root: Path | None, parallel: int | None
) -> Mapping[str, Outcome]:
    from aamic.commands.detecting import TIMEOUT, detect_hosts, detectors
    from aamic.commands.progress import progress
    from aamic.commands.transport import opened

    ssh = before.fleet.ssh
    with opened(before.fleet, site, host_root) as hosts, progress("looking for GPUs", len(names)) as tick:
        timeout = max(ssh.command_timeout, TIMEOUT)
        return detect_hosts(
            hosts, names, detectors(), parallel=parallel or ssh.max_parallel, timeout=timeout, tick=tick
        )


@dataclass(frozen=True, slots=True)
class _Findings:
    """What came of each host."""

    compared: tuple[Compared, ...]
    failed: tuple[Unobserved, ...]

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome], before: Checked, *, fewer: bool) -> _Findings:
        """Each host against what the site says of it."""
        from aamic.commands.detecting import detectors
        from aamic.model.detected import Detected
        from aamic.model.host import Unobserved
        from aamic.ops.detectdiff import compare

        nodes, known = before.fleet.nodes, detectors()
        seen = [each for each in outcomes.values() if isinstance(each, Detected)]
        compared = tuple(compare(each, nodes[each.host].gpu, known, fewer=fewer) for each in seen)
        return cls(compared, tuple(each for each in outcomes.values() if isinstance(each, Unobserved)))

    def without(self, left: Mapping[str, str]) -> _Findings:
        """The same, where nothing is written of some hosts, and why."""
        return replace(
            self,
            compared=tuple(
                replace(each, wanted=None, because=left[each.host]) if each.host in left else each
                for each in self.compared
            ),
        )

    @property
    def wanted(self) -> dict[str, Gpu]:
        """What the site would say of hosts of which it says something else."""
        return {each.host: each.wanted for each in self.compared if each.wanted is not None}

    @property
    def right(self) -> frozenset[str]:
        """The hosts of which the site is right."""
        return frozenset(each.host for each in self.compared if each.state == "same")


@dataclass(frozen=True, slots=True)
class _Proposed:
    """An edit that was proposed, and the nodes that it leaves out."""

    proposal: Proposal
    left: Mapping[str, str]


def _propose(site: Path, found: _Findings) -> _Proposed:
    """The edit that makes the site say what was found; refuses one that would do more. Raises InputError."""
    from aamic.commands.editing import propose
    from aamic.compile.parse import load
    from aamic.ops.gpuedit import gpu_edit, write_each

    rows = load(site).inventory
    left: dict[str, str] = {}
    expected: dict[str, Gpu | None] = {}

    def edit(before: Checked, files: Sources) -> Sources:
        nodes = before.fleet.nodes
        made = gpu_edit(before.site, nodes, rows, found.wanted, found.right)
        after, not_written = write_each(before.site, nodes, files, made, found.wanted)
        left.update(not_written)
        written = {host: gpu for host, gpu in found.wanted.items() if host not in left}
        expected.update({name: node.gpu for name, node in nodes.items()} | written)
        return after

    proposal = propose(site, edit)
    after = proposal.compiled.fleet.nodes
    if wrong := [name for name, gpu in expected.items() if after[name].gpu != gpu]:
        hint = "write `gpu` of these nodes by hand"
        raise InputError([Problem(f"the edit would not do what it should to `{wrong[0]}`", hint=hint)])
    return _Proposed(proposal, left)


def _left(site: Path, before: Checked, found: _Findings) -> dict[str, str]:
    """The nodes that `--write` would leave, and why."""
    from aamic.compile.parse import load
    from aamic.ops.gpuedit import gpu_edit, write_each

    if not found.wanted:
        return {}
    document, nodes = load(site), before.fleet.nodes
    edit = gpu_edit(before.site, nodes, document.inventory, found.wanted, found.right)
    return write_each(before.site, nodes, document.files, edit, found.wanted)[1]


def _tell(found: _Findings, proposed: _Proposed | None, *, offer: bool, json: bool) -> None:
    from aamic.commands.applying import width
    from aamic.compile.hostlist import fold
    from aamic.views.detect import text, to_json

    if json:
        if proposed is None:
            print_json(to_json(found.compared, found.failed))
        return
    typer.echo(text(found.compared, found.failed, fold, width=width()), nl=False)
    if offer and found.wanted:
        typer.echo("`aamic detect --write` makes the site say what was found")


@dataclass(frozen=True, slots=True)
class _Way:
    """How the command was asked to go about an edit."""

    yes: bool
    dry_run: bool
    json: bool


def _settle(proposed: _Proposed, found: _Findings, site: Path, way: _Way) -> None:
    """Show the edit, and write it."""
    from aamic.commands.editing import differences_of, settle
    from aamic.views.detect import to_json

    differences = differences_of(proposed.proposal)
    for difference in differences.values():
        typer.echo(difference, err=way.json)
    written = settle(proposed.proposal, yes=way.yes, dry_run=way.dry_run)
    if way.json:
        files = [{"path": path, "diff": difference} for path, difference in differences.items()]
        edit: dict[str, Any] = {"files": files, "written": written}
        print_json(to_json(found.compared, found.failed, edit))
    elif not proposed.proposal.files:
        typer.echo(f"nothing in `{site}` is to be changed")
    else:
        typer.echo(f"wrote {proposed.proposal.names}" if written else "nothing was written")


def _exit_code(found: _Findings, *, exact: bool) -> int:
    if not found.compared and found.failed:
        return EXIT_UNKNOWN
    if exact and any(each.state != "same" for each in found.compared):
        return EXIT_DIFFERENT
    return EXIT_UNKNOWN if exact and found.failed else 0
