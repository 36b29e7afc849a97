from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from aamic.agent.health import nodepolicy
from aamic.agent.health.policy import Config
from aamic.catalog.artifacts.slurm.artifact import render
from aamic.clients.base import History, Sample, Track
from aamic.clients.prometheus import Prometheus
from aamic.compile.hostlist import fold
from aamic.errors import InputError, OutsideError
from aamic.model.backtest import Backtest
from aamic.model.fleet import GpuProbe
from aamic.model.slurm import ExitStatus, Job, SlurmNode
from aamic.model.tree import Bundle, Tree
from aamic.ops.backtest import Past, backtest, days
from aamic.ops.drainrules import Rules, rules
from aamic.ops.stored import Holder, Span
from aamic.views.backtest import markdown, text, to_json
from tests import fleets
from tests.ops.blocks import stored

START: Final = 1_761_955_200.0
"""2025-11-01, midnight in UTC."""
HOUR: Final = 3600
STEP: Final = 60
NODES: Final = ("n1", "n2", "n3", "n4", "n5")
SPAN: Final = Span(START, START + 36 * HOUR, STEP)
HORIZON: Final = 24 * HOUR
CONFIG: Final[dict[str, Any]] = {
    "inventory": {"count": 2},
    "signals": [{"name": "temperature_celsius", "required": True}, {"name": "last_error_code", "required": True}],
    "fatal_codes": [48, 79],
    "code_names": {"79": "XID 79"},
    "drain_on": ["fatal_error", "lost_gpu", "uncorrected_ecc", "row_remap_failure", "unhealthy"],
    "limits": {"temperature_celsius": {"warn": 85, "fail": 95, "clear": 80}},
    "hysteresis": {"breaches": 3, "clears": 5},
}


def some_rules(name: str = "", nodes: Sequence[str] = NODES, cap: int = 2, **changes: Any) -> Rules:
    hard = frozenset({"fatal_error", "lost_gpu"})
    drains = Config(cap, frozenset(nodes), hard, 150.0, 600.0, float(STEP))
    return Rules(name, "c1", dict.fromkeys(nodes, nodepolicy.policy({**CONFIG, **changes})), drains)


def at(hours: float) -> float:
    return START + hours * HOUR


Value = Callable[[str, int, float], float | None]
"""Node, GPU and hours since the start to a reading; None where there is none."""


def temperature(node: str, gpu: int, hour: float) -> float | None:
    if (node == "n4" and gpu == 1 and 26 <= hour < 29) or (node == "n5" and 12 <= hour < 18):
        return None
    return 97.0 if node == "n2" and 5 <= hour < 6 else 60.0


def last_error(node: str, gpu: int, hour: float) -> float | None:
    if temperature(node, gpu, hour) is None:
        return None
    if node == "n3":
        return 31.0 if hour >= 3 else 0.0
    return 79.0 if node == "n1" and gpu == 1 and hour >= 10 else 0.0


def series(name: str, value: Value) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    for node in NODES:
        for gpu in range(2):
            labels = f'cluster="c1",node="{node}",gpu="{gpu}",gpu_uuid="U-{node}-{gpu}"'
            looks = ((SPAN.start + 30 * step, value(node, gpu, step / 120)) for step in range(36 * 120))
            yield f"gpu:{name}{{{labels}}}", [(when, read) for when, read in looks if read is not None]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("needs Prometheus")
    samples = dict([*series("temperature_celsius", temperature), *series("last_error_code", last_error)])
    with stored(tmp_path_factory.mktemp("history"), samples) as server:
        yield server


def job(number: int, node: str, started: float, ended: float, state: str = "FAILED") -> Job:
    return Job(
        number, str(number), "j", "u", "a", "p", state, (), "", started, started, ended, (node,), None, 2,
        ExitStatus(1, 0), 0, "sacct",
    )  # fmt: skip


JOBS: Final = (
    job(1, "n1", at(9), at(10.3), "NODE_FAIL"),
    job(2, "n1", at(11), at(11.5)),
    job(3, "n2", at(4), at(5.5)),
    job(4, "n4", at(24.5), at(25.5)),
    job(5, "n1", at(9), at(10.2), "CANCELLED"),
    job(6, "elsewhere", at(9), at(10.2)),
    job(7, "n1", at(35), at(35.5)),
)


class Accounting:
    def __init__(self, jobs: Sequence[Job] = JOBS, fault: str = "") -> None:
        self._jobs = jobs
        self._fault = fault

    def history(self, since: float, until: float, nodes: Sequence[str] = ()) -> Sequence[Job]:
        assert nodes == ()
        if self._fault:
            raise OutsideError(self._fault)
        return [each for each in self._jobs if (each.ended or 0) >= since and (each.started or 0) < until]

    def job(self, name: str) -> Sequence[Job]:
        raise AssertionError(name)

    def jobs(self) -> Sequence[Job]:
        raise AssertionError

    def nodes(self) -> Sequence[SlurmNode]:
        raise AssertionError

    def drain(self, node: str, reason: str) -> None:
        raise AssertionError(node, reason)

    def resume(self, node: str) -> None:
        raise AssertionError(node)


def past(*servers: History, accounting: Accounting | None = None, nodes: Sequence[str] = NODES) -> Past:
    return Past([Holder("shard-1", tuple(nodes), servers, 90.0)], accounting or Accounting(), SPAN, HORIZON)


def run(every: Sequence[Rules], where: Past) -> Backtest:
    return backtest(every, where, lambda _: None)


def drains(found: Backtest, number: int = 0) -> list[tuple[Any, str, str]]:
    return [((each.at - START) / HOUR, each.node, each.reason) for each in found.outcomes[number].drains]


def test_what_would_have_been_drained_and_when(prometheus: Prometheus) -> None:
    found = run([some_rules()], past(prometheus))

    assert drains(found) == [
        (10.0, "n1", "aamic: fatal error on GPU 1"),
        (pytest.approx(26.025, abs=0.02), "n4", "aamic: lost gpu"),
    ]
    assert found.outcomes[0].trips == ()


def test_only_days_of_nodes_that_may_have_failed_are_looked_at(prometheus: Prometheus) -> None:
    found = run([some_rules()], past(prometheus))

    # Both of n1, the second of n4, and the first of n3, whose code changed; a gap alone is no reason.
    assert (found.nodes, found.node_days) == (5, 4)


def test_which_failed_jobs_the_drains_came_before(prometheus: Prometheus) -> None:
    found = run([some_rules()], past(prometheus))
    outcome = found.outcomes[0]

    assert found.failed is not None
    assert [each.shown for each in found.failed] == ["3", "1", "2", "4", "7"]
    assert [each.shown for each in outcome.foreseen] == ["1", "2"]
    assert [each.shown for each in outcome.avoided] == ["2"]
    assert [each.before for each in outcome.drains] == [("1", "2"), ()]


def test_gaps_are_named(prometheus: Prometheus) -> None:
    found = run([some_rules()], past(prometheus))

    assert [(hole.nodes, (hole.start - START) / HOUR) for hole in found.holes] == [(("n5",), 0)]
    assert 0.72 < found.holes[0].seen < 0.77


def test_two_policies_are_held_against_each_other(prometheus: Prometheus) -> None:
    hot = some_rules("abc1234", drain_on=["temperature"], limits={"temperature_celsius": {"fail": 95, "clear": 80}})
    found = run([some_rules(), hot], past(prometheus))

    assert drains(found, 1) == [(pytest.approx(5 + 3 / 60), "n2", "aamic: temperature on GPU 0, temperature on GPU 1")]
    assert [each.shown for each in found.outcomes[1].foreseen] == ["3"]
    shown = text(found, fold).splitlines()
    assert "+ drains n1 on 2025-11-01" in shown
    assert "- drains n2 on 2025-11-01" in shown


def test_a_cap_that_binds_is_told(prometheus: Prometheus) -> None:
    outcome = run([some_rules(cap=1)], past(prometheus)).outcomes[0]

    assert [each.node for each in outcome.drains] == ["n1"]
    assert [each.node for each in outcome.held] == ["n4"]
    assert [(trip.reason, (trip.until or 0) > trip.at) for trip in outcome.trips] == [
        ("1 nodes are drained and 1 more should be, but no more than 1 may be: n4", True)
    ]


def test_the_same_past_gives_the_same_words(prometheus: Prometheus) -> None:
    first, second = (run([some_rules()], past(prometheus)) for _ in range(2))

    assert first == second
    assert json.loads(json.dumps(to_json(first)))["outcomes"][0]["cap"] == 2
    assert text(first, fold) == text(second, fold)


def test_what_people_read(prometheus: Prometheus) -> None:
    shown = text(run([some_rules()], past(prometheus)), fold).splitlines()

    assert shown[:3] == [
        (
            "c1: 5 nodes from 2025-11-01T00:00:00Z to 2025-11-02T12:00:00Z, a look every 60 s; "
            "4 days of a node looked at closely"
        ),
        (
            "now: by the 97% of the time that is known: "
            "2 drains of 2 nodes (cap 2), 0 trips of the breaker; 1 came before a job failed there within 24 h; "
            "of 5 failed jobs 2 foreseen, 1 of them avoided, 3 not foreseen; of 1 with NODE_FAIL 1 foreseen"
        ),
        "  drains n1 2025-11-01T10:00:00Z: aamic: fatal error on GPU 1 (before 1, 2)",
    ]
    assert shown[4].startswith("not known: n5 from 2025-11-01T00:00:00Z to 2025-11-02T00:00:00Z: 75% is known, ")


def test_a_pull_request_gets_tables(prometheus: Prometheus) -> None:
    shown = markdown(run([some_rules(), some_rules("HEAD", cap=1)], past(prometheus)), fold)

    head = "|  | now | at HEAD |\n| --- | --- | --- |\n| part of the time that is known | 97% | 97% |\n"
    assert f"{head}| cap | 2 | 1 |\n| drains | 2 | 1 |" in shown
    assert "| 2025-11-01T10:00:00Z | `n1` | aamic: fatal error on GPU 1 | `1`, `2` |" in shown


class Silent:
    def query(self, expr: str) -> Sequence[Sample]:  # noqa: ARG002  # the signature of History
        raise OutsideError("`http://x` does not answer")

    def tracks(self, selector: str, start: float, end: float) -> Sequence[Track]:  # noqa: ARG002  # as above
        raise OutsideError("`http://x` does not answer")


def test_the_other_server_of_a_pair_answers(prometheus: Prometheus) -> None:
    assert run([some_rules()], past(Silent(), prometheus)) == run([some_rules()], past(prometheus))


def test_servers_and_accounting_that_do_not_answer_are_named() -> None:
    found = run([some_rules()], past(Silent(), accounting=Accounting(fault="sacct is not there")))

    assert found.outcomes[0].drains == ()
    assert [(hole.nodes, hole.why) for hole in found.holes] == [(NODES, "`http://x` does not answer")] * 2
    assert (found.failed, found.no_jobs) == (None, "sacct is not there")
    assert "jobs that failed are not known: sacct is not there" in text(found, fold)


@pytest.mark.parametrize(("seconds", "lengths"), [(86_400, [86_400]), (100_000, [86_400, 13_560]), (30, [])])
def test_a_span_falls_into_days_of_whole_steps(seconds: int, lengths: list[int]) -> None:
    assert [round(day.end - day.start) for day in days(Span(START, START + seconds, STEP))] == lengths


def a_tree(**changes: Any) -> Tree:
    fleet = fleets.sharded()
    nodes = tuple(name for name, node in fleet.nodes.items() if node.gpu)
    probe = GpuProbe("nvidia", 9400, "/metrics", frozenset(nodes[:3]))
    slurm = fleets.slurm(**{"controller": "mon-01", "nodes": nodes, "max_drained": 2, **changes})
    parts = list(render(replace(fleet, probes=(probe,), slurm=slurm)))
    bundles = (Bundle(part.bundle, part.hosts, part.files, {}, (), {}, {}, part.stage) for part in parts)
    return Tree(tuple(bundles), b"")


def test_rules_are_read_from_what_hosts_get() -> None:
    found = rules(a_tree(), "HEAD")

    assert (found.name, found.cluster, list(found.nodes)) == ("HEAD", "seoul-gpu-1", ["gpu-001", "gpu-002", "gpu-003"])
    assert (found.drains.cap, found.nodes["gpu-001"].gpus) == (2, 8)
    assert 79 in found.nodes["gpu-001"].fatal_codes


def test_a_site_that_decides_nothing_has_no_rules() -> None:
    with pytest.raises(InputError, match="this site has no drain controller"):
        rules(a_tree(auto_drain="off", pre_job_check=True))
