"""`aamic plan` as a user runs it: on folders that stand for hosts, and on outputs in git."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from aamic.deploy.saved import load
from tests.commands.conftest import Aamic

SITE = """
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
  "gpu-[1-3]": {addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
alertmanager: {nodes: mon}
notifications: {slack: {webhook_url: {env: SLACK_URL}, channel: "#gpu"}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, timeout=60)


def plan(aamic: Aamic, *words: str) -> subprocess.CompletedProcess[str]:
    return aamic("plan", "--host-root", "hosts", *words)


@pytest.mark.usefixtures("site")
def test_the_summary_comes_first_and_the_exit_code_is_asked_for(aamic: Aamic) -> None:
    done = plan(aamic)
    asked = plan(aamic, "--exit-code")

    assert (done.returncode, asked.returncode, done.stderr) == (0, 16, "")
    assert re.match(r"\d+ to add on 4 of 4 hosts\n", done.stdout), done.stdout
    assert "SLACK_URL" in done.stdout


@pytest.mark.usefixtures("site")
def test_a_saved_plan_is_the_one_that_is_shown(aamic: Aamic, tmp_path: Path) -> None:
    done = plan(aamic, "--out", "plan.json", "--format", "json")
    saved = (tmp_path / "plan.json").read_bytes()

    assert saved.decode() == done.stdout
    for kind in ("text", "markdown", "html", "json"):
        assert aamic("plan", "--saved", "plan.json", "--format", kind).stdout == plan(aamic, "--format", kind).stdout
    assert load(saved).hosts == 4
    assert set(load(saved).digests) == {"mon", "gpu-1", "gpu-2", "gpu-3"}


def test_a_plan_runs_no_command_of_the_site(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    site.write_text(SITE.replace("{env: SLACK_URL}", "{command: [touch, was-run]}"))
    done = plan(aamic, "--limit", "mon")

    assert "is read by an apply alone" in done.stdout
    assert not (tmp_path / "was-run").exists()


@pytest.mark.usefixtures("site")
def test_markdown_and_html_are_whole(aamic: Aamic) -> None:
    markdown, html = (plan(aamic, "--format", kind).stdout for kind in ("markdown", "html"))

    assert " to add on 4 of 4 hosts" in markdown
    assert html.lower().startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")


@pytest.mark.usefixtures("site")
def test_a_limit_is_a_host_list_or_a_bundle(aamic: Aamic) -> None:
    hosts = json.loads(plan(aamic, "--limit", "gpu-[2-3]", "--format", "json").stdout)
    bundle = json.loads(plan(aamic, "--limit", "bundle:gpu-nvidia", "--format", "json").stdout)
    wrong = plan(aamic, "--limit", "gpu-[3-4]")

    assert (hosts["hosts"], hosts["groups"][0]["hosts"], hosts["limit"]) == (2, "gpu-[2-3]", "gpu-[2-3]")
    assert {change["bundle"] for group in bundle["groups"] for change in group["changes"]} == {"gpu-nvidia"}
    assert bundle["hosts"] == 3
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("error: --limit: unknown host `gpu-4`\nhint: did you mean `gpu-")


@pytest.mark.usefixtures("site")
def test_what_stands_in_the_way_is_a_conflict(aamic: Aamic, tmp_path: Path) -> None:
    path = tmp_path / "hosts/mon/etc/aami/prometheus/prometheus.yml"
    path.parent.mkdir(parents=True)
    path.write_text("theirs: 1\n")
    shown, adopted = (json.loads(plan(aamic, "--format", "json", *words).stdout) for words in ((), ("--adopt",)))

    assert [each["host"] for each in shown["blocked"]] == ["mon"]
    assert (adopted["blocked"], adopted["adopt"]) == ([], True)
    (difference,) = shown["differences"]
    assert difference["before"] == hashlib.sha256(b"theirs: 1\n").hexdigest()
    assert "-theirs: 1" in difference["lines"]
    assert path.read_text() == "theirs: 1\n"


@pytest.mark.usefixtures("site")
def test_a_secret_that_is_known_here_is_not_shown(
    aamic: Aamic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secret,) = [
        change["name"]
        for group in json.loads(plan(aamic, "--format", "json").stdout)["groups"]
        for change in group["changes"]
        if change["what"] == "secret"
    ]
    path = tmp_path / f"hosts/mon{secret}"
    path.parent.mkdir(parents=True)
    path.write_text("https://hooks.example/T0P")
    path.chmod(0o600)
    monkeypatch.setenv("SLACK_URL", "https://hooks.example/T0P")
    same = plan(aamic, "--format", "json").stdout
    monkeypatch.setenv("SLACK_URL", "https://hooks.example/NEW")
    other = plan(aamic, "--format", "json").stdout
    monkeypatch.delenv("SLACK_URL")
    unknown = json.loads(plan(aamic, "--format", "json").stdout)

    assert [f'"{secret}"' in text for text in (same, other)] == [False, True]
    assert not any(value in text for text in (same, other) for value in ("T0P", "NEW"))
    assert not any(
        hashlib.sha256(f"https://hooks.example/{name}".encode()).hexdigest() in other for name in ("T0P", "NEW")
    )
    assert unknown["undecided"] == [secret]


@pytest.mark.usefixtures("site")
def test_a_host_that_cannot_be_seen_is_told_and_never_taken_for_equal(aamic: Aamic, tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/gpu-2").write_text("no folder")
    one = plan(aamic, "--limit", "gpu-2", "--exit-code")

    assert one.returncode == 1
    assert "unreachable" in one.stdout.splitlines()[0]
    assert plan(aamic, "--limit", "gpu-2").returncode == 0


def test_ssh_hosts_of_a_site_that_nobody_answers_for(aamic: Aamic, site: Path) -> None:
    site.write_text(SITE + "ssh: {known_hosts: known, retry: {max_attempts: 1}, connect_timeout: 1s, config: false}\n")
    (site.parent / "known").write_text("")
    done = aamic("plan", "--limit", "mon", "--exit-code")

    assert done.returncode == 1, done.stderr
    assert "1 unreachable" in done.stdout.splitlines()[0]


# Offline


@pytest.fixture
def clone(aamic: Aamic, site: Path) -> Path:
    folder = site.parent
    assert aamic("render").returncode == 0
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_offline_nothing_differs_from_what_is_committed(aamic: Aamic, clone: Path) -> None:
    done = aamic("plan", "--offline", "--exit-code")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "no changes on 4 hosts; no host was looked at"
    assert not (clone / "hosts").exists()


def test_offline_a_branch_is_compared_with_where_it_began(aamic: Aamic, clone: Path) -> None:
    git(clone, "checkout", "-q", "-b", "change")
    site = clone / "site.yaml"
    site.write_text(site.read_text().replace("prometheus: {", "prometheus: {retention: 30d, "))
    assert aamic("render").returncode == 0
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "second")

    branch = aamic("plan", "--against", "main", "--exit-code", "--format", "json")
    head = aamic("plan", "--offline", "--exit-code")

    assert (branch.returncode, head.returncode) == (16, 0)
    document = json.loads(branch.stdout)
    (group,) = document["groups"]
    assert [change["name"] for change in group["changes"]] == ["/etc/systemd/system/aami-prometheus.service"]
    assert [line for line in document["differences"][0]["lines"] if line[0] in "+-"] == [
        "-  --storage.tsdb.retention.time=15d \\",
        "+  --storage.tsdb.retention.time=30d \\",
    ]
    assert document["observed"] == {}
    assert "what hosts really have was not looked at" in " ".join(document["notes"])


def test_offline_hosts_that_leave_the_site_are_told(aamic: Aamic, clone: Path) -> None:
    site = clone / "site.yaml"
    site.write_text(site.read_text().replace("[1-3]", "[1-2]"))

    assert "no longer in the site, and left as they are: gpu-3" in aamic("plan", "--offline").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--against", "nope"), "error: git knows no revision `nope`"),
        (("--offline", "--outputs", "none"), "error: `none` has no files at"),
    ],
)
@pytest.mark.usefixtures("clone")
def test_offline_what_git_does_not_have_is_told(aamic: Aamic, words: tuple[str, ...], told: str) -> None:
    done = aamic("plan", *words)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(told)


@pytest.mark.usefixtures("site")
def test_offline_outside_of_a_repository(aamic: Aamic) -> None:
    done = aamic("plan", "--offline")

    assert done.returncode == 1
    assert done.stderr.startswith("error: `.` is in no git repository")


# Options that do not go together


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--saved", "p.json", "--limit", "mon"), "--limit has no meaning here: `--saved` prints a plan as it is"),
        (("--saved", "p.json", "--offline"), "--offline has no meaning here: `--saved` prints"),
        (("--saved", "p.json", "--host-root", "hosts"), "--host-root has no meaning here: `--saved` prints"),
        (("--outputs", "outputs"), "--outputs has no meaning here: hosts are looked at"),
        (("--host-root", "hosts", "--offline"), "--host-root has no meaning here: `--offline` looks at no host"),
        (
            ("--host-root", "hosts", "--against", "HEAD"),
            "--host-root has no meaning here: `--offline` looks at no host",
        ),
        (("--against", ""), "the git revision is empty"),
        (("--against", "a\x1b[2J"), r"git knows no revision `a\x1b[2J`"),
    ],
)
@pytest.mark.usefixtures("clone")
def test_what_would_be_ignored_is_refused(aamic: Aamic, words: tuple[str, ...], told: str) -> None:
    done = aamic("plan", *words)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {told}"), done.stderr
    assert "\nhint: " in done.stderr


# Writing the plan


@pytest.mark.usefixtures("site")
def test_a_plan_that_could_not_be_written_is_not_begun(aamic: Aamic) -> None:
    done = plan(aamic, "--out", "none/plan.json")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: cannot write `none/plan.json`: No such file or directory\nhint: ")


@pytest.mark.usefixtures("site")
def test_a_plan_that_cannot_be_written_at_last_is_still_told(aamic: Aamic, tmp_path: Path) -> None:
    name = "p" * 250  # the file that is then renamed would have a longer name than there can be
    done = plan(aamic, "--out", name)

    assert (done.returncode, list(tmp_path.glob("*ppp*"))) == (1, [])
    assert " to add on 4 of 4 hosts" in done.stdout.splitlines()[0]
    assert done.stderr.startswith("error: cannot write `ppp")


# Secrets, and folders that are not there


@pytest.mark.usefixtures("site")
def test_a_secret_that_could_not_be_compared_is_no_equality(aamic: Aamic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", "https://hooks.example/T0P")
    assert aamic("apply", "--host-root", "hosts", "--yes").returncode == 0
    known = plan(aamic, "--exit-code")
    monkeypatch.delenv("SLACK_URL")
    unknown = plan(aamic, "--exit-code")

    assert (known.returncode, unknown.returncode) == (0, 1)
    assert "1 secret not decided" in unknown.stdout.splitlines()[0]


@pytest.mark.usefixtures("site")
def test_a_saved_plan_settles_the_secrets_it_left_undecided_and_nothing_else(
    aamic: Aamic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_URL", "https://hooks.example/T0P")
    assert aamic("apply", "--host-root", "hosts", "--yes").returncode == 0
    monkeypatch.delenv("SLACK_URL")
    assert plan(aamic, "--out", "plan.json", "--exit-code").returncode == 1
    (secret,) = load((tmp_path / "plan.json").read_bytes()).undecided
    monkeypatch.setenv("SLACK_URL", "https://hooks.example/NEW")
    done = aamic("apply", "plan.json", "--host-root", "hosts")

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "done · 1 host · mon")
    assert (tmp_path / f"hosts/mon{secret}").read_text() == "https://hooks.example/NEW"


@pytest.mark.usefixtures("site")
def test_a_folder_of_hosts_that_is_not_there_is_told_and_not_made(aamic: Aamic, tmp_path: Path) -> None:
    missing = plan(aamic)
    made = (tmp_path / "hosts").exists()
    (tmp_path / "hosts").mkdir()

    assert "`hosts` does not exist yet, so every host is taken for an empty one" in missing.stdout
    assert made is False
    assert "does not exist" not in plan(aamic).stdout
    assert list((tmp_path / "hosts").iterdir()) == []


def test_hooks_that_are_held_back_are_no_good_end(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    slurm = "slurm: {controller: mon, pre_job_check: true}\n"
    site.write_text(SITE.partition("alertmanager")[0] + slurm)
    conf = tmp_path / "hosts/mon/etc/slurm/slurm.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("ClusterName=x\nProlog=/usr/local/sbin/prolog.sh\n")

    first, again = (aamic("apply", "--host-root", "hosts", "--yes") for _ in range(2))
    known = plan(aamic, "--exit-code")

    assert "wins over aamic's" in known.stdout
    assert (first.returncode, again.returncode, known.returncode) == (1, 1, 1)
    assert "held back: slurm-controller, slurm-hooks" in " ".join(first.stdout.split())
    assert "the site wants more than was done" in " ".join(again.stdout.split())
