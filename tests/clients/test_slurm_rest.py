"""slurmrestd as a server on loopback answers for it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients import slurmjson
from aamic.clients.slurmhttp import RestError, Server
from aamic.clients.slurmrest import SlurmRest
from aamic.compile.hostlist import expand
from aamic.errors import OutsideError
from aamic.model.slurm import ExitStatus

RECORDED = Path(__file__).parents[1] / "recorded/slurm/client"
SHAPES = sorted(path.parent.name for path in RECORDED.glob("*/rest-jobs.json"))
TOKEN = "eyJhbGciOi.secret-part.sig"  # noqa: S105  # of no cluster


def recorded(release: str, name: str) -> Any:
    return json.loads((RECORDED / release / name).read_text())


@dataclass
class Rest:
    """What the server answers by path: a status with JSON or text; and what it was asked."""

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class Answering(BaseHTTPRequestHandler):
    rest: ClassVar[Rest]

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.rest.asked.append((self.command, self.path, body))
        self.rest.headers.append(dict(self.headers))
        status, answer = self.rest.answers.get(self.path, (404, "Unable find requested URL."))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{self.rest.url}/elsewhere")
        self.end_headers()
        self.wfile.write((answer if isinstance(answer, str) else json.dumps(answer)).encode())

    do_POST = do_GET  # noqa: N815  # the name that http.server calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def rest() -> Iterator[Rest]:
    made = Rest()
    handler = type("Handler", (Answering,), {"rest": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def offers(rest: Rest, *versions: int) -> None:
    paths: dict[str, Any] = {f"/{api}/v0.0.{each}/jobs/": {} for api in ("slurm", "slurmdb") for each in versions}
    rest.answers["/openapi/v3"] = (200, {"paths": paths})


def client(rest: Rest, timeout: float = 5) -> SlurmRest:
    return SlurmRest(Server(rest.url, "root", f"SLURM_JWT={TOKEN}\n".encode, timeout), expand, print)


def test_the_newest_version_that_both_know_is_asked(rest: Rest) -> None:
    offers(rest, 36, 38, 99)
    rest.answers["/slurm/v0.0.38/jobs/"] = (200, recorded("22.05", "rest-jobs.json"))
    found = client(rest).jobs()

    assert {job.shown: (job.state, job.gpus) for job in found if job.id in {1, 4, 5}} == {
        "1": ("RUNNING", {"node-01": (0, 1)}),
        "4+0": ("RUNNING", {"node-01": (2,)}),
        "4+1": ("RUNNING", {"node-02": ()}),
    }
    assert rest.headers[-1].items() >= {"X-Slurm-User-Name": "root", "X-Slurm-User-Token": TOKEN}.items()


def test_versions_are_tried_where_there_is_no_list_of_them(rest: Rest) -> None:
    rest.answers["/slurm/v0.0.41/ping/"] = (200, {"pings": []})
    rest.answers["/slurm/v0.0.41/nodes/"] = (200, {"nodes": []})

    assert client(rest).nodes() == ()
    assert [path for _, path, _ in rest.asked][:3] == ["/openapi/v3", "/slurm/v0.0.45/ping/", "/slurm/v0.0.44/ping/"]


def test_a_server_without_any_version_is_told(rest: Rest) -> None:
    with pytest.raises(OutsideError, match=r"offers no version from v0\.0\.36 to v0\.0\.45") as raised:
        client(rest).jobs()
    assert rest.url in str(raised.value)


def test_a_job_that_the_controller_forgot_is_asked_of_accounting(rest: Rest) -> None:
    offers(rest, 38)
    unknown = {"errors": [{"error_number": 2017, "error": "Invalid job id specified"}], "jobs": []}
    rest.answers["/slurm/v0.0.38/job/3"] = (500, unknown)
    rest.answers["/slurmdb/v0.0.38/job/3"] = (200, recorded("22.05", "rest-accounted.json"))
    found = client(rest).job("3_1")

    assert [(job.shown, job.source, job.gpu_count) for job in found] == [("3_1", "slurmrestd", 1)]


def test_a_job_that_nobody_knows_is_none(rest: Rest) -> None:
    offers(rest, 38)
    rest.answers["/slurm/v0.0.38/job/9"] = (500, {"errors": [{"error_number": 2017, "error": "Invalid"}], "jobs": []})
    rest.answers["/slurmdb/v0.0.38/job/9"] = (200, {"errors": [{"error_number": 9003, "error": "Nothing"}], "jobs": []})

    assert client(rest).job("9") == ()


def test_history_asks_in_times_that_know_no_zone(rest: Rest) -> None:
    offers(rest, 38)
    path = "/slurmdb/v0.0.38/jobs/?start_time=uts1795632947&end_time=uts1795632957&node=node-02"
    rest.answers[path] = (200, recorded("22.05", "rest-accounted.json"))

    assert [job.shown for job in client(rest).history(1795632947, 1795632957, ["node-02"])] == ["3_1"]


def test_nodes_are_changed_where_the_version_can(rest: Rest) -> None:
    offers(rest, 39)
    rest.answers["/slurm/v0.0.39/node/node-01"] = (200, {"errors": []})
    client(rest).drain("node-01", "aamic: x")
    client(rest).resume("node-01")

    assert [each for each in rest.asked if each[0] == "POST"] == [
        ("POST", "/slurm/v0.0.39/node/node-01", {"state": ["DRAIN"], "reason": "aamic: x"}),
        ("POST", "/slurm/v0.0.39/node/node-01", {"state": ["RESUME"]}),
    ]


def test_a_version_that_changes_no_nodes_says_so(rest: Rest) -> None:
    offers(rest, 38)
    with pytest.raises(OutsideError, match=r"changes no nodes in v0\.0\.38"):
        client(rest).drain("node-01", "aamic: x")


FAULTS: dict[str, tuple[int, Any, str]] = {
    "text": (401, "Authentication failure", r"does not let us in \(401\): Authentication failure"),
    "network": (511, {"errors": [{"error": "Network Authentication"}]}, r"does not let us in \(511\)"),
    "json": (
        500,
        {"errors": [{"description": "x", "error": "Protocol authentication error"}]},
        r"not let us in \(500\)",
    ),
    "vague": (500, {"errors": [{"description": "Failed", "error": "Unspecified error"}]}, "answered 500: Failed: Unsp"),
    "page": (200, "<html><body>hello</body></html>", "a page for people"),
    "plain": (200, "hello", "answered 200: hello"),
    "list": (200, "[1]", "without a list of nodes"),
    "moved": (302, "", "answered 302"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_told_in_words_and_never_with_the_token(rest: Rest, name: str) -> None:
    offers(rest, 38)
    status, answer, words = FAULTS[name]
    rest.answers["/slurm/v0.0.38/nodes/"] = (status, answer)
    with pytest.raises(OutsideError, match=words) as raised:
        client(rest).nodes()

    assert TOKEN not in f"{raised.value}{raised.value.hint}{raised.value.__context__!r}"
    assert all("elsewhere" not in path for _, path, _ in rest.asked)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OutsideError, match=f"`{url}`, refuses connections"):
            client(Rest(url)).jobs()


def test_a_server_that_is_silent_is_told() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(OutsideError, match=r"did not answer within 0\.2 s"):
            client(Rest(f"http://127.0.0.1:{silent.getsockname()[1]}"), 0.2).jobs()


def test_a_server_without_tls_is_told(rest: Rest) -> None:
    with pytest.raises(OutsideError, match="does not speak TLS"):
        client(Rest(rest.url.replace("http:", "https:"))).jobs()


def test_a_token_that_is_none_is_not_repeated(rest: Rest) -> None:
    server = Server(rest.url, "root", lambda: b"two\r\nlines", 5)
    with pytest.raises(OutsideError, match="is none") as raised:
        SlurmRest(server, expand, print).jobs()

    assert "lines" not in str(raised.value)


@pytest.mark.parametrize("release", [each for each in SHAPES if each != "22.05"])
def test_every_form_gives_the_same_jobs(release: str) -> None:
    jobs = {job.shown: job for job in slurmjson.read_jobs(recorded(release, "rest-jobs.json"), expand)}
    runs = {job.shown: job for job in slurmjson.read_accounted(recorded(release, "rest-accounted.json"), expand)}

    assert (jobs["1"].state, jobs["1"].gpus, jobs["1"].exit) == ("RUNNING", {"n1": (0, 1), "n2": (2, 3)}, None)
    assert (jobs["2"].state, jobs["2"].exit, jobs["2"].ended) == ("FAILED", ExitStatus(3, 0), 1795632948.0)
    assert jobs["3_[5-9]"].started is None
    assert jobs["7+1"].id == 8
    assert (runs["2"].exit, runs["2"].gpu_count, runs["2"].nodes) == (ExitStatus(3, 0), 1, ("n1",))
    assert (runs["3_4"].state, runs["3_4"].exit) == ("FAILED", ExitStatus(0, 9))


@pytest.mark.parametrize("release", [each for each in SHAPES if each != "22.05"])
def test_every_form_gives_the_same_nodes(release: str) -> None:
    first, second = slurmjson.read_nodes(recorded(release, "rest-nodes.json"))

    assert (first.name, first.state, first.flags, first.gpus) == ("n1", "IDLE", ("DRAIN",), 8)
    assert (first.reason, first.reason_by, first.reason_at) == ("aamic: XID 79", "root", 1795632957.0)
    assert (second.reason, second.reason_at, second.partitions) == ("", None, ("main", "gpu"))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted({
        "jobs", "nodes", "job_id", "job_state", "exit_code", "set", "number", "state", "current", "array", "task",
        "time", "start", "tres", "allocated", "gres", "gres_detail", "name", "signal", "id", "array_job_id",
        "array_task_string", "het_job_id", "het_job_offset", "partitions", "count", "type",
    })), inner, max_size=6),
    max_leaves=30,
)  # fmt: skip


@given(JSON)
def test_garbage_is_an_error_in_words_or_nothing(value: Any) -> None:
    odd = {
        "job_id": 7, "nodes": "n[1-2]", "gres_detail": value, "job_state": value, "exit_code": value,
        "array_job_id": 3, "array_task_string": value, "state": value, "tres": {"allocated": value},
        "array": {"job_id": 1, "task": value}, "het_job_id": value, "time": value, "kill_request_user": value,
    }  # fmt: skip
    for answer in (value, {"jobs": [value]}, {"jobs": [odd]}, {"nodes": [value]}, {"nodes": [odd | {"name": "n"}]}):
        with suppress(OutsideError):
            slurmjson.read_jobs(answer, expand)
        with suppress(OutsideError):
            slurmjson.read_accounted(answer, expand)
        with suppress(OutsideError):
            slurmjson.read_nodes(answer)


def test_an_error_keeps_slurms_own_number(rest: Rest) -> None:
    offers(rest, 38)
    rest.answers["/slurm/v0.0.38/nodes/"] = (500, {"errors": [{"error": "no", "errno": 2018}]})
    with pytest.raises(RestError) as raised:
        client(rest).nodes()

    assert (raised.value.number, raised.value.status) == (2018, 500)
