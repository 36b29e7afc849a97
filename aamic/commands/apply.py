"""`aamic apply`: make hosts what the site says, a few at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aamic.commands.applying import Yes
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, compiled
from aamic.commands.plan import Adopt, LimitTo
from aamic.commands.transport import HostRoot, Parallel
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aamic.commands.applying import Reach
    from aamic.commands.planning import Planned, Scope
    from aamic.deploy.admission import Admission
    from aamic.deploy.apply import HostWork, Task
    from aamic.deploy.material import Material
    from aamic.deploy.rollout import Wave
    from aamic.deploy.slurmgate import SlurmGate
    from aamic.model.fleet import Rollout
    from aamic.model.plan import Plan
    from aamic.model.report import Origin, Report

PlanFile = Annotated[
    Path | None,
    typer.Argument(metavar="PLAN", help="Plan that `aamic plan --out` wrote; made anew if not given."),
]
Canary = Annotated[int | None, typer.Option("--canary", min=0, help="Hosts of each bundle that go first.")]
Batch = Annotated[str | None, typer.Option("--batch", help="Hosts in a wave: a number, or a part such as 20%.")]
NoTimer = Annotated[
    bool, typer.Option("--no-confirm-timer", help="Arm no timer on the hosts: they stay changed when aamic dies.")
]


def apply(  # noqa: PLR0913  # one argument for each option
    plan: PlanFile = None,
    site: SitePath = DEFAULT_SITE,
    limit: LimitTo = "",
    canary: Canary = None,
    batch: Batch = None,
    *,
    yes: Yes = False,
    adopt: Adopt = False,
    no_confirm_timer: NoTimer = False,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    json: Json = False,
) -> None:
    """Change hosts as planned: canaries first, then batches, each confirmed once Prometheus sees it in good health."""
    from aamic.commands import planning
    from aamic.commands.applying import Reach, finish, interactive, need_consent
    from aamic.commands.transport import opened

    saved = _saved(plan, limit=limit, adopt=adopt) if plan else None
    if saved is None:
        need_consent(
            yes=yes, hint="`--yes` applies without asking; or apply a plan that was made with `aamic plan --out`"
        )
    whole = compiled(site)
    rollout = _rollout(whole.fleet.rollout, canary, batch)
    wish = planning.Wish(saved.limit, saved.adopt) if saved else planning.Wish(limit, adopt)
    scope = planning.scope(whole, wish)
    with opened(whole.fleet, site, host_root) as hosts:
        timeout = whole.fleet.ssh.command_timeout
        reach = Reach(
            hosts, parallel or whole.fleet.ssh.max_parallel, timeout, not no_confirm_timer and host_root is None
        )
        run = Run(scope, site, reach, rollout, live=host_root is None)
        # Without a terminal, a plan that somebody has read and kept is the consent.
        report = run.report(saved, yes=yes or (saved is not None and not interactive()), as_json=json)
    if report is not None:
        finish(report, as_json=json)


def _saved(path: Path, *, limit: str, adopt: bool) -> Plan:
    from aamic.commands.plan import read_saved

    if limit or adopt:
        raise InputError([Problem("`--limit` and `--adopt` are part of a saved plan", hint="make the plan with them")])
    return read_saved(path)


def _rollout(rollout: Rollout, canary: int | None, batch: str | None) -> Rollout:
    """The site's wishes, with those of the command line in their place."""
    if batch is not None:
        number = batch.removesuffix("%")
        if not (number.isascii() and number.isdigit() and int(number) and not (number != batch and int(number) > 100)):  # noqa: PLR2004
            raise InputError([Problem(f"--batch: `{batch}` is no batch", hint="write a number of hosts, or `20%`")])
        rollout = replace(rollout, batch=batch if number != batch else int(number))
    return rollout if canary is None else replace(rollout, canary=canary)


@dataclass(frozen=True, slots=True)
class Run:
    """One apply from the first look at the hosts to the report."""

    scope: Scope
    site: Path
    reach: Reach
    rollout: Rollout
    live: bool

    def report(self, saved: Plan | None, *, yes: bool, as_json: bool) -> Report | None:
        """What became of the hosts; None where nothing had to be done."""
        from aamic.deploy.admission import admit
        from aamic.views.report import counted
        from aamic.views.terminal import safe

        planned, notes = self._planned(saved, yes=yes)
        admission = admit(planned.plan, saved)
        if saved is None or not yes:
            self._show(saved or planned.plan, as_json=as_json)
        for note in (*notes, *admission.notes):
            typer.echo(f"note: {note}", err=True)
        origin = self._origin(saved or planned.plan)
        if not (admission.changes or admission.settled or planned.plan.held or as_json):
            for note in self._leave(origin, planned, changed=False):
                typer.echo(f"note: {safe(note)}", err=True)
            typer.echo("nothing to do", err=saved is None)
            return None
        work = self._work(planned, admission)
        if work:
            from aamic.commands.applying import ask

            ask(f"Apply this to {counted(len(work))}?", yes=yes)
        return self._left(self._apply(origin, work, admission, notes, planned), planned)

    def _left(self, report: Report, planned: Planned) -> Report:
        """The report of an apply, once a copy of its site is left on the central hosts, or why none is."""
        from aamic.deploy.sitecopies import is_applied

        if not is_applied(report):
            told = (
                "no copy of the site is left on its central hosts: it changed no host (hint: the next apply leaves one)"
            )
            return replace(report, notes=(*report.notes, told))
        changed = any(each.state == "done" for each in report.hosts)
        return replace(report, notes=(*report.notes, *self._leave(report.origin, planned, changed=changed)))

    def _leave(self, origin: Origin, planned: Planned, *, changed: bool) -> tuple[str, ...]:
        from aamic.commands.leaving import leave_site

        return leave_site(self.scope.compiled, self.reach, origin, planned.seen, changed=changed)

    def _planned(self, saved: Plan | None, *, yes: bool) -> tuple[Planned, tuple[str, ...]]:
        """The plan for the hosts as they are, after changes that were cut off have been undone."""
        from aamic.deploy.admission import check_same
        from aamic.deploy.recover import interrupted_hosts

        planned = self._look()
        if saved is not None:
            check_same(planned.plan, saved)
        self._check_decided(planned.plan)
        hosts = interrupted_hosts(planned.seen)
        return self._recovered(planned, hosts, yes=yes) if hosts else (planned, ())

    def _check_decided(self, plan: Plan) -> None:
        from aamic.clients.secrets import read_secret
        from aamic.compile.hostlist import fold
        from aamic.deploy.material import check_decided

        folder = self.site.parent
        check_decided(plan.undecided, self.scope.desired, lambda reference: read_secret(reference, folder), fold)

    def _recovered(self, planned: Planned, hosts: tuple[str, ...], *, yes: bool) -> tuple[Planned, tuple[str, ...]]:
        """What is planned once interrupted changes are undone, which is asked for first."""
        from aamic.commands.applying import Lines, ask, gate_of, means
        from aamic.compile.hostlist import fold
        from aamic.deploy.recover import recover
        from aamic.views.report import counted

        typer.echo(f"note: interrupted changes of {counted(len(hosts))} are undone first: {fold(hosts)}", err=True)
        ask("Undo them, and plan then?", yes=yes)
        fleet = self.scope.compiled.fleet
        caller = means(self.reach, self._origin(planned.plan), self.rollout, gate_of(fleet, live=False), Lines()).caller
        notes = recover(hosts, caller, self.reach.parallel)
        return self._look(), notes

    def _look(self) -> Planned:
        from aamic.commands import planning
        from aamic.commands.progress import progress
        from aamic.deploy.observe import Asking

        with progress("looking at hosts", len(self.scope.desired)) as tick:
            asking = Asking(self.reach.timeout, self.reach.parallel)
            return planning.live(self.scope, self.site, self.reach.hosts, asking, tick, run_commands=True)

    def _show(self, plan: Plan, *, as_json: bool) -> None:
        from aamic.commands.plan import Format, shown

        typer.echo(shown(plan, Format.text), nl=False, err=as_json)

    def _origin(self, plan: Plan) -> Origin:
        from aamic.commands.applying import release_name, who
        from aamic.deploy.saved import digest
        from aamic.model.report import Origin

        revision = f"{plan.revision}-dirty" if plan.revision and plan.dirty else plan.revision
        return Origin(release_name(plan.revision), who(), revision, digest(plan), plan.tree)

    def _work(self, planned: Planned, admission: Admission) -> dict[str, HostWork]:
        from aamic.deploy.apply import HostWork
        from aamic.model.host import Observation

        work = {}
        for host, changes in admission.changes.items():
            seen = planned.seen[host]
            old = seen.release if isinstance(seen, Observation) else None
            work[host] = HostWork(changes, planned.desired[host], old)
        return work

    def _apply(
        self,
        origin: Origin,
        work: Mapping[str, HostWork],
        admission: Admission,
        notes: tuple[str, ...],
        planned: Planned,
    ) -> Report:
        from aamic.clients.interrupts import Interrupts
        from aamic.commands.applying import STOPPING, Lines, gate_of, keeper, means
        from aamic.deploy.apply import apply

        prover = self._prover(planned)
        task = self._task(origin, work, admission, notes, planned, prover)
        gate = gate_of(self.scope.compiled.fleet, live=self.live)
        lines = Lines()
        keep = keeper(self.scope.compiled.fleet.cluster)
        with Interrupts(STOPPING) as interrupts:
            gate.baseline()
            tools = means(self.reach, origin, self.rollout, gate, lines, prover=prover)
            return apply(task, tools, lines, lambda: interrupts.received is not None, keep)

    def _prover(self, planned: Planned) -> SlurmGate | None:
        """What asks Slurm; folders that stand for hosts run no jobs."""
        from aamic.deploy.slurmcluster import cluster_of
        from aamic.deploy.slurmgate import SlurmGate

        slurm = self.scope.compiled.fleet.slurm
        if slurm is None or not self.live:
            return None
        return SlurmGate(self.reach.hosts, cluster_of(slurm, planned.desired, planned.held), self.reach.timeout)

    def _task(  # noqa: PLR0913, PLR0917  # all that an apply rests on
        self,
        origin: Origin,
        work: Mapping[str, HostWork],
        admission: Admission,
        notes: tuple[str, ...],
        planned: Planned,
        prover: SlurmGate | None,
    ) -> Task:
        from aamic.deploy.apply import Task
        from aamic.deploy.rollout import touches_hooks
        from aamic.deploy.slurmcluster import waiting
        from aamic.deploy.transaction import Sender

        sender = Sender(origin, self.rollout, self._material(work), timer=self.reach.timer)
        hooked = [host for host, each in work.items() if touches_hooks(each.changes)]
        slurm = self.scope.compiled.fleet.slurm
        return Task(
            waves=self._waves(work, prover.busy(hooked) if prover and hooked else {}),
            work=work,
            settled=admission.settled,
            sender=sender,
            bundle=self.scope.bundle,
            notes=(*notes, *admission.notes, *_why_held(planned.plan)),
            after=waiting(slurm, work) if slurm else {},
            left=planned.plan.held,
            seen=frozenset(planned.plan.digests),
        )

    def _waves(self, work: Mapping[str, HostWork], busy: Mapping[str, int]) -> tuple[Wave, ...]:
        from aamic.deploy.rollout import Candidate, Pace, plan_waves, stage_of

        compiled = self.scope.compiled
        stages = {bundle.name: bundle.stage for bundle in compiled.tree.bundles}
        candidates = [
            Candidate(
                host,
                frozenset(change.bundle for change in each.changes),
                stage_of(each.changes, each.desired, stages),
                compiled.fleet.nodes[host].rack or "",
            )
            for host, each in sorted(work.items(), key=lambda each: busy.get(each[0], 0))
        ]
        return plan_waves(candidates, Pace(self.rollout.canary, self.rollout.batch, self.reach.parallel))

    def _material(self, work: Mapping[str, HostWork]) -> Material:
        """Secrets and programs, all of them before the first host is touched."""
        from aamic.clients.artifacts import Artifacts
        from aamic.clients.secrets import read_secret
        from aamic.deploy.material import gather

        folder = self.site.parent
        artifacts = Artifacts(folder)
        read: Callable[[Mapping[str, Any]], bytes] = lambda reference: read_secret(reference, folder)  # noqa: E731
        return gather(
            ((each.changes, each.desired) for each in work.values()),
            read,
            lambda program: artifacts.program(program.url, program.sha256, program.inner, fetching(program.url)),
        )


def _why_held(plan: Plan) -> Iterator[str]:
    if plan.held:
        yield f"the site wants more than was done: {', '.join(plan.held)} (hint: the notes of `aamic plan` say why)"


def fetching(source: str) -> Callable[[int, int | None], None]:
    """Tells on a terminal how much of a tarball has come."""
    import sys

    shown = source.rsplit("/", 1)[-1]

    def tell(done: int, total: int | None) -> None:
        if sys.stderr.isatty():
            of = f" of {total / 1e6:,.0f}" if total else ""
            end = "\n" if done == total else ""
            sys.stderr.write(f"\rfetching {shown}: {done / 1e6:,.0f}{of} MB{end}")

    return tell
