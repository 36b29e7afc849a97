"""`aamic federation` as a user runs it, on folders that stand for hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Aamic
from tests.commands.terminal import on_terminal

HEAD = """\
version: 1
cluster: {name: test}
prometheus: {node: mon-1}   # the one server
nodes:
  "mon-[1-3]": {addresses: "198.18.0.[1-3]", memory: 64GB, disk: 1TB}
racks:
  ra: {nodes: "a[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
  rb: {nodes: "b[1-3]", addresses: "198.18.2.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
"""
ENABLE = ("federation", "enable", "--shards", "2", "--by", "rack", "--shard-nodes", "mon-[2-3]")
HOSTS = ("--host-root", "hosts")
OFF = "error: federation is off in this site\nhint: `aamic shards` shows the one server; "


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "site.yaml"
    path.write_text(HEAD)
    return path


def kept(folder: str, server: str, hosts: str) -> str:
    words = f"keeps what {server} stored: no server reads it then, and nothing removes it"
    return f"  /var/lib/aami/{folder} on {hosts} {words}"


def test_what_moves_is_shown_before_it_is_written(aamic: Aamic, site: Path) -> None:
    done = aamic(*ENABLE, "--yes", "--no-plan")

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert site.read_text() == (
        HEAD + 'federation: {enabled: true, central_node: mon-1, by: rack, shards: 2, shard_nodes: "mon-[2-3]"}\n'
    )
    assert "federation costs more than it gives below 100 nodes, and this site has 9" in lines
    assert "9 nodes change their server:" in lines
    assert "history is not moved: a node's samples stay where they were scraped" in lines
    assert kept("prometheus", "prometheus", "mon-1") in lines
    assert lines.index("9 nodes change their server:") < lines.index("wrote `site.yaml`")


@pytest.mark.usefixtures("site")
def test_on_applied_off_and_applied_again_nothing_of_shards_is_left_but_their_data(
    aamic: Aamic, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    assert aamic("apply", *HOSTS, "--yes").returncode == 0
    single = files(hosts)
    assert aamic(*ENABLE, "--yes", *HOSTS).returncode == 0
    assert aamic("apply", *HOSTS, "--yes").returncode == 0
    federated = files(hosts)
    data = hosts / "mon-2/var/lib/aami/prometheus-shard-1/wal/00000001"
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_bytes(b"samples")
    assert "mon-2/etc/systemd/system/aami-prometheus-shard-1.service" in federated
    assert "mon-2/var/lib/aami/targets/shard-1-nodes.json" in federated

    off = aamic("federation", "disable", "--yes", *HOSTS)
    assert "  - /etc/systemd/system/aami-prometheus-shard-1.service" in off.stdout
    assert "  - /var/lib/aami/targets/shard-1-nodes.json" in off.stdout
    effects = " ".join(off.stdout.split()).rpartition(" stop")[2]
    assert "1 of aami-prometheus-shard-1 and 1 of aami-prometheus-shard-2; 1 start of aami-prometheus" in effects
    assert aamic("apply", *HOSTS, "--yes").returncode == 0

    assert single | {str(data.relative_to(hosts))} == files(hosts)
    assert data.read_bytes() == b"samples"
    assert aamic("status", *HOSTS).returncode == 0


def files(hosts: Path) -> set[str]:
    """What stands on all hosts, without the state of aamic itself."""
    found = (path for path in hosts.rglob("*") if path.is_file() or path.is_symlink())
    return {name for path in found if "/var/lib/aamic/" not in (name := str(path.relative_to(hosts)))}


def test_off_says_what_the_one_server_must_carry_and_which_folders_are_kept(aamic: Aamic, site: Path) -> None:
    aamic(*ENABLE, "--yes", "--no-plan", "--replicas", "2")
    done = aamic("federation", "disable", "--yes", "--no-plan")
    lines = done.stdout.splitlines()

    assert "enabled: false, central_node: mon-1, by: rack, shards: 2" in site.read_text()
    assert any(line.startswith("note: `prometheus` on `mon-1` takes over: ") for line in lines)
    assert any(line.startswith("note: alerts that go: CentralDown, ") for line in lines)
    assert kept("prometheus-shard-1", "shard-1", "mon-[2-3]") in lines
    again = aamic("federation", "disable", "--yes", "--no-plan")
    assert again.stdout.splitlines()[-1] == "`site.yaml` says so already"
    back = aamic("federation", "enable", "--yes", "--no-plan", "--json")
    assert json.loads(back.stdout)["written"] is True
    assert "enabled: true, central_node: mon-1, by: rack, shards: 2" in site.read_text()


def test_json_holds_servers_moves_and_advice(aamic: Aamic, site: Path) -> None:
    done = json.loads(aamic(*ENABLE, "--dry-run", "--no-plan", "--json", "--central", "mon-3").stdout)

    assert (done["written"], done["plan"]) == (False, None)
    assert [(each["role"], each["host"]) for each in done["servers"]] == [
        ("shard", "mon-2"),
        ("shard", "mon-3"),
        ("central", "mon-3"),
    ]
    assert done["moved"]["nodes"] == sum(len(each["nodes"]) for each in done["moved"]["moves"]) == 9
    assert [each["path"] for each in done["folders"]["left"]] == ["/var/lib/aami/prometheus"]
    assert done["advice"][0].startswith("federation costs more than it gives below 100 nodes")
    assert site.read_text() == HEAD


def test_who_asked_the_one_server_is_told_where_central_is(aamic: Aamic, site: Path) -> None:
    same = json.loads(aamic(*ENABLE, "--dry-run", "--no-plan", "--json").stdout)["notes"]
    other = json.loads(aamic(*ENABLE, "--central", "mon-2", "--dry-run", "--no-plan", "--json").stdout)["notes"]
    told = "who asked `mon-1:9090` for all nodes, such as dashboards, finds them at `mon-2:9091`"

    assert (told in same, told in other, site.read_text()) == (False, True, HEAD)


def test_from_a_hundred_nodes_on_nobody_is_warned(aamic: Aamic, site: Path) -> None:
    site.write_text(HEAD + '  rc: {nodes: "c[1-91]", addresses: "198.18.3.[1-91]"}\n')
    done = json.loads(aamic(*ENABLE, "--dry-run", "--no-plan", "--json").stdout)

    assert (done["advice"], done["moved"]["nodes"]) == ([], 100)


def test_a_small_site_is_asked_twice(site: Path) -> None:
    no = on_terminal(site.parent, *ENABLE, "--no-plan", answer="n\n")
    unchanged = site.read_text()
    yes = on_terminal(site.parent, *ENABLE, "--no-plan", answer="y\ny\n")

    assert (no[0], unchanged) == (1, HEAD)
    assert "Spread 9 nodes over shards all the same? [y/N]" in no[2]
    assert "Write this" not in no[2]
    assert yes[0] == 0
    assert "Write this to `site.yaml`? [y/N]" in yes[2]
    assert "wrote `site.yaml`" in yes[1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["enable", "--shards", "2"], 1, "nobody can be asked"),
        (
            ["enable", "--yes"],
            1,
            "error: this site does not say how many shards there are\nhint: add `--shards NUMBER`",
        ),
        (["enable", "--yes", "--replace"], 2, "a list is given up for a number: add `--shards`"),
        (["enable", "--yes", "--shards", "2", "--central", "mno-1"], 1, "did you mean `mon-1`?"),
        (["enable", "--yes", "--shards", "2", "--shard-nodes", "mon-[2-"], 1, "bracket"),
        (["enable", "--yes", "--shards", "2", "--replicas", "2"], 1, "2 replicas need as many hosts"),
        (["enable", "--yes", "--shards", "12"], 1, "12 shards are more than the 9 nodes there are to spread"),
        (["enable", "--yes", "--shards", "2", "--central", ""], 2, "no node is named"),
        (["enable", "--yes", "--shards", "2", "--shard-nodes", ""], 2, "no node is named"),
        (["shards"], 1, OFF),
        (["rebalance"], 1, OFF),
    ],
)
def test_what_is_refused(words: list[str], code: int, told: str, aamic: Aamic, site: Path) -> None:
    done = aamic("federation", *words)

    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert site.read_text() == HEAD


def test_what_an_edit_would_make_wrong_is_shown_in_the_text_that_nobody_has_seen(aamic: Aamic, site: Path) -> None:
    done = aamic("federation", "enable", "--shards", "12", "--yes")

    assert (done.returncode, site.read_text()) == (1, HEAD)
    assert "  --> " not in done.stderr
    line = "federation: {enabled: true, central_node: mon-1, shards: 12}"
    assert f"in the site as it would be, where `site.yaml` says `{line}`\n" in done.stderr


def test_where_each_shard_names_its_host_others_have_no_effect(aamic: Aamic, site: Path) -> None:
    shards = "[{name: one, racks: [ra, rb], host: mon-2}, {name: two, nodes: 'mon-[1-3]', host: mon-3}]"
    site.write_text(f"{HEAD}federation: {{central_node: mon-1, shards: {shards}}}\n")
    before = site.read_text()
    done = aamic("federation", "enable", "--shard-nodes", "mon-1", "--yes", "--no-plan")

    assert (done.returncode, site.read_text()) == (1, before)
    assert "`--shard-nodes` would change nothing" in done.stderr


def test_where_nothing_changes_nobody_is_asked(aamic: Aamic, site: Path) -> None:
    off = aamic("federation", "disable", "--no-plan")

    assert (off.returncode, site.read_text()) == (0, HEAD)
    assert off.stdout.endswith("`site.yaml` says so already\n")


def test_shards_one_by_one_and_by_node(aamic: Aamic, site: Path) -> None:
    site.write_text(f"{HEAD}federation: {{central_node: mon-1, shards: 2, by: rack, shard_nodes: 'mon-[2-3]'}}\n")
    every, one = aamic("federation", "shards").stdout, aamic("federation", "shards", "shard-2").stdout
    nodes = aamic("federation", "shards", "--nodes").stdout.splitlines()
    values = json.loads(aamic("federation", "shards", "shard-1", "--json").stdout)["shards"]
    unknown = aamic("federation", "shards", "shard-3")

    assert every.splitlines()[-1] == one.splitlines()[-1]
    assert one.split("\n\n")[0] in every
    assert sorted(line.split()[0] for line in nodes) == ["a1", "a2", "a3", "b1", "b2", "b3", "mon-1", "mon-2", "mon-3"]
    assert [line.split()[0] for line in nodes if line.endswith(" shard-1")] == values[0]["nodes"]
    assert [server["host"] for server in values[0]["servers"]] == ["mon-2"]
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "this site has no shard `shard-3`" in unknown.stderr


def test_validate_names_every_check(aamic: Aamic, site: Path) -> None:
    off = aamic("federation", "validate")
    site.write_text(f"{HEAD}federation: {{central_node: mon-1, shards: 2, shard_nodes: 'mon-[2-3]', match: ['up']}}\n")
    done = json.loads(aamic("federation", "validate", "--json").stdout)
    states = {each["name"]: each["state"] for each in done["checks"]}

    assert off.stdout == "federation is off: `prometheus` on `mon-1` alone scrapes 9 nodes\nok    the site compiles\n"
    assert (done["federation"], done["valid"]) == (True, True)
    assert states.pop("central reads what its rules need") == "warn"
    assert set(states.values()) == {"ok"}
    assert {"promtool check config", "promtool check rules", "every node is in exactly one shard"} < states.keys()


def test_validate_fails_where_the_site_is_wrong(aamic: Aamic, site: Path) -> None:
    site.write_text(f"{HEAD}federation: {{central_node: mon-1, shards: [{{name: one, racks: [ra]}}]}}\n")
    done = aamic("federation", "validate")

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("fail  the site compiles")
    assert "stand in no shard (hint: add them to a shard of the list)" in done.stdout
