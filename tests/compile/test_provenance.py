from __future__ import annotations

from dataclasses import replace

import pytest

from aamic.compile.facts import Facts
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
        ('up{job="nodes"} == 0', 'no series of `up` satisfies `job="nodes"`', "did you mean `node`?"),
        ('up{job="x"} == 0', 'no series of `up` satisfies `job="x"`', "its `job` is `dcgm`, `node` or `own`"),
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
            "metric `node_load1` does not reach central",
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
    found = check(groups, AVAILABLE, MATCH, TARGETS)
    assert [(each.message, each.hint) for each in found] == [
        ('no series of `gpu:temperature_celsius` satisfies `vendor="amd"`', "its `vendor` is `nvidia`")
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
    assert check([RECORDS, alert('up{job="anything"} == 0')], AVAILABLE, MATCH, TARGETS) == []


@pytest.mark.parametrize("bomb", ["-" * 9_999 + "x", "(" * 9_999, "x" + "+x" * 4_999, '{a="' + "\\" * 9_990])
def test_a_bomb_is_a_finding(bomb: str) -> None:
    assert len(findings(bomb)) == 1


GPUS = frozenset({"gpu-1", "gpu-2", "gpu-3"})
EVERYONE = GPUS | {"mon"}
FACTS = Facts(
    hosts={"node": EVERYONE, "dcgm": GPUS, "own": frozenset({"mon"})},
    values={"cluster": frozenset({"c"}), "rack": frozenset({"r1"}), "node": EVERYONE},
    dense=frozenset({"dcgm"}),
    undeclared=frozenset({"own"}),
    external=frozenset({"region"}),
    shards=2,
    scrape=15,
    evaluate=15,
    federate=60,
)
PAIR = replace(FACTS, replicas=2)
RAW = ('{__name__=~"DCGM.*"}', '{__name__=~"node.*"}', '{job=~".+"}')


def known(
    expr: str, scope: Scope = "shard", facts: Facts = FACTS, match: tuple[str, ...] | None = MATCH
) -> list[tuple[str, str, str | None]]:
    """Severity, message and hint of what is found when the targets are known."""
    labels = TARGETS | {"region"}
    jobs: dict[Scope, frozenset[str]] = {
        "shard": JOBS["shard"] | {"prometheus"},
        "central": JOBS["central"] | {"prometheus"},
    }
    found = check([RECORDS, alert(expr, scope)], AVAILABLE, match, labels, jobs=jobs, facts=facts)
    return [(each.severity, each.message, each.hint) for each in found if each.rule == "Own"]


def test_federation_gives_what_its_selectors_pick() -> None:
    brought = {
        match: [
            name
            for name in ("gpu:temperature_celsius", "node:cpu_ratio", "node_load1", "DCGM_FI_DEV_GPU_TEMP", "loose")
            if known(f"{name} > 1", "central", match=match) == []
        ]
        for match in (
            RAW,
            ('{job="node"}',),
            ('{gpu!=""}',),
            ('{job="", node!=""}',),
            ('{vendor="amd"}',),
            ('{node="gpu-1"}',),
        )
    }
    assert list(brought.values()) == [
        ["node:cpu_ratio", "node_load1", "DCGM_FI_DEV_GPU_TEMP", "loose"],
        ["node_load1"],
        ["gpu:temperature_celsius", "DCGM_FI_DEV_GPU_TEMP", "loose"],
        ["gpu:temperature_celsius", "node:cpu_ratio"],
        ["loose"],
        ["gpu:temperature_celsius", "node:cpu_ratio", "node_load1", "DCGM_FI_DEV_GPU_TEMP"],
    ]


def test_what_is_federated_has_the_labels_of_target_and_shard() -> None:
    match = ('{job="node"}',)
    assert known('node_load1{node="gpu-1", shard="shard-1", region="kr"} > 1', "central", match=match) == []
    assert known('node_load1{node="gpu-4"} > 1', "central", match=match) == [
        ("error", 'no series of `node_load1` satisfies `node="gpu-4"`', "did you mean `gpu-3`?")
    ]
    assert known('up{job="node"} == 0', "central", match=match) == []
    assert [message for _, message, _ in known('up{job="dcgm"} == 0', "central", match=match)] == [
        'no series of `up{job="dcgm"}` reaches central'
    ]


def test_a_selector_that_picks_nothing() -> None:
    match = ('{job="nodes"}', "up")
    found = check([RECORDS], AVAILABLE, match, TARGETS, jobs=JOBS, facts=FACTS)
    assert [(each.rule, each.origin, each.severity) for each in found] == [
        ('{job="nodes"}', "federation.match", "warning")
    ]


@pytest.mark.parametrize(
    ("expr", "message", "hint"),
    [
        (
            "gpu:temperature_celsius * on (gpu) DCGM_FI_DEV_GPU_TEMP > 1",
            "several series on the left side of `*` match the same one: they differ in `node`",
            "compare `node` too, or aggregate that side first",
        ),
        (
            "node_load1 * on (node) gpu:temperature_celsius > 1",
            "several series on the right side of `*` match the same one: they differ in `gpu`",
            "write `group_right ()` after `on (...)` or `ignoring (...)`",
        ),
        (
            "node:cpu_ratio * on (node) group_left () gpu:temperature_celsius > 1",
            "several series on the right side of `*` match the same one: they differ in `gpu`",
            "compare `gpu` too, or aggregate that side first",
        ),
        (
            "up * on (node) node_load1 > 1",
            "several series on the left side of `*` match the same one: they differ in `job`",
            None,
        ),
        (
            "gpu:temperature_celsius / node:cpu_ratio > 1",
            "the sides of `/` never match: only one has the label `gpu`",
            None,
        ),
        (
            "node_filesystem_avail_bytes / node_load1 < 1",
            "the sides of `/` never match: only one has the label `device`",
            None,
        ),
        (
            'node_cpu_seconds_total{mode="user"} / node_cpu_seconds_total{mode="idle"} > 1',
            "the sides of `/` never match: `user` and `idle` differ in `mode`",
            "leave `mode` out of what is compared",
        ),
        (
            "rate(node_cpu_seconds_total[10s]) > 1",
            "`rate()` needs two samples, and 10 s of `node_cpu_seconds_total` never hold two: one comes every 15 s",
            "take a range of 60s or more, so that a lost sample makes no gap",
        ),
        ('node_load1{rack="r2"} > 1', 'no series of `node_load1` satisfies `rack="r2"`', "did you mean `r1`?"),
        ('node_load1{job="dcgm"} > 1', 'no series of `node_load1` satisfies `job="dcgm"`', "its `job` is `node`"),
        (
            'gpu:temperature_celsius{node="mon"} > 1',
            'no series of `gpu:temperature_celsius` satisfies `node="mon"`',
            None,
        ),
        ('ALERTS{alertname="Nope"}', 'no series of `ALERTS` satisfies `alertname="Nope"`', "its `alertname` is `Own`"),
        (
            'node_load1{region="kr"} > 1',
            "`node_load1` has no label `region`",
            "`region` is put on what a shard sends, to Alertmanager and to central; its own series do not have it",
        ),
        ('prometheus_tsdb_head_series{rack="r1"}', "`prometheus_tsdb_head_series` has no label `rack`", None),
    ],
)
def test_what_would_be_empty_or_an_error_as_it_runs(expr: str, message: str, hint: str | None) -> None:
    scope: Scope = "central" if expr.startswith("prometheus") else "shard"
    ((severity, told, advice),) = known(expr, scope)
    assert (severity, told) == ("error", message)
    assert hint is None or advice == hint


@pytest.mark.parametrize(
    "expr",
    [
        "gpu:temperature_celsius * on (gpu_uuid) gpu:temperature_celsius > 1",
        "gpu:temperature_celsius * on (node, gpu) DCGM_FI_DEV_GPU_TEMP > 1",
        "gpu:temperature_celsius * on (node) group_left () node_load1 > 1",
        "node_load1 * on (node) group_right () gpu:temperature_celsius > 1",
        'node_load1 * on (node) gpu:temperature_celsius{gpu="0"} > 1',
        'gpu:temperature_celsius{node="gpu-1"} * on (gpu) DCGM_FI_DEV_GPU_TEMP{node="gpu-1"} > 1',
        "node_load1 * on (node) max by (node) (gpu:temperature_celsius) > 1",
        "gpu:temperature_celsius and on (node) node_load1 > 1",
        "gpu:temperature_celsius unless on (node) node_load1 > 1",
        "(gpu:temperature_celsius == 90) * on (node) node_load1 > 1",
        'up{job="dcgm"} * on (node) node_load1 > 1',
        "node_filesystem_avail_bytes / on (node) group_left () node_load1 < 1",
        'node_cpu_seconds_total{mode="user"} / ignoring (mode) node_cpu_seconds_total{mode="idle"} > 1',
        "sum without (mode) (node_cpu_seconds_total) / ignoring (cpu) group_left () node_load1 > 1",
        "rate(node_cpu_seconds_total[30s]) > 1",
        "http_seconds_sum / loose > 1",
        'node_load1{rack=""} > 1',
        'node_load1{node=~"gpu-.*"} > 1',
        'node_load1{node!="gone"} > 1',
        'ALERTS{alertname="Own", gpu="0"}',
        "process_open_fds > 1",
        "sum(prometheus_tsdb_head_series) > 1",
        "sum(up{job='own'}) > 1",
        "avg by (node) (gpu:temperature_celsius) > 1",
        "count_values by (node) ('x', gpu:temperature_celsius) > 1",
        "topk(1, gpu:temperature_celsius) > 1",
        "holt_winters(node_load1[10m], 0.5, 0.5) > 1",
    ],
)
def test_nothing_is_said_of_what_may_well_work(expr: str) -> None:
    if "process" in expr:
        assert [message for _, message, _ in known(expr)] == [
            "metric `process_open_fds` is emitted by nothing in this site"
        ]
    elif "prometheus" in expr:
        assert known(expr, "central") == []
    else:
        assert known(expr) == []


@pytest.mark.parametrize(
    ("expr", "scope", "facts", "message"),
    [
        (
            "rate(node_cpu_seconds_total[15s]) > 1",
            "shard",
            FACTS,
            (
                "`rate()` needs two samples, and 15 s of `node_cpu_seconds_total` hold two by chance alone: "
                "one comes every 15 s"
            ),
        ),
        (
            'absent(up{job="own"})',
            "shard",
            FACTS,
            "`absent()` at `scope: shard`: each shard sees only its own nodes, and misses all others",
        ),
        (
            "sum by (cluster) (gpu:temperature_celsius) > 1",
            "shard",
            FACTS,
            "`sum` over all nodes at `scope: shard`: each shard sees only its own nodes",
        ),
        (
            "avg by (rack) (node_load1) > 1",
            "shard",
            FACTS,
            "`avg` over all nodes at `scope: shard`: each shard sees only its own nodes",
        ),
        (
            "count(gpu:temperature_celsius) < 1",
            "central",
            PAIR,
            "`count` counts both servers of a pair: they give central the same series",
        ),
        (
            'sum(up{job="node"} == 0) < 1',
            "central",
            PAIR,
            "`sum` counts both servers of a pair: they give central the same series",
        ),
        (
            "scrape_duration_seconds > 10",
            "central",
            FACTS,
            "central has `scrape_duration_seconds` of its own targets alone: `federate`, `prometheus`",
        ),
    ],
)
def test_what_means_something_else_than_it_says_is_a_warning(
    expr: str, scope: Scope, facts: Facts, message: str
) -> None:
    assert [(severity, told) for severity, told, _ in known(expr, scope, facts)] == [("warning", message)]


@pytest.mark.parametrize(
    ("expr", "scope", "facts"),
    [
        ("avg by (rack) (node_load1) > 1", "shard", replace(FACTS, whole_racks=True)),
        ("sum(gpu:temperature_celsius) > 1", "shard", replace(FACTS, shards=1)),
        ('absent(up{job="own"})', "shard", replace(FACTS, shards=1)),
        ('absent(up{job="own"})', "central", PAIR),
        ("sum(gpu:temperature_celsius) > 1", "central", FACTS),
        ("sum(max without (replica) (gpu:temperature_celsius)) > 1", "central", PAIR),
        ("sum by (shard, replica) (gpu:temperature_celsius) > 1", "central", PAIR),
        ('sum(gpu:temperature_celsius{replica="a"}) > 1', "central", PAIR),
        ("max(gpu:temperature_celsius) > 1", "central", PAIR),
        ('sum(up{job="federate"}) > 1', "central", PAIR),
        ('scrape_duration_seconds{job="federate"} > 10', "central", FACTS),
    ],
)
def test_no_warning_where_all_series_are_seen_once(expr: str, scope: Scope, facts: Facts) -> None:
    assert known(expr, scope, facts) == []


def test_a_pair_gives_central_two_series_to_match() -> None:
    assert [
        message
        for _, message, _ in known("gpu:temperature_celsius * on (node, gpu) gpu:temperature_celsius", "central", PAIR)
    ] == ["several series on the left side of `*` match the same one: they differ in `replica`"]


def test_alerts_of_the_shards_do_not_reach_central() -> None:
    groups = [
        RECORDS,
        alert("node_load1 > 1"),
        RuleGroup("x", "central", (AlertRule("C", 'ALERTS{alertname="Own"}', "info", "", "", ""),)),
    ]
    assert [(each.rule, each.message) for each in check(groups, AVAILABLE, MATCH, TARGETS, jobs=JOBS)] == [
        ("C", 'no series of `ALERTS{alertname="Own"}` reaches central')
    ]
    assert check(groups, AVAILABLE, ("ALERTS",), TARGETS, jobs=JOBS) == []
