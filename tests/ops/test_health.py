"""Health from a real Prometheus: what is stored becomes the verdict that the node check would have come to."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from aamic.agent.health.judge import Verdict
from aamic.clients.base import History, Sample, Track
from aamic.errors import OutsideError, SilentError
from aamic.model.fleet import Fleet
from aamic.model.health import NodeHealth
from aamic.ops import health
from aamic.ops.health import Keeper, Looked, look
from aamic.ops.present import HOUR, hour, matcher
from aamic.ops.replay import Memory, judged
from aamic.ops.stored import Span
from tests.ops.blocks import Samples, stored
from tests.sites import checked

NOW: Final = 1_764_003_600.0
STEP: Final = 15
LOOKBACK: Final = 45.0
SITE: Final = """
version: 1
cluster: {name: test}
prometheus: {node: mon}
health:
  thresholds:
    - {vendor: nvidia, model: L40S, temperature_celsius: {warn: 95, fail: 99}}
racks:
  r1: {nodes: "any-[00-39]", addresses: "198.18.1.[1-40]", gpu: {vendor: nvidia, model: H100, count: 2}}
  r2:
    nodes: >-
      well,dead,silent,stale,lost,xid,after-xid,hot,checked,old-check,two-words.example,one-sided,odd-code,gone-94,line,ahead,old-ok
    addresses: "198.18.2.[1-17]"
    gpu: {vendor: nvidia, model: H100, count: 2}
  r3: {nodes: "cool,hot-l40s", addresses: "198.18.3.[1-2]", gpu: {vendor: nvidia, model: L40S, count: 2}}
  r4: {nodes: "afid,afid-new,mi", addresses: "198.18.4.[1-3]", gpu: {vendor: amd, model: MI300X, count: 2}}
  r5: {nodes: "bare-[1-3],plain-[1-3]", addresses: "198.18.5.[1-6]", gpu: {vendor: nvidia, model: A100, count: 2}}
nodes:
  mon: {address: 198.18.0.1}
exporters: {amd: {cper: true}}
"""
Values = Callable[[float], float | None]
"""From seconds before now, 0 or less, to a value; None where there is no sample."""


def series(name: str, node: str, value: Values, **labels: str) -> tuple[str, list[tuple[float, float]]]:
    written = ",".join(f'{key}="{each}"' for key, each in {"cluster": "test", "node": node, **labels}.items())
    looks = [-STEP * back for back in range((HOUR + 60) // STEP, -1, -1)]
    return f"{name}{{{written}}}", [(NOW + at, read) for at in looks if (read := value(at)) is not None]


def gpu(node: str, number: int, changes: Mapping[str, Values] | None = None) -> Samples:
    """The series of a GPU that is well, but for the changes."""
    well: dict[str, Values] = {
        "temperature_celsius": lambda _: 55.0,
        "ecc_corrected_total": lambda _: 3.0,
        "ecc_uncorrected_total": lambda _: 0.0,
        "last_error_code": lambda _: 0.0,
    }
    own = {"gpu": str(number), "gpu_uuid": f"GPU-{node}-{number}"}
    return dict(series(f"gpu:{name}", node, value, **own) for name, value in {**well, **(changes or {})}.items())


def told(node: str, *, up: Values = lambda _: 1.0, job: str = "dcgm") -> Samples:
    return dict([series("up", node, up, job=job), series("up", node, lambda _: 0.0, job="node")])


def until(end: float, values: Values = lambda _: 1.0) -> Values:
    return lambda at: values(at) if at <= end else None


def check(node: str, age: float, said: str = "fail") -> Samples:
    """What a node check wrote that says that GPU 1 fails, or another verdict."""
    verdict = [series("aamic_node_verdict", node, lambda _, s=s: float(s == said), verdict=s) for s in ("ok", "fail")]  # type: ignore[misc]
    return dict(
        [
            *verdict,
            series("aamic_node_check_timestamp_seconds", node, lambda _: NOW - age),
            series("aamic_node_failing_signal", node, lambda _: 1.0, signal="fatal_error", gpu="1"),
        ]
    )


def amd(node: str, **afid: str) -> Samples:
    """Two GPUs, the first of which shows a code if one is given; AMD's show none before the first."""
    found: dict[str, Sequence[tuple[float, float]]] = dict(told(node, job="amd"))  # type: ignore[arg-type]
    for number in range(2):
        found |= {key: each for key, each in gpu(node, number).items() if "last_error_code" not in key}  # type: ignore[misc]
    if afid:
        code = float(afid.pop("code"))
        labels = {"gpu": "0", "gpu_uuid": f"GPU-{node}-0", **afid}
        found |= dict([series("gpu:last_error_code", node, lambda _: code, **labels)])
    return found


def both(node: str, changes: Mapping[str, Values] | None = None) -> Samples:
    """A node whose GPU 1 has these changes."""
    return {**told(node), **gpu(node, 0), **gpu(node, 1, changes)}


def stories() -> Samples:
    """Everything that is stored."""
    return {
        **both("well"),
        **told("dead", up=lambda at: 1.0 if at < -300 else 0.0),
        **gpu("dead", 0, dict.fromkeys(_NAMES, until(-300))),
        **told("silent"),
        **told("stale"),
        **{k: v for n in range(2) for k, v in gpu("stale", n, dict.fromkeys(_NAMES, until(-60))).items()},
        **both("lost", dict.fromkeys(_NAMES, until(-600))),
        **both("xid", {"last_error_code": lambda at: 79.0 if at > -60 else 0.0}),
        **both("after-xid", {"last_error_code": _after_xid}),
        **both("hot", {"temperature_celsius": lambda _: 88.0}),
        **both("hot-l40s", {"temperature_celsius": lambda _: 96.0}),
        **both("cool", {"temperature_celsius": lambda _: 88.0}),
        **both("checked"),
        **check("checked", 20),
        **both("old-check"),
        **check("old-check", 600),
        **both("ahead"),
        **check("ahead", -600),
        **both("old-ok"),
        **check("old-ok", 600, "ok"),
        **both("two-words.example"),
        **amd("afid", code="20", error_severity="fatal", afid_index="0"),
        **amd("afid-new", code="77", error_severity="fatal", afid_index="0"),
        **amd("mi"),
        **both("one-sided", {"ecc_uncorrected_total": until(-HOUR - 60, lambda _: 1.0)}),
        **both("odd-code", {"last_error_code": lambda at: math.inf if at > -60 else 0.0}),
        **both("gone-94", {"last_error_code": lambda at: 45.0 if at > -1200 else 94.0}),
        **both("line", {"last_error_code": lambda _: 149.0}),
        **bare("bare-1", math.inf),
        **{key: each for number in (2, 3) for key, each in bare(f"bare-{number}", None).items()},
        **{key: each for number in (1, 2, 3) for key, each in both(f"plain-{number}").items()},
        **both("plain-3", {"ecc_corrected_total": lambda _: math.nan}),
        **anything(),
    }


def bare(node: str, errors: float | None) -> Samples:
    """A node of which no GPU reports uncorrected errors, or only such a value; it never did within the hour."""
    found: dict[str, Sequence[tuple[float, float]]] = dict(told(node))  # type: ignore[arg-type]
    for number in range(2):
        found |= gpu(node, number, {"ecc_uncorrected_total": lambda _: errors})  # type: ignore[arg-type]
    return found


_NAMES: Final = ("temperature_celsius", "ecc_corrected_total", "ecc_uncorrected_total", "last_error_code")


def _after_xid(at: float) -> float:
    return 45.0 if at > -1200 else 79.0 if at > -2400 else 0.0


def anything() -> Samples:
    """40 nodes on which anything may have happened within the hour, the same each time."""
    draw = random.Random(5)  # noqa: S311  # the same each time
    found: dict[str, Sequence[tuple[float, float]]] = {}
    for number in range(40):
        node = f"any-{number:02}"
        found |= told(node)  # type: ignore[arg-type]
        for each in range(2):
            found |= gpu(node, each, {name: walk(draw, name) for name in _NAMES if draw.random() < 0.5})  # type: ignore[arg-type]
    return found


def walk(draw: random.Random, name: str) -> Values:
    """A value that changes, or is missing, from time to time."""
    choices: dict[str, list[float | None]] = {
        "temperature_celsius": [50.0, 60.0, 83.0, 84.0, 86.0, 93.0, 93.0, None],
        "ecc_corrected_total": [0.0, 3.0, 60.0, 200.0, 1000.0],
        "ecc_uncorrected_total": [0.0, 0.0, 0.0, 2.0, None],
        "last_error_code": [0.0, 0.0, 31.0, 45.0, 79.0, None],
    }
    often = draw.choice([1, 4, 40])
    steps = [(draw.uniform(-HOUR, 0), draw.choice(choices[name])) for _ in range(often)]
    start: float | None = choices[name][0]

    def value(at: float) -> float | None:
        return max(((when, read) for when, read in steps if when <= at), default=(0, start), key=lambda s: s[0])[1]

    return value


@dataclass
class At:
    """A server whose clock stands still."""

    server: History
    now: float = NOW
    hidden: str = ""
    """A pattern of nodes that it does not know."""

    def query(self, expr: str) -> Sequence[Sample]:
        known = expr.replace("{__name__", f'{{node!~"{self.hidden}",__name__')
        return [Sample({}, self.now)] if expr == "vector(time())" else self.server.query(known)

    def tracks(self, selector: str, start: float, end: float) -> Sequence[Track]:
        return self.server.tracks(selector, start, end)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("needs Prometheus")
    with stored(tmp_path_factory.mktemp("health"), stories()) as found:
        yield At(found)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return checked(SITE).fleet


def gone(message: str = "`http://mon:9090` does not answer") -> History:
    raise OutsideError(message)


def looked(fleet: Fleet, *open_: Callable[[], History], nodes: Sequence[str] = (), detailed: bool = False) -> Looked:
    names = tuple(nodes) or tuple(name for name, node in fleet.nodes.items() if node.gpu)
    return look(fleet, Keeper("prometheus", names, open_, LOOKBACK), names, detailed=detailed)


@pytest.fixture(scope="module")
def found(fleet: Fleet, server: History) -> Mapping[str, NodeHealth]:
    return looked(fleet, lambda: server, detailed=True).nodes


@pytest.mark.parametrize(
    ("node", "verdict", "score", "reason"),
    [
        ("well", "ok", 100, "all 2 GPUs are well"),
        ("two-words.example", "ok", 100, "all 2 GPUs are well"),
        ("mi", "ok", 100, "all 2 GPUs are well"),
        ("dead", "unknown", None, "its exporter does not answer; there is no sample of the last 45 s"),
        ("silent", "unknown", None, "its exporter answers, but nothing of a GPU is recorded; there is no sample"),
        ("stale", "unknown", None, "its exporter answers, but nothing of a GPU is recorded; there is no sample"),
        ("lost", "fail", 0, "GPU 1 is gone: 1 of 2 GPUs are there"),
        ("xid", "fail", 0, "XID 79 (GPU has fallen off the bus) on GPU 1"),
        ("after-xid", "fail", 0, "XID 79 (GPU has fallen off the bus) on GPU 1"),
        ("hot", "warn", 50, "temperature 88 C on GPU 1"),
        ("hot-l40s", "warn", 50, "temperature 96 C on GPU 1"),
        ("cool", "ok", 82, "all 2 GPUs are well"),
        ("afid", "fail", 0, "AFID 20 ("),
        ("afid-new", "fail", 0, "AFID 77 (unknown) on GPU 0"),
        ("checked", "fail", 0, "its node check says fail: fatal_error on GPU 1"),
        ("old-check", "unknown", None, "its node check said fail 10 min ago, and nothing since"),
        ("ahead", "unknown", None, "its node check said fail at a time that is yet to come by its clock"),
        ("old-ok", "ok", 100, "all 2 GPUs are well"),
        ("gone-94", "warn", 50, "XID 94 (contained memory error) on GPU 1"),
        (
            "line",
            "warn",
            50,
            "XID 149 (NVLink NETIR error): only the kernel's line says whether it is fatal: `dmesg | ",
        ),
        ("one-sided", "unknown", None, "no data: ecc_uncorrected_total on GPU 1"),
        ("odd-code", "unknown", None, "no data: last_error_code on GPU 1"),
        ("plain-1", "ok", 100, "all 2 GPUs are well"),
        ("plain-3", "unknown", None, "no data: ecc_corrected_total on GPU 1"),
        ("bare-1", "ok", 100, "all 2 GPUs are well"),
    ],
)
def test_each_story_has_its_verdict(
    found: Mapping[str, NodeHealth], node: str, verdict: str, score: int | None, reason: str
) -> None:
    own = found[node]

    assert (own.verdict, own.score, own.reason[: len(reason)]) == (verdict, score, reason)


def test_each_component_is_told_with_its_value_and_bounds(found: Mapping[str, NodeHealth]) -> None:
    hot = {each.name: each for each in found["cool"].gpus[1].components}["temperature"]
    node = {each.name: each for each in found["cool"].components}

    assert (hot.level, hot.value, hot.warn, hot.fail, hot.message) == ("ok", 88.0, 95.0, None, "temperature 88 C")
    assert (node["exporter"].level, node["exporter"].message) == ("ok", "its exporter answers")
    assert "node_check" not in node
    assert {each.name: each.level for each in found["old-ok"].components}["node_check"] == "unmeasured"
    assert node["freshness"].message == "the newest sample is 0 s old, 45 at most"
    assert node["lost_gpu"].message == "2 of 2 GPUs are there"


def replayed(fleet: Fleet, server: History, node: str) -> Verdict:
    """The verdict of a judge that saw the whole hour."""
    ((kind, _),) = health.kinds(fleet, Keeper("p", (node,), (), LOOKBACK), [node])
    tracks = hour(server, matcher("test", [node]), {node: frozenset("01")}, NOW, LOOKBACK)[node]
    *_, (_, last) = judged(tracks, kind.policy, Memory(), Span(NOW - HOUR, NOW + 30, 30), LOOKBACK)
    return last


def test_a_look_says_what_a_judge_that_saw_the_hour_says(
    fleet: Fleet, server: History, found: Mapping[str, NodeHealth]
) -> None:
    names = [name for name in fleet.nodes if name.startswith("any-")]
    expected = {name: replayed(fleet, server, name) for name in names}

    assert {name: (own.state, own.score, own.states) for name, own in expected.items()} == {
        name: (found[name].verdict, found[name].score, {gpu.gpu: gpu.verdict for gpu in found[name].gpus})
        for name in names
    }
    assert {"ok", "warn", "unknown", "fail"} == {own.state for own in expected.values()}


def test_where_one_of_a_pair_is_silent_the_other_is_asked(fleet: Fleet, server: History) -> None:
    one = looked(fleet, gone, lambda: server, nodes=["well", "dead"])

    assert (one.nodes["well"].verdict, one.nodes["dead"].verdict, one.answered) == ("ok", "unknown", True)
    assert [(each.message, each.nodes, each.lost) for each in one.silences] == [
        ("`http://mon:9090` does not answer", ("well", "dead"), True)
    ]
    assert [each.lost for each in looked(fleet, gone, lambda: server, nodes=["well"]).silences] == [False]


def test_a_server_that_was_silent_once_is_not_asked_again(fleet: Fleet, server: History) -> None:
    tried: list[str] = []

    def hangs() -> History:
        tried.append("")
        raise SilentError("`http://mon:9090` does not answer: timed out")

    both_kinds = looked(fleet, hangs, lambda: server, nodes=["well", "mi", "cool"])
    assert ({own.verdict for own in both_kinds.nodes.values()}, len(tried)) == ({"ok"}, 1)
    assert [each.nodes for each in both_kinds.silences] == [("well", "mi", "cool")]

    alone = looked(fleet, hangs, nodes=["well", "mi", "cool"]).nodes
    assert ({own.reason for own in alone.values()}, len(tried)) == ({"`http://mon:9090` does not answer: timed out"}, 2)


def test_where_the_first_of_a_pair_knows_all_the_other_is_not_asked(fleet: Fleet, server: History) -> None:
    assert looked(fleet, lambda: server, gone, nodes=["well"]).silences == ()


def test_what_one_of_a_pair_does_not_know_the_other_may(fleet: Fleet, server: History) -> None:
    early = At(server, NOW - 7200)

    assert looked(fleet, lambda: early, lambda: server, nodes=["well"]).nodes["well"].verdict == "ok"
    assert looked(fleet, lambda: early, nodes=["well"]).nodes["well"].verdict == "unknown"


def test_nodes_of_a_silent_server_are_unknown_and_it_is_named(fleet: Fleet) -> None:
    one = looked(fleet, gone, nodes=["well", "afid"])

    assert not one.answered
    assert {(own.verdict, own.score, own.reason) for own in one.nodes.values()} == {
        ("unknown", None, "`http://mon:9090` does not answer")
    }


def test_a_node_whose_gpus_nothing_reads_is_unknown(server: History) -> None:
    fleet = checked(SITE.replace("exporters: {", "exporters: {dcgm: {enabled: false}, ")).fleet

    own = looked(fleet, lambda: server, nodes=["well", "mi"]).nodes
    assert (own["well"].verdict, own["well"].reason) == ("unknown", "no exporter of its GPUs runs in this site")
    assert own["mi"].verdict == "ok"


def test_what_most_gpus_of_a_model_report_is_missed_in_the_others(fleet: Fleet, server: History) -> None:
    without = At(server, hidden="bare-[23]")
    every = tuple(name for name, node in fleet.nodes.items() if node.gpu)
    one = look(fleet, Keeper("prometheus", every, (lambda: without,), LOOKBACK), ["bare-1"], detailed=False).nodes

    assert (one["bare-1"].verdict, one["bare-1"].score) == ("unknown", None)
    assert one["bare-1"].reason == "no data: ecc_uncorrected_total on GPU 0,1"


@pytest.mark.parametrize("time", [[], [Sample({}, math.nan)]])
def test_a_server_that_does_not_know_the_time_is_told(fleet: Fleet, time: list[Sample]) -> None:
    class Timeless:
        def query(self, expr: str) -> list[Sample]:
            return time if expr == "vector(time())" else []

        def tracks(self, selector: str, start: float, end: float) -> list[Track]:
            raise AssertionError((selector, start, end))

    one = looked(fleet, Timeless, nodes=["well"])
    assert [(each.message, each.lost) for each in one.silences] == [("`prometheus` does not say what time it is", True)]


def test_the_order_of_nodes_means_nothing(fleet: Fleet, server: History, found: Mapping[str, NodeHealth]) -> None:
    names = sorted(found, reverse=True)

    assert looked(fleet, lambda: server, nodes=names, detailed=True).nodes == dict(found)
