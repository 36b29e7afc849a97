from __future__ import annotations

import pytest

from aamic.compile.provenance import Finding, check
from aamic.model.fleet import AlertRule, Metric, RecordingRule, RuleGroup, Scope

TARGETS = frozenset({"cluster", "node", "rack", "job", "instance", "shard", "replica"})
MATCH = ('{__name__=~"(cluster|node|gpu|shard):.*"}', "up")


def metric(name: str, kind: str, job: str, *labels: str) -> Metric:
    return Metric(name, kind, frozenset(labels), job)  # type: ignore[arg-type]  # one of the kinds


SHARD = [
    metric("node_load1", "gauge", "node"),
    metric("node_cpu_seconds_total", "counter", "node", "cpu", "mode"),
    metric("node_filesystem_avail_bytes", "gauge", "node", "device", "mountpoint"),
    metric("DCGM_FI_DEV_GPU_TEMP", "gauge", "dcgm", "gpu", "UUID"),
    metric("DCGM_FI_DEV_XID_ERRORS", "gauge", "dcgm", "gpu", "UUID"),
    metric("amd_gpu_ecc_correct_total", "gauge", "amd", "gpu_id"),
    metric("http_seconds_bucket", "histogram", "own", "le", "code"),
    metric("http_seconds_sum", "histogram", "own", "code"),
    Metric("loose", "untyped", None, "own"),
]
CENTRAL = [metric("prometheus_tsdb_head_series", "gauge", "prometheus")]
AVAILABLE: dict[Scope, dict[str, Metric]] = {
    "shard": {each.name: each for each in SHARD},
    "central": {each.name: each for each in CENTRAL},
}
JOBS: dict[Scope, frozenset[str]] = {
    "shard": frozenset({"node", "dcgm", "own"}),
    "central": frozenset({"node", "dcgm", "own", "federate"}),
}
RECORDS = RuleGroup(
    "records",
    "shard",
    (
        RecordingRule(
            "gpu:temperature_celsius",
            "max by (cluster, node, gpu, gpu_uuid) "
            '(label_replace(DCGM_FI_DEV_GPU_TEMP, "gpu_uuid", "$1", "UUID", "(.+)"))',
            {"vendor": "nvidia"},
        ),
        RecordingRule("node:cpu_ratio", 'avg by (cluster, node) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))'),
        RecordingRule("node:errors_total", "sum by (node) (node_cpu_seconds_total)"),
    ),
)


def alert(expr: str, scope: Scope = "shard", text: str = "") -> RuleGroup:
    return RuleGroup("custom", scope, (AlertRule("Own", expr, "info", text, "", "", origin="alerts.custom"),))


def findings(expr: str, scope: Scope = "shard", text: str = "") -> list[Finding]:
    return check([RECORDS, alert(expr, scope, text)], AVAILABLE, MATCH, TARGETS, jobs=JOBS, elsewhere=elsewhere)


def elsewhere(name: str) -> str | None:
    return "collector `systemd`" if name == "node_systemd_unit_state" else None


@pytest.mark.parametrize(
    "expr",
    [
        "node_load1 > 4",
        "rate(node_cpu_seconds_total[5m])",
        '{__name__="node_load1"}',
        '{__name__=~"node_.*", node="n"} > 0',
        "increase(amd_gpu_ecc_correct_total[1h]) > 0",
        "increase(node:errors_total[1h]) > 0",
        'absent(up{job="node"})',
        "histogram_quantile(0.9, sum by (le) (rate(http_seconds_bucket[5m])))",
        "gpu:temperature_celsius * on (cluster, node) group_left () node:cpu_ratio",
        "gpu:temperature_celsius and on (node) node_load1 > 2",
        'gpu:temperature_celsius{vendor="nvidia"} > 80',
        "node_load1 / on (cluster, node) count by (cluster, node) (node_cpu_seconds_total)",
        "node_load1 or DCGM_FI_DEV_GPU_TEMP",
        'rate(loose{anything="x"}[5m])',
        "loose - on (whatever) loose",
        "sum(node_load1) / scalar(count(node_load1))",
        "ALERTS{alertstate='firing'}",
        "time() - timestamp(node_load1) > 60",
        'count_values("load", node_load1) > 3',
        "max_over_time(node:cpu_ratio[1h:5m]) > 1",
        'label_join(node_load1, "where", "/", "rack", "node") > 1',
    ],
)
def test_what_can_work_passes(expr: str) -> None:
    assert findings(expr) == []


@pytest.mark.parametrize(
    ("expr", "message", "hint"),
    [
        ("node_load2 > 1", "metric `node_load2` is emitted by nothing in this site", "did you mean `node_load1`?"),
        (
            'node_systemd_unit_state{state="failed"} == 1',
            "metric `node_systemd_unit_state` is emitted by nothing in this site",
            "collector `systemd`",
        ),
        (
            '{__name__="gpu:temperatur_celsius"}',
            "metric `gpu:temperatur_celsius` is emitted by nothing in this site",
            "did you mean `gpu:temperature_celsius`?",
        ),
        ('{__name__=~"rocm.*"}', 'no metric of this site satisfies `__name__=~"rocm.*"`', None),
        ('up{job="nodes"} == 0', 'no job satisfies `job="nodes"`', "the site has `dcgm`, `node`, `own`"),
        ('node_load1{hostname="a"}', "`node_load1` has no label `hostname`", None),
        ('DCGM_FI_DEV_GPU_TEMP{uuid="a"}', "`DCGM_FI_DEV_GPU_TEMP` has no label `uuid`", "did you mean `UUID`?"),
        ('gpu:temperature_celsius{UUID="a"} > 1', "`gpu:temperature_celsius` has no label `UUID`", None),
        (
            "sum by (nodes) (node_load1)",
            "`sum by (nodes)`: what is aggregated has no label `nodes`",
            "did you mean `node`?",
        ),
        (
            "DCGM_FI_DEV_GPU_TEMP * on (instance) group_left () node_load1",
            "the sides of `*` never match: `dcgm` and `node` differ in `instance`",
            "join them with `on (cluster, node)`",
        ),
        (
            "DCGM_FI_DEV_GPU_TEMP > node_load1",
            "the sides of `>` never match: `dcgm` and `node` differ in `instance`",
            "join them with `on (cluster, node)`",
        ),
        (
            'up{job="dcgm"} == 0 and on (instance) up{job="node"} == 1',
            "the sides of `and` never match: `dcgm` and `node` differ in `instance`",
            "join them with `on (cluster, node)`",
        ),
        (
            "node_load1 / node:cpu_ratio",
            "the sides of `/` never match: only one has the label `job`",
            "aggregate both sides by the same labels, or join them with `on (...)`",
        ),
        (
            "node_load1 and on (gpu) gpu:temperature_celsius",
            "`on (gpu)`: the left side of `and` has no label `gpu`",
            None,
        ),
        (
            "node_load1 * on (node) group_left (gpus) node:cpu_ratio",
            "`group_left (gpus)`: the right side of `*` has no label `gpus`",
            "it has `cluster`, `node`",
        ),
        (
            "node_load1 - ignoring (mode) node_load1",
            "`ignoring (mode)`: neither side of `-` has a label `mode`",
            "did you mean `node`?",
        ),
        (
            "increase(DCGM_FI_DEV_XID_ERRORS[5m]) > 0",
            "`increase()` of `DCGM_FI_DEV_XID_ERRORS`, which is a gauge",
            "a gauge goes up and down: use `delta()`, `deriv()` or `changes()`",
        ),
        (
            "rate(gpu:temperature_celsius[5m]) > 0",
            "`rate()` of `gpu:temperature_celsius`, which is a gauge",
            "a gauge goes up and down: use `delta()`, `deriv()` or `changes()`",
        ),
        (
            "histogram_quantile(0.9, http_seconds_sum)",
            "`histogram_quantile()`: its argument has no label `le`",
            None,
        ),
        ("sum(", "the expression is not PromQL: unclosed left parenthesis at line 1, column 4", None),
        (
            "node_load1[5m]",
            "the expression gives a range or a text, not one value for each series",
            "see `last_over_time()`",
        ),
    ],
)
def test_what_cannot_work_is_told(expr: str, message: str, hint: str | None) -> None:
    found = findings(expr)
    assert [(each.rule, each.origin, each.message) for each in found] == [("Own", "alerts.custom", message)]
    if hint is not None:
        assert found[0].hint == hint


def test_all_faults_of_a_rule_are_told_at_once() -> None:
    assert len(findings("nosuch + rate(node_load1[5m]) + sum by (x) (node_load1)")) == 3


def test_a_text_that_shows_a_label_the_alert_cannot_have() -> None:
    text = "{{ $labels.node }} {{ $labels.gpu }} {{ .Labels.severity }} {{ $labels.alertname }}"
    assert [each.message for each in findings("node_load1 > 1", text=text)] == [
        "its text shows the label `gpu`, which the alert cannot have"
    ]
    assert findings("loose > 1", text=text) == []


def test_central_reads_what_it_federates_and_no_more() -> None:
    assert findings('gpu:temperature_celsius{shard="shard-1"} > 80', "central") == []
    assert [(each.message, each.hint) for each in findings("node_load1 > 1", "central")] == [
        (
            "metric `node_load1` is emitted by nothing in this site",
            "the shards have it: set `scope: shard`, or let central read it with `federation.match`",
        )
    ]


def test_a_shard_does_not_see_its_own_external_labels() -> None:
    assert [each.message for each in findings('up{shard="shard-1"} == 0')] == ["`up` has no label `shard`"]


def test_a_federated_record_has_the_job_of_the_federation() -> None:
    messages = [each.message for each in findings('up{job="node"} * on (job) group_left () node:cpu_ratio', "central")]
    assert messages == ["the sides of `*` never match: `node` and `federate` differ in `job`"]


def test_one_server_sees_both_scopes() -> None:
    groups = [RECORDS, alert("node_load1 > 1", "central"), alert("prometheus_tsdb_head_series > 1")]
    assert check(groups, AVAILABLE, None, TARGETS, jobs=JOBS) == []


def test_a_vendor_that_the_site_does_not_have() -> None:
    groups = [RECORDS, alert('gpu:temperature_celsius{vendor="amd"} > 1')]
    found = check(groups, AVAILABLE, MATCH, TARGETS, vendors=frozenset({"nvidia"}))
    assert [(each.message, each.hint) for each in found] == [
        ('no vendor satisfies `vendor="amd"`', "the site has `nvidia`")
    ]


def test_a_text_that_is_no_template() -> None:
    assert [each.message for each in findings("node_load1 > 1", text="{{ $value ")] == [
        "its text has a `{{` that is not closed by `}}`"
    ]


def test_a_record_that_depends_on_itself() -> None:
    loop = RuleGroup(
        "loop", "shard", (RecordingRule("node:a", "node:b + 1"), RecordingRule("node:b", "max by (node) (node:a)"))
    )
    assert {each.message for each in check([loop], AVAILABLE, MATCH, TARGETS)} == {"it depends on itself"}


def test_without_a_list_of_jobs_any_job_passes() -> None:
    assert check([alert('up{job="anything"} == 0')], AVAILABLE, MATCH, TARGETS) == []


@pytest.mark.parametrize("bomb", ["-" * 9_999 + "x", "(" * 9_999, "x" + "+x" * 4_999, '{a="' + "\\" * 9_990])
def test_a_bomb_is_a_finding(bomb: str) -> None:
    assert len(findings(bomb)) == 1
