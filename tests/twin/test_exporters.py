import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from aamic.catalog.base import Fault
from aamic.clients.prometheus import Prometheus
from aamic.errors import OutsideError
from aamic.twin.exporters import Page, SyntheticExporters

ADDRESS = "127.77.99.1"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        free: int = probe.getsockname()[1]
        return free


def sample(faults: tuple[Fault, ...], seconds: float) -> str:
    assert seconds >= 0
    return "".join(f"{fault.kind} {fault.value}\n" for fault in faults) or "healthy 1\n"


def broken(faults: tuple[Fault, ...], seconds: float) -> str:
    raise ValueError(f"nothing for {faults} at {seconds > 0}")


@pytest.fixture
def exporters(port: int) -> Iterator[SyntheticExporters]:
    with SyntheticExporters([Page("gpu-1", ADDRESS, port, "/metrics", sample)]) as running:
        yield running


class Reader(Prometheus):
    """Reads any path of a server."""

    def get(self, path: str) -> bytes:
        return self._read(path)


@pytest.mark.usefixtures("exporters")
def test_a_page_is_answered(port: int) -> None:
    reader = Reader(f"http://{ADDRESS}:{port}")

    assert reader.get("/metrics") == b"healthy 1\n"
    assert reader.get("/metrics?x=1") == b"healthy 1\n"


@pytest.mark.usefixtures("exporters")
def test_one_connection_answers_many_requests(port: int) -> None:
    with socket.create_connection((ADDRESS, port)) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        connection.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: connection.recv(65536), b""))

    assert said.count(b"200 OK") == 2


@pytest.mark.usefixtures("exporters")
def test_another_path_is_not_found(port: int) -> None:
    with pytest.raises(OutsideError, match="answered 404: only GET /metrics"):
        Reader(f"http://{ADDRESS}:{port}").get("/other")


def test_faults_change_what_is_answered(exporters: SyntheticExporters, port: int) -> None:
    exporters.faults = {"gpu-1": (Fault("xid", "79", 0),), "gpu-2": (Fault("down", "", None),)}

    assert Reader(f"http://{ADDRESS}:{port}").get("/metrics") == b"xid 79\n"


def test_a_node_that_is_down_does_not_answer(exporters: SyntheticExporters, port: int) -> None:
    exporters.faults = {"gpu-1": (Fault("down", "", None),)}

    with pytest.raises(OutsideError, match="does not answer"):
        Reader(f"http://{ADDRESS}:{port}").get("/metrics")


def test_a_sample_that_fails_says_so(port: int) -> None:
    page = Page("gpu-1", ADDRESS, port, "/metrics", broken)

    with (
        SyntheticExporters([page]),
        pytest.raises(OutsideError, match=r"answered 500: ValueError: nothing for \(\) at True"),
    ):
        Reader(f"http://{ADDRESS}:{port}").get("/metrics")


def test_nothing_is_left_after_the_block(port: int) -> None:
    before = threading.active_count()
    with SyntheticExporters([Page("gpu-1", ADDRESS, port, "/metrics", sample)]), socket.socket() as open_connection:
        open_connection.connect((ADDRESS, port))

    assert threading.active_count() == before
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((ADDRESS, port))
        again.listen()


def test_a_taken_port_is_an_error(port: int) -> None:
    before = threading.active_count()
    with socket.socket() as other:
        other.bind((ADDRESS, port))
        other.listen()
        with (
            pytest.raises(OutsideError, match="cannot listen for a synthetic exporter"),
            SyntheticExporters([Page("gpu-1", ADDRESS, port, "/metrics", sample)]),
        ):
            pytest.fail("it listens twice")

    assert threading.active_count() == before


def test_an_answer_that_takes_long_is_kept_for_a_while(port: int) -> None:
    asked: list[float] = []

    def slow(faults: tuple[Fault, ...], seconds: float) -> str:
        asked.append(seconds)
        time.sleep(0.1)
        return f"made {len(asked)} {len(faults)}\n"

    reader = Reader(f"http://{ADDRESS}:{port}")
    with SyntheticExporters([Page("gpu-1", ADDRESS, port, "/metrics", slow)]) as exporters:
        said = [reader.get("/metrics"), reader.get("/metrics")]
        exporters.faults = {"gpu-1": (Fault("xid", "79", 0),)}
        said += [reader.get("/metrics"), reader.get("/metrics")]

    assert said == [b"made 1 0\n", b"made 1 0\n", b"made 2 1\n", b"made 2 1\n"]


def test_the_limit_of_open_files_is_raised_or_told(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (64, 500))
    monkeypatch.setattr("resource.setrlimit", lambda kind, limits: raised.append((kind, limits)))
    pages = [Page("n", ADDRESS, 1, "/metrics", sample)] * 60

    with SyntheticExporters([]):
        pass
    with pytest.raises(OutsideError) as caught, SyntheticExporters(pages):
        pytest.fail("it has too few files")

    assert raised == [(resource.RLIMIT_NOFILE, (256, 500))]
    assert str(caught.value) == "the twin needs 556 open files, and the limit is 500"
