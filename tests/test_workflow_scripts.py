"""What the pipelines of site.example run beside aamic does what it says, in real shells and with a real agent."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from typing import Any, ClassVar, Final

import pytest

from tests.pipelines import SITE, github_jobs

SLACK: Final = "https://hooks.slack.example/T0/B0/very-secret"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A clone of the site with its scripts."""
    return copytree(SITE, tmp_path / "site")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ci", "-f", path], check=True)
    return path


def with_key(site: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [str(site / "ci/with-key"), "sh", "-c", script]
    return subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=30)


def lives(process: int) -> bool:
    """Whether a process is there, and is more than an exit status that nobody has read."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def gone(process: int) -> bool:
    """Whether a process ends within five seconds."""
    end = time.monotonic() + 5
    while lives(process) and time.monotonic() < end:
        time.sleep(0.02)
    return not lives(process)


# ci/with-key


@pytest.mark.parametrize("form", ["as it is", "without its end", "with DOS's line breaks"])
@pytest.mark.parametrize("by", ["text", "path"])
def test_the_command_has_the_key_in_an_agent_that_ends_with_it(site: Path, key: Path, by: str, form: str) -> None:
    text = key.read_text()
    text = {"as it is": text, "without its end": text.rstrip()}.get(form, text.replace("\n", "\r\n"))
    (site / "given").write_text(text, newline="")
    text = text if by == "text" else str(site / "given")
    done = with_key(site, "ssh-add -L; echo $SSH_AGENT_PID; exit 16", AAMIC_SSH_KEY=text)
    *keys, agent = done.stdout.splitlines()

    assert (keys, done.returncode, done.stderr) == ([key.with_suffix(".pub").read_text().strip()], 16, "")
    assert gone(int(agent))


def test_the_command_finds_secrets_in_files_and_none_in_its_environment(site: Path, key: Path) -> None:
    script = "stat -c '%a %n' secrets/*; cat secrets/slack_url; env"
    done = with_key(site, script, AAMIC_SSH_KEY=key.read_text(), AAMIC_SLACK_URL=SLACK)
    mode, secret, *environment = done.stdout.splitlines()

    assert (mode, secret) == ("600 secrets/slack_url", SLACK)
    assert [line for line in environment if "AAMIC" in line or "PRIVATE KEY" in line or SLACK in line] == []
    assert not (site / "secrets/slack_url").exists()


def test_a_secret_that_was_there_stays(site: Path, key: Path) -> None:
    (site / "secrets").mkdir()
    (site / "secrets/slack_url").write_text("mine")
    with_key(site, "true", AAMIC_SSH_KEY=key.read_text(), AAMIC_SLACK_URL=SLACK)

    assert (site / "secrets/slack_url").read_text() == "mine"


@pytest.mark.parametrize("given", ["", "no key"])
def test_nothing_runs_without_a_key(site: Path, given: str) -> None:
    done = with_key(site, "echo ran", AAMIC_SSH_KEY=given, AAMIC_SLACK_URL=SLACK)

    assert (done.stdout, done.returncode != 0) == ("", True)
    assert not (site / "secrets/slack_url").exists()


def test_a_cancelled_job_leaves_no_agent_and_no_secret(site: Path, key: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "AAMIC_SSH_KEY": key.read_text(), "AAMIC_SLACK_URL": SLACK}
    command = [str(site / "ci/with-key"), "sh", "-c", "echo $SSH_AGENT_PID; exec sleep 60"]
    with subprocess.Popen(
        command, cwd=site, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as job:
        assert job.stdout is not None
        agent = int(job.stdout.readline())
        assert lives(agent)
        os.killpg(job.pid, signal.SIGTERM)
        status = job.wait(timeout=10)

    assert (status, gone(agent), (site / "secrets/slack_url").exists()) == (143, True, False)


# The step that plans


DECIDED: Final = '{"undecided": []}'


def run_plan(tmp_path: Path, status: int, plan: str | None) -> tuple[int, str]:
    """The exit status and the outputs of the step `Plan`, where `aamic plan` ends with `status`."""
    script = next(step["run"] for step in github_jobs()["plan"]["steps"] if step.get("id") == "plan")
    programs = tmp_path / "site/ci"
    programs.mkdir(parents=True)
    save = 'while [ "$1" != --out ] && [ $# -gt 1 ]; do shift; done; [ $# -lt 2 ] || cp "$PLAN" "$2"' if plan else ""
    (tmp_path / "saved").write_text(plan or "")
    (programs / "aamic").write_text(
        f'#!/bin/sh\necho "$*"\ncase "$*" in *html*) exit 0 ;; esac\n{save}\nexit {status}\n'
    )
    (programs / "with-key").write_text('#!/bin/sh\nexec "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    places = {name: str(tmp_path / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path), **places}
    environment["PLAN"] = str(tmp_path / "saved")
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path / "site", env=environment, check=False, timeout=30)
    output = Path(places["GITHUB_OUTPUT"])
    return done.returncode, output.read_text() if output.exists() else ""


@pytest.mark.parametrize(
    ("status", "plan", "expected"),
    [
        (0, DECIDED, (0, "")),
        (16, DECIDED, (0, "changed=true\n")),
        (1, DECIDED, (0, "")),
        (1, '{"undecided": ["/etc/aami/secrets/slack"]}', (0, "changed=true\n")),
        (1, None, (1, "")),
        (3, None, (3, "")),
    ],
    ids=["same", "changed", "unreachable", "secret", "wrong", "bug"],
)
def test_the_step_asks_for_an_apply_only_where_something_changes(
    tmp_path: Path, status: int, plan: str | None, expected: tuple[int, str]
) -> None:
    assert run_plan(tmp_path, status, plan) == expected


# ci/gitlab_comment.py


class Notes(BaseHTTPRequestHandler):
    """The notes of one merge request, as GitLab's API has them, two a page; we are user 7."""

    notes: ClassVar[list[dict[str, Any]]]
    tokens: ClassVar[set[str | None]]

    def do_GET(self) -> None:
        if self.path == "/user":
            return self.answer({"id": 7})
        assert self.path.startswith("/projects/1/merge_requests/2/notes?")
        page = int(re.findall(r"\bpage=(\d+)", self.path)[-1])
        return self.answer(self.notes[2 * page - 2 : 2 * page])

    def do_POST(self) -> None:
        assert self.path == "/projects/1/merge_requests/2/notes"
        self.notes.append({"id": len(self.notes), "author": {"id": 7}, "body": self.sent()})
        self.answer({})

    def do_PUT(self) -> None:
        note = self.notes[int(self.path.removeprefix("/projects/1/merge_requests/2/notes/"))]
        note["body"] = self.sent()
        self.answer({})

    def sent(self) -> str:
        body: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return body

    def answer(self, value: Any) -> None:
        self.tokens.add(self.headers["PRIVATE-TOKEN"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gitlab() -> Iterator[str]:
    """The address of a GitLab with one merge request, on which somebody else has spoken, and has guessed our mark."""
    Notes.tokens = set()
    words = ["hello", "<!-- aamic plan -->\nnot ours", "any news?"]
    Notes.notes = [{"id": at, "author": {"id": 3}, "body": body} for at, body in enumerate(words)]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_comment_is_written_and_then_changed(gitlab: str, tmp_path: Path) -> None:
    variables = {"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "2", "AAMIC_COMMENT_TOKEN": "glpat-1"}
    plan = tmp_path / "plan.md"
    for text in ("first", "zweite ä"):
        plan.write_text(text)
        command = [sys.executable, str(SITE / "ci/gitlab_comment.py"), str(plan)]
        subprocess.run(command, env={"CI_API_V4_URL": gitlab, **variables}, check=True, timeout=30)

    assert [note["body"] for note in Notes.notes] == [
        "hello",
        "<!-- aamic plan -->\nnot ours",
        "any news?",
        "<!-- aamic plan -->\nzweite ä",
    ]
    assert Notes.tokens == {"glpat-1"}
