import io
import json

import pytest
from rich.console import Console

from aamic.twin.progress import steps_on
from aamic.twin.report import AlertReport, Failure, FederatedReport, Report, ServerReport, to_json
from aamic.twin.show import show, show_urls

REPORT = Report(
    cluster="seoul [bold]x",
    nodes=24,
    site_nodes=500,
    real_node="mon-01",
    left_out=("other clusters ([red]busan)",),
    urls={"shard-1": "http://127.64.0.1:21000", "alertmanager on mon-01": "http://127.64.0.1:21001"},
    servers=(ServerReport("shard-1", "mon-01", "http://127.64.0.1:21000", 7, 8, 12_345, 13_000),),
    federated=FederatedReport("central", 7, 9, {"amd": {"gpu:power_watts": 8}, "nvidia": {"gpu:power_watts": 16}}),
    alerts=(
        AlertReport(
            "xid:79@gpu-001/0",
            {"alertname": "GpuXid", "node": "gpu-001", "gpu": "0"},
            "GPU 0 [red] reported XID 79",
            4.04,
        ),
    ),
)


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=100)
    show(report, console)
    show_urls(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "words",
    [
        ["Twin of seoul [bold]x: 24 of 500 nodes"],
        ["node_exporter of mon-01 is the real one"],
        ["left out: other clusters ([red]busan)"],
        ["shard-1", "mon-01", "7 of 8", "12,345", "13,000"],
        ["What central knows: 7 of 9 targets up"],
        ["gpu:power_watts", "8", "16"],
        ["xid:79@gpu-001/0 became an alert after 4.0 s"],
        ["GpuXid GPU 0 [red] reported XID 79"],
        ["gpu=0, node=gpu-001"],
        ["shard-1: http://127.64.0.1:21000"],
        ["alertmanager on mon-01: http://127.64.0.1:21001"],
    ],
)
def test_what_is_printed(words: list[str]) -> None:
    assert [line for line in printed(REPORT).splitlines() if all(word in line for word in words)] != []


def test_a_failure_is_told_with_what_was_missing_and_the_log() -> None:
    failure = Failure("all targets up", tuple(f"`t{number}` is down" for number in range(25)), ("level=error",))

    lines = printed(Report("c", 3, 3, failure=failure)).splitlines()

    assert lines[0] == "Twin of c: all 3 nodes, on this machine's loopback addresses"
    assert lines[1] == "error: the step `all targets up` did not end well"
    assert lines[21:24] == ["  `t19` is down", "  and 5 more", "  level=error"]


def test_the_json_says_whether_all_is_well() -> None:
    failed = Report("c", 3, 3, failure=Failure("s", ("m",)))

    assert (to_json(REPORT)["ok"], to_json(failed)["ok"]) == (True, False)
    assert json.loads(json.dumps(to_json(REPORT)))["servers"][0]["targets_up"] == 7


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_are_told_on_every_console(terminal: bool) -> None:  # noqa: FBT001
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with steps_on(console).step("all [x] targets up") as tell:
        tell(1, 4, "one waits")
        tell(4, 4)

    assert isinstance(console.file, io.StringIO)
    assert ("one waits" in console.file.getvalue()) or terminal
    assert "all [x] targets up" in console.file.getvalue()
    assert ("4/4" if terminal else "4 of 4 after 0.0 s") in console.file.getvalue()
