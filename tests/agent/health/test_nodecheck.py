"""The node check as a program: against exporters and servers on loopback, in the package as it is shipped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aamic import agent
from aamic.agent.health import nodecheck, verdict
from aamic.agent.health.nodecheck import main
from aamic.agent.health.verdict import Verdict
from tests.agent.health.nodes import config
from tests.agent.health.servers import closed, http
from tests.exposition import read


def answer(*, temperature: float = 50, gpus: int = 4, xid: dict[int, int] | None = None) -> bytes:
    lines = []
    for gpu in range(gpus):
        labels = f'gpu="{gpu}",UUID="GPU-{gpu}"'
        lines += [
            f"DCGM_FI_DEV_GPU_TEMP{{{labels}}} {temperature}",
            f"DCGM_FI_DEV_XID_ERRORS{{{labels}}} {(xid or {}).get(gpu, 0)}",
        ]
    return ("\n".join(lines) + "\n").encode()


class Host:
    def __init__(self, folder: Path) -> None:
        self.folder, self.run, self.textfiles = folder, folder / "run", folder / "textfiles"
        self.textfiles.mkdir()
        self.exporter = answer()
        self.prometheus: dict[str, float | list[str]] = {"failing": ["gpu-001"], "drained": 0.0, "tripped": 0.0}
        self.down = False

    def speak(self, path: str, _: bytes) -> tuple[int, bytes]:
        if path == "/metrics":
            return 200, self.exporter
        if self.down:
            return 503, b"down"
        result = []
        for fact, value in self.prometheus.items():
            for node in value if isinstance(value, list) else [""]:
                number = "1" if isinstance(value, list) else str(value)
                result.append({"metric": {"fact": fact, "node": node}, "value": [1, number]})
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    def configured(self, base: str, **changes: Any) -> list[str]:
        brake = {"urls": [base], "cap": 2, "settle": 0}
        document = config(url=f"{base}/metrics", brake=brake, textfiles=str(self.textfiles), **changes)
        (self.folder / "config.json").write_text(json.dumps(document))
        return self.arguments

    @property
    def arguments(self) -> list[str]:
        return ["--config", str(self.folder / "config.json"), "--run", str(self.run), "--name", "gpu-001"]

    def found(self) -> Verdict:
        return verdict.parse((self.run / "verdict").read_bytes())

    def metrics(self) -> dict[str, float]:
        return {
            f"{one.name}{sorted(one.labels.items()) or ''}": one.value
            for one in read((self.textfiles / "aamic_node.prom").read_text()).series
        }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_healthy_node(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    before = time.time()
    with http(host.speak) as base:
        statuses = [main(host.configured(base)) for _ in range(2)]

    told = host.found()
    assert (statuses, told.state, told.score, told.refuse, told.interval) == ([0, 0], "ok", 100, False, 30)
    assert verdict.counts(told, float(Path("/proc/uptime").read_text().split()[0]))
    metrics = host.metrics()
    assert int(before) <= metrics.pop("aamic_node_check_timestamp_seconds") <= time.time()
    assert metrics == {
        **{f"aamic_node_verdict[('verdict', '{state}')]": float(state == "ok") for state in verdict.STATES},
        **{f"aamic_gpu_health_score[('gpu', '{gpu}'), ('gpu_uuid', 'GPU-{gpu}')]": 100.0 for gpu in range(4)},
        "aamic_node_health_score": 100.0,
        "aamic_node_refuses": 0.0,
    }
    assert capsys.readouterr().err == "aamic-node-check: ok (before: not checked in this boot): all 4 GPUs are well\n"


def test_a_node_that_was_well_may_refuse_when_it_fails(host: Host) -> None:
    with http(host.speak) as base:
        main(host.configured(base))
        host.exporter = answer(xid={3: 79})
        main(host.arguments)

    told, metrics = host.found(), host.metrics()
    assert (told.state, told.refuse, told.brake) == ("fail", True, "-")
    assert told.reason == "XID 79 (GPU has fallen off the bus) on GPU 3"
    assert told.gpus[3] == "3 fail XID 79 (GPU has fallen off the bus)"
    assert metrics["aamic_node_refuses"] == 1
    assert metrics["aamic_node_failing_signal[('gpu', '3'), ('signal', 'fatal_error')]"] == 1


def down(host: Host) -> None:
    host.down = True


def many(host: Host) -> None:
    host.prometheus["failing"] = ["gpu-001", "gpu-002", "gpu-003"]


def unseen(host: Host) -> None:
    host.prometheus["failing"] = []


def tripped(host: Host) -> None:
    host.prometheus["tripped"] = 1.0


def other_boot(host: Host) -> None:
    memory = json.loads((host.run / "node-check.json").read_text())
    (host.run / "node-check.json").write_text(json.dumps({**memory, "boot": "another"}))


def other_config(host: Host) -> None:
    path = host.folder / "config.json"
    path.write_text(path.read_text() + " ")


def forgotten(host: Host) -> None:
    (host.run / "node-check.json").write_text("[" * 5000)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (down, "Prometheus does not answer"),
        (many, "3 nodes fail and 0 are drained"),
        (unseen, "not visible"),
        (tripped, "breaker"),
        (other_boot, "not well before"),
        (other_config, "not well before"),
        (forgotten, "not well before"),
    ],
)
def test_what_keeps_a_failing_node_from_refusing(host: Host, happens: Callable[[Host], None], why: str) -> None:
    with http(host.speak) as base:
        main(host.configured(base))
        host.exporter = answer(xid={3: 79})
        happens(host)
        main(host.arguments)

    told = host.found()
    assert (told.state, told.refuse) == ("fail", False)
    assert why in told.brake


def test_what_was_reported_before_another_configuration_came_is_still_missed(host: Host) -> None:
    with http(host.speak) as base:
        host.exporter += b"".join(b'DCGM_UNHEALTHY{gpu="%d",UUID="GPU-%d"} 1\n' % (gpu, gpu) for gpu in range(4))
        main(host.configured(base))
        failed = host.found().state
        host.exporter = answer()
        other_config(host)
        main(host.arguments)

    assert (failed, host.found().state, host.found().reason) == ("fail", "unknown", "no data: unhealthy on GPU 0,1,2,3")


def test_heat_alone_refuses_nothing(host: Host) -> None:
    with http(host.speak) as base:
        main(host.configured(base))
        host.exporter = answer(temperature=99)
        for _ in range(4):
            main(host.arguments)

    told = host.found()
    assert (told.state, told.refuse, told.brake) == ("fail", False, "only signals that need a second look fail")


@pytest.mark.parametrize("body", [b"", b"<html>\n", answer()[:-1], b"\xff" * 100 + b"\n"])
def test_an_answer_that_is_none_is_unknown(host: Host, body: bytes) -> None:
    host.exporter = body
    with http(host.speak) as base:
        assert main(host.configured(base)) == 0

    assert (host.found().state, host.metrics()["aamic_node_verdict[('verdict', 'unknown')]"]) == ("unknown", 1)


@pytest.mark.parametrize("value", ["+Inf", "-Inf", "NaN", "1e300", "-1", "9e999"])
@pytest.mark.parametrize("index", ["1", "\u00b2", "9" * 5000])
def test_whatever_a_code_or_a_gpu_is_called_there_is_a_verdict(host: Host, value: str, index: str) -> None:
    odd = f'gpu="{index}",UUID="GPU-1"'
    lines = f"DCGM_FI_DEV_GPU_TEMP{{{odd}}} 50\nDCGM_FI_DEV_XID_ERRORS{{{odd}}} {value}\n".encode()
    host.exporter = b"".join(line + b"\n" for line in answer().splitlines() if b'"1"' not in line) + lines
    with http(host.speak) as base:
        assert main(host.configured(base)) == 0

    assert (host.found().state, host.found().score) == ("unknown", None)
    assert host.found().reason.startswith("no data: last_error_code on GPU ")


def test_an_exporter_that_is_gone_is_unknown(host: Host) -> None:
    assert main(host.configured(closed())) == 0
    assert (host.found().state, host.found().score) == ("unknown", None)
    assert "the exporter does not answer" in host.found().reason


@pytest.mark.parametrize("content", [None, "", "[]", '{"version": 2}', '{"version": 1}', "[" * 5000,
                                     '{"version": 1, "interval": "x", "inventory": {"count": "y"}}'])  # fmt: skip
def test_a_configuration_that_is_none_is_unknown(host: Host, content: str | None) -> None:
    if content is not None:
        (host.folder / "config.json").write_text(content)

    assert main(host.arguments) == 0
    assert (host.found().state, host.found().interval) == ("unknown", 30)
    assert "configuration" in host.found().reason


def test_the_last_refusal_of_this_boot_is_told(host: Host) -> None:
    host.run.mkdir()
    with http(host.speak) as base:
        host.configured(base)
        for content in ("1 1764090000 12\n", "99999999999 1 12\n", "garbage", ""):
            (host.run / "refused").write_text(content)
            main(host.arguments)
            told = host.metrics().get("aamic_node_refused_timestamp_seconds")

            assert told == (1_764_090_000 if content.startswith("1 ") else None)


def test_metrics_that_cannot_be_written_do_not_keep_the_verdict_from_it(host: Host) -> None:
    host.textfiles.rmdir()
    with http(host.speak) as base:
        assert main(host.configured(base)) == 0

    assert host.found().state == "ok"


def test_a_verdict_that_cannot_be_written_is_the_one_failure(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.run.mkdir()
    (host.run / "verdict").mkdir()
    with http(host.speak) as base:
        assert main(host.configured(base)) == 1

    assert "no verdict was written" in capsys.readouterr().err


def test_of_two_at_a_time_one_does_it(host: Host) -> None:
    host.run.mkdir()
    with nodecheck._alone(str(host.run)):  # noqa: SLF001  # another one that is at it
        assert main(host.arguments) == 0

    assert not (host.run / "verdict").exists()


def test_the_package_runs_as_it_is_shipped(host: Host) -> None:
    package = host.folder / "lib/aamic_health"
    package.mkdir(parents=True)
    for name, content in agent.health_files().items():
        (package / name).write_bytes(content)
    program = host.folder / "lib/aamic-node-check"
    program.write_bytes(agent.starter("nodecheck"))
    (host.folder / "json.py").write_text("raise SystemExit(9)")

    with http(host.speak) as base:
        done = subprocess.run(
            [sys.executable, "-IB", str(program), *host.configured(base)],
            env={"PYTHONPATH": str(host.folder)}, cwd=host.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert (done.returncode, host.found().state) == (0, "ok")
    assert sorted(path.name for path in (host.folder / "lib").rglob("*") if path.suffix != ".py") == [
        "aamic-node-check", "aamic_health",
    ]  # fmt: skip


def test_it_needs_no_more_than_python_3_6() -> None:
    folder = Path(nodecheck.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", "from vermin import main; main()", "-t=3.6-", "--violations", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
