from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from aamic.agent.health import draincontrol
from aamic.agent.health.policy import decide
from tests.agent.health import servers
from tests.exposition import read

FAKE = Path(__file__).with_name("scontrol.py")
IDLE = {"state": "IDLE", "reason": "", "by": "", "at": ""}
FOREIGN = {"state": "IDLE+DRAIN", "reason": "disk full", "by": "ann", "at": "1764000000"}


@dataclass
class Cluster:
    """A Slurm and a Prometheus that say what a test wants, and the controller between them."""

    folder: Path
    url: str
    cap: int = 2
    mode: str = "on"
    urls: list[str] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)
    verdicts: bool = True

    def slurm(self, nodes: dict[str, Any], faults: list[dict[str, Any]] | None = None) -> None:
        (self.folder / "bin/cluster.json").write_text(json.dumps({"nodes": nodes, "faults": faults or []}))

    def nodes(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "bin/cluster.json").read_text())["nodes"]
        return found

    def reasons(self) -> dict[str, str]:
        return {name: node["reason"] for name, node in self.nodes().items() if node["reason"]}

    def calls(self, verb: str) -> list[list[str]]:
        calls = [json.loads(each) for each in (self.folder / "bin/calls").read_text().splitlines()]
        return [call for call in calls if call[0] == verb]

    def do(self, command: str) -> int:
        config = {
            "version": 1,
            "mode": self.mode,
            "cluster": "c1",
            "cap": self.cap,
            "nodes": [f"n{number}" for number in range(1, 60)],
            "hard": ["fatal_error"],
            "urls": self.urls or [self.url],
            "interval": 30,
            "stale": 150,
            "window": 600,
            "textfiles": str(self.folder),
        }
        (self.folder / "drain.json").write_text(json.dumps(config))
        return draincontrol.main([command, f"--config={self.folder}/drain.json", f"--state={self.folder}/state"])

    def answer(self, _: str, body: bytes) -> tuple[int, bytes]:
        (expr,) = parse_qs(body.decode())["query"]
        assert 'cluster="c1"' in expr
        metric = re.findall("node:[a-z_]+", expr)[0]
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in self.series(metric)]
        answer = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return 200, json.dumps(answer).encode()

    def series(self, metric: str) -> list[tuple[dict[str, str], float]]:
        names = [f"n{number}" for number in range(1, 60)] if self.verdicts else []
        return {
            "node:aamic_node_verdict": [
                ({"node": name, "verdict": "fail" if name in self.failing else "ok"}, 1.0) for name in names
            ],
            "node:aamic_node_check_timestamp_seconds": [({"node": name}, 12.5) for name in names],
            "node:aamic_failing_signal": [
                ({"node": name, "signal": signal, "gpu": "3"}, 1.0) for name, signal in self.failing.items()
            ],
            "node:aamic_node_refused_timestamp_seconds": [({"node": name}, at) for name, at in self.refused.items()],
        }[metric]

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state/state.json").read_text())
        return found

    def metrics(self) -> dict[str, float]:
        series = read((self.folder / "aamic_drain.prom").read_text()).series
        return {each.name.removeprefix("aamic_drain_") + "".join(each.labels.values()): each.value for each in series}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    (tmp_path / "bin").mkdir()
    shutil.copy(FAKE, tmp_path / "bin/scontrol")
    (tmp_path / "bin/scontrol").chmod(0o755)
    (tmp_path / "bin/calls").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    made = Cluster(tmp_path, "")
    with servers.http(made.answer) as url:
        made.url = url
        yield made


def test_a_failing_node_is_drained_once_and_told(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.slurm({"n1": IDLE, "n2": IDLE})
    cluster.failing = {"n2": "fatal_error"}

    assert [cluster.do("run"), cluster.do("run")] == [0, 0]
    assert cluster.reasons() == {"n2": "aamic: fatal error on GPU 3"}
    assert cluster.calls("update") == [["update", "NodeName=n2", "State=DRAIN", "Reason=aamic: fatal error on GPU 3"]]
    assert capsys.readouterr().out == "drained n2: aamic: fatal error on GPU 3\n"


def test_what_it_says_of_itself(cluster: Cluster) -> None:
    cluster.slurm({"n1": FOREIGN, "n2": IDLE})
    cluster.failing = {"n2": "fatal_error", "n1": "fatal_error"}
    before = time.time()
    cluster.do("run")
    metrics = cluster.metrics()

    assert before - 1 <= metrics.pop("timestamp_seconds") <= time.time() + 1
    assert metrics == {
        "breaker_tripped": 0,
        "cap": 2,
        "success": 1,
        "modeoff": 0,
        "modeshadow": 0,
        "modeon": 1,
        "nodesaamic": 1,
        "wanted": 1,
        # Slurm was asked before n2 was drained.
        "aamic_slurm_nodes_out_of_serviceaamic": 0,
        "aamic_slurm_nodes_out_of_serviceothers": 1,
        "aamic_slurm_out_of_service_timestamp_secondsothersdisk fulln1drainedann": 1764000000,
    }


def test_50_nodes_at_once_trip_the_breaker_until_a_person_resets_it(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"n{number}" for number in range(1, 51)]
    cluster.slurm(dict.fromkeys(names, IDLE))
    cluster.failing = dict.fromkeys(names, "fatal_error")
    cluster.do("run")
    cluster.failing = {"n1": "fatal_error"}
    cluster.do("run")
    tripped, tripped_metric = cluster.reasons(), cluster.metrics()["breaker_tripped"]
    status = cluster.do("reset")
    cluster.do("run")

    assert (tripped, tripped_metric, status) == ({}, 1, 0)
    assert cluster.reasons() == {"n1": "aamic: fatal error on GPU 3"}
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("breaker tripped: 50 nodes began to fail within 600 s, more than the 2 that may be")
    assert told[1].startswith("breaker reset by ")
    assert told[2:] == ["drained n1: aamic: fatal error on GPU 3"]


def test_a_scontrol_beside_a_slurm_conf_of_its_own_is_found(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.slurm({"n1": IDLE})
    monkeypatch.setenv("PATH", f"{cluster.folder}/none")
    without = cluster.do("run")
    monkeypatch.setenv("SLURM_CONF", f"{cluster.folder}/etc/slurm.conf")

    assert (without, cluster.do("run")) == (1, 0)
    assert cluster.calls("show") == [["show", "node", "-o"]]


def test_shadow_changes_nothing_and_tells_once(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}
    cluster.mode = "shadow"

    assert [cluster.do("run"), cluster.do("run")] == [0, 0]
    cluster.failing = {}
    cluster.do("run")

    assert (cluster.calls("update"), cluster.reasons(), cluster.metrics()["nodesaamic"]) == ([], {}, 0)
    assert capsys.readouterr().out == "would drain n1: aamic: fatal error on GPU 3\n"


def test_off_asks_nobody(cluster: Cluster) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.mode = "off"

    assert cluster.do("run") == 0
    assert cluster.calls("show") == []
    assert cluster.metrics()["modeoff"] == 1


def test_a_foreign_drain_is_left_and_told_once(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.slurm({"n1": FOREIGN})
    cluster.failing = {"n1": "fatal_error"}

    assert [cluster.do("run"), cluster.do("run")] == [0, 0]
    assert cluster.nodes() == {"n1": FOREIGN}
    assert capsys.readouterr().out == "leaving n1 as it is, although it fails: drained by somebody else\n"


def test_our_prologs_refusal_is_adopted(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.slurm({"n1": {**FOREIGN, "reason": "Prolog error", "by": "slurm"}})
    cluster.failing, cluster.refused = {"n1": "fatal_error"}, {"n1": 1764000000.0 - 5}
    reason = "aamic: its prolog refused a job: fatal error on GPU 3"

    assert [cluster.do("run"), cluster.do("run")] == [0, 0]
    assert cluster.reasons() == {"n1": reason}
    assert cluster.calls("update") == [["update", "NodeName=n1", f"Reason={reason}"]]  # it is drained only once
    assert capsys.readouterr().out == f"adopted n1: {reason}\n"


def test_the_first_server_that_answers_and_knows_the_cluster_is_asked(cluster: Cluster) -> None:
    empty = Cluster(cluster.folder, "", verdicts=False)
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}
    with servers.http(empty.answer) as url:
        cluster.urls = [servers.closed(), url, cluster.url]
        assert cluster.do("run") == 0

    assert list(cluster.reasons()) == ["n1"]
    assert cluster.state["last"]["asked"] == cluster.url


def test_without_an_answer_nothing_is_done_and_the_breaker_keeps_its_state(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.verdicts = False

    assert cluster.do("run") == 1
    assert cluster.calls("update") == []
    assert cluster.metrics()["success"] == 0
    assert "wanted" not in cluster.metrics()
    assert f"this run failed: {cluster.url} has no verdict of any node of cluster 'c1'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 1, "says": 'slurm_load_node error: "Unable to contact slurm controller"\x1b[31m\n'}, "Unable to"),
        ({"sleep": 5}, "has not ended within"),
    ],
    ids=["refuses", "hangs"],
)
def test_a_slurm_that_does_not_answer_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: Any, said: str
) -> None:
    monkeypatch.setattr(draincontrol, "_READ", 0.5)
    cluster.slurm({"n1": IDLE}, [{"verb": "show", **fault}])
    cluster.failing = {"n1": "fatal_error"}
    told = (cluster.do("run"), capsys.readouterr().out)

    assert told[0] == 1
    assert said in told[1]
    assert "\x1b" not in told[1]
    assert cluster.metrics()["success"] == 0


def test_a_drain_of_unknown_outcome_goes_on_counting(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draincontrol, "_UPDATE", 0.5)
    cluster.cap = 1
    cluster.slurm({"n1": IDLE, "n2": IDLE}, [{"verb": "update", "sleep": 2, "status": 1}])
    cluster.failing = {"n1": "fatal_error"}
    cluster.do("run")
    cluster.slurm({"n1": IDLE, "n2": IDLE})
    cluster.failing = {"n2": "fatal_error"}
    cluster.do("run")

    assert (cluster.reasons(), list(cluster.state["state"]["pending"])) == ({}, ["n1"])
    assert cluster.state["state"]["trip"] is not None


def test_a_run_that_dies_while_it_acts_has_kept_what_it_was_about_to_do(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> str:
        raise KeyboardInterrupt

    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}
    monkeypatch.setattr(draincontrol, "_act", dies)
    with pytest.raises(KeyboardInterrupt):
        cluster.do("run")

    assert list(cluster.state["state"]["pending"]) == ["n1"]


def test_somebody_who_was_quicker_keeps_the_node(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hurried(*given: Any) -> Any:
        decision = decide(*given)
        cluster.slurm({"n1": FOREIGN})
        return decision

    monkeypatch.setattr(draincontrol, "decide", hurried)
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}

    assert cluster.do("run") == 0
    assert (cluster.nodes(), cluster.state["state"]["pending"]) == ({"n1": FOREIGN}, {})
    assert capsys.readouterr().out == "leaving n1 as it is: it has changed since it was looked at\n"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b'{"state": {"version": 2}}', b"[" * 100_000])
def test_an_unreadable_state_is_a_tripped_breaker_and_is_kept(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}
    (cluster.folder / "state").mkdir()
    (cluster.folder / "state/state.json").write_bytes(content)

    assert [cluster.do("run"), cluster.do("run")] == [0, 0]
    assert (cluster.reasons(), cluster.metrics()["breaker_tripped"]) == ({}, 1)
    assert (cluster.folder / "state/state.json.unreadable").read_bytes() == content
    assert capsys.readouterr().out.startswith("breaker taken as tripped: ")

    assert [cluster.do("reset"), cluster.do("run")] == [0, 0]
    assert list(cluster.reasons()) == ["n1"]


def test_an_unreadable_state_stays_a_tripped_breaker_although_no_other_can_be_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}
    (cluster.folder / "state").mkdir()
    (cluster.folder / "state/state.json").write_bytes(b"")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        during = cluster.do("run"), cluster.metrics()["breaker_tripped"]
    after = cluster.do("run"), cluster.metrics()["breaker_tripped"]

    assert (during, after, cluster.reasons()) == ((1, 1), (0, 1), {})
    assert capsys.readouterr().out.count("breaker taken as tripped: ") == 2
    assert [cluster.do("reset"), cluster.do("run")] == [0, 0]
    assert list(cluster.reasons()) == ["n1"]


def test_a_state_that_cannot_be_kept_keeps_every_node(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "fatal_error"}
    (cluster.folder / "state/state.json.new").mkdir(parents=True)

    assert cluster.do("run") == 1
    assert cluster.reasons() == {}
    assert capsys.readouterr().out.startswith("this run failed: ")


def test_a_reset_makes_no_two_looks_of_one(cluster: Cluster) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": "temperature"}
    cluster.do("run")
    path = cluster.folder / "state/state.json"
    tripped = {**cluster.state["state"], "trip": {"at": 0, "reason": "many"}}
    path.write_text(json.dumps({**cluster.state, "state": tripped, "uptime": cluster.state["uptime"] - 3600}))

    assert [cluster.do("reset"), cluster.do("run")] == [0, 0]
    assert cluster.reasons() == {}


def test_two_runs_at_once_are_one(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    (cluster.folder / "state").mkdir()
    with (cluster.folder / "state/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status = cluster.do("run")

    assert (status, capsys.readouterr().out) == (0, "nothing done: another run is under way\n")


def test_wall_clocks_that_jump_change_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.slurm({"n1": IDLE})
    clocks = []
    for jump in (0.0, 1e6, -1e6):
        monkeypatch.setattr(time, "time", lambda jump=jump: 1.8e9 + jump)
        cluster.do("run")
        clocks.append(cluster.state["state"]["clock"])

    assert clocks == sorted(clocks)
    assert clocks[-1] - clocks[0] < 60


def test_the_time_that_a_run_takes_is_not_lost(cluster: Cluster) -> None:
    cluster.slurm({"n1": IDLE}, [{"verb": "show", "sleep": 1}])
    before = time.monotonic()
    cluster.do("run")
    first = cluster.state["state"]["clock"]
    cluster.do("run")

    assert 1 <= cluster.state["state"]["clock"] - first <= time.monotonic() - before


def test_after_a_reboot_its_clock_goes_on_from_where_it_was(cluster: Cluster) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.do("run")
    path = cluster.folder / "state/state.json"
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    before = cluster.state["state"]["clock"]
    path.write_text(json.dumps({**cluster.state, "boot": "another", "uptime": 1e12}))
    cluster.do("run")

    assert uptime - 0.1 <= cluster.state["state"]["clock"] - before < uptime + 60


def test_show_says_what_is_remembered(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.slurm(dict.fromkeys(["n1", "n2", "n3"], IDLE))
    cluster.failing = dict.fromkeys(["n1", "n2", "n3"], "fatal_error")
    cluster.do("run")
    capsys.readouterr()
    cluster.do("show")
    shown = json.loads(capsys.readouterr().out)

    assert (shown["mode"], shown["cap"], shown["failing"]) == ("on", 2, ["n1", "n2", "n3"])
    assert shown["breaker"]["tripped"] is True
    assert shown["breaker"]["reason"].endswith("n1, n2, n3")
    assert shown["last"]["wanted"] == ["n1", "n2", "n3"]


@pytest.mark.parametrize("config", ["", "[]", '{"version": 1, "mode": "on"}', '{"version": 2}'])
def test_a_configuration_that_makes_no_sense_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str
) -> None:
    (tmp_path / "drain.json").write_text(config)

    assert draincontrol.main(["run", f"--config={tmp_path}/drain.json", f"--state={tmp_path}"]) == 1
    assert "is no configuration of the drain controller" in capsys.readouterr().out


def test_hostile_labels_end_up_as_one_plain_argument(cluster: Cluster) -> None:
    cluster.slurm({"n1": IDLE})
    cluster.failing = {"n1": 'x"\n\x1b[31m State=RESUME NodeName=ALL ' + "y" * 500}
    cluster.do("run")
    cluster.failing = {**cluster.failing}
    path = cluster.folder / "state/state.json"
    path.write_text(json.dumps({**cluster.state, "uptime": cluster.state["uptime"] - 30}))
    cluster.do("run")
    (update,) = cluster.calls("update")

    assert update[:3] == ["update", "NodeName=n1", "State=DRAIN"]
    assert update[3].startswith("Reason=aamic: x' ?[31m State=RESUME NodeName=ALL yyy")
    assert len(update[3]) == len("Reason=") + 200
