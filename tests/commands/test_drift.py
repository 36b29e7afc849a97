"""`aamic drift` against a real Prometheus that runs what was rendered and scrapes checks of every kind."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aamic.compile.compiler import compile_site
from aamic.twin.exporters import Page, SyntheticExporters
from tests.catalog.artifacts.hosts import free_ports, install, running
from tests.commands.conftest import Aamic

NODES = ("mon", "changed", "edited", "failed", "midway", "old", "same", "silent")
SITE = """
version: 1
cluster: {{name: test}}
prometheus: {{node: mon, port: {server}, scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
exporters: {{node: {{port: {exporter}}}}}
nodes:
"""


def check(*, drifted: int = 0, age: float = 0, pending: int = 0, success: int = 1) -> str:
    """What aamic-check would have written."""
    files = (
        f'aamic_managed_files{{state="changed"}} {drifted}\naamic_managed_files{{state="ok"}} 9\n' if success else ""
    )
    return (
        f"aamic_apply_pending {pending}\naamic_check_success {success}\n"
        f"aamic_check_timestamp_seconds {time.time() - age:.0f}\n{files}"
    )


def answers() -> dict[str, str]:
    return {
        "mon": check(),
        "changed": check(drifted=2),
        "edited": check(drifted=2),
        "failed": check(success=0),
        "midway": check(drifted=1, pending=1),
        "old": check(age=4000),
        "same": check(),
    }


def address(node: str) -> str:
    return f"127.0.3.{NODES.index(node) + 1}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site whose only server runs and has evaluated its rules."""
    folder = tmp_path_factory.mktemp("drift")
    server, exporter = free_ports(2)
    path = folder / "site.yaml"
    nodes = "".join(f"  {name}: {{address: {address(name)}}}\n" for name in NODES)
    path.write_text(SITE.format(server=server, exporter=exporter) + nodes)
    install(compile_site(path).tree, "mon", folder / "mon")
    pages = [
        Page(name, address(name), exporter, "/metrics", lambda _faults, _seconds, text=text: text)  # type: ignore[misc]
        for name, text in answers().items()
    ]
    with SyntheticExporters(pages), running(folder / "mon", "aami-prometheus.service", address("mon")):
        yield path


@pytest.fixture
def settled(site: Path, aamic: Aamic) -> Path:
    """The site, once the server has seen every node that answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        done = aamic("drift", "-f", str(site), "--json")
        if done.returncode == 16 and json.loads(done.stdout)["unknown"] == ["silent"]:
            return site
        time.sleep(0.5)
    raise TimeoutError(done.stdout + done.stderr)


def test_every_node_is_told_once(settled: Path, aamic: Aamic) -> None:
    done = aamic("drift", "--site", str(settled))

    url = f"http://127.0.3.1:{compile_site(settled).fleet.servers[0].port}"
    assert (done.returncode, done.stderr) == (16, "")
    assert done.stdout.splitlines() == [
        f"test: 2 of 8 nodes in sync, 2 drifted, 1 pending, 2 unchecked, 1 unknown (asked {url})",
        "  drifted, 2 files: changed,edited",
        "  pending, a change is under way or not confirmed: midway",
        "  unchecked, no check has succeeded within the last hour: failed,old",
        "  unknown, no series: never applied, or not scraped: silent",
    ]


def test_a_machine_reads_the_same(settled: Path, aamic: Aamic) -> None:
    url = f"http://127.0.3.1:{compile_site(settled).fleet.servers[0].port}/"
    done = aamic("drift", "-f", str(settled), "--prometheus", url, "--json")

    assert done.returncode == 16
    assert json.loads(done.stdout) == {
        "cluster": "test",
        "prometheus": url,
        "in_sync": ["mon", "same"],
        "drifted": {"changed": 2, "edited": 2},
        "pending": ["midway"],
        "unchecked": ["failed", "old"],
        "unknown": ["silent"],
    }


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(server=9090, exporter=9100) + "  mon: {address: 198.18.0.1}\n")
    return path


def test_all_in_sync_is_success(settled: Path, aamic: Aamic, small: Path) -> None:
    port = compile_site(settled).fleet.servers[0].port
    done = aamic("drift", "-f", str(small), "--prometheus", f"http://127.0.3.1:{port}")

    assert (done.returncode, done.stdout) == (0, f"test: 1 of 1 nodes in sync (asked http://127.0.3.1:{port})\n")


def test_a_cluster_that_the_server_does_not_know_is_unknown(settled: Path, aamic: Aamic, small: Path) -> None:
    port = compile_site(settled).fleet.servers[0].port
    small.write_text(small.read_text().replace("{name: test}", "{name: other}"))

    done = aamic("drift", "-f", str(small), "--prometheus", f"http://127.0.3.1:{port}")

    assert done.returncode == 16
    assert "other: 0 of 1 nodes in sync, 1 unknown" in done.stdout
    assert "hint: " in done.stdout


def test_a_server_that_does_not_answer_is_no_drift(aamic: Aamic, small: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = aamic("drift", "-f", str(small), "--prometheus", url)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"Prometheus cannot be asked for drift: `{url}` does not answer" in done.stderr
    assert "hint: `--prometheus URL`" in done.stderr


def test_what_is_no_url_is_a_usage_error(aamic: Aamic, small: Path) -> None:
    assert aamic("drift", "-f", str(small), "--prometheus", "file:///etc/passwd").returncode == 2


def test_a_site_that_reads_no_textfiles_is_told(aamic: Aamic, small: Path) -> None:
    small.write_text(small.read_text().replace("node: {port", "node: {collectors: {disable: [textfile]}, port"))

    done = aamic("drift", "-f", str(small))

    assert done.returncode == 1
    assert "error: no exporter of this site reads what its hosts say of drift\n" in done.stderr
