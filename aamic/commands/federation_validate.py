"""`aamic federation validate`: everything that can be wrong with a federation."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, print_json
from aamic.errors import InputError

if TYPE_CHECKING:
    from aamic.compile.compiler import Checked, Compiled
    from aamic.compile.parse import Document
    from aamic.model.rebalance import Check
    from aamic.model.tree import Tree

EXIT_WRONG = 1


def validate_federation(site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """Check the shards and central, and let promtool check what they would get; exit 1 where a check fails."""
    from aamic.views.federation import checks_json, checks_text

    checks, off = _looked_at(site)
    if json:
        print_json({"federation": not off, **checks_json(checks)})
    else:
        typer.echo("\n".join(filter(None, (off, checks_text(checks)))))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(EXIT_WRONG)


def _looked_at(site: Path) -> tuple[tuple[Check, ...], str]:
    """Every check, and a sentence where federation is off."""
    from aamic.compile.compiler import compile_document, shipped_catalog
    from aamic.compile.parse import load
    from aamic.ops.federationcheck import check_all, compiles

    document = load(site)
    try:
        compiled = compile_document(document, shipped_catalog())
    except InputError as error:
        return (compiles(error.problems),), ""
    if compiled.fleet.federation is None:
        return (compiles(compiled.warnings),), _off(compiled)
    lost = _lost(site, document, compiled)
    return (*check_all(compiled.site, compiled.fleet, compiled.warnings, lost), *_tools(compiled)), ""


def _off(compiled: Compiled) -> str:
    server = compiled.fleet.servers[0]
    nodes = f"{len(compiled.fleet.nodes):,}"
    return f"federation is off: `{server.name}` on `{server.host}` alone scrapes {nodes} nodes"


def _lost(site: Path, document: Document, compiled: Compiled) -> frozenset[str]:
    """Rules that central would have if it read everything, and has not with the selectors of the site."""
    from aamic.commands.editing import tried
    from aamic.compile.edit import set_value
    from aamic.ops.federationcheck import central_rules

    spec = compiled.site.federation
    if spec is None or isinstance(spec.match, str):
        return frozenset()
    everything: Checked = tried(site, document, lambda files: set_value(files, ("federation", "match"), "raw"))
    return central_rules(everything.fleet) - central_rules(compiled.fleet)


def _tools(compiled: Compiled) -> tuple[Check, ...]:
    """What promtool says of what the hosts of servers get."""
    from aamic.clients.tools import has_tool, run_tool
    from aamic.deploy.verify import PROMETHEUS, verify

    with tempfile.TemporaryDirectory(prefix="aamic-verify-") as folder:
        verdicts = verify(_of_servers(compiled), Path(folder), has_tool, run_tool, PROMETHEUS)
    return tuple(map(_check, verdicts))


def _of_servers(compiled: Compiled) -> Tree:
    """The bundles that hosts of Prometheus servers have."""
    hosts = {server.host for server in compiled.fleet.servers}
    mine = [replace(each, hosts=tuple(host for host in each.hosts if host in hosts)) for each in compiled.tree.bundles]
    return replace(compiled.tree, bundles=tuple(bundle for bundle in mine if bundle.hosts))


def _check(verdict: Any) -> Check:
    from aamic.model.rebalance import Check
    from aamic.ops.federationcheck import unlooked

    files = f"{verdict.files:,} files"
    if verdict.passed is None:
        return unlooked(Check(verdict.check, "warn"))
    return Check(verdict.check, "ok", (files,)) if verdict.passed else Check(verdict.check, "fail", (verdict.output,))
