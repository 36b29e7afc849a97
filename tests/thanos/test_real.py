"""Real Prometheus and Thanos with the rendered command lines: two pairs of shards, central, and a bucket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
import yaml

from aamic.clients.prometheus import PartError, Prometheus
from aamic.compile.compiler import check_document, shipped_catalog
from aamic.model.dashboard import EVERYTHING, filled
from aamic.twin.checks import queried
from tests.sites import document
from tests.thanos.program import THANOS, needs_thanos
from tests.thanos.running import ARCHIVED, BLOCK, HOUR, WATTS, Running, archived_from, eventually, running

pytestmark = [
    needs_thanos,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus"),
]
SITE: Final = """
version: 1
cluster: {name: small, labels: {region: kr}}
racks:
  r01: {nodes: "gpu-[001-002]", addresses: "10.10.1.[1-2]", gpu: {vendor: nvidia, model: H100, count: 2}}
  r02: {nodes: "mi-001", addresses: "10.10.3.1", gpu: {vendor: amd, model: MI300X, count: 2}}
nodes:
  "mon-[01-02]": {addresses: "10.10.0.[11-12]"}
federation:
  type: thanos
  central_node: mon-01
  central: {retention_raw: 30d, retention_downsampled: 1y}
  shards: 2
  by: rack
  shard_nodes: "mon-[01-02]"
  replicas: 2
thanos: {version: "0.42.5", objstore: {file: secrets/bucket}, ruler: {}}
alertmanager: {nodes: mon-01}
notifications: {webhook: {url: "https://hooks.example.com/x"}}
alerts:
  presets: [node, gpu]
  custom:
    - {name: Gpus, scope: global, for: 1s, severity: warning, expr: "count(DCGM_FI_DEV_GPU_TEMP) == 4"}
"""
GPUS: Final = 6


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(THANOS.parent), prepend=":")
        with running(SITE, tmp_path_factory.mktemp("thanos")) as made:
            yield made


def value(server: Prometheus, expr: str) -> float:
    """The one number that a server answers with."""
    (sample,) = server.query(expr)
    return sample.value


def shown(site: Running) -> dict[tuple[str, str, str], tuple[int, int]]:
    """How many rows of each query of each dashboard Thanos Query and central give."""
    found = {}
    for page in check_document(document(SITE), shipped_catalog(), dashboards=True).fleet.dashboards:
        every = {each.name: EVERYTHING for each in page.variables} | {"__range": "6h"}
        for panel in page.panels:
            for query in panel.queries:
                expr = filled(query.expr, every)
                rows = (len(server.query(expr)) for server in (site.query, site.central))
                found[page.uid, panel.title, expr] = next(rows), next(rows)
    return found


def test_dashboards_show_through_query_what_they_show_of_central(site: Running) -> None:
    def differing() -> list[object]:
        return [(key, rows) for key, rows in shown(site).items() if rows[0] != rows[1]]

    eventually(differing, [])
    servers = [rows for (uid, title, _), rows in shown(site).items() if (uid, title) == ("aamic-federation", "Servers")]
    assert (4, 4) in servers


def test_query_has_each_series_once_though_a_pair_and_central_have_it(site: Running) -> None:
    def apart(**options: str) -> int:
        return int(site.raw("count(gpu:power_watts)", **options)["data"]["result"][0]["value"][1])

    eventually(lambda: (apart(), apart(dedup="false")), (GPUS, 3 * GPUS))
    eventually(lambda: bool(site.query.query("cluster:gpu_power_watts")), wanted=True)
    labels = {key for sample in site.query.query("gpu:power_watts") for key in sample.labels}
    assert labels == {"__name__", "cluster", "region", "shard", "rack", "node", "gpu", "gpu_uuid", "vendor"}
    assert value(site.query, 'count(up{job="federate"})') == 4
    watts = value(site.query, "sum(gpu:power_watts)")
    assert watts == pytest.approx(value(site.central, "sum(max without (replica) (gpu:power_watts))"), rel=0.05)
    # Central records it again every few seconds, of what it had until then.
    recorded = "sum(cluster:gpu_power_watts)"
    eventually(lambda: value(site.query, recorded) == pytest.approx(watts, rel=0.05), wanted=True)


def test_central_has_about_as_many_series_as_predicted(site: Running) -> None:
    said = site.central.query("prometheus_tsdb_head_series{job='prometheus'}")
    assert [sample.value for sample in said] == pytest.approx([site.server("central").load.series], rel=0.2)
    kept = site.central.query("""group by (__name__) ({job=~"thanos-.+", __name__!~"up|scrape_.+"})""")
    assert {sample.labels["__name__"].split("_")[0] for sample in kept} == {"grpc", "prometheus", "thanos"}


def test_query_counts_calls_to_what_it_does_not_reach_as_the_alert_reads_them(site: Running) -> None:
    failed = 'sum(grpc_client_handled_total{job="thanos-query",grpc_method="Info",grpc_code!="OK"}) or vector(0)'
    before = value(site.central, failed)
    with site.without("aami-thanos-sidecar-central"):
        eventually(lambda: value(site.central, failed) > before + 1, wanted=True)
    site.wait(queried)


def test_raw_samples_of_every_shard_are_asked_for_in_one_place(site: Running) -> None:
    assert site.central.query("DCGM_FI_DEV_GPU_TEMP") == ()
    assert {sample.labels["shard"] for sample in site.query.query("DCGM_FI_DEV_GPU_TEMP")} == {"shard-1"}
    assert {sample.labels["shard"] for sample in site.query.query("amd_gpu_junction_temperature")} == {"shard-2"}


def test_a_global_alert_reaches_alertmanager_as_one_of_its_cluster(site: Running) -> None:
    def labels() -> list[dict[str, str]]:
        return [dict(each.labels) for each in site.alertmanager.alerts() if each.labels["alertname"] == "Gpus"]

    eventually(labels, [{"alertname": "Gpus", "cluster": "small", "region": "kr", "severity": "warning"}])


def test_what_is_away_is_told_with_every_answer_for_as_long(site: Running) -> None:
    with site.without("aami-thanos-sidecar-shard-2"):
        answers = [site.raw("count(amd_gpu_junction_temperature)") for _ in range(100)]
        assert [each for each in answers if not each.get("warnings") and not each["data"]["result"]] == []
        time.sleep(6)  # Query looks every five seconds whom it can ask
        warned = site.raw("count(gpu:present)")["warnings"]
        assert len(warned) == 2
        assert [each for each in warned if 'shard="shard-2"' not in each] == []
        with pytest.raises(PartError):
            site.query.query("count(gpu:present)")
        assert value(site.query, 'count(gpu:present{shard=~"shard-1|",replica!="central"})') == 4
    site.wait(queried)


def ruled(site: Running) -> tuple[str, str]:
    """Health of the one global rule, and when it was evaluated last."""
    (ruler,) = site.fleet.thanos.of("rule") if site.fleet.thanos else ()
    with urlopen(f"http://{site.fleet.address(ruler.host, ruler.http_port)}/api/v1/rules", timeout=20) as answer:
        ((rule,),) = [group["rules"] for group in json.load(answer)["data"]["groups"]]
        return rule["health"], rule["lastEvaluation"]


def go_on(site: Running) -> None:
    """Wait until Query lacks one process, and the rule was evaluated after that, well."""
    eventually(lambda: len(site.raw("count(gpu:present)").get("warnings", ())), 1)
    _, before = ruled(site)
    eventually(lambda: ruled(site)[1] != before, wanted=True)
    assert ruled(site)[0] == "ok"
    assert [each.labels["alertname"] for each in site.alertmanager.alerts()].count("Gpus") == 1


def test_global_rules_go_on_while_one_of_a_pair_is_away(site: Running) -> None:
    eventually(lambda: ruled(site)[0], "ok")
    (name, *_) = site.named("aami-thanos-sidecar-shard-1")
    site.stop(name)
    try:
        go_on(site)
    finally:
        site.start(name)
    site.wait(queried)


def test_global_rules_go_on_while_one_of_a_pair_hangs(site: Running) -> None:
    (name, *_) = site.named("aami-thanos-sidecar-shard-1")
    (pid,) = [process.child.pid for process in site.processes.running if process.name == name]
    os.killpg(pid, signal.SIGSTOP)
    try:
        go_on(site)
    finally:
        os.killpg(pid, signal.SIGCONT)
    site.wait(queried)


def health(folder: Path, *options: str) -> dict[str, Any]:
    """What `aamic health` says, as JSON."""
    command = [sys.executable, "-m", "aamic", "health", "-f", str(folder / "site.yaml"), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verdicts(said: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["verdict"] for each in said["nodes"]}


def test_health_asks_query_and_calls_nothing_good_of_which_it_has_a_part(site: Running, tmp_path: Path) -> None:
    whole = json.loads((site.folder / "site.yaml").read_text())
    for shard in whole["federation"]["shards"]:
        shard["prometheus"]["port"] += 10_000  # nobody is there: only Query can be asked
    (tmp_path / "site.yaml").write_text(json.dumps(whole))
    good = {"gpu-001": "ok", "gpu-002": "ok", "mi-001": "ok"}
    eventually(lambda: verdicts(health(tmp_path)), good)
    with site.without("aami-thanos-sidecar-shard-2"):
        alone, both = health(tmp_path), health(site.folder)

    assert verdicts(alone) == good | {"mi-001": "unknown"}
    assert "answers in part only" in json.dumps(alone)
    # The shard's own servers are asked where Query knows only a part.
    assert verdicts(both) == good
    site.wait(queried)


def blocks(bucket: Path) -> dict[str, dict[str, Any]]:
    """The blocks of a bucket that are there to stay, with what they say of themselves."""
    found = {path.parent.name: json.loads(path.read_text()) for path in bucket.glob("*/meta.json")}
    return {name: meta for name, meta in found.items() if not (bucket / name / "deletion-mark.json").exists()}


def test_blocks_go_to_the_bucket_are_compacted_and_served_when_their_shard_is_gone(site: Running) -> None:
    bucket = Path(str(site.fleet.thanos and site.fleet.thanos.bucket))
    start = archived_from(time.time())
    eventually(lambda: len(blocks(bucket)), ARCHIVED // BLOCK + 1)
    labels = {json.dumps(meta["thanos"]["labels"], sort_keys=True) for meta in blocks(bucket).values()}
    assert labels == {'{"cluster": "small", "region": "kr", "replica": "a", "shard": "shard-1"}'}

    (compact,) = site.named("aami-thanos-compact")
    site.stop(compact)
    # A block's uploader has half an hour to end; that is over.
    site.start(compact, "--consistency-delay=0s", without="--wait")
    (process,) = (each for each in site.processes.running if each.name == compact)
    assert process.child.wait(60) == 0, process.log_tail()
    site.processes.running.remove(process)
    kept = [len(meta["compaction"]["sources"]) for meta in blocks(bucket).values()]
    assert sorted(kept) == [1, 1, 1, 4]

    (store,) = site.named("aami-thanos-store")
    site.stop(store)
    with site.without("aami-thanos-sidecar-shard-1"):
        site.start(store)
        shown = {"time": str(start + HOUR)}
        eventually(
            lambda: [each["value"][1] for each in site.raw("gpu:power_watts", **shown)["data"]["result"]], ["123"]
        )
    assert WATTS == 123
    site.start(compact)
    site.wait(queried)


def test_query_sees_a_new_endpoint_without_a_restart(site: Running) -> None:
    (name,) = site.named("aami-thanos-query")
    command = site.commands[name].command
    path = Path(next(word for word in command if word.startswith("--endpoint.sd-config-file=")).partition("=")[2])
    whole = path.read_text()
    away = {site.fleet.address(each.host, each.grpc_port or 0) for each in site.sidecars("shard-2")}
    asked = yaml.safe_load(whole)["endpoints"]
    site.stop(name)
    path.write_text(json.dumps({"endpoints": [each for each in asked if each["address"] not in away]}))
    interval = next(word for word in command if word.startswith("--endpoint.sd-config-reload-interval="))
    site.start(name, "--endpoint.sd-config-reload-interval=1s", without=interval)
    shards = 'count by (shard) (gpu:present{replica!="central"})'
    seen = lambda: {each.labels["shard"] for each in site.query.query(shards)}  # noqa: E731  # asked again and again
    eventually(seen, {"shard-1"})

    path.write_text(whole)

    eventually(seen, {"shard-1", "shard-2"})
    site.stop(name)
    site.start(name)
    site.wait(queried)


def test_a_sidecar_with_a_bucket_refuses_a_prometheus_that_compacts(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text("global: {external_labels: {shard: one}}\n")
    (tmp_path / "bucket.yml").write_text(f"type: FILESYSTEM\nconfig: {{directory: {tmp_path}/bucket}}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
         f"--web.listen-address=127.0.0.1:{port}"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(lambda: Prometheus(f"http://127.0.0.1:{port}").ready(), None)
        with (tmp_path / "log").open("wb") as log:
            sidecar = subprocess.Popen(
                [THANOS, "sidecar", f"--prometheus.url=http://127.0.0.1:{port}", f"--tsdb.path={tmp_path}/data",
                 f"--objstore.config-file={tmp_path}/bucket.yml",
                 "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0"],
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            eventually(lambda: "Compaction needs to be disabled" in (tmp_path / "log").read_text(), wanted=True)
        finally:
            sidecar.kill()
            sidecar.wait()
    finally:
        server.kill()
        server.wait()
