"""Data folders of the Prometheus servers: none may hold another, nor what belongs to the system or to aamic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from aamic.compile.findings import Findings
from aamic.compile.topology import Plan

SYSTEM: Final = frozenset(
    {"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"}
    | {"/var/run"}
)
"""Folders in which no data may stand, however deep: systemd or the package manager owns them, or they are emptied."""
SHARED: Final = frozenset(
    {"/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var"}  # noqa: S108  # refused, not used
    | {"/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp"}  # noqa: S108
)
"""Folders that are many programs': a data folder is given to the servers' user, so it must be one below."""
OWN: Final = frozenset(
    {"/opt/aami", "/var/lib/aamic", "/var/lib/aami/alertmanager", "/var/lib/aami/targets", "/var/lib/aami/textfile"}
    | {"/var/lib/aami/thanos"}
)
"""What aamic keeps on its hosts."""


def check_storage(plans: Sequence[Plan], findings: Findings) -> None:
    """Report data folders that are not a server's alone."""
    owners: dict[tuple[str, str], Plan] = {}
    for plan in plans:
        other = owners.setdefault((plan.host, plan.storage_path), plan)
        if fault := folder_fault(plan.storage_path):
            _tell(f"Prometheus `{plan.name}` cannot store in `{plan.storage_path}`: {fault}", findings, plan)
        elif other.name != plan.name:
            names = f"`{other.name}` and `{plan.name}` on `{plan.host}`"
            _tell(f"Prometheus {names} both store in `{plan.storage_path}`", findings, plan, other)
    for plan in plans:
        for folder in _above(plan.storage_path):
            if outer := owners.get((plan.host, folder)):
                message = f"Prometheus `{plan.name}` on `{plan.host}` stores in `{plan.storage_path}`"
                _tell(f"{message}, within the folder `{folder}` of `{outer.name}`", findings, plan, outer)


def folder_fault(folder: str) -> str | None:
    """Why no program of ours may store there."""
    places = (folder, *_above(folder))
    if system := next((place for place in places if place in SYSTEM), None):
        return f"`{system}` belongs to the system"
    if folder in SHARED:
        return "it belongs to many programs"
    if own := next((place for place in places if place in OWN), None):
        return f"`{own}` is used by aamic itself"
    if held := min((place for place in OWN if place.startswith(f"{folder}/")), default=None):
        return f"it holds `{held}`, which is used by aamic itself"
    return None


def _above(folder: str) -> Iterator[str]:
    """The folders that hold a folder, the nearest first."""
    while folder := folder.rpartition("/")[0]:
        yield folder


def _tell(message: str, findings: Findings, *plans: Plan) -> None:
    place, *others = dict.fromkeys(findings.place(*plan.storage_origin) for plan in plans)
    what = "one of them" if len(plans) > 1 else "it"
    findings.error(message, place, f"give {what} another `storage_path`", tuple(others))
