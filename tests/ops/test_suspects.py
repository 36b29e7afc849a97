"""A node's suspects and its affected jobs, from a history in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aamic.clients.base import History, Sample, Track
from aamic.compile.compiler import check_site
from aamic.errors import OutsideError
from aamic.model.analysis import NodeAnalysis
from aamic.model.fleet import Fleet
from aamic.model.slurm import Job
from aamic.ops import evidence
from aamic.ops.evidence import Ask, url_of
from aamic.ops.jobs import analyze, conclude, examine, read
from aamic.ops.suspects import affected, look_at, repeated
from tests.ops.history import START, Story, after, constant
from tests.ops.test_jobs import NOW, job

SITE = """
version: 1
cluster: {name: test}
nodes:
  "gpu-[01-02]": {addresses: "198.18.0.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
  "mon-[01-03]": {addresses: "198.18.2.[1-3]"}
federation: {enabled: true, central_node: mon-01, by: auto, shards: 1, shard_nodes: "mon-[02-03]", replicas: 2}
"""


@dataclass(frozen=True)
class Stored:
    """A history in memory, which knows the names that selectors of this project ask for."""

    series: Sequence[Track]

    def query(self, expr: str) -> Sequence[Sample]:
        """Every record that is asked for: which of them tell anything is seen in their samples as well."""
        names = {track.labels["__name__"] for track in self.series}
        return [Sample({"record": name}, 1.0) for name in sorted(names) if f'"{name}"' in expr]

    def tracks(self, selector: str, start: float, end: float) -> Sequence[Track]:
        node = selector.partition('node="')[2].partition('"')[0]
        first = selector.partition("{")[0]
        found = []
        for track in self.series:
            name = track.labels["__name__"]
            if track.labels["node"] == node and (name == first or (not first and name.startswith("gpu:"))):
                samples = [(at, value) for at, value in track.samples if start <= at <= end]
                found += [Track(track.labels, samples)] if samples else []
        return found


def stored(story: Story) -> Stored:
    return Stored(tuple(story.tracks()))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    path: Path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE)
    return check_site(path).fleet


def faulty() -> Story:
    """GPU 2 fails the programs of three jobs; GPU 4 has lost data; GPU 5 shows an old code."""
    told = Story()
    told.nvidia("gpu-01", codes={2: lambda at: 0 if at < 700 else 13 + (at - 700) // 1000 % 2 * 18, 5: constant(48)})
    told.add("gpu:ecc_uncorrected_total", after(1000, 2), node="gpu-01", gpu="4", vendor="nvidia")
    return told


def runs() -> list[Job]:
    spans = [(600, 1500), (1500, 2500), (2500, 3500), (3500, 4500)]
    return [
        job("gpu-01", id=number, shown=str(number), started=START + begin, ended=START + end, gpus={"gpu-01": (2, 4)})
        for number, (begin, end) in enumerate(spans, 1)
    ]


def opened(history: History) -> Callable[[str], History]:
    return lambda _: history


def looked_at(fleet: Fleet, history: History, jobs: Sequence[Job]) -> NodeAnalysis:
    ask = Ask(fleet, START + 6000.0, opened(history))
    stored = evidence.read(ask, "gpu-01", (START + 300.0, ask.now), {})
    return look_at(stored, START + 300.0, jobs, ask, None)


def test_suspects_are_gpus_that_lost_data_or_on_which_faults_repeat(fleet: Fleet) -> None:
    found = looked_at(fleet, stored(faulty()), runs())

    assert [(each.gpu, each.worst, each.jobs) for each in found.suspects] == [
        ("4", "hard", ("1",)),
        ("2", "application", ("1", "2", "3", "4")),
    ]
    assert [each.what for each in found.older] == ["XID 48 (double bit ECC error)"]
    assert found.gaps == ()


def test_a_fault_that_repeats_over_jobs_makes_the_gpu_possible(fleet: Fleet) -> None:
    history = stored(faulty())
    jobs = runs()[1:]
    ask = Ask(fleet, NOW, opened(history))
    met = repeated(affected(read(ask, "gpu-01", jobs), jobs, ask))
    first = examine(jobs, ask)[0]
    alone, together = (conclude(first, known).correlation for known in ({}, met))

    assert met == {("gpu-01", "2"): 3}
    assert (alone, together) == ("none", "possible")


def test_one_fault_seen_by_jobs_that_shared_the_node_is_one(fleet: Fleet) -> None:
    told = Story()
    told.nvidia("gpu-01", codes={0: after(1000, 13)})
    jobs = [replace(each, started=START + 600.0, gpus=None) for each in runs()]
    ask = Ask(fleet, NOW, opened(stored(told)))

    assert repeated(affected(read(ask, "gpu-01", jobs), jobs, ask)) == {("gpu-01", "0"): 1}


def test_a_job_of_many_nodes_is_explained_by_the_node_that_is_asked_about(fleet: Fleet) -> None:
    told = faulty()
    told.nvidia("gpu-02", codes={0: after(1000, 79)})
    wide = job("gpu-01", "gpu-02", gpus={"gpu-01": (0,), "gpu-02": (0,)})
    ask = Ask(fleet, NOW, opened(stored(told)))
    (here,) = affected(read(ask, "gpu-01", [wide]), [wide], ask)
    (there,) = affected(read(ask, "gpu-02", [wide]), [wide], ask)

    assert (here.correlation, there.correlation) == ("none", "likely")


def test_each_run_of_a_requeued_job_has_its_own_window(fleet: Fleet) -> None:
    told = Story()
    told.nvidia("gpu-01", codes={0: after(1400, 79)})
    first = job("gpu-01", started=START + 600.0, ended=START + 1500.0, state="NODE_FAIL")
    second = replace(first, started=START + 2000.0, ended=START + 3000.0, state="COMPLETED", restarts=1)
    found = analyze([first, second], Ask(fleet, NOW, opened(stored(told))))

    assert [each.correlation for each in found] == ["confirmed", "none"]
    assert [each.what for each in found[1].older] == ["XID 79 (GPU has fallen off the bus)"]


def test_of_a_pair_the_other_server_is_asked_when_one_is_down(fleet: Fleet) -> None:
    history = stored(faulty())
    first, second = (url_of(fleet, server) for server in fleet.servers if "gpu-01" in server.nodes)

    def open_(url: str) -> History:
        if url == first:
            raise OutsideError(f"`{url}` does not answer: refused")
        return history

    found = evidence.read(Ask(fleet, NOW, open_), "gpu-01", (START + 600.0, START + 4200.0), {})

    assert (found.url, found.faults) == (second, ())
    assert found.notes == (f"Prometheus cannot be asked: `{first}` does not answer: refused (its replica was asked)",)


def test_of_a_pair_the_server_that_saw_more_is_taken(fleet: Fleet) -> None:
    whole = stored(faulty())
    half = Stored(
        [Track(track.labels, [each for each in track.samples if each[0] > START + 2000]) for track in whole.series]
    )
    first, second = (url_of(fleet, server) for server in fleet.servers if "gpu-01" in server.nodes)
    found = evidence.read(
        Ask(fleet, NOW, lambda url: half if url == first else whole), "gpu-01", (START + 600.0, START + 4200.0), {}
    )

    assert (found.url, found.notes) == (second, ())


def test_codes_that_hide_each_other_are_found_in_the_exporters_window(fleet: Fleet) -> None:
    told = Story()
    told.nvidia("gpu-01", codes={0: after(1000, 45)})
    told.add("gpu:error_window_count", lambda at: 1 if 1000 <= at < 1300 else None, node="gpu-01", gpu="0", code="48")
    told.add("gpu:error_window_count", lambda at: 1 if 1000 <= at < 1300 else None, node="gpu-01", gpu="0", code="45")
    told.add("gpu:error_window_count", lambda at: 1 if 1000 <= at < 1300 else None, node="gpu-01", gpu="0", code="odd")
    ask = Ask(fleet, NOW, opened(stored(told)))
    (found,) = analyze([job("gpu-01")], ask)

    assert sorted(each.code for each in found.events) == [45, 48]
    assert found.correlation == "likely"


@pytest.mark.parametrize(
    ("name", "values", "kind", "bearing"),
    [
        ("gpu:row_remap_failure", after(1000, 1), "remap_failure", "fatal"),
        ("gpu:row_remap_pending", after(1000, 1), "remap_pending", "sign"),
        ("gpu:unhealthy", after(1000, 1), "unhealthy", "hard"),
        ("gpu:memory_temperature_celsius", after(1000, 96, 60), "temperature", "sign"),
        ("gpu:temperature_celsius", after(1000, 92, 60), "temperature", "sign"),
        ("gpu:ecc_deferred_total", after(1000, 1), "ecc_deferred", "sign"),
        ("gpu:ecc_corrected_total", after(1000, 5), "ecc_corrected", "note"),
        ("gpu:ecc_corrected_total", after(1000, 500), "ecc_corrected", "sign"),
        ("gpu:ecc_uncorrected_total", after(1000, 2, 9), "ecc_uncorrected", "hard"),
    ],
)
def test_each_kind_of_signal(fleet: Fleet, name: str, values: Callable[[int], float], kind: str, bearing: str) -> None:
    told = Story()
    told.nvidia("gpu-01")
    told.add(name, values, node="gpu-01", gpu="1", vendor="nvidia")
    ask = Ask(fleet, NOW, opened(stored(told)))
    (found,) = analyze([job("gpu-01")], ask)

    assert [(each.kind, each.bearing) for each in found.events] == [(kind, bearing)]


@pytest.mark.parametrize(
    ("labels", "bearing"),
    [
        ({"kind": "replay"}, "note"),
        ({"kind": "recovery"}, "sign"),
        ({"kind": "uncorrected"}, "hard"),
    ],
)
def test_errors_of_links(fleet: Fleet, labels: dict[str, str], bearing: str) -> None:
    told = Story()
    told.nvidia("gpu-01")
    told.add("gpu:fabric_errors_total", after(1000, 3), node="gpu-01", gpu="1", vendor="nvidia", **labels)
    ask = Ask(fleet, NOW, opened(stored(told)))

    assert [each.bearing for each in analyze([job("gpu-01")], ask)[0].events] == [bearing]


@pytest.mark.parametrize(("reason", "bearing"), [("thermal", "sign"), ("power", "note")])
def test_throttling_by_heat_is_a_sign_and_by_power_is_usual(fleet: Fleet, reason: str, bearing: str) -> None:
    told = Story()
    told.nvidia("gpu-01")
    told.add("gpu:throttle_ratio", after(1000, 0.4), node="gpu-01", gpu="1", vendor="nvidia", reason=reason)
    ask = Ask(fleet, NOW, opened(stored(told)))
    (event,) = analyze([job("gpu-01")], ask)[0].events

    assert (event.bearing, event.what) == (bearing, f"slowed down by {reason}, up to 40% of the time")


def test_a_long_job_is_read_in_pieces_and_an_old_code_stays_old(fleet: Fleet) -> None:
    day = 30_000
    told = Story(length=2 * day)
    told.nvidia("gpu-01", codes={0: constant(79), 1: after(day + 400, 48)})
    told.add("gpu:ecc_uncorrected_total", after(day, 5, 2), node="gpu-01", gpu="1", vendor="nvidia")
    long = job("gpu-01", ended=START + 1.9 * day)
    (found,) = analyze([long], Ask(fleet, START + 2.0 * day, opened(stored(told))))

    assert [(each.gpu, each.what, each.at - START) for each in found.events] == [
        ("1", "3 more uncorrected memory errors", day),
        ("1", "XID 48 (double bit ECC error)", day + 405),
    ]
    assert [each.code for each in found.older] == [79]
    assert found.gaps == ()
