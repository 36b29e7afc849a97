"""`aamic clusters add` and `remove`: edits of the site's registry of other clusters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.applying import Yes
from aamic.commands.clusterread import labels_of
from aamic.commands.clusters import EXIT_FAILED, Name, attempt
from aamic.commands.editing import DryRun, differences_of, need_consent_unless, propose, settle, show
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, colourful, columns, print_json
from aamic.errors import InputError, Problem, RemoteError

if TYPE_CHECKING:
    from aamic.commands.editing import Proposal
    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources
    from aamic.errors import Place
    from aamic.model.overview import Tried
    from aamic.ops.clusteradd import Given

NewName = Annotated[str, typer.Argument(metavar="NAME", help="What the cluster is called here.")]
Endpoint = Annotated[
    str, typer.Option("--endpoint", metavar="URL", help="Where it answers, such as `https://mon.busan.example:9443`.")
]
Kind = Annotated[str, typer.Option("--kind", help="`aami`: aamic serve answers; `prometheus`: Prometheus or Thanos.")]
KeyFile = Annotated[
    str | None, typer.Option("--api-key-file", metavar="PATH", help="File that holds the API key; only named.")
]
KeyEnv = Annotated[
    str | None, typer.Option("--api-key-env", metavar="VARIABLE", help="Variable that holds the API key; only named.")
]
Cert = Annotated[str | None, typer.Option("--tls-cert", metavar="PATH", help="Our client certificate (PEM).")]
CertKey = Annotated[str | None, typer.Option("--tls-key", metavar="PATH", help="Its private key; only named.")]
Authorities = Annotated[
    str | None, typer.Option("--tls-ca", metavar="PATH", help="Authorities of its certificate; else the system's.")
]
NewLabels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="What is said of it; may be given several times."),
]
Timeout = Annotated[str | None, typer.Option("--timeout", help="Longest wait for one answer; 10s if not given.")]
Federate = Annotated[bool, typer.Option("--federate", help="Let central read its aggregates.")]
NoTest = Annotated[bool, typer.Option("--no-test", help="Add it without asking it first.")]


def add(  # noqa: PLR0913  # one argument for each option
    name: NewName,
    site: SitePath = DEFAULT_SITE,
    *,
    endpoint: Endpoint,
    kind: Kind = "aami",
    api_key_file: KeyFile = None,
    api_key_env: KeyEnv = None,
    tls_cert: Cert = None,
    tls_key: CertKey = None,
    tls_ca: Authorities = None,
    label: NewLabels = None,
    timeout: Timeout = None,
    federate: Federate = False,
    no_test: NoTest = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add a cluster to the registry in site.yaml, once it has answered. Keys are only referred to."""
    from aamic.ops.clusteradd import Given

    need_consent_unless(yes=yes, dry_run=dry_run)
    given = Given(
        name, endpoint, kind, api_key_file, api_key_env, tls_cert, tls_key, tls_ca, labels_of(label), timeout, federate
    )
    proposal = propose(site, lambda checked, files: _added(given, checked, files, site))
    if tls_cert and no_test:
        _expect_pair(proposal, name, site)
    tested = None if no_test else _tested(proposal, name, site, json=json)
    _carry_out(proposal, tested, yes=yes, dry_run=dry_run, json=json)


def remove(
    name: Name,
    site: SitePath = DEFAULT_SITE,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take a cluster out of the registry in site.yaml. Files that hold its keys stay."""
    need_consent_unless(yes=yes, dry_run=dry_run)
    proposal = propose(site, lambda checked, files: _removed(name, checked, files))
    _carry_out(proposal, None, yes=yes, dry_run=dry_run, json=json)


def _added(given: Given, checked: Checked, files: Sources, site: Path) -> Sources:
    """The files with the new cluster. Raises InputError with everything that is wrong with it."""
    from aamic.clients.siteplace import SitePlace
    from aamic.compile.compiler import shipped_catalog
    from aamic.compile.edit import append
    from aamic.compile.schema import site_model
    from aamic.ops.clusteradd import faults, item_of

    where = SitePlace(site.parent)
    taken = {each.name: _place(files, index) for index, each in enumerate(checked.site.clusters)}
    model = site_model(shipped_catalog().exporters)
    if problems := faults(given, where, model, taken, checked.site.cluster.name):
        raise InputError(problems)
    return append(files, ("clusters",), item_of(given, where))


def _removed(name: str, checked: Checked, files: Sources) -> Sources:
    from aamic.commands.clusterread import expect_known
    from aamic.compile.edit import remove as taken_out

    expect_known(checked.fleet.clusters, [name])
    index = next(index for index, each in enumerate(checked.site.clusters) if each.name == name)
    path = ("clusters", index)
    beside = max(files, key=lambda file: file.depth(path)).data
    last = len(checked.site.clusters) == 1 < len(beside)  # a file with nothing in it would be no file of a site
    return taken_out(files, path[:1] if last else path)


def _place(files: Sources, index: int) -> Place:
    path = ("clusters", index, "name")
    return max(files, key=lambda file: file.depth(path)).place(path)


def _expect_pair(proposal: Proposal, name: str, site: Path) -> None:
    """Return if our certificate and its key fit each other, which can be known without asking anybody."""
    from aamic.clients.clustercredentials import tls_context

    cluster = next(each for each in proposal.compiled.fleet.clusters if each.name == name)
    try:
        tls_context(cluster, site.parent)
    except RemoteError as error:
        raise InputError([Problem(str(error), hint=error.hint)]) from None


def _tested(proposal: Proposal, name: str, site: Path, *, json: bool) -> Tried:
    """How the first contact went; ends the command where the cluster is not connected."""
    from aamic.views.clusters import tried_text

    fleet = proposal.compiled.fleet
    cluster = next(each for each in fleet.clusters if each.name == name)
    tested = attempt(cluster, site.parent, fleet.cluster)
    typer.echo(tried_text(tested, columns(), colour=not json and colourful()), nl=False, err=json)
    if not tested.connected:
        if json:
            _print(tested, written=False, differences={})
        typer.echo("nothing was written; `--no-test` adds it all the same", err=True)
        raise typer.Exit(EXIT_FAILED)
    return tested


def _carry_out(proposal: Proposal, tested: Tried | None, *, yes: bool, dry_run: bool, json: bool) -> None:
    """Show the edit, ask, and write it."""
    show(proposal, json=json)
    written = settle(proposal, yes=yes, dry_run=dry_run)
    if json:
        _print(tested, written=written, differences=differences_of(proposal))
    else:
        typer.echo(f"wrote {proposal.names}" if written else "nothing was written")
        if written:
            typer.echo("note: `aamic plan` shows what changes on the hosts")


def _print(tested: Tried | None, *, written: bool, differences: dict[str, str]) -> None:
    files = [{"path": path, "diff": difference} for path, difference in differences.items()]
    test = tested and tested.model_dump(mode="json")
    print_json({"version": 1, "files": files, "written": written, "test": test})
