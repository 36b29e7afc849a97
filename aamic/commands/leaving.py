"""The copy of the site on the central hosts, as `apply` leaves it and `rollback` marks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aamic.commands.applying import Reach
    from aamic.compile.compiler import Compiled
    from aamic.deploy.observe import Seen
    from aamic.deploy.sitecopies import Keepers
    from aamic.model.fleet import Fleet
    from aamic.model.report import Origin, Report


def leave_site(
    whole: Compiled, reach: Reach, origin: Origin, seen: Mapping[str, Seen], *, changed: bool
) -> tuple[str, ...]:
    """Leave the site as it was compiled on its central hosts, and return what is to be told."""
    from importlib.metadata import version

    from aamic.compile.sitecopy import read_copy, write_copy
    from aamic.deploy.sitecopies import leave
    from aamic.model.host import Unobserved
    from aamic.model.sitecopy import SiteCopy

    files = {name: data.decode() for name, data in whole.sources.items()}
    copy = SiteCopy(whole.fleet.cluster, files, origin.release, origin.revision, version("aamic"))
    unseen = {host for host, each in seen.items() if isinstance(each, Unobserved)}
    written = write_copy(copy)
    try:
        read_copy(written)  # such as a file whose name is no text
    except ValueError as error:
        return (f"no copy of the site is left on its central hosts: nobody could import it, as {error}",)
    return leave(_keepers(whole.fleet, reach), written, changed=changed, unseen=unseen)


def mark_site(fleet: Fleet, reach: Reach, report: Report, release: str) -> tuple[str, ...]:
    """Let the copies of the site know of a release that was undone, and return what is to be told."""
    from aamic.deploy.sitecopies import mark

    if not any(each.state == "done" for each in report.hosts):
        return ()
    return mark(_keepers(fleet, reach), release)


def _keepers(fleet: Fleet, reach: Reach) -> Keepers:
    from aamic.deploy.sitecopies import Keepers, central_hosts

    return Keepers(reach.hosts, central_hosts(fleet), reach.timeout, reach.parallel)
