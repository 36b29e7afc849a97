"""Shards that come and go, on folders that stand for hosts: what a plan says of their data, and that it stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Aamic

SITE = """
version: 1
cluster: {{name: test}}
{prometheus}
nodes:
  "mon-0[1-2]": {{addresses: "198.18.0.[1-2]"}}
  "gpu-[1-3]": {{addresses: "198.18.1.[1-3]"}}
"""
SHARDED = (
    "prometheus: {node: mon-01}\nfederation: {central_node: mon-01, by: count, shards: 2, shard_nodes: 'mon-[01-02]'}"
)
HOSTS = ("--host-root", "hosts")
DATA = {f"mon-0{number}": f"/var/lib/aami/prometheus-shard-{number}" for number in (1, 2)}


def write(tmp_path: Path, prometheus: str) -> None:
    (tmp_path / "site.yaml").write_text(SITE.format(prometheus=prometheus))


@pytest.fixture
def disabled(aamic: Aamic, tmp_path: Path) -> Path:
    """Hosts that carry two shards and central with data, and a site that no longer wants them."""
    write(tmp_path, SHARDED)
    done = aamic("apply", "--yes", *HOSTS)
    assert done.returncode == 0, done.stderr
    for host, folder in {**DATA, "mon-01 ": "/var/lib/aami/prometheus-central"}.items():
        block = tmp_path / f"hosts/{host.strip()}{folder}/01HZ/meta.json"
        block.parent.mkdir(parents=True)
        block.write_text("{}")
    write(tmp_path, "prometheus: {node: mon-01}")
    return tmp_path / "hosts"


def kept(aamic: Aamic, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(aamic("plan", *words, "--format", "json").stdout)["kept"]
    return found


def test_a_plan_names_data_that_stays_in_every_form(aamic: Aamic, disabled: Path) -> None:
    shown = {kind: aamic("plan", *HOSTS, "--format", kind).stdout for kind in ("text", "markdown", "html")}

    assert disabled.is_dir()
    assert kept(aamic, *HOSTS) == [
        {"path": f"/var/lib/aami/{name}", "service": f"aami-{name}", "why": "removed", "hosts": host}
        for name, host in (
            ("prometheus-central", "mon-01"), ("prometheus-shard-1", "mon-01"), ("prometheus-shard-2", "mon-02")
        )
    ]  # fmt: skip
    sentence = "data of aami-prometheus-shard-2, which is removed; remove it by hand when its history is no longer"
    words = " ".join(shown["text"].split())
    assert f"kept: /var/lib/aami/prometheus-shard-2 on mon-02, {sentence} needed" in words
    assert "- **kept** · `/var/lib/aami/prometheus-shard-2` on `mon-02`: data of" in shown["markdown"]
    assert "<h2>Data that stays</h2>" in shown["html"]


def test_an_apply_keeps_what_its_plan_names_and_the_next_plan_is_silent(aamic: Aamic, disabled: Path) -> None:
    done = aamic("apply", "--yes", *HOSTS)

    assert done.returncode == 0, done.stderr
    assert all((disabled / f"{host}{folder}/01HZ/meta.json").read_text() == "{}" for host, folder in DATA.items())
    assert not (disabled / "mon-02/etc/systemd/system/aami-prometheus-shard-2.service").exists()
    assert kept(aamic, *HOSTS) == []


def test_a_shard_that_moves_to_another_host_leaves_its_data_behind(aamic: Aamic, disabled: Path) -> None:
    write(disabled.parent, SHARDED.replace("mon-[01-02]", "mon-01"))

    assert [(each["path"], each["hosts"]) for each in kept(aamic, *HOSTS)] == [(DATA["mon-02"], "mon-02")]
