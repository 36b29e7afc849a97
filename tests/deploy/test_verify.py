from __future__ import annotations

from pathlib import Path

import pytest

from aamic.clients.tools import has_tool, run_tool
from aamic.compile.compiler import compile_site
from aamic.deploy.verify import CHECKS, verify
from aamic.model.tree import Bundle, File, Tree

ROOT = Path(__file__).parents[2]


def tree(*files: File) -> Tree:
    return Tree((Bundle("b", ("host",), files, {}, (), {}, {}, "exporters"),), b"{}")


def test_the_real_tools_accept_every_file_of_the_example(tmp_path: Path) -> None:
    rendered = compile_site(ROOT / "site.example/site.yaml").tree

    verdicts = verify(rendered, tmp_path, has_tool, run_tool)

    assert [(verdict.check, verdict.passed, verdict.output if not verdict.passed else "") for verdict in verdicts] == [
        *((check.name, True, "") for check in CHECKS if not check.optional),
        ("JSON and YAML parse", True, ""),
    ]
    assert all(verdict.files for verdict in verdicts)


@pytest.mark.parametrize(
    ("path", "content", "check", "said"),
    [
        ("/etc/aami/prometheus-x/prometheus.yml", b"global: {scrape_interval: 15x}\n", "promtool check config", "15x"),
        ("/etc/aami/rules/shard/x.yml", b"groups: [{name: a, rules: [{record: b, expr: '1 +'}]}]\n",
         "promtool check rules", "parse error"),
        ("/etc/aami/alertmanager/alertmanager.yml", b"route: {receiver: gone}\n", "amtool check-config", "gone"),
        ("/etc/systemd/system/aami-x.service", b"[Service]\nExecStart=/bin/true\nNoSuchKey=1\n",
         "systemd-analyze verify", "NoSuchKey"),
        ("/etc/systemd/system/aamic-x.timer", b"[Timer]\nOnBootSec=1min\nUnit=gone.service\nNoSuchKey=1\n",
         "systemd-analyze verify", "NoSuchKey"),
        ("/etc/aami/x.json", b"{", "JSON and YAML parse", "b/etc/aami/x.json"),
        ("/etc/aami/x.yml", b"a: [", "JSON and YAML parse", "b/etc/aami/x.yml"),
    ],
)  # fmt: skip
def test_a_file_that_a_tool_refuses_is_told(tmp_path: Path, path: str, content: bytes, check: str, said: str) -> None:
    verdicts = verify(tree(File(path, content)), tmp_path, has_tool, run_tool)

    (failed,) = (verdict for verdict in verdicts if not verdict.passed)
    assert failed.check == check
    assert said in failed.output
    assert str(tmp_path) not in failed.output


def test_a_program_that_only_the_hosts_have_is_no_fault(tmp_path: Path) -> None:
    unit = File("/etc/systemd/system/aami-x.service", b"[Service]\nExecStart=/usr/bin/only-there\n")

    assert all(verdict.passed for verdict in verify(tree(unit), tmp_path, has_tool, run_tool))


def test_a_tool_that_is_missing_is_unknown_not_passed(tmp_path: Path) -> None:
    unit = File("/etc/systemd/system/aami-x.service", b"[Service]\nExecStart=/bin/true\n")

    verdicts = verify(tree(unit), tmp_path, lambda _: False, run_tool)

    assert [verdict.passed for verdict in verdicts if verdict.files and "JSON" not in verdict.check] == [None]
