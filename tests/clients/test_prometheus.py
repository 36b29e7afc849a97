"""Answers as Prometheus 2.42 and Alertmanager 0.25 give them, shortened."""

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from aamic.clients.base import Sample
from aamic.clients.prometheus import Alert, Alertmanager, Prometheus, Rule, Target
from aamic.errors import OutsideError, SilentError

LABELS = {"alertname": "GpuXid", "node": "gpu-001"}
ANSWERS: dict[str, Any] = {
    "/-/ready": "Prometheus Server is Ready.\n",
    "/api/v1/targets?state=active": {
        "activeTargets": [
            {"labels": {"job": "node"}, "scrapeUrl": "http://127.0.0.1:1/metrics", "health": "down", "lastError": "no"}
        ],
        "droppedTargets": [],
    },
    "/api/v1/query?query=up+%3D%3D+1": {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "up"}, "value": [1700000000.1, "1"]}],
    },
    "/api/v1/query?query=x%5B21600001ms%5D&time=21700.000": {
        "resultType": "matrix",
        "result": [
            {"metric": {"gpu": "1"}, "values": [[21699, "2"], [21700, "NaN"]]},
            {"metric": {"gpu": "0"}, "values": [[99.999, "0"], [100, "1"]]},
        ],
    },
    "/api/v1/query?query=x%5B100001ms%5D&time=21800.000": {
        "resultType": "matrix",
        "result": [{"metric": {"gpu": "1"}, "values": [[21699, "2"], [21715.5, "3"]]}],
    },
    "/api/v1/query?query=odd%5B1001ms%5D&time=1.000": {"result": [{"metric": {}, "value": [1, "1"]}]},
    "/api/v1/query?query=v2.part": {"warnings": ["store is down"], "data": {"result": []}},
    "/api/v1/query?query=v2.info": {
        "warnings": ["PromQL info: metric might not be a counter"],
        "data": {"result": [{"metric": {}, "value": [1, "1"]}]},
    },
    "/api/v1/query?query=v2": {"error": "no such page"},
    "/api/v1/query?query=odd": {"result": [{"metric": {}, "value": "?"}]},
    "/api/v1/query?query=up&time=1764000000.500": {
        "resultType": "vector",
        "result": [{"metric": {"node": "a"}, "value": [1764000000.5, "1.5"]}],
    },
    "/api/v1/query?query=scalar&time=1.000": {"resultType": "scalar", "result": [1, "+Inf"]},
    "/api/v1/query?query=odd&time=1.000": {
        "resultType": "vector",
        "result": [{"metric": {"node": 1}, "value": [1, "1"]}],
    },
    "/api/v1/query_range?query=up&start=0.000&end=30.000&step=15.000": {
        "resultType": "matrix",
        "result": [{"metric": {"node": "a"}, "values": [[0, "1"], [30, "NaN"]]}],
    },
    "/api/v1/query_range?query=odd&start=0.000&end=1.000&step=1.000": {"resultType": "matrix", "result": {"a": 1}},
    "/api/v1/rules": {
        "groups": [
            {"rules": [{"name": "a", "lastError": "many-to-many", "health": "err"}, {"name": "b", "health": "ok"}]}
        ]
    },
    "/api/v1/alerts": {
        "alerts": [{"labels": LABELS, "annotations": {}, "state": "pending", "activeAt": "2025-01-01T00:00:00Z"}]
    },
    "/api/v1/status/tsdb?limit=1": {"headStats": {"numSeries": 508}},
    "/api/v2/alerts": [
        {
            "labels": LABELS,
            "annotations": {"summary": "s"},
            "status": {"state": "active"},
            "startsAt": "2025-01-01T00:00:01Z",
        }
    ],
}


class Canned(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = ANSWERS.get(self.path)
        body = answer if isinstance(answer, str) else json.dumps(answer if "v2" in self.path else {"data": answer})
        self.send_response(503 if answer is None else 200)
        self.end_headers()
        self.wfile.write((body if answer else "not ready yet").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Canned) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_prometheus_says(url: str) -> None:
    prometheus = Prometheus(url)
    prometheus.ready()

    assert prometheus.targets() == (Target({"job": "node"}, "http://127.0.0.1:1/metrics", "down", "no"),)
    assert prometheus.query("up == 1") == (Sample({"__name__": "up"}, 1.0),)
    assert prometheus.rules() == (Rule("a", "err", "many-to-many"), Rule("b", "ok", ""))
    assert prometheus.alerts() == (Alert(LABELS, {}, "pending", "2025-01-01T00:00:00Z"),)
    assert prometheus.series() == 508


def test_a_moment_and_a_span_that_are_asked_for(url: str) -> None:
    prometheus = Prometheus(url)
    (track,) = prometheus.over("up", 0, 30, 15)

    assert prometheus.at("up", 1764000000.5) == (Sample({"node": "a"}, 1.5),)
    assert prometheus.at("scalar", 1) == (Sample({}, math.inf),)
    assert (track.labels, track.samples[0], str(track.samples[1])) == ({"node": "a"}, (0.0, 1.0), "(30.0, nan)")


def test_an_odd_answer_to_a_moment_or_a_span_is_told(url: str) -> None:
    for ask in (lambda: Prometheus(url).at("odd", 1), lambda: Prometheus(url).over("odd", 0, 1, 1)):
        with pytest.raises(OutsideError, match="answers, but not as Prometheus does"):
            ask()


def test_what_alertmanager_says(url: str) -> None:
    assert Alertmanager(url + "/").alerts() == (Alert(LABELS, {"summary": "s"}, "active", "2025-01-01T00:00:01Z"),)


def test_a_refusal_is_told_with_what_it_said(url: str) -> None:
    with pytest.raises(OutsideError) as caught:
        Prometheus(url).query("up")

    assert str(caught.value) == f"`{url}/api/v1/query?query=up` answered 503: not ready yet"


class Refusing(BaseHTTPRequestHandler):
    """Refuses with the status that the path ends in; `302` leads to a server that has everything."""

    target = ""
    bodies: ClassVar = {"404": "<!DOCTYPE HTML>\n<html>Not found", "500": "a\n  b", "302": "", "401": ""}

    def do_GET(self) -> None:
        status = self.path.split("/")[1]
        self.send_response(int(status))
        if status == "302":
            self.send_header("Location", f"{self.target}/-/ready")
        self.end_headers()
        self.wfile.write(self.bodies[status].encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "said"),
    [("404", "404, but not as Prometheus does"), ("302", "302, but not as Prometheus does"), ("401", "401"),
     ("500", "500: a b")],
)  # fmt: skip
def test_neither_pages_are_shown_nor_redirects_followed(status: str, said: str, url: str) -> None:
    Refusing.target = url
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}/{status}"
        with pytest.raises(OutsideError) as caught:
            Prometheus(at).ready()
        server.shutdown()

    assert str(caught.value) == f"`{at}/-/ready` answered {said}"


def test_an_answer_that_is_no_json_is_told(url: str) -> None:
    with pytest.raises(OutsideError, match="did not answer JSON"):
        Prometheus(url)._json("/-/ready")  # noqa: SLF001  # no public call reads this path


def test_another_server_that_answers_json_is_told(url: str) -> None:
    with pytest.raises(OutsideError, match="but not as Prometheus does"):
        Prometheus(url).query("v2")
    with pytest.raises(OutsideError, match="but not as Prometheus does"):
        Prometheus(url).query("odd")


def test_an_answer_that_is_not_whole_is_none(url: str) -> None:
    with pytest.raises(OutsideError, match="answers in part only: store is down"):
        Prometheus(url).query("v2.part")
    assert Prometheus(url).query("v2.info") == (Sample({}, 1.0),)


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(OutsideError, match=r"`http://127\.0\.0\.1:1` does not answer: .*refused"):
        Prometheus("http://127.0.0.1:1").ready()


def test_no_proxy_stands_between(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    Prometheus(url).ready()


def test_raw_samples_are_asked_for_in_pieces_and_come_once_and_in_order(url: str) -> None:
    first, second = Prometheus(url).tracks("x", 100, 21800)

    assert (first.labels, first.samples) == ({"gpu": "0"}, ((100.0, 1.0),))
    assert second.labels == {"gpu": "1"}
    assert str(second.samples) == "((21699.0, 2.0), (21700.0, nan), (21715.5, 3.0))"


def test_no_time_at_all_asks_nothing() -> None:
    assert Prometheus("http://127.0.0.1:1").tracks("x", 5, 5) == ()


def test_a_refused_range_names_the_server(url: str) -> None:
    with pytest.raises(OutsideError, match=rf"`{url}/api/v1/query.*` answered 503: not ready yet"):
        Prometheus(url).tracks("y", 0, 1)
    with pytest.raises(OutsideError, match=rf"`{url}` answers, but not as Prometheus does"):
        Prometheus(url).tracks("odd", 0, 1)


def _drip(step: bytes, more: bytes) -> Callable[[socket.socket], None]:
    """What sends a beginning, and then a byte every twentieth of a second for a minute."""

    def answer(connected: socket.socket) -> None:
        connected.recv(65536)
        connected.sendall(step)
        for _ in range(1200):
            connected.sendall(more)
            time.sleep(0.05)

    return answer


def _nothing(connected: socket.socket) -> None:
    while connected.recv(65536):
        pass


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that does this with its first connection."""

    def serve() -> None:
        with suppress(OSError), server.accept()[0] as connected:
            answer(connected)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        _drip(b"HTTP/1.1 200 OK\r\n\r\n{", b" "),
        _drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        _drip(b"HTTP/1.1 503 no\r\n\r\n", b"a"),
        _drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        _nothing,
    ],
)
def test_an_answer_that_never_ends_ends_in_time(answer: Callable[[socket.socket], None]) -> None:
    with answering(answer) as slow:
        start = time.monotonic()
        with pytest.raises(SilentError, match=rf"`{slow}` does not answer: timed out"):
            Prometheus(slow, 0.3).query("up")

        assert time.monotonic() - start < 3


def test_a_name_that_can_be_none_is_told() -> None:
    with pytest.raises(SilentError, match=r"`http://a\.\.b` does not answer"):
        Prometheus("http://a..b").ready()
