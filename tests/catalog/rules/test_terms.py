"""Rules of sites with other intervals than the usual ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.artifacts.rules import presets
from aamic.catalog.artifacts.rules.artifact import rule_file
from aamic.catalog.artifacts.rules.terms import terms
from aamic.model.fleet import AlertRule, RuleGroup
from aamic.model.quantities import duration_seconds
from tests.catalog.rules.ground import FULL, RUNBOOKS, measured
from tests.catalog.rules.prom import promtool

NVIDIA = 'cluster="c",node="n",rack="r",gpu="0",UUID="U"'
AMD = 'cluster="c",node="n",rack="r",gpu_id="0",gpu_uuid="U"'


SHARD = 'cluster="c",node="m",shard="s",instance="m:9090",job="federate"'


def groups(interval: int, federate: int = 60) -> tuple[RuleGroup, ...]:
    """All rules of a site that reads and evaluates at one interval, in seconds."""
    site = measured(FULL)
    ground = replace(
        site.ground,
        scrape_interval_s=interval,
        evaluation_interval_s=interval,
        federate_interval_s=federate,
    )
    return (*site.vendor_groups, *presets.groups(presets.PRESETS, (), RUNBOOKS, ground).groups)


def run(  # noqa: PLR0913, PLR0917  # as many as a promtool file has keys
    folder: Path, rules: Iterable[RuleGroup], every: str, interval: str, series: Mapping[str, str], fired: str, at: str
) -> None:
    """The alerts that have fired by then are these, one series each; rules run `every`, samples come at `interval`."""
    (folder / "rules.yml").write_bytes(rule_file(rules))
    test: dict[str, Any] = {
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname, vendor) (count_over_time(ALERTS{alertstate="firing"}[3h]))',
                "eval_time": at,
                "exp_samples": [{"labels": f"{{{labels}}}", "value": 1} for labels in filter(None, fired.split(";"))],
            }
        ],
    }
    content = {"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(content, width=1_000_000))
    promtool("test", "rules", "test.yml", folder=folder)


@pytest.mark.parametrize(("interval", "told"), [(1, "41s"), (5, "205s"), (15, "615s"), (60, "41m"), (120, "82m")])
def test_an_error_is_told_at_once_at_every_interval(interval: int, told: str, tmp_path: Path) -> None:
    series = {
        f"DCGM_FI_DEV_XID_ERRORS{{{NVIDIA}}}": "0x39 79x40",
        f"DCGM_FI_DEV_GPU_TEMP{{{NVIDIA}}}": "50x80",
        f'amd_gpu_afid_errors{{{AMD},severity="fatal"}}': "_x39 18x40",
        f"amd_gpu_junction_temperature{{{AMD}}}": "50x80",
    }
    rules = [group for group in groups(interval) if group.name in ("gpu-nvidia", "gpu-amd", "gpu")]
    fired = ";".join(f'alertname="GpuFatalError",vendor="{vendor}"' for vendor in ("nvidia", "amd"))
    run(tmp_path, rules, f"{interval}s", f"{interval}s", series, fired, told)


def test_a_rate_has_samples_at_the_longest_interval(tmp_path: Path) -> None:
    node = 'cluster="c",node="n",job="node",instance="n:9100",device="eth0"'
    series = {
        f"node_network_receive_errs_total{{{node}}}": "0+600x40",
        f"node_network_receive_packets_total{{{node}}}": "0+60000x40",
    }
    node_rules = [group for group in groups(120) if (group.name, group.scope) == ("node", "shard")]
    run(tmp_path, node_rules, "2m", "2m", series, 'alertname="NodeNetworkErrors"', "70m")


@pytest.mark.parametrize(
    ("head", "up", "fired"),
    [
        ("5x12", "1x12", ""),
        # One read of central fails.
        ("5x5 _ 5x6", "1x5 0 1x6", ""),
        ("5x5", "1x5 0x8", 'alertname="ShardDown";alertname="FederationStale"'),
        ("5x5", "1x13", 'alertname="ShardEmpty";alertname="FederationStale"'),
    ],
)
def test_a_shard_that_is_read_every_4_minutes_is_not_old(head: str, up: str, fired: str, tmp_path: Path) -> None:
    rules = [group for group in groups(15, 240) if (group.name, group.scope) == ("federation", "central")]
    series = {f"shard:head_series{{{SHARD}}}": head, f"up{{{SHARD}}}": up}
    run(tmp_path, rules, "15s", "4m", series, fired, "49m")


def test_a_node_is_down_after_two_reads_that_failed() -> None:
    held = {
        interval: next(
            rule.for_
            for group in groups(interval)
            for rule in group.rules
            if isinstance(rule, AlertRule) and rule.name == "NodeDown"
        )
        for interval in (1, 15, 60, 90, 120)
    }
    assert held == {1: "2m", 15: "2m", 60: "2m", 90: "3m", 120: "4m"}


SECONDS = st.integers(1, 120)


@given(SECONDS, SECONDS, st.integers(1, 240))
def test_spans_outlast_the_intervals(scrape: int, evaluation: int, federate: int) -> None:
    found = terms(scrape, evaluation, federate)
    seconds = {
        name: duration_seconds(found[name])
        for name in ("step", "settled", "gap", "rate", "down", "federation_down", "replica_down")
    }
    tick = max(scrape, evaluation)
    # An hour of codes is remembered beyond the time in which an absence is looked at.
    assert 3 * tick == seconds["step"] < seconds["settled"] < seconds["gap"] <= 3600 - seconds["step"]
    assert seconds["rate"] >= 4 * tick
    assert seconds["down"] >= 2 * scrape
    assert min(seconds["federation_down"], seconds["replica_down"]) >= 2 * federate
    # A sample may be a whole interval old when it is read, and is read once an interval; one read may fail.
    assert int(found["federation_stale"]) > 2 * federate + evaluation + 60


@given(SECONDS, SECONDS, st.integers(1, 240))
def test_no_term_is_left_in_a_rule(scrape: int, evaluation: int, federate: int) -> None:
    site = measured(FULL).ground
    ground = replace(site, scrape_interval_s=scrape, evaluation_interval_s=evaluation, federate_interval_s=federate)
    candidates = [*presets._aggregates(), *presets._alerts("gpu"), *presets._alerts("federation")]  # noqa: SLF001
    texts = [text for each in candidates for text in replace(each, terms=ground.terms()).alternatives]
    assert [text for text in texts if re.search(r"\$[a-z_]", text)] == []
