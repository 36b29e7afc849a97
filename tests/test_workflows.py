"""The pipelines of site.example are what GitHub and GitLab accept, and what the shell and aamic understand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from aamic.cli import app
from tests.pipelines import GITHUB, GITLAB, ROOT, SITE, github_jobs, read, scripts


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        (GITHUB, ["--builtin-schema", "vendor.github-workflows"]),
        (GITLAB, ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
    ids=["github", "gitlab"],
)
def test_schema_is_kept(path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", *arguments, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "ok -- validation done\n", "")


# What scripts do


@pytest.mark.parametrize("name", scripts())
def test_shellcheck_finds_nothing(name: str) -> None:
    shell, script = scripts()[name]
    command = ["shellcheck", f"--shell={shell}", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout == ""


def test_shellcheck_finds_nothing_in_with_key() -> None:
    done = subprocess.run(["shellcheck", SITE / "ci/with-key"], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout == ""


def calls(script: str) -> Iterator[list[str]]:
    """The words of each call of aamic, without what the shell keeps to itself."""
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        while "aamic" in words:
            words = words[words.index("aamic") + 1 :]
            end = next((at for at, word in enumerate(words) if set(word) <= set("();<>|&")), len(words))
            yield words[:end]


CALLS: Final = {f"{name}-{number}": call for name in scripts() for number, call in enumerate(calls(scripts()[name][1]))}


@pytest.mark.parametrize("name", CALLS)
def test_calls_of_aamic_are_understood(name: str) -> None:
    group: Any = typer.main.get_command(app)
    command, *arguments = CALLS[name]

    assert group.commands[command].make_context(command, list(arguments)).args == []


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_pipelines_check_plan_apply_and_look_for_drift(service: str) -> None:
    called = [" ".join(call) for name, call in CALLS.items() if name.startswith(service)]

    assert called[0] == "render --check --verify"
    assert any(call.startswith("plan --offline --against") for call in called)
    assert any(call.startswith("plan") and "--out" in call and "--offline" not in call for call in called)
    assert any(call.startswith("apply") and call.endswith("plan.json") for call in called)
    assert called[-1] == "drift"


def test_scripts_contain_no_expression_and_no_text_of_others() -> None:
    """A branch may be named `$(reboot)`; where an expression stands in a script, it becomes a part of the script."""
    github = "GITHUB_(?:HEAD_REF|REF_NAME|BASE_REF)"
    commit = "CI_COMMIT_(?:MESSAGE|TITLE|DESCRIPTION|REF_NAME|BRANCH|TAG|AUTHOR)"
    request = r"CI_MERGE_REQUEST_(?:TITLE|DESCRIPTION|\w*BRANCH)"
    named = re.compile(rf"\$\{{\{{|{github}|{commit}|{request}|curl|wget")

    assert {name: named.findall(script) for name, (_, script) in scripts().items() if named.search(script)} == {}


# What they need of the site


def secrets_of(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield from ((kind, value[kind]) for kind in ("env", "file") if isinstance(value.get(kind), str))
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from secrets_of(each)


@pytest.mark.parametrize("job", ["plan", "apply"])
def test_secrets_of_the_site_reach_what_plans_and_applies(job: str) -> None:
    step = next(step for step in github_jobs()[job]["steps"] if "AAMIC_SSH_KEY" in step.get("env", {}))
    site = read(SITE / "site.yaml")
    found = set(secrets_of([site["notifications"], site["clusters"], site["serve"]]))

    assert {name for kind, name in found if kind == "env"} == step["env"].keys() - {"AAMIC_SSH_KEY", "AAMIC_SLACK_URL"}
    assert {name for kind, name in found if kind == "file"} == {"secrets/slack_url"}


def test_the_site_leaves_keys_to_the_agent() -> None:
    """A key that the site names by its path would have to be a file in every pipeline."""
    assert "key" not in read(SITE / "site.yaml").get("ssh", {})


def test_pipelines_install_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"\naamic=={version}\n" in (SITE / "ci/requirements.in").read_text()
