"""Every option of a rendered command line is one that its release of Thanos has.

tests/recorded/thanos has the options of each kind of process: of 0.36.0 and 0.42.5 as `--help` of the programs listed
them, of those between as docs/components of the release does, which are made from `--help`.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from aamic.catalog.artifacts.thanos.commands import command
from aamic.model.fleet import ThanosKind
from tests.sites import checked
from tests.thanos.program import THANOS, needs_thanos, version

RECORDED: Final = Path(__file__).parents[1] / "recorded/thanos"
VERSIONS: Final = tuple(sorted(path.stem for path in RECORDED.glob("*.txt")))
KINDS: Final = ("sidecar", "query", "store", "compact", "rule")
SITE: Final = """
    version: 1
    cluster: {name: test}
    nodes: {"mon-[1-2]": {addresses: "10.0.0.[1-2]"}, "n[1-9]": {addresses: "10.0.1.[1-9]"}}
    federation:
      type: thanos
      central_node: mon-1
      central: {retention_raw: 30d, retention_downsampled: 1y}
      shards: 2
      shard_nodes: "mon-[1-2]"
    thanos: {version: "VERSION", objstore: {file: secrets/bucket}, ruler: {}}
    alertmanager: {nodes: mon-1}
    alerts: {custom: [{name: Up, scope: global, expr: up == 0, severity: warning}]}
    notifications: {webhook: {url: "https://hooks.example.com/x"}}
"""
_OPTION: Final = re.compile(r"^ {2,6}(?:-[a-z], )?--(?:\[no-\])?([A-Za-z][A-Za-z0-9._-]*)", re.MULTILINE)


def recorded(release: str) -> dict[str, set[str]]:
    """The options of each kind of process."""
    lines = (RECORDED / f"{release}.txt").read_text().splitlines()
    return {kind: set(names.split()) for kind, _, names in (line.partition(":") for line in lines)}


def used(command_line: tuple[str, ...]) -> set[str]:
    """The options of a command line."""
    return {word.removeprefix("--").partition("=")[0] for word in command_line if word.startswith("--")}


def rendered(release: str) -> list[tuple[ThanosKind, set[str]]]:
    """The options of each process of a site that has all of them."""
    fleet = checked(SITE.replace("VERSION", release)).fleet
    assert fleet.thanos is not None
    return [(each.kind, used(command(fleet, fleet.thanos, each))) for each in fleet.thanos.components]


@pytest.mark.parametrize("release", VERSIONS)
def test_a_release_has_every_option_that_is_rendered_for_it(release: str) -> None:
    known, options = recorded(release), rendered(release)

    assert {kind for kind, _ in options} == set(KINDS)
    assert {(kind, name) for kind, names in options for name in names - known[kind]} == set()


@needs_thanos
@pytest.mark.parametrize("kind", KINDS)
def test_the_program_that_tests_run_has_the_options_recorded_for_it(kind: str) -> None:
    said = subprocess.run([THANOS, kind, "--help"], capture_output=True, text=True, check=True)

    assert set(_OPTION.findall(said.stdout + said.stderr)) == recorded(version())[kind]
