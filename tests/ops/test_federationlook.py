"""Whatever a server answers, it is understood or it is unknown; and it is asked no longer than its time."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import promql
from aamic.clients.instance import Instance
from aamic.errors import SilentError
from aamic.model.federation import Unknown
from aamic.ops.federation import judge
from aamic.ops.federationlook import ages_query, look
from aamic.views.federation_document import to_json
from aamic.views.federation_status import text
from tests.ops.test_federation import EXPECTED, NOW

CENTRAL = EXPECTED[2]
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(
    [
        "activeTargets", "labels", "job", "scrapeUrl", "health", "lastError", "lastScrape", "lastScrapeDuration",
        "scrapeInterval", "groups", "rules", "interval", "evaluationTime", "result", "metric", "value", "headStats",
        "numSeries", "version", "name",
    ]
)  # fmt: skip
JSON = st.recursive(
    LEAVES | st.sampled_from(["up", "1m", "2025-01-01T00:00:00Z", "http://x:1/", "http://[", "ok", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)


class Odd(Instance):
    """A server that answers everything with the same."""

    def __init__(self, answer: Any) -> None:
        super().__init__("http://127.0.0.1:1", 1)
        self._said = answer

    def _json(self, path: str) -> Any:
        return {"data": self._said, "of": path}

    def ready(self) -> None:
        pass


@given(st.dictionaries(KEYS, JSON, max_size=20) | JSON)
def test_an_odd_answer_is_never_taken_for_a_good_one(answer: Any) -> None:
    seen = look(lambda _: Odd(answer), CENTRAL, "c", 5)
    found = judge("c", NOW, [CENTRAL], {CENTRAL.name: seen})

    assert found.state == "unknown"
    json.dumps(to_json(found), allow_nan=False)
    assert all(line.isprintable() for line in text(found, jobs=True).split("\n"))


class Silent(Instance):
    """A server that falls silent at its second question."""

    asked = 0

    def _json(self, path: str) -> Any:
        Silent.asked += 1
        if Silent.asked > 1:
            raise SilentError(f"`{path}` is not answered")
        return {"data": {"version": "2.42.0"}}

    def ready(self) -> None:
        self._json("ready")


def test_a_server_that_falls_silent_is_asked_nothing_more() -> None:
    seen = look(lambda _: Silent("http://127.0.0.1:1", 1), CENTRAL, "c", 5)

    assert Silent.asked == 2
    assert (seen.version, seen.ready, seen.ages) == ("2.42.0", *[Unknown("`ready` is not answered")] * 2)


def test_the_time_of_a_server_is_that_of_all_its_answers_together() -> None:
    class Slow(Odd):
        def _json(self, path: str) -> Any:
            time.sleep(0.2)
            return super()._json(path)

    left: list[float] = []

    def opened(seconds: float) -> Instance:
        left.append(seconds)
        return Slow({"version": "2", "result": []})

    begin = time.monotonic()
    seen = look(opened, CENTRAL, "c", 0.5)

    assert time.monotonic() - begin < 1.5
    assert left == sorted(left, reverse=True)
    assert seen.groups == Unknown("it did not answer everything within 0.5 s")


def test_the_question_for_ages_is_promql_whatever_the_cluster_is_called() -> None:
    for cluster in ("c", 'a"b\\c', "ä\n"):
        promql.parse(ages_query(cluster))
