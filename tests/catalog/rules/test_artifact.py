from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.artifacts.rules.artifact import RELOAD, render, rule_file
from aamic.model.fleet import AlertRule, Fleet, RecordingRule, RuleGroup, Server
from tests import fleets
from tests.catalog.rules.prom import promtool

RECORD = RecordingRule("node:load1", "max by (cluster, node) (node_load1)", {"a": "b"})
ALERT = AlertRule("Own", "up == 0", "warning", "sum", "desc", "https://x/Own", for_="5m", labels={"team": "x"})
SHARD = RuleGroup("node", "shard", (RECORD, ALERT))
CENTRAL = RuleGroup("cluster", "central", (ALERT,))


def fleet(*servers: Server) -> Fleet:
    return fleets.fleet(fleets.nodes(2), servers, rules=(SHARD, CENTRAL))


def test_shards_share_a_bundle_and_central_has_its_own() -> None:
    site = fleet(
        fleets.server(name="shard-1", role="shard", host="mon-02"),
        fleets.server(name="shard-2", role="shard", host="mon-03"),
        fleets.server(name="shard-3", role="shard", host="mon-02"),
        fleets.server(name="central", role="central", host="mon-01"),
    )
    parts = {part.bundle: (part.hosts, [file.path for file in part.files]) for part in render(site)}
    assert parts == {
        "shards": (("mon-02", "mon-03"), ["/etc/aami/rules/shard/node.yml"]),
        "central": (("mon-01",), ["/etc/aami/rules/central/cluster.yml"]),
    }


def test_a_single_server_reads_both_and_a_rule_in_both_once() -> None:
    parts = list(render(fleet(fleets.server())))
    assert [(part.bundle, [file.path for file in part.files]) for part in parts] == [
        ("prometheus", ["/etc/aami/rules/shard/node.yml"])
    ]


def test_a_change_reloads_every_server_of_the_host() -> None:
    files = [file for part in render(fleet(fleets.server())) for file in part.files]
    assert {file.on_change for file in files} == {RELOAD}


def test_a_rule_file_reads_as_it_would_be_written() -> None:
    assert rule_file([SHARD]).decode() == (
        "# Rendered by aamic; a change made here is undone by the next apply.\n"
        "groups:\n"
        "- name: node\n"
        "  rules:\n"
        "  - record: node:load1\n"
        "    expr: max by (cluster, node) (node_load1)\n"
        "    labels:\n"
        "      a: b\n"
        "  - alert: Own\n"
        "    expr: up == 0\n"
        "    for: 5m\n"
        "    labels:\n"
        "      severity: warning\n"
        "      team: x\n"
        "    annotations:\n"
        "      summary: sum\n"
        "      description: desc\n"
        "      runbook_url: https://x/Own\n"
    )


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40), st.booleans())
def test_any_text_survives(text: str, twice: bool) -> None:  # noqa: FBT001  # drawn
    text = f"{text}\n{text}" if twice else text
    alert = AlertRule("Own", "up", "info", text, text, "https://x", labels={"own": text})
    rule = yaml.safe_load(rule_file([RuleGroup("g", "shard", (alert,))]))["groups"][0]["rules"][0]
    shown = {name: rule["annotations"].get(name, "") for name in ("summary", "description")}
    assert (rule["labels"]["own"], shown) == (text, {"summary": text, "description": text})


def test_promtool_reads_hostile_text_as_it_is(tmp_path: Path) -> None:
    hostile = fleets.HOSTILE.replace("{{", "{{ `{{` }}")
    alert = AlertRule(
        "Own", "up == 0", "info", hostile, f"{hostile}\n\n  {hostile} ", "", labels={"own": "{{ $value }}"}
    )
    (tmp_path / "rules.yml").write_bytes(rule_file([RuleGroup("g", "shard", (alert,))]))
    promtool("check", "rules", "rules.yml", folder=tmp_path)
