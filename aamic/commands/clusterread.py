"""Other clusters as commands read them: chosen by name or label, and asked all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from aamic.errors import InputError, OutsideError, Problem, RemoteError, SilentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aamic.clients.base import Remote
    from aamic.model.fleet import Fleet, RemoteCluster

    Opener = Callable[[], Remote]

PARALLEL: Final = 32
_OWN: Final = 5.0
"""Seconds that this cluster's own servers have for one answer."""
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
    from aamic.ops.clusterview import look_from_outside
    from aamic.ops.looked import LookedFromOutside

    server = open_prometheus(cluster, folder)
    return LookedFromOutside(lambda: look_from_outside(cluster.name, server, server, time.time()), server)


def own_cluster(fleet: Fleet) -> tuple[RemoteCluster, Opener]:
    """The cluster of the site itself as one of many, and what asks its central or single Prometheus."""
    from aamic.catalog.artifacts.serve.artifact import config_of, inventory
    from aamic.clients.alarms import alarms_of
    from aamic.clients.prometheus import Prometheus
    from aamic.model import fleet as model
    from aamic.model.serveconfig import Inventory
    from aamic.ops.clusterview import look
    from aamic.ops.looked import Looked

    nowhere = model.Serve("", None, 0, "", None, None, None, None, (), 0, _OWN)
    config = config_of(fleet, nowhere)
    nodes = Inventory.model_validate_json(inventory(fleet))
    server = Prometheus(config.prometheus, _OWN)
    alarms = alarms_of(config.alertmanagers, server, _OWN)
    remote = Looked(lambda: look(config, nodes, server, alarms, time.time()), server)
    cluster = model.RemoteCluster(
        fleet.cluster, config.prometheus, "prometheus", None, None, None, None, fleet.labels, _OWN, federate=False
    )
    return cluster, lambda: remote


def ask(opener: Opener, work: Callable[[Remote], T]) -> T | RemoteError:
    """What becomes of work with one cluster."""
    try:
        with closing(opener()) as remote:
            return work(remote)
    except RemoteError as error:
        return error
    except SilentError as error:
        return RemoteError("unreachable", str(error), error.hint)
    except OutsideError as error:
        return RemoteError("foreign", str(error), error.hint)
    except Exception as error:  # noqa: BLE001  # what one cluster answers must not end the look at the others
        from aamic.commands.bugs import kept

        told = f"its answer was not understood: aamic has a bug ({type(error).__name__})"
        return RemoteError("foreign", told, kept(error))


def ask_all(
    clusters: Sequence[tuple[RemoteCluster, Opener]], work: Callable[[Remote], T]
) -> list[tuple[RemoteCluster, T | RemoteError]]:
    """What becomes of work with each cluster, all at once, in the order given."""
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out
    from aamic.errors import HostError

    by_name = {cluster.name: (cluster, opener) for cluster, opener in clusters}
    with progress("asking", len(clusters)) as tick:
        done = fan_out(tuple(by_name), lambda name: ask(by_name[name][1], work), PARALLEL, tick)
    return [(by_name[name][0], found) for name, found in done.items() if not isinstance(found, HostError)]


def openers(clusters: Iterable[RemoteCluster], folder: Path) -> list[tuple[RemoteCluster, Opener]]:
    """Each cluster with what opens it."""
    return [(cluster, partial(open_cluster, cluster, folder)) for cluster in clusters]


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
