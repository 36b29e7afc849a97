"""The same files by pyinfra, as a deploy says it: `put` for plain files, `template` for those with a variable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from contest import BOTH, PARALLEL, Run
from peers.compare import install
from work import FORMS, Work

PLACE: Final = "srv/pyinfra"
_UNCHANGED: Final = re.compile(r"^ +files\..*\) +- +- *$", re.MULTILINE)
"""A line of its table: it counts no hosts that would change."""
_DEPLOY: Final = """\
from pyinfra import host
from pyinfra.operations import files

FILES = {files!r}
for path, mode, changed in FILES:
    same = dict(src="files" + path, dest="/{place}" + path, user="root", group="root", mode=mode)
    if changed:
        files.template(**same, level=host.data.level)
    else:
        files.put(**same)
"""


class Pyinfra:
    """50 hosts at once, host keys verified."""

    name = "pyinfra"
    kinds = BOTH
    is_slow = False
    place = PLACE

    def __init__(self, folder: Path, work: Work) -> None:
        self._programs = install("pyinfra")
        self._folder, self._work = folder, work
        work.write_sources(folder / "files")
        files = [(file.path, file.mode, file.changed) for file in work.files]
        (folder / "deploy.py").write_text(_DEPLOY.format(files=files, place=PLACE))
        (folder / "inventory.py").write_text(f"hosts = {_hosts(work)!r}\n")

    def plan(self, form: int) -> Run:
        return self._run(form, "--dry", "--diff")

    def change(self, form: int) -> Run:
        return self._run(form, "--yes")

    def found_no_change(self, printed: str) -> bool:
        reached = printed.count("] Connected")
        return (reached, len(_UNCHANGED.findall(printed))) == (len(self._work.hosts), len(self._work.files))

    def _run(self, form: int, *options: str) -> Run:
        given = ["--parallel", str(PARALLEL), "--data", f"level={FORMS[form]}", *options]
        return Run([self._programs / "pyinfra", *given, "inventory.py", "deploy.py"], self._folder)


def _hosts(work: Work) -> list[tuple[str, dict[str, object]]]:
    login = {
        "ssh_port": work.farm.port,
        "ssh_user": "root",
        "ssh_key": str(work.farm.key),
        "ssh_known_hosts_file": str(work.farm.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
        "ssh_config_file": "/dev/null",
    }
    return [(name, {"ssh_hostname": address, **login}) for name, address in work.hosts]
