"""The command line: commands are registered here, and failures become exit codes here alone.

0 success; 1 the user's input or an outside failure; 2 usage; 3 a bug; 16 differences found; 130 interrupted.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import typer

from aamic.catalog.vendors import NAMES
from aamic.commands.apply import apply
from aamic.commands.clusters import clusters_alerts, clusters_info, clusters_status, list_clusters, try_cluster
from aamic.commands.clusters_edit import add, remove
from aamic.commands.dashboards import export, list_dashboards
from aamic.commands.dashboards_preview import preview
from aamic.commands.detect import detect
from aamic.commands.drift import drift
from aamic.commands.explain import explain, explain_of, list_errors_of
from aamic.commands.federation_enable import disable, enable
from aamic.commands.federation_rebalance import rebalance
from aamic.commands.federation_shards import federation_shards
from aamic.commands.federation_status import federation_status
from aamic.commands.federation_validate import validate_federation
from aamic.commands.graph import graph
from aamic.commands.health import health
from aamic.commands.importing import import_site
from aamic.commands.init import init
from aamic.commands.install import install_of
from aamic.commands.keys import create_key, list_keys, revoke_key
from aamic.commands.plan import plan
from aamic.commands.render import render
from aamic.commands.rollback import rollback
from aamic.commands.schema import schema
from aamic.commands.serve import serve
from aamic.commands.shards import shards
from aamic.commands.slurm import jobs, nodes
from aamic.commands.slurm_analyze import affected_jobs, job_analyze, node_analyze
from aamic.commands.slurm_backtest import backtest
from aamic.commands.slurm_drain import breaker, drain, resume
from aamic.commands.slurm_hooks import install_hooks, uninstall_hooks
from aamic.commands.slurm_log import log_correlation
from aamic.commands.status import status
from aamic.commands.twin import twin
from aamic.commands.validate import validate
from aamic.errors import InputError, OutsideError

EXIT_FAILED: Final = 1
EXIT_BUG: Final = 3
EXIT_INTERRUPTED: Final = 130
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO}

COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    init,
    import_site,
    validate,
    render,
    plan,
    apply,
    rollback,
    status,
    shards,
    graph,
    schema,
    twin,
    drift,
    health,
    explain,
    detect,
    serve,
)
SLURM_COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    jobs,
    nodes,
    drain,
    resume,
    breaker,
    install_hooks,
    uninstall_hooks,
    log_correlation,
    job_analyze,
    affected_jobs,
    node_analyze,
    backtest,
)
CLUSTER_COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    add,
    remove,
    list_clusters,
    clusters_status,
    clusters_alerts,
    try_cluster,
    clusters_info,
)
FEDERATION_COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    enable,
    disable,
    federation_status,
    rebalance,
    validate_federation,
    federation_shards,
)
DASHBOARD_COMMANDS: Final[tuple[Callable[..., None], ...]] = (list_dashboards, preview, export)
GROUPS: Final[tuple[tuple[str, str, tuple[Callable[..., None], ...]], ...]] = (
    ("slurm", "Look at jobs and nodes of the Slurm cluster, drain nodes, and explain jobs.", SLURM_COMMANDS),
    ("clusters", "Keep the registry of other clusters, and look at all of them at once.", CLUSTER_COMMANDS),
    ("federation", "Look at the Prometheus servers of the site, and change how many there are.", FEDERATION_COMMANDS),
    ("keys", "Make and revoke the keys by which others read this cluster.", (create_key, revoke_key, list_keys)),
    ("dashboards", "Draw the dashboards without a Grafana, or write them for one.", DASHBOARD_COMMANDS),
)
"""Commands below a word of their own: the word, what it is about, and they."""
VENDOR_COMMANDS: Final[tuple[Callable[[str], Callable[..., None]], ...]] = (
    explain_of,
    list_errors_of,
    install_of,
)
"""What makes those of `aamic nvidia`, `aamic amd` and so on, from the vendor's name."""

WORDS: Final[dict[Callable[..., None], str]] = {
    import_site: "import",
    list_clusters: "list",
    clusters_status: "status",
    clusters_alerts: "alerts",
    try_cluster: "test",
    clusters_info: "info",
    federation_status: "status",
    validate_federation: "validate",
    federation_shards: "shards",
    create_key: "create",
    revoke_key: "revoke",
    list_keys: "list",
    list_dashboards: "list",
}
"""What commands are called that cannot have this name in Python."""

app = typer.Typer(
    name="aamic",
    help="Compile one site.yaml into every monitoring config of a GPU cluster.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def _group(word: str, about: str, commands: Iterable[Callable[..., None]]) -> typer.Typer:
    group = typer.Typer(
        name=word, help=about, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
    )
    for command in commands:
        group.command(WORDS.get(command))(guarded(command))
    return group


def _version(wanted: bool) -> None:  # noqa: FBT001  # the signature of a typer callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # 20 ms that no other call needs

        typer.echo(f"aamic {version('aamic')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Compile one site.yaml into every monitoring config of a GPU cluster."""


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its failures told in plain words and turned into exit codes."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except InputError as error:
            from aamic.views.problems import text  # noqa: PLC0415  # only when something is wrong

            typer.echo(text(error.problems), err=True)
            raise typer.Exit(EXIT_FAILED) from None
        except OutsideError as error:
            typer.echo(_told(error), err=True)
            raise typer.Exit(EXIT_FAILED) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_FAILED) from None
        except OSError as error:
            if error.errno not in _FULL:
                raise typer.Exit(_report_bug(error)) from None
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            typer.echo(f"error: cannot write: {error.strerror}", err=True)
            raise typer.Exit(EXIT_FAILED) from None
        except Exception as error:
            if isinstance(error, typer.Exit | typer.Abort) or type(error).__module__.startswith(("typer", "click")):
                raise
            raise typer.Exit(_report_bug(error)) from None

    return run


def _told(error: OutsideError) -> str:
    """The failure in lines; names and answers in it do not steer the terminal."""
    from aamic.views.terminal import safe  # noqa: PLC0415  # only when something is wrong

    hint = f"\nhint: {error.hint}" if error.hint else ""
    return "\n".join(map(safe, f"error: {error}{hint}".split("\n")))


def _report_bug(error: Exception) -> int:
    typer.echo(_bug(error), err=True)
    return EXIT_BUG


def _bug(error: Exception) -> str:
    """The error in a line, and where its traceback is."""
    from aamic.commands.bugs import kept  # noqa: PLC0415  # only when something is wrong

    return f"error: aamic has a bug: {type(error).__name__}: {error}\nhint: {kept(error)}"


for _command in COMMANDS:
    app.command(WORDS.get(_command))(guarded(_command))
for _word, _about, _commands in GROUPS:
    app.add_typer(_group(_word, _about, _commands))
for _name in NAMES:
    _about = f"Explain errors of {_name} GPUs, and install their exporter."
    app.add_typer(_group(_name, _about, [command(_name) for command in VENDOR_COMMANDS]))


def main() -> None:
    """Run the command line."""
    app()
