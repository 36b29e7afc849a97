"""`aamic VENDOR install`: the exporter of a vendor's GPUs on some nodes, and whether it answers as promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.commands.apply import NoTimer
from aamic.commands.applying import Yes, interactive, need_consent
from aamic.commands.editing import differences_of, propose, settle
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, print_json
from aamic.commands.plan import Adopt
from aamic.commands.transport import HostRoot
from aamic.errors import AamicError, InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aamic.catalog.base import Vendor
    from aamic.commands.applying import Reach
    from aamic.commands.detecting import Outcome
    from aamic.commands.editing import Proposal
    from aamic.commands.planning import Scope
    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources
    from aamic.model.fleet import Fleet, Gpu
    from aamic.model.installed import Installed
    from aamic.model.plan import Plan
    from aamic.model.report import Report
    from aamic.ops.gpuwanted import Given

EXIT_NOT_DONE: Final = 1
EXIT_INTERRUPTED: Final = 130

Nodes = Annotated[str, typer.Argument(metavar="NODE", help="A node, or a host list such as `gpu-[001-004]`.")]
Model = Annotated[
    str | None, typer.Option("--model", help="What the GPUs are, such as H100; else as the site or the host says.")
]
Count = Annotated[
    int | None, typer.Option("--count", min=1, max=64, help="GPUs of each node; else as the site or the host says.")
]
Replace = Annotated[bool, typer.Option("--replace", help="Also where the site says that a node has another vendor's.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the edit and the plan; write and change nothing.")]


def install_of(vendor: str) -> Callable[..., None]:
    """The command of a vendor."""

    def install(  # noqa: PLR0913  # one argument for each option
        node: Nodes,
        site: SitePath = DEFAULT_SITE,
        *,
        model: Model = None,
        count: Count = None,
        replace: Replace = False,
        adopt: Adopt = False,
        no_confirm_timer: NoTimer = False,
        host_root: HostRoot = None,
        yes: Yes = False,
        dry_run: DryRun = False,
        json: Json = False,
    ) -> None:
        from aamic.ops.gpuwanted import Given

        wanted = _Wanted(node, Given(vendor, model, count), replace or (interactive() and not yes))
        way = _Way(site, host_root, adopt=adopt, timer=not no_confirm_timer, yes=yes, dry_run=dry_run, json=json)
        _Install(wanted, way).run()

    install.__doc__ = f"Let the site give nodes {vendor} GPUs, put the exporter of these there, and ask it."
    return install


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The GPUs that nodes are to have; `replace`: whatever the site says of them."""

    nodes: str
    given: Given
    replace: bool

    def gpus(self, checked: Checked, way: _Way) -> dict[str, Gpu]:
        """The GPUs of each node. Raises InputError where that is not known, or must not be."""
        from aamic.ops.gpuwanted import expect_no_others, not_in_site, unknown_gpus, wanted_gpus
        from aamic.ops.nodenames import known_nodes

        fleet = checked.fleet
        names = known_nodes(fleet, self.nodes, not_in_site)
        self._expect_exporter(checked)
        if not self.replace:
            expect_no_others(fleet, self.given.vendor, names)
        unknown = unknown_gpus(fleet, self.given, names)
        seen = self._look(fleet, way, unknown) if unknown and way.host_root is None else {}
        return wanted_gpus(fleet, self.given, names, seen)

    def _expect_exporter(self, checked: Checked) -> None:
        name = _vendor(self.given.vendor).exporter.name
        if not getattr(checked.site.exporters, name).enabled:
            message = f"`exporters.{name}.enabled` is false in this site"
            raise InputError([Problem(message, hint="set it to true first")])

    def _look(self, fleet: Fleet, way: _Way, names: Sequence[str]) -> Mapping[str, Outcome]:
        """What the hosts themselves say of their GPUs."""
        from aamic.commands.detecting import detect_hosts, detectors
        from aamic.commands.progress import progress
        from aamic.commands.transport import opened

        with opened(fleet, way.site, None) as hosts, progress("looking for GPUs", len(names)) as tick:
            return detect_hosts(hosts, names, detectors(), parallel=fleet.ssh.max_parallel, tick=tick)


@dataclass(frozen=True, slots=True)
class _Way:
    """How the command was asked to go about it."""

    site: Path
    host_root: Path | None
    adopt: bool
    timer: bool
    yes: bool
    dry_run: bool
    json: bool


@dataclass
class _Install:
    """One run of the command, and what it has to tell at its end."""

    wanted: _Wanted
    way: _Way
    gpus: Mapping[str, Gpu] = field(default_factory=dict)
    expected: Mapping[str, Gpu | None] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Edit, plan, apply, and ask the exporters."""
        way = self.way
        need_consent(
            yes=way.yes or way.dry_run, hint="`--yes` edits and applies without asking; `--dry-run` only shows both"
        )
        proposal = propose(way.site, self._edited)
        self._expect(proposal)
        self._expect_tarballs(proposal)
        written = self._settle(proposal)
        scope = self._scope(proposal)
        if way.dry_run:
            self._tell_plan(scope)
            return
        report, found = self._carry_out(scope, written=written)
        self._finish(report, found)

    # The site

    def _edited(self, checked: Checked, files: Sources) -> Sources:
        from aamic.compile.parse import load
        from aamic.ops.gpuedit import gpu_edit, write

        self.gpus, nodes = self.wanted.gpus(checked, self.way), checked.fleet.nodes
        right = frozenset(name for name, gpu in self.gpus.items() if nodes[name].gpu == gpu)
        others = {name: gpu for name, gpu in self.gpus.items() if name not in right}
        edit = gpu_edit(checked.site, nodes, load(self.way.site).inventory, others, right)
        if edit.left:
            raise InputError([Problem(f"cannot edit `gpu` of `{name}`", hint=why) for name, why in edit.left.items()])
        self.expected = {**{name: node.gpu for name, node in nodes.items()}, **self.gpus}
        return write(checked.site, files, edit)

    def _expect(self, proposal: Proposal) -> None:
        """Return if the site then says what is wanted, and nothing else of other nodes."""
        nodes = proposal.compiled.fleet.nodes
        problems = [
            Problem(f"the edit would not do what it should to `{name}`", hint="write its `gpu` by hand")
            for name, gpu in self.expected.items()
            if nodes[name].gpu != gpu
        ]
        if problems:
            raise InputError(problems[:1])

    def _expect_tarballs(self, proposal: Proposal) -> None:
        """Return if tarballs that lie here are what the site says. Raises OutsideError before anything is written."""
        from aamic.clients.artifacts import Artifacts
        from aamic.model.fleet import Tarball

        artifacts, bundle = Artifacts(self.way.site.parent), f"gpu-{self.wanted.given.vendor}"
        for service in proposal.compiled.fleet.services:
            source = service.install
            if (
                service.bundle == bundle
                and isinstance(source, Tarball)
                and not source.url.startswith(("http://", "https://"))
            ):
                artifacts.program(source.url, source.sha256, source.binary)

    def _settle(self, proposal: Proposal) -> bool:
        differences = differences_of(proposal)
        for difference in differences.values():
            self._echo(difference)
        written = settle(proposal, yes=self.way.yes, dry_run=self.way.dry_run)
        files = [{"path": path, "diff": difference} for path, difference in differences.items()]
        self.document = {"version": 1, "vendor": self.wanted.given.vendor, "files": files, "written": written}
        if proposal.files:
            self._echo(f"wrote {proposal.names}" if written else "nothing was written")
            self._echo("note: `aamic plan` shows what else this edit changes, such as targets and rules")
        return written

    # The hosts

    def _scope(self, proposal: Proposal) -> Scope:
        from aamic.commands import planning

        bundle = f"gpu-{self.wanted.given.vendor}"
        notes = _unpinned(proposal.compiled.fleet, bundle)
        return planning.of_bundle(proposal.compiled, bundle, self.gpus, adopt=self.way.adopt, notes=notes)

    def _tell_plan(self, scope: Scope) -> None:
        from aamic.commands.plan import Format, look, shown

        made = look(scope, self.way.site, self.way.host_root)
        if self.way.json:
            print_json({**self.document, "plan": _as_json(made), "report": None, "exporters": {}})
        else:
            typer.echo(shown(made, Format.text), nl=False)

    def _carry_out(self, scope: Scope, *, written: bool) -> tuple[Report | None, tuple[Installed, ...]]:
        from aamic.commands.applying import Reach
        from aamic.commands.transport import opened

        way, fleet = self.way, scope.compiled.fleet
        try:
            with opened(fleet, way.site, way.host_root) as hosts:
                timer = way.timer and way.host_root is None
                reach = Reach(hosts, fleet.ssh.max_parallel, fleet.ssh.command_timeout, timer)
                report = self._apply(scope, reach)
                return report, () if way.host_root else self._asked(scope, reach, _done(self.gpus, report))
        except (typer.Exit, AamicError, KeyboardInterrupt):
            if written and "report" not in self.document:
                typer.echo("note: the edit of the site stays", err=True)
            raise

    def _apply(self, scope: Scope, reach: Reach) -> Report | None:
        from aamic.commands.apply import Run

        way = self.way
        run = Run(scope, way.site, reach, scope.compiled.fleet.rollout, live=way.host_root is None)
        report = run.report(None, yes=way.yes, as_json=way.json)
        self._tell_report(report)
        return report

    def _asked(self, scope: Scope, reach: Reach, names: Sequence[str]) -> tuple[Installed, ...]:
        from aamic.commands.verifying import ask_exporters

        return ask_exporters(scope.compiled, self.wanted.given.vendor, reach, names)

    # What is told

    def _tell_report(self, report: Report | None) -> None:
        from aamic.commands.applying import width
        from aamic.compile.hostlist import fold
        from aamic.views import report as view

        self.document["report"] = report and view.to_json(report)
        if report is not None and not self.way.json:
            typer.echo(view.text(report, fold, width=width()), nl=False)

    def _finish(self, report: Report | None, found: Sequence[Installed]) -> None:
        from aamic.commands.applying import width
        from aamic.compile.hostlist import fold
        from aamic.views import installed as view

        if self.way.json:
            print_json({**self.document, "plan": None, "exporters": view.to_json(found)})
        else:
            typer.echo(view.text(found, fold, width=width()), nl=False)
        if self.way.host_root:
            typer.echo("note: folders that stand for hosts answer nothing, so no exporter was asked", err=True)
        if report is not None and report.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        if (report is not None and not report.ok) or not all(each.ok for each in found):
            raise typer.Exit(EXIT_NOT_DONE)

    def _echo(self, text: str) -> None:
        typer.echo(text, err=self.way.json)


def _vendor(name: str) -> Vendor:
    from aamic.compile.compiler import shipped_catalog

    return next(each for each in shipped_catalog().vendors if each.name == name)


def _unpinned(fleet: Fleet, bundle: str) -> tuple[str, ...]:
    """A note on a package of which any version will do."""
    from aamic.model.fleet import Package

    return tuple(
        f"no version of package `{service.install.name}` is pinned: a host without it takes the newest of its sources "
        "(hint: add `version` to its `source`)"
        for service in fleet.services
        if service.bundle == bundle and isinstance(service.install, Package) and service.install.version is None
    )


def _done(names: Mapping[str, Gpu], report: Report | None) -> tuple[str, ...]:
    """The nodes that have what was planned for them."""
    from aamic.model.report import GOOD

    failed = {each.host for each in report.hosts if each.state not in GOOD} if report else set()
    return tuple(name for name in names if name not in failed)


def _as_json(made: Plan) -> Any:
    import json

    from aamic.deploy.saved import dump

    return json.loads(dump(made))
