"""`aamic keys` as a user runs it: site and key file are written together or not at all, and no key is ever shown."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from aamic.clients.files import Rewrite, fresh_secret, rewrite
from aamic.errors import OutsideError
from tests.commands.conftest import Aamic

SITE = """\
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes: {mon: {address: 198.18.0.1}}
serve:
  address: 127.0.0.1    # behind a tunnel
# the end
"""
KEY = re.compile("[A-Za-z0-9_-]{43}\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def test_a_key_is_made_and_revoked_byte_for_byte(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    done = aamic("keys", "create", "busan", "--out", "busan.key", "--yes")
    key = (tmp_path / "busan.key").read_text()
    digest = sha256(key.strip().encode()).hexdigest()
    listed = json.loads(aamic("keys", "list", "--json").stdout)
    revoked = aamic("keys", "revoke", "busan", "--yes")

    assert (done.returncode, done.stderr, revoked.returncode, revoked.stderr) == (0, "", 0, "")
    assert KEY.fullmatch(key)
    assert key.strip() not in done.stdout
    assert (tmp_path / "busan.key").stat().st_mode & 0o777 == 0o600
    assert f"+  keys:\n+    - {{name: busan, sha256: {digest}}}" in done.stdout.replace('"', "")
    assert listed == {"version": 1, "keys": [{"name": "busan", "sha256": digest}]}
    assert aamic("keys", "list").stdout == "there are no keys\n"
    assert site.read_text() == SITE


def test_each_key_is_another_and_stands_beside_the_others(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    for name in ("busan", "daegu", "jeju"):
        assert aamic("keys", "create", name, "-o", name, "--yes").returncode == 0
    aamic("keys", "revoke", "daegu", "--yes")
    shown = aamic("keys", "list").stdout.splitlines()

    assert len({(tmp_path / name).read_text() for name in ("busan", "daegu", "jeju")}) == 3
    assert [line.split()[0] for line in shown] == ["busan", "jeju"]
    assert "# behind a tunnel" in site.read_text()


def test_nothing_is_written_without_consent(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    nobody = aamic("keys", "create", "busan", "--out", "busan.key")
    dry = aamic("keys", "create", "busan", "--out", "busan.key", "--dry-run")
    document = json.loads(aamic("keys", "create", "busan", "--out", "busan.key", "--dry-run", "--json").stdout)

    assert (nobody.returncode, nobody.stderr.split("\n")[0]) == (1, "error: nobody can be asked: this is no terminal")
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (0, "nothing was written")
    assert (document["written"], document["name"], document["file"]) == (False, "busan", "busan.key")
    assert list(tmp_path.iterdir()) == [site]
    assert site.read_text() == SITE


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "busan", "--out", "there"], "error: cannot write `there`: File exists"),
        (["create", "busan", "--out", "link"], "error: cannot write `link`: File exists"),
        (["create", "busan", "--out", "no/where"], "error: cannot write `no/where`: No such file or directory"),
        (["create", "a b", "--out", "new"], "error: `a b` is no name for a key"),
        (["create", "\x1b[1m", "--out", "new"], "error: `\\x1b[1m` is no name for a key"),
        (["create", "jeju", "--out", "new"], "error: there is a key `jeju` already"),
        (["revoke", "jejo"], "error: there is no key `jejo`"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    aamic: Aamic, site: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    aamic("keys", "create", "jeju", "--out", "jeju", "--yes")
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    before = site.read_text(), sorted(path.name for path in tmp_path.iterdir())
    done = aamic("keys", *arguments, "--yes")

    assert (done.returncode, done.stderr.split("\n")[0]) == (1, told)
    assert before == (site.read_text(), sorted(path.name for path in tmp_path.iterdir()))
    assert (tmp_path / "there").read_text() == "mine"


def test_a_site_that_serves_nothing_gets_no_key(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    site.write_text(SITE.split("serve:", maxsplit=1)[0])
    done = aamic("keys", "create", "busan", "--out", "busan.key", "--yes")

    assert done.stderr.startswith(
        "error: this site serves nothing that a key could open\n"
        "hint: add `serve` with `tls_cert` and `tls_key` first: docs/clusters.md\n"
    )
    assert list(tmp_path.iterdir()) == [site]


def test_no_key_is_left_where_the_site_cannot_be_written(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "busan.key"
    stale = Rewrite(site, b"something else", b"new")
    with pytest.raises(OutsideError, match="has changed meanwhile"), fresh_secret(out, b"key\n"):
        rewrite([stale])

    assert not out.exists()
    assert site.read_text() == SITE
