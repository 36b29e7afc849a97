"""The pipelines of site.example trust nobody more than they must."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from tests.pipelines import GITHUB, github_jobs, gitlab_jobs, read


def truth(expression: str, values: Mapping[str, str]) -> Any:
    """What an expression of GitHub or GitLab gives: their operators are Python's in other letters."""
    python = expression.replace("&&", " and ").replace("||", " or ").replace("\n", " ")
    python = re.sub(r"\$(\w+)|\b((?:github|needs|vars)\.[\w.]+)", lambda name: f"value({name[1] or name[2]!r})", python)
    return eval(python, {"__builtins__": {}}, {"value": lambda name: values.get(name, "")})  # noqa: S307  # our own file


PULL: Final = {
    "github.event_name": "pull_request",
    "github.ref": "refs/pull/7/merge",
    "github.event.number": "7",
    "github.repository": "we/site",
    "github.event.pull_request.head.repo.full_name": "we/site",
    "github.event.pull_request.user.login": "ann",
    "needs.plan.outputs.changed": "true",
    "vars.AAMIC_REVIEW": "true",
}
PUSH: Final = {"github.event_name": "push", "github.ref": "refs/heads/main", "needs.plan.outputs.changed": "true"}
MERGE: Final = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_PROJECT_ID": "1",
    "CI_DEFAULT_BRANCH": "main",
    "AAMIC_REVIEW": "true",
}
MAIN: Final = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}


def started(jobs: dict[str, dict[str, Any]], allowed: Callable[[dict[str, Any]], bool]) -> set[str]:
    """The jobs that run: allowed, and so is what they need."""
    running: set[str] = set()
    for name, job in jobs.items():
        needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        if allowed(job) and running.issuperset(needs):
            running.add(name)
    return running


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (PULL, {"check", "plan", "comment"}),
        (PULL | {"github.event.pull_request.head.repo.full_name": "fork/site"}, {"check"}),
        (PULL | {"github.event.pull_request.head.repo.full_name": ""}, {"check"}),
        (PULL | {"github.event.pull_request.user.login": "dependabot[bot]"}, {"check"}),
        (PULL | {"vars.AAMIC_REVIEW": ""}, {"check"}),
        (PUSH, {"check", "plan", "apply"}),
        (PUSH | {"needs.plan.outputs.changed": ""}, {"check", "plan"}),
        (PUSH | {"github.event_name": "workflow_dispatch"}, {"check", "plan", "apply"}),
        (PUSH | {"github.event_name": "workflow_dispatch", "github.ref": "refs/heads/try"}, {"check"}),
        (PUSH | {"github.event_name": "schedule", "needs.plan.outputs.changed": ""}, {"drift"}),
    ],
    ids=["own", "fork", "gone", "dependabot", "unguarded", "merged", "same", "again", "branch", "schedule"],
)
def test_github_starts_what_an_event_is_trusted_with(event: dict[str, str], expected: set[str]) -> None:
    assert started(github_jobs(), lambda job: bool(truth(job["if"], event))) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (MERGE, {"check", "review", "comment"}),
        (MERGE | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}, {"check"}),
        (MERGE | {"AAMIC_REVIEW": ""}, {"check"}),
        (MAIN, {"check", "plan", "apply"}),
        (MAIN | {"CI_PIPELINE_SOURCE": "web"}, {"check", "plan", "apply"}),
        (MAIN | {"CI_PIPELINE_SOURCE": "schedule"}, {"drift"}),
    ],
    ids=["own", "fork", "unguarded", "merged", "again", "schedule"],
)
def test_gitlab_starts_what_an_event_is_trusted_with(event: dict[str, str], expected: set[str]) -> None:
    assert started(gitlab_jobs(), lambda job: any(truth(rule["if"], event) for rule in job["rules"])) == expected


def test_github_gives_secrets_and_rights_to_the_jobs_that_need_them() -> None:
    jobs = github_jobs()

    assert read(GITHUB)["permissions"] == {}
    assert {name for name, job in jobs.items() if "secrets." in json.dumps(job)} == {"plan", "apply"}
    assert {name for name, job in jobs.items() if "self-hosted" in job["runs-on"]} == {"plan", "apply", "drift"}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "check": {"contents": "read"},
        "plan": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "apply": {"contents": "read"},
        "drift": {"contents": "read"},
    }


def test_gitlab_gives_secrets_and_runners_to_the_jobs_that_need_them() -> None:
    jobs = gitlab_jobs()
    environments = {name: job["environment"]["name"] for name, job in jobs.items() if "environment" in job}

    assert {name for name, job in jobs.items() if "tags" in job} == {"review", "plan", "apply", "drift"}
    assert environments == {name: f"aamic-{name}" for name in ("review", "plan", "comment", "apply")}
    assert {name for name, job in jobs.items() if "with-key" in json.dumps(job)} == {"review", "plan", "apply"}


def test_an_apply_is_alone_and_is_never_cancelled() -> None:
    concurrency = read(GITHUB)["concurrency"]
    group, cancel = (re.sub(r"^.*\$\{\{|\}\}$", "", concurrency[key]) for key in ("group", "cancel-in-progress"))
    apply = gitlab_jobs()["apply"]

    assert [(truth(group, event), truth(cancel, event)) for event in (PUSH, PULL)] == [("main", False), ("7", True)]
    assert (apply["interruptible"], apply["resource_group"]) == (False, "aamic")


def test_actions_are_pinned_to_commits() -> None:
    used = re.findall(r"uses: (.*)", GITHUB.read_text())

    assert len(used) > 5
    assert [use for use in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []
