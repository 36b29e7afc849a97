"""Data folders: each a server's own."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.findings import Findings
from aamic.compile.storage import check_storage
from aamic.compile.topology import Plan
from tests.sites import document

FOLDERS = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(lambda parts: "/srv/" + "/".join(parts))


def told(*folders: tuple[str, str]) -> list[str]:
    findings = Findings(document("version: 1"))
    plans = [
        Plan(f"shard-{number}", "shard", None, host, (), (), None, folder, "15d")
        for number, (host, folder) in enumerate(folders)
    ]
    check_storage(plans, findings)
    return [problem.message for problem in findings.problems]


@given(st.lists(st.tuples(st.sampled_from(["n1", "n2"]), FOLDERS), max_size=6))
def test_folders_that_hold_each_other_are_told_and_no_others(folders: list[tuple[str, str]]) -> None:
    nested = any(
        host == other and PurePosixPath(folder).is_relative_to(outer)
        for index, (host, folder) in enumerate(folders)
        for place, (other, outer) in enumerate(folders)
        if index != place
    )
    assert bool(told(*folders)) == nested


@pytest.mark.parametrize(
    "folder",
    [
        *("/etc", "/etc/a", "/usr/local/a", "/proc/a", "/run/a", "/var/run/a", "/boot/a"),
        *("/var", "/var/lib", "/home", "/srv"),
        *("/var/lib/aami", "/var/lib/aami/targets", "/var/lib/aami/alertmanager/a", "/var/lib/aamic", "/opt/aami/a"),
    ],
)
def test_folders_of_others_are_refused(folder: str) -> None:
    assert len(told(("n1", folder))) == 1


@pytest.mark.parametrize("folder", ["/srv/a", "/data", "/home/metrics", "/var/lib/aami/a", "/mnt/a/b", "/etcetera"])
def test_other_folders_are_fine(folder: str) -> None:
    assert told(("n1", folder)) == []
