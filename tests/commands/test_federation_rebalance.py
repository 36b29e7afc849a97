"""`aamic federation rebalance` as a user runs it; with `--live`, one shard is a real Prometheus, another silent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aamic.compile.compiler import compile_site
from tests.catalog.artifacts.hosts import free_ports, install, running
from tests.commands.conftest import Aamic

SITE = """\
version: 1
cluster: {name: test}
nodes:
  "mon-[1-3]": {addresses: "127.0.4.[1-3]", memory: 64GB}
racks:
  ra: {nodes: "a[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
  rb: {nodes: "b[1-3]", addresses: "198.18.2.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
  rc: {nodes: "c[1-3]", addresses: "198.18.3.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}
"""
UNEVEN = """\
federation:
  central_node: mon-1
  shard_nodes: "mon-[2-3]"
  shards:   # by hand
    - {name: east, racks: [ra, rb]}   # grew
    - name: west
      racks: [rc]
      nodes: "mon-[1-3]"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE + UNEVEN)
    return path


def test_candidates_are_compared_and_nothing_is_written(aamic: Aamic, site: Path) -> None:
    done = aamic("federation", "rebalance", "--json")
    found = json.loads(done.stdout)

    assert (done.returncode, found["version"]) == (0, 1)
    assert [each["by"] for each in found["candidates"]] == ["auto", "rack", "count"]
    assert found["present"]["fullest"] == "east"
    assert found["present"]["measured_series"] is None
    assert found["policy"] == {"imbalance": 1.25, "memory": 0.8, "gain": 0.1, "close": 0.05}
    assert site.read_text() == SITE + UNEVEN


def test_what_was_proposed_is_written_and_is_what_was_shown(aamic: Aamic, site: Path, tmp_path: Path) -> None:
    site.write_text(SITE + UNEVEN.replace("[ra, rb]", "[ra, rb, rc]").replace("      racks: [rc]\n", ""))
    done = aamic("federation", "rebalance", "--by", "rack", "--write", "--yes", "--json", "--host-root", "hosts")
    found = json.loads(done.stdout)
    candidate = found["candidates"][found["proposed"]]
    after = json.loads(aamic("federation", "rebalance", "--json").stdout)

    assert (found["written"], candidate["worth"], candidate["moved"]["split_racks"]) == (True, True, [])
    assert candidate["balance"]["predicted_series"] == after["present"]["predicted_series"]
    assert candidate["moved"]["history_seconds"] == 15 * 86_400
    assert after["proposed"] is None
    assert (found["plan"]["hosts"], (tmp_path / "hosts").exists()) == (12, False)
    assert "# by hand" in site.read_text()


def test_a_numbered_site_changes_how_it_is_placed(aamic: Aamic, site: Path) -> None:
    site.write_text(f"{SITE}federation: {{central_node: mon-1, shards: 2, shard_nodes: 'mon-[2-3]'}}   # ours\n")
    done = aamic("federation", "rebalance", "--by", "rack", "--shards", "3", "--write", "--yes", "--no-plan")

    assert done.returncode == 0
    assert "asked for, though not worth it: by rack, which moves " in done.stdout
    assert site.read_text().endswith("{central_node: mon-1, shards: 3, shard_nodes: 'mon-[2-3]', by: rack}   # ours\n")


def test_another_number_of_shards_keeps_racks_whole(aamic: Aamic, site: Path) -> None:
    text = f"{SITE}federation: {{central_node: mon-1, by: rack, shards: 2, shard_nodes: 'mon-[2-3]'}}\n"
    site.write_text(text)
    done = aamic("federation", "rebalance", "--shards", "1", "--write", "--yes", "--no-plan")

    assert done.returncode == 0
    assert site.read_text() == text.replace("shards: 2", "shards: 1")


def test_what_cannot_be_is_told(aamic: Aamic, site: Path) -> None:
    site.write_text(f"{SITE}federation: {{central_node: mon-1, shards: 2}}\n")
    found = json.loads(aamic("federation", "rebalance", "--shards", "7", "--json").stdout)
    faults = {each["by"]: each["fault"] for each in found["candidates"]}
    done = aamic("federation", "rebalance", "--shards", "7", "--by", "rack", "--write", "--yes")

    assert faults["rack"] == "7 shards are more than the 6 racks (a node in no rack counts as one) there are to spread"
    assert faults["auto"] is None
    assert "impossible: 7 shards are more than the 6 racks" in done.stdout
    assert done.stdout.endswith("nothing is proposed\n")


def test_a_list_is_not_given_up_for_a_number(aamic: Aamic, site: Path) -> None:
    done = aamic("federation", "rebalance", "--shards", "3")
    site.write_text(f"{SITE}federation: {{central_node: mon-1, shards: 2}}\n")
    silent = aamic("federation", "rebalance", "--shards", "3", "--write")

    assert (done.returncode, silent.returncode) == (1, 1)
    assert "`--shards` has no meaning here: this site lists its shards" in done.stderr
    assert "nobody can be asked" in silent.stderr


@pytest.fixture
def live(site: Path, tmp_path: Path) -> Iterator[Path]:
    """The site, with shard east running and west not there."""
    ports = free_ports(3)
    text = UNEVEN.replace("{name: east,", f"{{name: east, prometheus: {{port: {ports[0]}}},")
    text = text.replace("- name: west", f"- name: west\n      prometheus: {{port: {ports[1]}}}")
    site.write_text(SITE + text.replace("mon-1\n", f"mon-1\n  central: {{port: {ports[2]}}}\n", 1))
    install(compile_site(site).tree, "mon-2", tmp_path / "mon-2")
    with running(tmp_path / "mon-2", "aami-prometheus-east.service", "127.0.4.2"):
        yield site


@pytest.mark.usefixtures("live")
def test_shards_are_asked_what_they_have_and_silence_is_unknown(aamic: Aamic) -> None:
    done = aamic("federation", "rebalance", "--live", "--by", "rack")

    assert done.returncode == 0
    assert "warning: west on mon-3: " in done.stderr
    assert "\n  west: unknown; predicted " in done.stdout
    assert " series, 0.0" in done.stdout.split("\n  east: ")[1].splitlines()[0]
    assert "fullest / average: unknown, as not every shard answers" in done.stdout


@contextmanager
def answering(address: str, series: int) -> Iterator[int]:
    """The port of a server that has so many series in memory."""

    class Canned(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": {"headStats": {"numSeries": series}}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((address, 0), Canned) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_no_node_goes_to_the_shard_that_is_full_in_memory(aamic: Aamic, site: Path) -> None:
    heavy = UNEVEN.replace("      racks: [rc]\n", "").replace("[ra, rb]", "[ra, rb, rc]")
    with answering("127.0.4.2", 1_000) as east, answering("127.0.4.3", 9_000) as west:
        text = heavy.replace("{name: east,", f"{{name: east, prometheus: {{port: {east}}},")
        site.write_text(SITE + text.replace("- name: west", f"- name: west\n      prometheus: {{port: {west}}}"))
        predicted = json.loads(aamic("federation", "rebalance", "--json").stdout)
        measured = json.loads(aamic("federation", "rebalance", "--live", "--json").stdout)

    assert predicted["present"]["fullest"] == "east"
    assert predicted["proposed"] is not None
    assert measured["too_full"] == ["`west` has 1.80 times the average in memory"]
    assert measured["proposed"] is None
    assert all(each["reason"] in {"it gains nothing", "it moves nothing"} for each in measured["candidates"])
