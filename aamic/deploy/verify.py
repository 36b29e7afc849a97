"""Lets the real tools judge a rendered tree: each file is checked once, on a host that has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from aamic.clients.tools import ToolResult
from aamic.deploy.hostfolder import OURS, host_files, write_host
from aamic.model.tree import File, Tree

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_INSTALLED: Final = "is not executable: No such file or directory"
"""What systemd-analyze says of a program that only the managed hosts have; nothing is wrong with the unit."""
_OURS: Final = re.compile("aamic?-")
"""Other units of this machine may have faults of their own."""


@dataclass(frozen=True, slots=True)
class Check:
    """A tool with the files it judges: `command` and the paths follow each other, each path after `option` if any.

    `optional`: nothing is said of it where it has no file to judge.
    """

    name: str
    command: tuple[str, ...]
    suffixes: tuple[str, ...]
    folders: tuple[str, ...]
    option: str = ""
    optional: bool = False

    def takes(self, path: str) -> bool:
        """Whether a file of a host, by its absolute path, is this tool's to judge."""
        return path.endswith(self.suffixes) and path.startswith(self.folders)


_UNITS: Final = (".service", ".timer")
_PROMETHEUS_RULES: Final = ("/etc/aami/rules/shard/", "/etc/aami/rules/central/")
_GLOBAL_RULES: Final = ("/etc/aami/rules/global/",)
"""promtool refuses what Thanos' rule files have more."""
_THANOS: Final = ("thanos", "tools", "rules-check")

CHECKS: Final = (
    Check("promtool check config", ("promtool", "check", "config"), ("/prometheus.yml",), ("/etc/aami/prometheus",)),
    Check("promtool check rules", ("promtool", "check", "rules"), (".yml",), _PROMETHEUS_RULES),
    Check("thanos tools rules-check", _THANOS, (".yml",), _GLOBAL_RULES, option="--rules=", optional=True),
    Check("amtool check-config", ("amtool", "check-config"), ("/alertmanager.yml",), ("/etc/aami/alertmanager/",)),
    Check("systemd-analyze verify", ("systemd-analyze", "verify"), _UNITS, ("/etc/systemd/system/",)),
)
PROMETHEUS: Final = tuple(check for check in CHECKS if check.command[0] == "promtool")
"""The checks of what a Prometheus server reads."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found: `passed` is None where its tool is not on this machine."""

    check: str
    files: int
    passed: bool | None
    output: str


def verify(
    tree: Tree,
    folder: Path,
    has_tool: Callable[[str], bool],
    run_tool: Callable[[Sequence[str]], ToolResult],
    checks: Sequence[Check] = CHECKS,
) -> tuple[Verdict, ...]:
    """Write what is needed below `folder`, run these checks on it, and say what each found.

    Paths in the files are moved below the folder, so that a config finds its rules and targets there.
    """
    placed = _place(tree, folder)
    verdicts = ((check, _run(check, placed, folder, has_tool, run_tool)) for check in checks)
    return (*(verdict for check, verdict in verdicts if verdict.files or not check.optional), _parse(tree))


def _place(tree: Tree, folder: Path) -> Mapping[str, Path]:
    """Where each file of the tree, by `bundle` and path, stands below the folder."""
    placed: dict[str, Path] = {}
    for host, files in _covering(tree):
        root = folder / host
        write_host(root, files, OURS)
        _write_secrets(tree, host, root)
        for bundle in tree.bundles:
            if host in bundle.hosts:
                for file in bundle.files:
                    placed.setdefault(f"{bundle.name}{file.path}", root / file.path.lstrip("/"))
    return placed


def _write_secrets(tree: Tree, host: str, root: Path) -> None:
    """Stand-ins for secrets, whose files a tool looks for: what is in them only an apply knows."""
    for path in (path for bundle in tree.bundles if host in bundle.hosts for path in bundle.secrets):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def _covering(tree: Tree) -> Iterator[tuple[str, dict[str, File]]]:
    """A few hosts that together have every bundle, with all of their files."""
    chosen: list[str] = []
    for bundle in tree.bundles:
        if bundle.hosts and not set(chosen).intersection(bundle.hosts):
            chosen.append(bundle.hosts[0])
    wanted = set(chosen)
    few = [bundle for bundle in tree.bundles if wanted.intersection(bundle.hosts)]
    files = host_files(few, wanted)
    for host in chosen:
        yield host, files[host]


def _run(
    check: Check,
    placed: Mapping[str, Path],
    folder: Path,
    has_tool: Callable[[str], bool],
    run_tool: Callable[[Sequence[str]], ToolResult],
) -> Verdict:
    paths = [path for path in placed.values() if check.takes("/" + "/".join(path.relative_to(folder).parts[1:]))]
    if not paths:
        return Verdict(check.name, 0, passed=True, output="")
    if not has_tool(check.command[0]):
        return Verdict(check.name, len(paths), passed=None, output="")
    result = run_tool((*check.command, *(f"{check.option}{path}" for path in paths)))
    output = result.output.replace(f"{folder}/", "")
    if check.command[0] == "systemd-analyze":
        complaints = [line for line in output.splitlines() if _OURS.search(line) and _NOT_INSTALLED not in line]
        return Verdict(check.name, len(paths), passed=not complaints, output="\n".join(complaints))
    return Verdict(check.name, len(paths), passed=result.passed, output=output)


def _parse(tree: Tree) -> Verdict:
    """Every JSON and YAML file is read by a parser of its format."""
    files = {path: content for path, content in tree.files().items() if path.endswith((".json", ".yml", ".yaml"))}
    broken: list[str] = []
    for path, content in files.items():
        try:
            if path.endswith(".json"):
                json.loads(content)
            else:
                yaml.load(content, _LOADER)  # noqa: S506  # a safe loader
        except (ValueError, yaml.YAMLError) as error:
            broken.append(f"{path}: {error}")
    return Verdict("JSON and YAML parse", len(files), passed=not broken, output="\n".join(broken))
