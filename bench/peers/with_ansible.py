"""The same files by Ansible, as a playbook says it: `copy` for plain files, `template` for those with a variable."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from contest import BOTH, PARALLEL, Run
from peers.compare import install
from work import FORMS, Work

PLACE: Final = "srv/ansible"
_RECAP: Final = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 ", re.MULTILINE)
_APART: Final = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--")
"""ssh's masters stay for the next run (ControlPersist); they end with it, so that each run has to log in."""


class Ansible:
    """50 forks, pipelining, ControlPersist, no facts gathered: what its users do to make it quick."""

    name = "ansible"
    kinds = BOTH
    is_slow = True
    place = PLACE

    def __init__(self, folder: Path, work: Work) -> None:
        self._programs = install("ansible-core")
        self._folder, self._work = folder, work
        work.write_sources(folder / "files")
        (folder / "ansible.cfg").touch()
        (folder / "inventory.json").write_text(json.dumps(_inventory(work)))
        (folder / "playbook.json").write_text(json.dumps(_playbook(work)))

    def plan(self, form: int) -> Run:
        return self._run(form, "--check", "--diff")

    def change(self, form: int) -> Run:
        return self._run(form)

    def found_no_change(self, printed: str) -> bool:
        return [changed for _, changed in _RECAP.findall(printed)] == ["0"] * len(self._work.hosts)

    def _run(self, form: int, *options: str) -> Run:
        controls = self._folder / "controls"
        controls.mkdir(exist_ok=True)
        for old in controls.iterdir():
            old.unlink()
        command = [*_APART, self._programs / "ansible-playbook", "-i", "inventory.json", "playbook.json"]
        return Run([*command, "-e", f"level={FORMS[form]}", *options], self._folder, self._environment(controls))

    def _environment(self, controls: Path) -> dict[str, str]:
        known = self._work.farm.known_hosts
        return {
            "ANSIBLE_CONFIG": str(self._folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self._folder / "home"),
            "ANSIBLE_FORKS": str(PARALLEL),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(controls),
            "ANSIBLE_SSH_ARGS": f"-C -F none -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={known}",
        }


def _inventory(work: Work) -> dict[str, Any]:
    hosts = {name: {"ansible_host": address} for name, address in work.hosts}
    login = {
        "ansible_port": work.farm.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(work.farm.key),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {"all": {"hosts": hosts, "vars": login}}


def _playbook(work: Work) -> list[dict[str, Any]]:
    tasks = [
        _files("copy", [file for file in work.files if not file.changed]),
        _files("template", [file for file in work.files if file.changed]),
    ]
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def _files(module: str, files: Sequence[Any]) -> dict[str, Any]:
    items = [{"src": f"files{file.path}", "dest": f"/{PLACE}{file.path}", "mode": file.mode} for file in files]
    same = {"owner": "root", "group": "root", "mode": "{{ item.mode }}"}
    return {module: {"src": "{{ item.src }}", "dest": "{{ item.dest }}", **same}, "loop": items}
