from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from aamic.catalog.artifacts.alertmanager import artifact
from aamic.model.fleet import Fleet
from aamic.model.secret import SecretEnv
from aamic.model.site import Notifications, Webhook
from aamic.model.tree import Part
from aamic.twin.units import read_unit
from tests import fleets
from tests.catalog.artifacts import hosts

AMTOOL = pytest.mark.skipif(not shutil.which("amtool"), reason="amtool is not installed")
BINARY = "prometheus-alertmanager"
DAEMON = pytest.mark.skipif(not shutil.which(BINARY), reason="Alertmanager is not installed")
PRESETS = Path(artifact.__file__).parents[1] / "rules" / "presets"
UNIT = "aami-alertmanager.service"


def parts(fleet: Fleet) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in artifact.render(fleet):
        found.setdefault(part.bundle, []).append(part)
    return found


def config(fleet: Fleet) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(parts(fleet)["alertmanager"][0].files[0].content)
    return loaded


def installed(fleet: Fleet, root: Path, host: str = "mon-01") -> Path:
    """The path of the configuration that was installed below `root`."""
    hosts.install(hosts.tree(fleet), host, root)
    return root / "etc/aami/alertmanager/alertmanager.yml"


def amtool(*arguments: str | Path) -> str:
    run = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def told(**notifications: Any) -> Fleet:
    every = fleets.nodes(0, hosts=1)
    return fleets.fleet(
        every,
        (),
        services=(),
        alertmanagers=fleets.alertmanagers(["mon-01"], every),
        notifications=Notifications(**notifications),
    )


@AMTOOL
@pytest.mark.parametrize("name", fleets.FLEETS)
def test_amtool_accepts_the_configuration(name: str, tmp_path: Path) -> None:
    found = amtool("check-config", installed(fleets.FLEETS[name](), tmp_path))
    assert "SUCCESS" in found
    assert "1 templates" in found


@AMTOOL
@pytest.mark.parametrize(
    ("severity", "receivers"),
    [
        ("critical", "slack,email,webhook,pagerduty"),
        ("warning", "slack,email,webhook"),
        ("info", "slack,webhook"),
        ("other", "nobody"),
    ],
)
def test_an_alert_reaches_those_who_asked_for_its_severity(severity: str, receivers: str, tmp_path: Path) -> None:
    path = installed(fleets.sharded(), tmp_path)
    found = amtool("config", "routes", "test", f"--config.file={path}", f"severity={severity}", "alertname=A")
    assert found.strip() == receivers


def test_nobody_is_told_where_nobody_asked() -> None:
    loaded = config(fleets.single())
    assert loaded["receivers"] == [{"name": "nobody"}]
    assert "routes" not in loaded["route"]
    silent = config(told(webhook=Webhook(url="http://127.0.0.1/", severities=[])))
    assert silent["receivers"] == [{"name": "nobody"}]


def test_a_group_is_a_node_and_a_severity() -> None:
    assert config(fleets.sharded())["route"]["group_by"] == ["cluster", "node", "severity"]


def test_secrets_are_references_that_the_service_may_read() -> None:
    (shared, _) = parts(fleets.sharded())["alertmanager"]
    assert shared.secrets == {
        "/etc/aami/secrets/alertmanager-slack": {"file": "secrets/slack", "owner": "aami-alertmanager"},
        "/etc/aami/secrets/alertmanager-email": {"env": "SMTP_PASSWORD", "owner": "aami-alertmanager"},
        "/etc/aami/secrets/alertmanager-webhook": {"command": ["pass", "hook"], "owner": "aami-alertmanager"},
        "/etc/aami/secrets/alertmanager-pagerduty": {"env": "PAGERDUTY_KEY", "owner": "aami-alertmanager"},
    }
    named = {value for receiver in config(fleets.sharded())["receivers"] for value in _secret_files(receiver)}
    assert named == set(shared.secrets)


def _secret_files(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {found for key, found in value.items() if key.endswith("_file")}
        return here.union(*map(_secret_files, value.values()))
    return set().union(*map(_secret_files, value)) if isinstance(value, list) else set()


def test_a_receiver_without_a_secret_names_no_file() -> None:
    fleet = told(webhook=Webhook(url="http://127.0.0.1/x"))
    assert config(fleet)["receivers"][1]["webhook_configs"] == [{"url": "http://127.0.0.1/x", "send_resolved": True}]
    assert parts(fleet)["alertmanager"][0].secrets == {}


def test_text_of_the_site_is_no_template() -> None:
    slack = config(fleets.sharded())["receivers"][1]["slack_configs"][0]
    assert slack["channel"] == '#gpu {{"{{"}} x }}'


def test_a_single_one_has_no_cluster_and_members_name_each_other() -> None:
    assert "--cluster.listen-address=" in command(fleets.single(), "alertmanager")
    paired = fleets.paired()
    assert set(parts(paired)) == {"alertmanager", *(f"alertmanager-mon-0{number}" for number in (1, 2, 3))}
    assert command(paired, "alertmanager-mon-01")[5:] == (
        "--cluster.listen-address=10.10.0.1:9094",
        "--cluster.peer=10.10.0.2:9094",
        "--cluster.peer=10.10.0.13:9094",
    )
    assert command(paired, "alertmanager-mon-03")[5] == "--cluster.listen-address=10.10.0.13:9094"


def command(fleet: Fleet, bundle: str) -> tuple[str, ...]:
    (content,) = (
        file.content.decode() for part in parts(fleet)[bundle] for file in part.files if file.path.endswith(UNIT)
    )
    return read_unit(content, {}).command


def test_a_fleet_without_alertmanager_has_no_file_of_it() -> None:
    assert parts(fleets.fleet(fleets.nodes(1), ())) == {}


def message(*alerts: Mapping[str, Any]) -> dict[str, Any]:
    """The data that Alertmanager gives its templates."""
    common = dict(set.intersection(*({*alert["labels"].items()} for alert in alerts)))
    return {"status": alerts[0]["status"], "commonLabels": common, "groupLabels": common, "alerts": list(alerts)}


def alert(**labels: str) -> dict[str, Any]:
    base = {"alertname": "GpuXid", "severity": "critical", "cluster": "seoul", "node": "gpu-017"}
    return {
        "status": "firing",
        "labels": base | labels,
        "annotations": {"summary": "XID 79 <!channel> & more", "runbook_url": "https://runbooks.example.com/GpuXid"},
        "startsAt": "2026-01-02T03:04:05Z",
    }


@AMTOOL
@pytest.mark.parametrize(
    ("template", "data", "expected"),
    [
        ("aami.title", [alert(gpu="0"), alert(gpu="1")], "[FIRING 2] critical GpuXid on gpu-017, seoul"),
        ("aami.title", [alert() | {"status": "resolved"}], "[RESOLVED] critical GpuXid on gpu-017, seoul"),
        ("aami.title", [alert(), alert(alertname="B", node="x")], "[FIRING 2] critical on seoul"),
        (
            "aami.slack",
            [alert(gpu="3")],
            """*GpuXid* gpu-017 GPU 3: XID 79 &lt;!channel&gt; &amp; more
Runbook: https://runbooks.example.com/GpuXid
since 2026-01-02 03:04:05 UTC""",
        ),
    ],
)
def test_a_message_says_what_happened_where(
    template: str, data: list[dict[str, Any]], expected: str, tmp_path: Path
) -> None:
    folder = installed(fleets.sharded(), tmp_path).parent
    (tmp_path / "data.json").write_text(json.dumps(message(*data)))
    found = amtool(
        "template",
        "render",
        f"--template.glob={folder}/*.tmpl",
        f'--template.text={{{{ template "{template}" . }}}}',
        f"--template.data={tmp_path}/data.json",
    )
    assert found.strip() == expected


def local(port: int, addresses: Mapping[str, str], **notifications: Any) -> Fleet:
    """Alertmanagers on loopback addresses."""
    every = {host: fleets.node(host, address) for host, address in addresses.items()}
    members = fleets.alertmanagers(tuple(every), every, port)
    notify = Notifications(**notifications)
    return fleets.fleet(every, (), services=(), endpoints=(), alertmanagers=members, notifications=notify)


@DAEMON
def test_alertmanager_runs_with_it_and_a_dead_node_silences_its_gpus(tmp_path: Path) -> None:
    (port,) = hosts.free_ports(1)
    token = SecretEnv(env="X")
    fleet = local(port, {"mon-01": "127.0.0.1"}, webhook=Webhook(url="http://127.0.0.1:9/", token=token))
    installed(fleet, tmp_path)
    url = f"http://127.0.0.1:{port}"
    with hosts.running(tmp_path, UNIT):
        hosts.until(lambda: "OK" in hosts.get(f"{url}/-/ready"))
        assert hosts.get(f"{url}/api/v2/status")["cluster"]["status"] == "disabled"
        labels = [
            {"alertname": "NodeDown", "node": "a", "severity": "critical"},
            {"alertname": "GpuHot", "node": "a", "gpu": "0", "severity": "critical"},
            {"alertname": "ShardDown", "node": "a", "shard": "s", "severity": "critical"},
            {"alertname": "ShardTargetsMissing", "shard": "s", "severity": "warning"},
            {"alertname": "PrometheusWalFailing", "node": "a", "severity": "critical"},
            {"alertname": "FederationStale", "shard": "s", "severity": "warning"},
            {"alertname": "GpuTooHot", "node": "b", "gpu": "0", "severity": "critical"},
            {"alertname": "GpuHot", "node": "b", "gpu": "0", "severity": "warning"},
            {"alertname": "NodeFilesystemFull", "node": "b", "mountpoint": "/x", "severity": "critical"},
            {"alertname": "NodeFilesystemFilling", "node": "b", "mountpoint": "/y", "severity": "warning"},
            {"alertname": "CentralDown", "node": "a", "severity": "critical"},
            {"alertname": "NetworkFilesystemFull", "device": "nas:/home", "severity": "critical"},
            {"alertname": "GpuHot", "node": "b", "gpu": "1", "severity": "warning"},
            {"alertname": "GpuXid", "node": "c", "shard": "s", "severity": "warning"},
        ]
        hosts.post(f"{url}/api/v2/alerts", [{"labels": each | {"cluster": "x"}} for each in labels])
        found = hosts.until(lambda: _inhibited(url, len(labels)))
    assert found == {
        ("GpuHot", "a", "0", "critical"), ("ShardTargetsMissing", None, None, "warning"),
        ("FederationStale", None, None, "warning"), ("GpuHot", "b", "0", "warning"),
    }  # fmt: skip


def test_every_alert_that_inhibition_names_exists() -> None:
    named = {name for pair in artifact.WORSE_THAN for name in pair} | {"NodeDown", "ShardDown"}
    text = b"".join(path.read_bytes() for path in sorted(PRESETS.glob("*.yaml")))
    assert {name for name in named if f"- name: {name}\n".encode() not in text} == set()


def _inhibited(url: str, count: int) -> set[tuple[str | None, ...]] | None:
    """Which alerts are inhibited, once Alertmanager has said of each what it is."""
    alerts = hosts.get(f"{url}/api/v2/alerts")
    if len(alerts) != count or any(each["status"]["state"] == "unprocessed" for each in alerts):
        return None
    inhibited = [each["labels"] for each in alerts if each["status"]["inhibitedBy"]]
    return {tuple(each.get(name) for name in ("alertname", "node", "gpu", "severity")) for each in inhibited}


@DAEMON
def test_the_members_of_a_cluster_find_each_other(tmp_path: Path) -> None:
    (port,) = hosts.free_ports(1)
    addresses = {"mon-01": "127.0.0.2", "mon-02": "127.0.0.3"}
    fleet = local(port, addresses)
    with ExitStack() as stack:
        for host, address in addresses.items():
            installed(fleet, tmp_path / host, host)
            stack.enter_context(hosts.running(tmp_path / host, UNIT, address))
        urls = [f"http://{address}:{port}/api/v2/status" for address in addresses.values()]
        found = [hosts.until(partial(_peers, url, len(urls))) for url in urls]
    assert found == [{f"{address}:{port + 1}" for address in addresses.values()}] * 2


def _peers(url: str, count: int) -> set[str] | None:
    peers = hosts.get(url)["cluster"]["peers"]
    return {peer["address"] for peer in peers} if len(peers) == count else None


def test_retention_is_told_in_units_of_go() -> None:
    fleet = told()
    (member,) = fleet.alertmanagers
    command = artifact.unit_of(fleet, replace(member, retention="5d")).command
    assert [word for word in command if word.startswith("--data.retention")] == ["--data.retention=120h"]
