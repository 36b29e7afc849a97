"""`aamic dashboards`, with a real Prometheus that has a story to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from aamic.cli import app
from aamic.commands import dashboards_preview
from tests.ops.blocks import stored

END = 1_764_000_000
AT = datetime.fromtimestamp(END, UTC).isoformat()
SITE = """
version: 1
cluster: {name: test}
racks:
  r1: {nodes: "gpu-[01-02]", addresses: "127.0.0.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
nodes:
  mon-01: {address: 127.0.0.3}
prometheus: {node: mon-01, port: 19999}
alertmanager: {nodes: mon-01}
alerts: {presets: [node, gpu]}
"""
NODES = ("gpu-01", "gpu-02")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    moments = [END - 3600 + 15 * number for number in range(241)]
    samples = {}
    for node, gpu in product(NODES, (2, 3)):
        labels = f'cluster="test",node="{node}",rack="r1",vendor="nvidia",gpu="{gpu}",gpu_uuid="G{gpu}"'
        hot = END - 600 if (node, gpu) == ("gpu-02", 3) else END
        samples[f"gpu:temperature_celsius{{{labels}}}"] = [(at, 97.0 if at > hot else 60.0 + gpu) for at in moments]
    for node in NODES:
        samples[f'node:down{{cluster="test",node="{node}",rack="r1"}}'] = [(at, 0.0) for at in moments]
    fires = 'alertname="GpuTooHot",severity="critical",cluster="test",node="gpu-02",gpu="3"'
    samples[f'ALERTS{{alertstate="firing",{fires}}}'] = [(at, 1.0) for at in moments[-20:]]
    samples[f"ALERTS_FOR_STATE{{{fires}}}"] = [(at, END - 600.0) for at in moments[-20:]]
    with stored(tmp_path_factory.mktemp("stored"), samples) as prometheus:
        yield prometheus.url


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def run(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["dashboards", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def words(path: Path) -> str:
    return " ".join(re.sub("<[^>]*>", " ", path.read_text().partition("</style>")[2]).split())


def test_pages_and_pictures_of_a_moment_that_is_over(site: Path, url: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "preview"
    told = run(
        "preview", "overview", "aamic-gpu", "-f", str(site), "--prometheus", url, "--at", AT, "--range", "1h",
        "--var", "node=gpu-02", "--format", "both", "--out", str(out),
    )  # fmt: skip

    assert sorted(each.name for each in out.iterdir()) == [
        "aamic-gpu.html", "aamic-gpu.png", "aamic-overview.html", "aamic-overview.png", "index.html",
    ]  # fmt: skip
    assert re.search(r"^aamic-gpu +critical +\d+ +0 +\d+$", told, re.MULTILINE), told
    assert f"wrote 5 files to `{out}`; open `{out}/index.html`" in told
    gpus = words(out / "aamic-gpu.html")
    assert "2025-11-24 16:00:00 UTC, and 1 h before; times in UTC; cluster: test; node: gpu-02" in gpus
    assert "97 °C" in gpus
    assert "gpu-01" not in gpus
    overview = words(out / "aamic-overview.html")
    assert "GpuTooHot" in overview
    assert "10 min" in overview


def test_the_same_moment_gives_the_same_files(site: Path, url: str, tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        run("preview", "gpu", "-f", str(site), "--prometheus", url, "--at", AT, "--out", str(tmp_path / name))
        made.append({each.name: each.read_bytes() for each in (tmp_path / name).iterdir()})

    assert made[0] == made[1]


def test_without_a_choice_the_first_node_is_chosen_where_all_are_too_many(site: Path, url: str, tmp_path: Path) -> None:
    run("preview", "gpu", "-f", str(site), "--prometheus", url, "--at", AT, "--out", str(tmp_path))

    assert "node: gpu-01" in words(tmp_path / "aamic-gpu.html")


def test_a_value_that_is_nowhere_is_told_and_the_pages_are_written(site: Path, url: str, tmp_path: Path) -> None:
    told = run(
        "preview", "gpu", "-f", str(site), "--prometheus", url, "--at", AT, "--var", "node=gpu-0l",
        "--out", str(tmp_path), status=1,
    )  # fmt: skip

    assert "error: no node `gpu-0l`: did you mean `gpu-0" in told
    assert (tmp_path / "aamic-gpu.html").exists()


def test_a_server_that_does_not_answer_is_named(site: Path) -> None:
    told = run("preview", "-f", str(site), status=1)

    assert "error: `http://127.0.0.3:19999` does not answer" in told
    assert "hint: name a server that you reach with `--prometheus URL`" in told


class Refusing(BaseHTTPRequestHandler):
    """Answers the question whether it answers, and refuses all others."""

    def do_GET(self) -> None:
        asked = "vector%281%29" in self.path
        good = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
        body = good if asked else b'{"status":"error","errorType":"execution","error":"<b>too many</b> samples"}'
        self.send_response(200 if asked else 422)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_queries_that_fail_are_told_and_the_pages_are_written(site: Path, refusing: str, tmp_path: Path) -> None:
    told = run(
        "preview", "overview", "gpu", "-f", str(site), "--prometheus", refusing, "--out", str(tmp_path), status=1
    )
    html = (tmp_path / "aamic-overview.html").read_text()

    assert "error: aamic-overview: `Nodes`: <b>too many</b> samples\n" in told
    assert "query failed: &lt;b&gt;too many&lt;/b&gt; samples" in html
    assert "queries failed" in words(tmp_path / "aamic-overview.html")
    assert "queries failed" in words(tmp_path / "index.html")
    assert "What there is to choose from is not known: &lt;b&gt;" in words(tmp_path / "aamic-gpu.html")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("preview", "--prometheus", "mon-01:9090"), 2, "write a URL such as `http://mon-01:9090`"),
        (("preview", "--range", "5"), 2, "write a duration"),
        (("preview", "--range", "3y"), 2, "write from `1m` to `2y`"),
        (("preview", "--at", "noon"), 2, "write a time such as"),
        (("preview", "--at", "2999-01-01"), 2, "still to come"),
        (("preview", "--var", "node"), 2, "write `NAME=VALUE`"),
        (("preview", "--var", "node=a\nb"), 2, "write `NAME=VALUE`"),
        (("preview", "--var", "nodes=a"), 2, "no such variable `nodes`"),
        (("preview", "gpus"), 1, "did you mean `aamic-gpu`?"),
        (("preview", "slurm"), 1, "this site feeds nothing of dashboard `aamic-slurm`"),
        (("export", "nothing-like-it"), 1, "there is no dashboard `nothing-like-it`"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], status: int, said: str, site: Path) -> None:
    told = run(*arguments, "-f", str(site), status=status)

    assert said in " ".join(told.replace("│", " ").split())


def test_a_missing_matplotlib_is_told(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards_preview, "_EXTRA", "no_such_module_at_all")

    assert run("preview", "-f", str(site), status=1) == (
        "error: drawing needs matplotlib, which is not installed\nhint: pip install 'aamic[preview]'\n"
    )


def test_a_folder_that_is_a_file_is_told(site: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    assert "cannot write" in run("export", "-f", str(site), "--out", str(tmp_path / "out"), status=1)


def test_a_folder_that_cannot_be_is_told_before_anybody_is_asked(site: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    told = run("preview", "gpu", "-f", str(site), "--out", str(tmp_path / "out/below"), status=1)
    assert f"cannot write `{tmp_path}/out/below`: Not a directory" in told
    assert "does not answer" not in told


def test_what_is_there_and_what_is_left_out(site: Path) -> None:
    told = run("list", "-f", str(site))
    value = json.loads(run("list", "-f", str(site), "--json"))

    assert re.search(r"^aamic-gpu +\d+ +GPUs$", told, re.MULTILINE), told
    assert "aamic-slurm" in told.partition("left out, as this site cannot feed it:")[2]
    gpu = next(each for each in value["dashboards"] if each["uid"] == "aamic-gpu")
    assert "node" in gpu["variables"]
    assert {"row", "title", "kind"} == set(gpu["panels"][0])
    assert "aamic-slurm" in {each["uid"] for each in value["left_out"]}


def test_files_for_a_grafana_are_json_with_the_same_uids(site: Path, tmp_path: Path) -> None:
    told = run("export", "gpu", "aamic-node", "-f", str(site), "--out", str(tmp_path / "json"))

    found = {each.name: json.loads(each.read_text())["uid"] for each in (tmp_path / "json").iterdir()}
    assert found == {"aamic-gpu.json": "aamic-gpu", "aamic-node.json": "aamic-node"}
    assert told == "".join(f"wrote `{tmp_path}/json/{name}`\n" for name in ("aamic-gpu.json", "aamic-node.json"))
