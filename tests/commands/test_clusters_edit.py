"""`aamic clusters add` and `remove` as a user runs them."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
import trustme

from aamic.model.api import Document
from tests.clients.peers import chain_of, server_tls
from tests.commands.remotes import KEY, answers, far, status
from tests.commands.test_clusters import HEAD, Ground, Run, authority, ground, run

__all__ = ["authority", "ground", "run"]

TAIL = "# the end\n"


@pytest.fixture
def site(ground: Ground, tmp_path: Path) -> Path:  # noqa: ARG001  # makes the folder
    path = tmp_path / "site.yaml"
    path.write_text(
        f"{HEAD}# other clusters\nclusters:\n- {{name: 'daegu', endpoint: \"https://daegu.example\"}}  # x\n{TAIL}"
    )
    return path


def documents() -> dict[str, Document]:
    return answers("busan", status("busan"), [])


def test_a_cluster_that_answers_is_added_and_nothing_else_changes(run: Run, ground: Ground, site: Path) -> None:
    there = ground.serve(documents(), key=KEY)
    before = site.read_text()
    done = run(
        "add", "busan", "--endpoint", there.url, "--api-key-file", "busan.key", "--tls-ca", "ca.pem",
        "--label", "region=kr-2", "--label", "tier=no", "--timeout", "2s", "--federate", "--yes",
    )  # fmt: skip
    item = (
        f'- {{name: busan, endpoint: "{there.url}", api_key: {{file: busan.key}}, tls_ca_cert: ca.pem, '
        'labels: {region: kr-2, tier: "no"}, timeout: 2s, federate: true}\n'
    )

    assert (done.exit_code, site.read_text()) == (0, before.replace(TAIL, f"{item}{TAIL}"))
    assert f"+{item.rstrip()}" in done.stdout.splitlines()
    assert "busan is connected\n" in done.stdout
    assert KEY not in done.output
    assert there.asked == ["/api/v1/ping", "/api/v1/version", "/api/v1/status"]

    gone = run("remove", "busan", "--yes")

    assert (gone.exit_code, site.read_text()) == (0, before)


def test_the_first_one_added_leaves_nothing_when_it_is_removed(run: Run, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    before = site.read_text()
    run("add", "busan", "--endpoint", "https://busan.example", "--no-test", "--yes")
    there = site.read_text()
    gone = run("remove", "busan", "--yes")

    assert "clusters:" in there
    assert (gone.exit_code, site.read_text()) == (0, before)


def test_a_file_of_clusters_alone_keeps_its_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(f"{HEAD}include: [clusters.yaml]\n")
    (tmp_path / "clusters.yaml").write_text("clusters:\n- {name: daegu, endpoint: 'https://daegu.example'}\n")
    gone = run("remove", "daegu", "--yes")

    assert (gone.exit_code, (tmp_path / "clusters.yaml").read_text()) == (0, "clusters: []\n")


def test_a_cluster_that_does_not_answer_is_not_added(run: Run, ground: Ground, site: Path) -> None:
    before = site.read_bytes()
    url = ground.serve({}, key="another").url
    done = run("add", "busan", "--endpoint", url, "--tls-ca", "ca.pem", "--yes")
    told = json.loads(run("add", "busan", "--endpoint", url, "--tls-ca", "ca.pem", "--yes", "--json").stdout)

    assert (done.exit_code, site.read_bytes()) == (1, before)
    assert "busan is not connected" in done.stdout
    assert done.stderr == "nothing was written; `--no-test` adds it all the same\n"
    assert (told["written"], told["test"]["state"], told["files"]) == (False, "unauthorized", [])

    untested = run("add", "busan", "--endpoint", url, "--tls-ca", "ca.pem", "--yes", "--no-test")

    assert (untested.exit_code, site.read_bytes() != before) == (0, True)


@pytest.mark.parametrize("url", ["https://b.example/?a=b", "https://b.example/#a", "https://fd00::1/", "b.example"])
def test_what_is_no_endpoint_is_told_with_an_example(run: Run, site: Path, url: str) -> None:
    before = site.read_bytes()
    done = run("add", "busan", "--endpoint", url, "--no-test", "--yes")

    assert (done.exit_code, site.read_bytes()) == (1, before)
    assert "`--endpoint` is not a URL of a cluster" in done.stderr
    assert "IPv6 in brackets" in done.stderr


def test_an_address_of_ipv6_is_added(run: Run, site: Path) -> None:
    done = run("add", "busan", "--endpoint", "https://[fd00::1]:9443", "--no-test", "--yes")

    assert done.exit_code == 0
    assert '{name: busan, endpoint: "https://[fd00::1]:9443"}' in site.read_text()


def test_a_key_of_another_certificate_is_not_added_even_untested(run: Run, site: Path, tmp_path: Path) -> None:
    before = site.read_bytes()
    ours, another = (trustme.CA().issue_cert("seoul.example") for _ in range(2))
    (tmp_path / "ours.pem").write_bytes(chain_of(ours))
    (tmp_path / "ours.key").write_bytes(ours.private_key_pem.bytes())
    (tmp_path / "another.key").write_bytes(another.private_key_pem.bytes())
    arguments = ("add", "busan", "--endpoint", "https://b.example", "--tls-cert", "ours.pem", "--no-test", "--yes")
    done = run(*arguments, "--tls-key", "another.key")

    assert (done.exit_code, site.read_bytes()) == (1, before)
    assert "is not the key of `ours.pem`" in done.stderr
    assert run(*arguments, "--tls-key", "ours.key").exit_code == 0


def test_a_dry_run_shows_the_edit_and_writes_nothing(run: Run, site: Path) -> None:
    before = site.read_bytes()
    done = run("add", "busan", "--endpoint", "https://busan.example", "--no-test", "--dry-run")

    assert (done.exit_code, site.read_bytes()) == (0, before)
    assert '+- {name: busan, endpoint: "https://busan.example"}' in done.stdout.splitlines()
    assert done.stdout.endswith("nothing was written\n")


def test_nobody_who_can_be_asked_means_nothing_is_tried(run: Run, ground: Ground, site: Path) -> None:
    before, there = site.read_bytes(), ground.serve(documents())
    done = run("add", "busan", "--endpoint", there.url, "--tls-ca", "ca.pem")

    assert (done.exit_code, site.read_bytes(), there.asked) == (1, before, [])
    assert "nobody can be asked" in done.stderr


def test_everything_that_is_wrong_is_told_at_once(run: Run, site: Path, tmp_path: Path) -> None:
    before = site.read_bytes()
    outside = tmp_path.parent / "outside.pem"
    outside.write_bytes((tmp_path / "ca.pem").read_bytes())
    done = run(
        "add", "daegu", "--endpoint", "http://busan.example/a", "--kind", "aamy", "--api-key-file", KEY,
        "--api-key-env", "k" * 43, "--tls-cert", "busan.key", "--tls-ca", str(outside), "--label", "9=x",
        "--timeout", "2", "--yes",
    )  # fmt: skip
    errors = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]

    assert (done.exit_code, site.read_bytes()) == (1, before)
    assert errors == [
        "the registry has `daegu` already",
        "`aamy` in `--kind` is not one of `aami`, `prometheus`",
        "`9`, a key of `--label`, is not a label name",
        "`2` in `--timeout` is not a duration",
        "cluster `daegu` is read over `http://`, with `api_key`",
        "cluster `daegu` is read over `http://`, with `tls_cert`",
        "cluster `daegu` is read over `http://`, with `tls_ca_cert`",
        "cluster `daegu` has a `tls_cert` without a `tls_key`",
        "`--api-key-file` and `--api-key-env` exclude each other",
        "`--api-key-env` is longer than names of variables are",
        "the file of `--api-key-file` cannot be read: no such file or directory",
        "`busan.key` of `--tls-cert` holds no certificate",
        f"`{outside}` of `--tls-ca` lies outside the folder of the site",
    ]
    assert KEY not in done.output
    assert "k" * 43 not in done.output
    assert "  --> site.yaml:8:10" in done.stderr.splitlines()


def test_the_clusters_own_name_is_refused(run: Run, site: Path) -> None:  # noqa: ARG001  # makes the site
    done = run("add", "seoul", "--endpoint", "https://busan.example", "--no-test", "--yes")

    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == "error: another cluster is named `seoul`, as this one is"


def test_no_option_takes_a_key(run: Run) -> None:
    done = run("add", "busan", "--endpoint", "https://busan.example", "--api-key", KEY)

    assert (done.exit_code, "No such option: --api-key" in done.stderr.replace("\n", " ")) == (2, True)


def test_paths_are_those_of_the_shell_and_become_those_of_the_site(
    run: Run, ground: Ground, tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site in a folder of its own, edited from beside it, over mutual TLS."""
    (tmp_path / "sites/seoul/tls").mkdir(parents=True)
    (tmp_path / "secrets").mkdir()
    site = tmp_path / "sites/seoul/site.yaml"
    site.write_text(HEAD)
    ours = authority.issue_cert("seoul.example")
    (tmp_path / "sites/seoul/tls/ours.pem").write_bytes(chain_of(ours))
    (tmp_path / "secrets/ours.key").write_bytes(ours.private_key_pem.bytes())
    (tmp_path / "busan.key").replace(tmp_path / "sites/busan.key")
    (tmp_path / "ca.pem").replace(tmp_path / "sites/seoul/ca.pem")
    monkeypatch.chdir(tmp_path / "sites")
    with far(documents(), server_tls(authority.issue_cert("127.0.0.1"), authority), KEY) as there:
        done = run(
            "add", "busan", "-f", "seoul/site.yaml", "--endpoint", there.url, "--api-key-file", "busan.key",
            "--tls-cert", "seoul/tls/ours.pem", "--tls-key", str(tmp_path / "secrets/ours.key"),
            "--tls-ca", "./seoul/ca.pem", "--yes",
        )  # fmt: skip
        monkeypatch.chdir(tmp_path)
        tested = run("test", "busan", "-f", "sites/seoul/site.yaml")

    assert (done.exit_code, tested.exit_code) == (0, 0)
    assert site.read_text() == (
        f'{HEAD}clusters:\n  - {{name: busan, endpoint: "{there.url}", api_key: {{file: "../busan.key"}}, '
        f"tls_cert: tls/ours.pem, tls_key: {{file: {tmp_path}/secrets/ours.key}}, tls_ca_cert: ca.pem}}\n"
    )
    assert "read: API key, client certificate, authorities of its own" in tested.stdout
    assert ground.items == []


def test_the_file_that_has_the_registry_is_edited(run: Run, site: Path, tmp_path: Path) -> None:
    other = tmp_path / "clusters.yaml"
    other.write_bytes(codecs.BOM_UTF8 + b"clusters: [ # ours\r\n  {name: a, endpoint: 'https://a.example'},\r\n]\r\n")
    site.write_text(f"{HEAD}include: [clusters.yaml]\n")
    main, before = site.read_bytes(), other.read_bytes()
    other.chmod(0o640)
    done = run("add", "b", "--endpoint", "https://b.example", "--no-test", "--yes")

    assert (done.exit_code, site.read_bytes()) == (0, main)
    assert other.read_bytes() == before.replace(b"'},", b'\'}, {name: b, endpoint: "https://b.example"},')
    assert other.stat().st_mode & 0o777 == 0o640
    assert "wrote `clusters.yaml`" in done.stdout
    assert run("remove", "b", "--yes").exit_code == 0
    assert other.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["busan.key", "ca.pem", "clusters.yaml", "site.yaml"]


def test_removing_what_is_not_there_names_the_nearest(run: Run, site: Path) -> None:
    before = site.read_bytes()
    done = run("remove", "daegi", "--yes")

    assert (done.exit_code, site.read_bytes()) == (1, before)
    assert "hint: did you mean `daegu`?" in done.stderr


def test_json_tells_the_edit_and_the_test(run: Run, ground: Ground, site: Path) -> None:  # noqa: ARG001  # makes the site
    there = ground.serve(answers("ulsan", status("ulsan"), []))
    done = run("add", "busan", "--endpoint", there.url, "--tls-ca", "ca.pem", "--yes", "--json")
    found = json.loads(done.stdout)

    assert (done.exit_code, found["version"], found["written"]) == (0, 1, True)
    assert [each["path"] for each in found["files"]] == ["site.yaml"]
    assert (found["test"]["cluster"], len(found["test"]["warnings"])) == ("ulsan", 1)
