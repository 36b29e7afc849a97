"""From a compiled site to a plan, with what it rests on: shared by the commands that look at hosts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aamic.errors import OutsideError

if TYPE_CHECKING:
    from aamic.clients.base import Hosts
    from aamic.clients.git import Commit
    from aamic.commands.progress import Tick
    from aamic.compile.compiler import Compiled
    from aamic.deploy.desired import Desired
    from aamic.deploy.explain import Contents
    from aamic.deploy.observe import Asking, Seen
    from aamic.deploy.planner import Basis
    from aamic.deploy.slurmconf import Findings
    from aamic.model.plan import Plan
    from aamic.model.tree import Tree


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks of a plan."""

    limit: str = ""
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The hosts that a wish is for, with what each should have; only one bundle where `bundle` is not ''.

    `notes` are told with the plan.
    """

    compiled: Compiled
    wish: Wish
    bundle: str
    desired: Mapping[str, Desired]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it rests on: what each host should have, what was seen of it, and bundles left alone."""

    plan: Plan
    desired: Mapping[str, Desired]
    seen: Mapping[str, Seen]
    held: frozenset[str] = frozenset()


def scope(compiled: Compiled, wish: Wish) -> Scope:
    """The hosts that a wish is for. Raises InputError where its limit names what this site does not have."""
    from aamic.deploy.desired import desired_hosts
    from aamic.deploy.limit import limit

    chosen = limit(wish.limit, compiled.tree, compiled.fleet.nodes)
    return Scope(compiled, wish, chosen.bundle, desired_hosts(compiled.tree, chosen.hosts))


def of_bundle(compiled: Compiled, bundle: str, hosts: Iterable[str], *, adopt: bool, notes: Iterable[str]) -> Scope:
    """One bundle on some of its hosts: whatever else these have stays as it is."""
    from aamic.compile.hostlist import fold
    from aamic.deploy.desired import desired_hosts

    chosen = tuple(hosts)
    wish = Wish(f"bundle:{bundle} on {fold(chosen)}", adopt)
    return Scope(compiled, wish, bundle, desired_hosts(compiled.tree, chosen), tuple(notes))


def live(  # noqa: PLR0913  # what is asked, of whom, and how
    scope: Scope, site: Path, hosts: Hosts, asking: Asking, tick: Tick, *, run_commands: bool = False
) -> Planned:
    """The plan for hosts as they are, with its differences explained; `tick` is told of each that was looked at.

    Without `run_commands`, secrets that a command prints stay undecided: plans are made of sites nobody reviewed yet.
    """
    from aamic.deploy.diff import Policy
    from aamic.deploy.explain import explain, rewritten
    from aamic.deploy.fetch import fetch_old
    from aamic.deploy.keptdata import left_files, with_kept
    from aamic.deploy.lines import MOST_VERSIONS, edited, line_files
    from aamic.deploy.observe import observe
    from aamic.deploy.planner import make_plan
    from aamic.deploy.slurmconf import NOTHING

    compiled, desired = scope.compiled, scope.desired
    asking = replace(asking, salt=secrets.token_hex(16))
    digests, unread = secret_digests(desired, site.parent, asking.salt, run_commands=run_commands)
    seen = observe(hosts, desired, asking, tick)
    hooked = _may_touch_hooks(scope)
    found = slurm_findings(compiled, hosts, asking, seen) if hooked else NOTHING
    known = fetch_old(hosts, line_files(desired, seen), asking, MOST_VERSIONS, follow=True)
    desired = edited(desired, seen, known, found.held)
    policy = Policy(scope.wish.adopt, scope.bundle, digests, found.held)
    plan = make_plan(basis(compiled, site, scope.wish), desired, seen, policy)
    changed = [each for each in rewritten(plan, desired) if (each.name, each.before) not in known]
    old = {**known, **fetch_old(hosts, (*changed, *left_files(plan)), asking)}
    plan = with_kept(explain(plan, desired, old), desired, old)
    also = _of_slurm(compiled, hosts, asking, (plan, seen, known)) if hooked else ()
    notes = (*scope.notes, *unread, *found.notes, *also, *load_notes(plan, compiled), *plan.notes)
    return Planned(replace(plan, notes=notes), desired, seen, found.held)


def _may_touch_hooks(scope: Scope) -> bool:
    """Whether what Slurm says matters: a plan for one bundle that has no hooks asks no controller."""
    from aamic.deploy.slurmconf import HOOKS

    return not scope.bundle or scope.bundle in HOOKS


def offline(scope: Scope, site: Path, outputs: Path, revision: str) -> Plan:
    """The plan between the outputs of a git revision and the site as it is now; no host is looked at."""
    from aamic.clients.git import files_at, merge_base
    from aamic.deploy.desired import desired_hosts
    from aamic.deploy.diff import Policy
    from aamic.deploy.explain import contents, explain
    from aamic.deploy.keptdata import with_kept
    from aamic.deploy.lines import line_notes
    from aamic.deploy.offline import all_observed, read_tree, reference_digests
    from aamic.deploy.planner import make_plan

    compiled, desired = scope.compiled, scope.desired
    commit = merge_base(site.parent, revision)
    parted = f"{commit[:7]}, where `{revision}` and this branch parted"
    where = f"`{outputs}` at {'`HEAD`' if revision == 'HEAD' else parted}"
    old = read_tree(files_at(outputs, commit), where)
    before = desired_hosts(old, desired)
    policy = Policy(scope.wish.adopt, scope.bundle, reference_digests(desired.values()))
    plan = make_plan(basis(compiled, site, scope.wish), desired, all_observed(before), policy)
    old_contents = contents(before.values())
    plan = with_kept(explain(plan, desired, old_contents), desired, old_contents)
    note = f"compared with {where}; what hosts really have was not looked at"
    notes = (note, *gone_hosts(old, compiled), *line_notes(before, desired), *load_notes(plan, compiled), *plan.notes)
    return replace(plan, digests={}, notes=notes)


def _of_slurm(
    compiled: Compiled, hosts: Hosts, asking: Asking, found: tuple[Plan, Mapping[str, Seen], Contents]
) -> tuple[str, ...]:
    """Notes on what a plan with hooks meets on the controller and on nodes."""
    from aamic.deploy.slurmconf import wanted_hooks
    from aamic.deploy.slurmreach import of_nodes, staged

    slurm, (plan, seen, known) = compiled.fleet.slurm, found
    if slurm is None:
        return ()
    hooks = wanted_hooks(compiled.tree, slurm.controller, slurm.conf_dir)
    return (*staged(hosts, slurm, plan, asking.timeout), *(of_nodes(hooks, slurm, seen, known) if hooks else ()))


def slurm_findings(compiled: Compiled, hosts: Hosts, asking: Asking, seen: Mapping[str, Seen]) -> Findings:
    """What the slurm.conf of the controller means for the hooks that the site wants; nothing where it wants none."""
    from aamic.deploy.fetch import fetch_files
    from aamic.deploy.slurmconf import NOTHING, SLURM_CONF, judge, unknown, values_of, wanted_hooks
    from aamic.deploy.slurmreach import reach

    slurm = compiled.fleet.slurm
    if slurm is None or (wanted := wanted_hooks(compiled.tree, slurm.controller, slurm.conf_dir)) is None:
        return NOTHING
    try:
        values = values_of(
            f"{slurm.conf_dir}/{SLURM_CONF}",
            wanted,
            lambda paths: fetch_files(hosts, slurm.controller, paths, asking.timeout, follow=True),
        )
    except OutsideError as error:
        return unknown(str(error))
    return judge(values, wanted, slurm).and_of(reach(hosts, slurm, values, seen, asking.timeout))


def gone_hosts(old: Tree, compiled: Compiled) -> tuple[str, ...]:
    """A note on hosts that the site no longer has: nobody will clean them up."""
    from aamic.compile.hostlist import fold

    gone = {host for bundle in old.bundles for host in bundle.hosts} - compiled.fleet.nodes.keys()
    return (f"no longer in the site, and left as they are: {fold(gone)}",) if gone else ()


def basis(compiled: Compiled, site: Path, wish: Wish) -> Basis:
    """What the plan is made for."""
    import hashlib

    from aamic.clients.git import commit_of
    from aamic.deploy.planner import Basis

    commit: Commit | None = commit_of(site.parent)
    tree = hashlib.sha256(compiled.tree.manifest).hexdigest()
    known = (commit.name, commit.dirty) if commit else ("", False)
    return Basis(compiled.fleet.cluster, tree, *known, wish.limit)


def secret_digests(
    desired: Mapping[str, Desired], folder: Path, salt: str, *, run_commands: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Salted digests of the secrets' values by reference, and for those that cannot be read here, why."""
    import hashlib

    from aamic.clients.secrets import read_secret, told
    from aamic.deploy.diff import reference_key

    different = {id(each): each for each in desired.values()}.values()
    references = {reference_key(each.reference): each.reference for host in different for each in host.secrets.values()}
    digests: dict[str, str] = {}
    unread: list[str] = []
    for key, reference in references.items():
        if "command" in reference and not run_commands:
            unread.append(f"{told(reference)} is read by an apply alone: it runs a command that the site names")
            continue
        try:
            digests[key] = hashlib.sha256(salt.encode() + read_secret(reference, folder)).hexdigest()
        except OutsideError as error:
            unread.append(str(error))
    return digests, tuple(unread)


def load_notes(plan: Plan, compiled: Compiled) -> Iterator[str]:
    """The predicted load of each server whose targets change."""
    from aamic.views.shards import of_total

    changed = {(host, change.name) for group in plan.groups for change in group.changes for host in group.hosts}
    for server in compiled.fleet.servers:
        if (server.host, server.targets_path) in changed:
            memory = of_total(server.load.memory, compiled.fleet.nodes[server.host].memory)
            name = f"{server.name}/{server.replica}" if server.replica else server.name
            yield f"{name} on {server.host}: predicted {server.load.series:,} series, {memory} of RAM"
