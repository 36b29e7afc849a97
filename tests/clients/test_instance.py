"""Answers as Prometheus 2.42 gives them about itself, shortened, and answers that are none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aamic.clients.instance import Instance
from aamic.errors import OutsideError
from aamic.model.federation import Group, Scrape

TARGET = {
    "labels": {"job": "node", "node": "gpu-1", "instance": "[fd00::1]:9100"},
    "scrapeUrl": "http://[fd00::1]:9100/metrics",
    "health": "up",
    "lastError": "",
    "lastScrape": "2025-01-01T09:00:00.123456789+09:00",
    "lastScrapeDuration": 0.25,
    "scrapeInterval": "1m30s",
}
GROUP = {
    "name": "node",
    "interval": 15,
    "evaluationTime": 0.5,
    "rules": [
        {"name": "a", "health": "ok"},
        {"name": "b", "health": "err", "lastError": "many-to-many"},
        {"name": "c", "health": "unknown"},
    ],
}
ANSWERS: dict[str, Any] = {}


class Canned(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": ANSWERS.get(self.path.removeprefix("/api/v1/"))}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Instance]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Canned) as canned:
        threading.Thread(target=canned.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield Instance(f"http://127.0.0.1:{canned.server_port}")
        canned.shutdown()
        ANSWERS.clear()


def answer(target: Any = TARGET, group: Any = GROUP) -> None:
    ANSWERS["targets?state=active"] = {"activeTargets": [target]}
    ANSWERS["rules"] = {"groups": [group]}


def test_what_a_server_says_of_itself(server: Instance) -> None:
    answer()
    ANSWERS["status/buildinfo"] = {"version": "2.42.0"}
    ANSWERS["status/tsdb?limit=1"] = {"headStats": {"numSeries": 508}}

    assert server.scrapes() == (
        Scrape("node", "[fd00::1]:9100", TARGET["labels"], "up", "", 1735689600.123456, 0.25, 90.0),  # type: ignore[arg-type]
    )
    assert server.groups() == (Group("node", 15.0, 0.5, 3, 1, (("b", "many-to-many"),)),)
    assert (server.version(), server.series()) == ("2.42.0", 508)


def test_a_target_that_was_never_read_has_no_time(server: Instance) -> None:
    answer(TARGET | {"health": "unknown", "lastScrape": "0001-01-01T00:00:00Z"})

    assert [each.at for each in server.scrapes()] == [None]


@pytest.mark.parametrize(
    "target",
    [
        {},
        None,
        TARGET | {"labels": {"node": "x"}},
        TARGET | {"labels": ["job"]},
        TARGET | {"health": "fine"},
        TARGET | {"health": ["up"]},
        TARGET | {"lastScrape": "yesterday"},
        TARGET | {"lastScrape": 3},
        TARGET | {"lastScrape": "2025-01-01T00:00:00"},
        TARGET | {"lastScrapeDuration": "NaN"},
        TARGET | {"scrapeUrl": "http://[x/"},
    ],
)
def test_targets_of_another_form_are_refused(server: Instance, target: Any) -> None:
    answer(target)

    with pytest.raises(OutsideError, match="but not as Prometheus does"):
        server.scrapes()


@pytest.mark.parametrize(
    "group", [{}, GROUP | {"rules": [{"name": "a"}]}, GROUP | {"rules": [{"name": "a", "health": 1}]}]
)
def test_rules_of_another_form_are_refused(server: Instance, group: Any) -> None:
    answer(group=group)

    with pytest.raises(OutsideError, match="but not as Prometheus does"):
        server.groups()


@pytest.mark.parametrize("ask", [Instance.version, Instance.series, Instance.scrapes, Instance.groups])
def test_nothing_is_no_answer(server: Instance, ask: Callable[[Instance], object]) -> None:
    with pytest.raises(OutsideError, match="but not as Prometheus does"):
        ask(server)
