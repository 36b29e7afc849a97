"""What systemd is told of a service: its unit, its user and its folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from aamic import templates
from aamic.model.fleet import Package, Tarball, Unit
from aamic.model.tree import File, OnChange

_HOME: Final = re.compile(r"(^|=)/(home|root|run/user)(/|$)")
_TMP: Final = re.compile(r"(^|=)/(var/)?tmp(/|$)")


def unit_file(unit: Unit) -> File:
    """The unit, hardened as far as its program works. A change of it restarts the service."""
    content = templates.render(
        "catalog/unit.j2",
        unit=unit,
        protect_home="no" if _reaches(_HOME, unit) else unit.protect_home,
        private_tmp="no" if _reaches(_TMP, unit) else "yes",
    )
    return File(f"/etc/systemd/system/{unit.file_name}", content, on_change=OnChange("restart", unit.file_name))


def _reaches(folder: re.Pattern[str], unit: Unit) -> bool:
    """Whether the unit names a path below folders that hardening would hide from it."""
    return any(folder.search(word) for word in (*unit.command, *unit.writable))


def account_files(name: str, user: str, writable: tuple[str, ...] = ()) -> tuple[File, ...]:
    """The sysusers.d and tmpfiles.d files that a service needs, named after the service.

    Not after the user: two services may share one, and then two bundles would give a host the same path. systemd takes
    equal lines of two files for one.
    """
    return (*sysusers_file(name, user), *tmpfiles_file(name, user, writable))


def sysusers_file(name: str, user: str) -> tuple[File, ...]:
    """The file that makes a system user; nothing for root. An existing user stays as it is."""
    if user == "root":
        return ()
    line = f'u {templates.plain(user)} - "aami service" /var/lib/aami\n'
    return (File(f"/etc/sysusers.d/{name}.conf", line.encode(), on_change=OnChange("sysusers")),)


def tmpfiles_file(name: str, user: str, folders: tuple[str, ...]) -> tuple[File, ...]:
    """The file that makes the folders that a service writes; nothing where there are none."""
    if not folders:
        return ()
    lines = "".join(f"d {templates.systemd_word(folder)} 0750 {templates.plain(user)} - -\n" for folder in folders)
    return (File(f"/etc/tmpfiles.d/{name}.conf", lines.encode(), on_change=OnChange("tmpfiles")),)


def install_entry(install: Package | Tarball) -> Mapping[str, Any]:
    """Where a program comes from, as the manifest says it.

    >>> install_entry(Package("prometheus"))
    {'package': 'prometheus', 'version': None}
    """
    if isinstance(install, Package):
        return {"package": install.name, "version": install.version}
    return {
        "tarball": install.url,
        "sha256": install.sha256,
        "binary": install.binary,
        "installs_to": install.installs_to,
    }
