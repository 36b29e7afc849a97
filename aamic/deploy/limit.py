"""`--limit`: which hosts a command is for, and whether for one bundle of them only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from aamic.compile.hostlist import HostListError, expand
from aamic.compile.suggest import closest
from aamic.errors import InputError, Problem
from aamic.model.tree import Tree

_BUNDLE: Final = "bundle:"
_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Limit:
    """The hosts that are meant, in the site's order, and the bundle, or '' for all of them."""

    hosts: tuple[str, ...]
    bundle: str = ""


def limit(text: str, tree: Tree, hosts: Collection[str]) -> Limit:
    """Read a limit: '' for every host, a host list, or `bundle:NAME`.

    Raises:
        InputError: It names a host or a bundle that this site does not have.
    """
    if not text:
        return Limit(tuple(hosts))
    if text.startswith(_BUNDLE):
        return _bundle(text.removeprefix(_BUNDLE), tree)
    try:
        wanted = dict.fromkeys(expand(text))
    except HostListError as error:
        raise InputError([Problem(f"--limit: {error}", hint=error.hint)]) from error
    if unknown := [name for name in wanted if name not in hosts]:
        raise InputError([_unknown("host", name, hosts) for name in unknown[:_TOLD]])
    return Limit(tuple(host for host in hosts if host in wanted))


def _bundle(name: str, tree: Tree) -> Limit:
    for bundle in tree.bundles:
        if bundle.name == name:
            return Limit(bundle.hosts, name)
    raise InputError([_unknown("bundle", name, [bundle.name for bundle in tree.bundles])])


def _unknown(what: str, name: str, known: Collection[str]) -> Problem:
    near = closest(name, known)
    hint = f"did you mean `{near}`?" if near else f"this site has no {what} like it; write `bundle:NAME` or a host list"
    return Problem(f"--limit: unknown {what} `{name}`", hint=hint)
