"""Other clusters as commands read them: chosen by name or label, and asked all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from aamic.errors import InputError, OutsideError, Problem, RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aamic.clients.base import Remote
    from aamic.model.fleet import RemoteCluster

PARALLEL: Final = 32
T = TypeVar("T")

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME...]", help="Clusters of the registry; all if none is given.")
]
LabelsGiven = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="Only clusters with this label; may be given several times."),
]


def open_cluster(cluster: RemoteCluster, folder: Path) -> Remote:
    """What asks a cluster, of whichever kind; `folder` is the site's. No connection is made yet.

    Raises:
        RemoteError: Its key or certificate cannot be read here.
    """
    if cluster.kind == "aami":
        from aamic.clients.cluster import open_aami

        return open_aami(cluster, folder)
    from aamic.clients.clusterprometheus import open_prometheus
    from aamic.ops.outside import Outside

    return Outside(cluster.name, open_prometheus(cluster, folder))


def ask(cluster: RemoteCluster, folder: Path, work: Callable[[Remote], T]) -> T | RemoteError:
    """What becomes of work with one cluster."""
    try:
        with closing(open_cluster(cluster, folder)) as remote:
            return work(remote)
    except RemoteError as error:
        return error
    except OutsideError as error:
        return RemoteError("foreign", str(error), error.hint)


def ask_all(
    clusters: Sequence[RemoteCluster], folder: Path, work: Callable[[Remote], T]
) -> list[tuple[RemoteCluster, T | RemoteError]]:
    """What becomes of work with each cluster, all at once, in the order given."""
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out
    from aamic.errors import HostError

    by_name = {cluster.name: cluster for cluster in clusters}
    with progress("asking", len(clusters)) as tick:
        done = fan_out(tuple(by_name), lambda name: ask(by_name[name], folder, work), PARALLEL, tick)
    return [(by_name[name], found) for name, found in done.items() if not isinstance(found, HostError)]


def chosen(clusters: Sequence[RemoteCluster], names: Sequence[str], labels: Mapping[str, str]) -> list[RemoteCluster]:
    """The clusters of these names, all if there are none, that have all labels; in the order of the site.

    Raises:
        InputError: A name is not in the registry.
    """
    expect_known(clusters, names)
    wanted = set(names) or {each.name for each in clusters}
    return [each for each in clusters if each.name in wanted and labels.items() <= each.labels.items()]


def expect_known(clusters: Sequence[RemoteCluster], names: Iterable[str]) -> None:
    """Return if the registry has all of these names. Raises InputError."""
    known = {each.name for each in clusters}
    if problems := [_unknown(name, known) for name in names if name not in known]:
        raise InputError(problems)


def _unknown(name: str, known: Iterable[str]) -> Problem:
    from aamic.compile.suggest import closest
    from aamic.compile.text import shown

    near, known = closest(name, known), sorted(known)
    hint = f"did you mean `{near}`?" if near else f"it has {', '.join(f'`{each}`' for each in known[:10])}"
    if not known:
        hint = "it is empty: `aamic clusters add` adds one"
    return Problem(f"the registry has no cluster {shown(name)}", hint=hint)


def labels_of(given: Sequence[str] | None) -> dict[str, str]:
    """Labels from `NAME=VALUE` on the command line; a usage error where one is none, or stands twice."""
    labels: dict[str, str] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise typer.BadParameter("write `NAME=VALUE`, such as `region=kr-2`", param_hint="--label")
        if labels.setdefault(name, value) != value:
            raise typer.BadParameter(f"`{name}` is given twice, with different values", param_hint="--label")
    return labels
