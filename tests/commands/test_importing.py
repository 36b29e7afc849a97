from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Aamic


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("mon-01 ansible_host=10.0.0.1\ngpu-[01:02] x=1\n")
    return path


@pytest.mark.usefixtures("hosts")
def test_the_site_goes_to_standard_output(aamic: Aamic, tmp_path: Path) -> None:
    done = aamic("import", "--ansible", "hosts", "--cluster", "lab")

    assert (done.returncode, done.stderr) == (0, "note: variables of Ansible that a site has no use for: `x`\n")
    (tmp_path / "site.yaml").write_text(done.stdout)
    assert aamic("validate").stdout == "site.yaml: 3 nodes, 1 Prometheus server: no error\n"


@pytest.mark.usefixtures("hosts")
def test_json_has_the_draft_and_the_site(aamic: Aamic) -> None:
    done = aamic("import", "--ansible", "hosts", "--cluster", "lab", "--json")
    said = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert [(node["name"], node["address"]) for node in said["nodes"]] == [
        ("gpu-01", None), ("gpu-02", None), ("mon-01", "10.0.0.1"),
    ]  # fmt: skip
    assert (said["cluster"], said["controller"], said["problems"], said["inventory"]) == ("lab", None, [], None)
    assert said["notes"] == ["variables of Ansible that a site has no use for: `x`"]
    assert said["site"] == aamic("import", "--ansible", "hosts", "--cluster", "lab").stdout


@pytest.mark.usefixtures("hosts")
def test_a_site_that_would_not_compile_is_shown_with_its_problems(aamic: Aamic) -> None:
    done = aamic("import", "--ansible", "hosts", "--prometheus-node", "mon")
    told = json.loads(aamic("import", "--ansible", "hosts", "--prometheus-node", "mon", "--json").stdout)

    assert done.returncode == 1
    assert "  node: mon\n" in done.stdout
    assert "error: unknown node `mon`\n  --> site.yaml:" in done.stderr
    assert [problem["message"] for problem in told["problems"]] == ["unknown node `mon`"]


@pytest.mark.usefixtures("hosts")
def test_no_file_is_overwritten(aamic: Aamic, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    site = aamic("import", "--ansible", "hosts", "--out", "site.yaml")
    link = aamic("import", "--ansible", "hosts", "--out", "link")

    assert (site.returncode, (tmp_path / "site.yaml").read_text()) == (1, "mine")
    assert site.stderr == "error: `site.yaml` exists already\nhint: choose another name; nothing was written\n"
    assert link.stderr == "error: `link` exists already\nhint: choose another name; nothing was written\n"


def test_neither_file_is_written_where_one_is_in_the_way(aamic: Aamic, tmp_path: Path) -> None:
    lines = [f"n-{number} ansible_host=10.0.{number * 7 % 11}.{number * 5 % 251}" for number in range(1, 60)]
    (tmp_path / "hosts").write_text("\n".join(lines))
    (tmp_path / "nodes.csv").write_text("mine")
    done = aamic("import", "--ansible", "hosts", "--out", "site.yaml")

    assert done.returncode == 1
    assert done.stderr.endswith("`nodes.csv` exists already\nhint: choose another folder; nothing was written\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hosts", "nodes.csv"]
    assert (tmp_path / "nodes.csv").read_text() == "mine"


def test_without_a_source(aamic: Aamic) -> None:
    done = aamic("import")

    assert done.returncode == 2
    assert "name a source" in done.stderr


def test_group_vars_are_told(aamic: Aamic, hosts: Path) -> None:
    (hosts.parent / "group_vars").mkdir()
    done = aamic("import", "--ansible", "hosts")

    assert done.stderr.startswith(
        "note: `group_vars` beside `hosts` were not read: give the output of `ansible-inventory --list` instead\n"
    )
