"""`aamic import --hosts` as a user runs it, on folders that stand for hosts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import trustme

from tests.commands.conftest import Aamic

SITE = """
# mine
version: 1
cluster: {name: test}
include: [more/*.yaml]
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
"""
MORE = """
ssh: {key: keys/id, known_hosts: known}  # of the office
nodes: {gpu-1: {address: 198.18.1.1, gpu: {vendor: nvidia, model: H100, count: 8}}}
alertmanager: {nodes: mon}
notifications:
  slack: {webhook_url: {file: secrets/slack}, channel: "#gpu"}
  pagerduty: {routing_key: {command: [cat, secrets/slack]}}
"""
HOSTS = ("--host-root", "hosts")
IMPORT = ("import", "--hosts", "gpu-1,mon", *HOSTS)


@pytest.fixture
def applied(aamic: Aamic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a site that was applied."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for folder in ("site/more", "site/secrets", "site/keys", "hosts"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "site/gpu.yaml").write_text(SITE)
    (tmp_path / "site/more/a.yaml").write_text(MORE)
    (tmp_path / "site/secrets/slack").write_text("s3cr3t")
    done = aamic("apply", "-f", "site/gpu.yaml", *HOSTS, "--yes")
    assert done.returncode == 0, done.stderr
    return tmp_path


def release(applied: Path) -> str:
    written: str = json.loads((applied / "hosts/mon/var/lib/aamic/site").read_text())["release"]
    return written


def test_a_site_comes_back_and_what_it_lacks_is_named(aamic: Aamic, applied: Path) -> None:
    done = aamic(*IMPORT, "--out", "back")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"cluster test, as release {release(applied)} of aamic 0.1.0 left it on mon",
        "wrote 2 files: gpu.yaml, more/a.yaml",
        "not brought along: `ssh.key` needs the file `keys/id`",
        "not brought along: `ssh.known_hosts` needs the file `known`",
        "not brought along: `notifications.slack.webhook_url` needs the file `secrets/slack`",
        "read this before an apply runs it: `notifications.pagerduty.routing_key` is what `cat secrets/slack` prints",
        "next: aamic plan -f back/gpu.yaml",
    ]
    assert (applied / "back/gpu.yaml").read_text() == SITE
    assert (applied / "back/more/a.yaml").read_text() == MORE


def test_certificates_come_back_with_the_site(aamic: Aamic, applied: Path) -> None:
    pem = trustme.CA().cert_pem.bytes().replace(b"\n", b"\r\n")
    (applied / "site/tls").mkdir()
    (applied / "site/tls/ca.crt").write_bytes(pem)
    clusters = "clusters: [{name: busan, endpoint: 'https://mon.busan.example', tls_ca_cert: ./tls/ca.crt}]\n"
    (applied / "site/gpu.yaml").write_text(SITE + clusters)
    assert aamic("apply", "-f", "site/gpu.yaml", *HOSTS, "--yes").returncode == 0

    done = aamic(*IMPORT, "--out", "back")

    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote 3 files: gpu.yaml, more/a.yaml, tls/ca.crt" in done.stdout.splitlines()
    assert (applied / "back/tls/ca.crt").read_bytes() == pem
    copy = applied / "hosts/mon/var/lib/aamic/site"
    whole = copy.read_text()
    for change, said in (
        (
            whole.replace("BEGIN CERT", "BEGIN CRAP"),
            "`tls/ca.crt`, which its site does not read or which holds no certificate",
        ),
        (
            whole.replace("tls_ca_cert: ./tls/ca.crt", "labels: {}"),
            "`tls/ca.crt`, which its site does not read or which",
        ),
        (whole.replace("tls/ca.crt", "tls/ca.sh"), "`tls/ca.sh`, which is neither YAML, CSV nor PEM by its name"),
    ):
        copy.write_text(change)
        refused = aamic(*IMPORT, "--out", "again")
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
    assert not (applied / "again").exists()


def test_it_plans_what_the_lost_folder_plans(aamic: Aamic, applied: Path) -> None:
    done = aamic(*IMPORT, "--out", "back/site.yaml", "--json")
    (applied / "back/secrets").mkdir()
    (applied / "back/secrets/slack").write_text("s3cr3t")
    planned = aamic("plan", "-f", "back/site.yaml", *HOSTS)
    before = aamic("plan", "-f", "site/gpu.yaml", *HOSTS)

    assert json.loads(done.stdout) == {
        "site": "back/site.yaml",
        "from": "mon",
        "cluster": "test",
        "release": release(applied),
        "revision": "",
        "rolled_back": "",
        "files": ["site.yaml", "more/a.yaml"],
        "missing": [
            {"key": "ssh.key", "kind": "file", "name": "keys/id"},
            {"key": "ssh.known_hosts", "kind": "file", "name": "known"},
            {"key": "notifications.slack.webhook_url", "kind": "file", "name": "secrets/slack"},
        ],
        "commands": [
            {"key": "notifications.pagerduty.routing_key", "kind": "command", "name": "cat secrets/slack"},
        ],
        "here": [],
        "notes": [],
        "problems": [],
    }
    assert (planned.returncode, planned.stdout) == (0, before.stdout)


def test_what_does_not_fit_is_told_and_nothing_is_written(aamic: Aamic, applied: Path) -> None:
    outcomes = [
        aamic(*IMPORT),
        aamic(*IMPORT, "--out", "site"),
        aamic(*IMPORT, "--out", "new", "--cluster", "other"),
        aamic("import", "--hosts", "gpu-[1", *HOSTS, "--out", "new"),
        aamic("import", "--hosts", "gpu-[1-2]", "--addresses", "198.18.1.1", *HOSTS, "--out", "new"),
        aamic("import", "--hosts", "gpu-1", *HOSTS, "--out", "new"),
    ]

    assert [(each.returncode, each.stdout) for each in outcomes] == [(1, "")] * 6
    assert [each.stderr.splitlines() for each in outcomes] == [
        [
            "error: `mon` keeps the site of cluster test, 2 files; nothing is written",
            "hint: name the folder to write it to with `--out`",
        ],
        ["error: the folder `site` is not empty", "hint: nothing was written; name one that is, or a new one"],
        [
            "error: `mon` keeps the site of cluster test, which is taken as it is",
            "hint: give no other source, and nothing that would change it; or do not name that host",
        ],
        ["error: --hosts: bracket in `gpu-[1` is not closed", "hint: add `]`", "", "1 error", ""],
        [
            "error: --hosts: 2 nodes in `gpu-[1-2]` but 1 address in `198.18.1.1`",
            "hint: give one address for each node, in the same order",
            "",
            "1 error",
            "",
        ],
        [
            (
                "error: nothing is known of the hosts: gpu-1 is left out: `gpu-1`: it has no `/sys/bus/pci/devices`, "
                "so its GPUs cannot be seen"
            ),
            (
                "hint: gpu-1 carries files of aamic; the site is kept on the central host once an apply has reached "
                "it, and none of the hosts that answered is that: name it, too"
            ),
        ],
    ]
    assert not (applied / "new").exists()


def test_a_site_that_this_aamic_does_not_take_is_written_and_its_faults_are_told(aamic: Aamic, applied: Path) -> None:
    copy = applied / "hosts/mon/var/lib/aamic/site"
    copy.write_text(copy.read_text().replace("cluster: {name: test}", "cluster: {name: test, kind: x}"))

    done = aamic(*IMPORT, "--out", "back")

    assert done.returncode == 1
    assert "back/gpu.yaml:4:23" in done.stderr
    assert "next:" not in done.stdout
    assert os.listdir(applied / "back/more") == ["a.yaml"]  # noqa: PTH208  # the names are what counts


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("more/a.yaml", "other/a.yaml", "it holds `other/a.yaml`, which its site does not read"),
        ("more/a.yaml", ".envrc", "it names a file `.envrc`, which would be hidden"),
        ("include: [more/*.yaml]", "inventory: more/a.yaml", "its site reads `more/a.yaml` as CSV"),
        ("gpu.yaml", ".bash_profile", "it names a file `.bash_profile`, which would be hidden"),
        ("gpu.yaml", "Makefile", "it names a file `Makefile`, which is neither YAML, CSV nor PEM by its name"),
    ],
)
def test_a_copy_with_other_files_than_those_of_a_site_is_refused(
    aamic: Aamic, applied: Path, old: str, new: str, said: str
) -> None:
    copy = applied / "hosts/mon/var/lib/aamic/site"
    copy.write_text(copy.read_text().replace(old, new))

    done = aamic(*IMPORT, "--out", "back")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == f"error: the copy of the site on `mon` is of no use: {said}"
    assert not (applied / "back").exists()


def test_a_copy_of_an_older_release_than_its_host_carries_is_told_first(aamic: Aamic, applied: Path) -> None:
    copy = applied / "hosts/mon/var/lib/aamic/site"
    was = release(applied)
    copy.write_text(copy.read_text().replace(was, "20200101T000000Z-0000"))

    beside = aamic(*IMPORT, "--out", "back")
    done = aamic("import", "--hosts", "mon", *HOSTS, "--out", "back")

    newer = f"carries release {was}, which is newer than"
    assert (beside.returncode, beside.stdout, done.returncode) == (1, "", 0)
    assert beside.stderr.startswith(f"error: `mon` {newer} the site it keeps, of release 20200101T000000Z-0000\nhint: ")
    assert done.stderr.startswith(f"warning: mon {newer} this site, of release 20200101T000000Z-0000: ")


def test_what_a_copy_takes_from_this_machine_is_told(
    aamic: Aamic, applied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "s3cr3t")
    copy = applied / "hosts/mon/var/lib/aamic/site"
    text = copy.read_text().replace("{file: secrets/slack}", "{file: /etc/passwd}")
    copy.write_text(text.replace("{command: [cat, secrets/slack]}", "{env: TEST_TOKEN}"))

    done = aamic(*IMPORT, "--out", "back")

    told = [("slack.webhook_url", "file `/etc/passwd`"), ("pagerduty.routing_key", "variable `TEST_TOKEN`")]
    assert done.stdout.splitlines()[4:6] == [
        f"read this before the next apply: `notifications.{key}` takes the {what} from here" for key, what in told
    ]


def test_the_terminal_is_not_steered(aamic: Aamic, applied: Path) -> None:
    copy = applied / "hosts/mon/var/lib/aamic/site"
    copy.write_text(copy.read_text().replace('"cluster": "test"', '"cluster": "te\\u202est"'))

    done = aamic(*IMPORT, "--out", "back")

    assert done.returncode == 0
    assert done.stdout.startswith(r"cluster te\u202est, as release ")
