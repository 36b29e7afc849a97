"""The pipelines of site.example, as GitHub and GitLab read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parents[1]
SITE: Final = ROOT / "site.example"
GITHUB: Final = SITE / ".github/workflows/aamic.yml"
GITLAB: Final = SITE / ".gitlab-ci.yml"
KEYWORDS: Final = {"workflow", "stages", "default", "variables", "include"}


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(path)
    return document


def github_jobs() -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = read(GITHUB)["jobs"]
    return jobs


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """The jobs with what they extend, as GitLab merges them."""
    document = read(GITLAB)
    jobs = {name: job for name, job in document.items() if name not in KEYWORDS}

    def merged(name: str) -> dict[str, Any]:
        own: dict[str, Any] = jobs[name]
        return merged(own["extends"]) | own if "extends" in own else own

    return {name: merged(name) for name in jobs if not name.startswith(".")}


def scripts() -> dict[str, tuple[str, str]]:
    """Every script of both pipelines, with the shell that runs it."""
    found = {}
    for name, job in github_jobs().items():
        for number, step in enumerate(job["steps"]):
            if "run" in step:
                found[f"github-{name}-{number}"] = ("bash", step["run"])
    for name, job in gitlab_jobs().items():
        found[f"gitlab-{name}"] = ("sh", "\n".join([*job.get("before_script", []), *job["script"]]))
    return found
