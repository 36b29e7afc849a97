"""The rule files of Thanos Rule, judged by Thanos itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from aamic.catalog.artifacts.rules import artifact
from aamic.clients.tools import has_tool, run_tool
from aamic.deploy.verify import verify
from aamic.model.tree import Bundle, File, Tree
from tests import fleets
from tests.thanos.program import THANOS, needs_thanos

pytestmark = needs_thanos
CHECK = "thanos tools rules-check"


def verdict(content: bytes, folder: Path) -> tuple[bool | None, int]:
    """What Thanos says of a rule file, and of how many files."""
    file = File("/etc/aami/rules/global/custom.yml", content)
    tree = Tree((Bundle("thanos-rules", ("host",), (file,), {}, (), {}, {}, "central"),), b"{}")
    (found,) = [each for each in verify(tree, folder, has_tool, run_tool) if each.check == CHECK]
    return found.passed, found.files


@pytest.fixture(autouse=True)
def thanos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(THANOS.parent), prepend=":")


def test_thanos_accepts_the_rules_of_a_site_of_pairs(tmp_path: Path) -> None:
    (part,) = [each for each in artifact.render(fleets.thanos()) if each.bundle == "thanos-rules"]
    (file,) = part.files

    assert b"partial_response_strategy: warn" in file.content
    assert verdict(file.content, tmp_path) == (True, 1)


def test_a_file_that_thanos_refuses_is_told(tmp_path: Path) -> None:
    assert verdict(b"groups: [{name: a, rules: [{record: b, expr: '1 +'}]}]\n", tmp_path) == (False, 1)
