"""Rules of the scope `global`: what Query gives of what central has as well."""

from __future__ import annotations

import pytest

from tests.sites import problems

SITE = """
version: 1
cluster: {name: test}
racks:
  r1: {nodes: "gpu-[1-2]", addresses: "10.0.1.[1-2]", gpu: {vendor: nvidia, model: H100, count: 2}}
nodes:
  mon: {address: 10.0.0.1}
federation: {type: thanos, central_node: mon, shards: 2, shard_nodes: mon}
thanos: {version: "0.42.5", ruler: {}}
alerts:
  presets: [gpu]
  custom:
    - {name: Watts, scope: global, expr: 'EXPR > 0'}
"""


@pytest.mark.parametrize("expr", ["rate(gpu:energy_joules_total[1m])", "increase(gpu:energy_joules_total[110s])"])
def test_a_range_in_which_central_has_one_sample_is_worth_a_word(expr: str) -> None:
    (warning,) = problems(SITE.replace("EXPR", expr))

    assert warning.severity == "warning"
    assert "Thanos may give `gpu:energy_joules_total` as central has it, one each 60 s" in warning.message
    assert 'say `replica!="central"`' in (warning.hint or "")


@pytest.mark.parametrize(
    "expr",
    [
        'rate(gpu:energy_joules_total{replica!="central"}[1m])',
        "rate(gpu:energy_joules_total[4m])",
        "rate(node_vmstat_pswpout[1m])",
        "max_over_time(gpu:power_watts[1m])",
        'sum by (shard) (gpu:power_watts{replica!="central"})',
    ],
)
def test_what_shards_have_or_a_long_range_says_nothing(expr: str) -> None:
    assert problems(SITE.replace("EXPR", expr)) == ()


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ('gpu:power_watts{replica="a"}', "has no label `replica`"),
        ('gpu:power_watts{replica!="a"}', "has no label `replica`"),
        ('cluster:nodes_up{replica!="central"}', "`cluster:nodes_up` is emitted by nothing"),
    ],
)
def test_central_and_one_of_a_pair_cannot_be_told(expr: str, said: str) -> None:
    (error,) = problems(SITE.replace("EXPR", expr))

    assert (error.severity, said in error.message) == ("error", True)
