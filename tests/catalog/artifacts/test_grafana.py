from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aamic.catalog.artifacts.grafana.artifact import render
from aamic.catalog.artifacts.grafana.settings import NOTHING_OUTSIDE
from aamic.catalog.artifacts.grafana.sources import sources, uid
from aamic.catalog.artifacts.grafana.words import ini
from aamic.model.dashboard import Dashboard
from aamic.model.fleet import Fleet, Grafana, Thanos, ThanosComponent
from aamic.model.secret import SecretFile
from aamic.model.tree import OnChange, Part
from tests import fleets
from tests.catalog.artifacts import hosts

DATASOURCES = "/etc/aami/grafana/provisioning/datasources/aamic.yaml"
PROVIDERS = "/etc/aami/grafana/provisioning/dashboards/aamic.yaml"

SHOWN = [name for name, make in fleets.FLEETS.items() if make().grafana is not None]


def part(fleet: Fleet) -> Part:
    (only,) = render(fleet)
    return only


def shown(fleet: Fleet) -> Grafana:
    assert fleet.grafana is not None
    return fleet.grafana


def changed(fleet: Fleet, **changes: Any) -> Fleet:
    return replace(fleet, grafana=replace(shown(fleet), **changes))


def files(fleet: Fleet) -> dict[str, bytes]:
    return {file.path: file.content for file in part(fleet).files}


def settings(fleet: Fleet) -> ConfigParser:
    """grafana.ini, its backticks taken off as its reader does."""
    read = ConfigParser(interpolation=None)
    read.read_string(files(fleet)["/etc/aami/grafana/grafana.ini"].decode())
    for section in read.sections():
        for key, value in read.items(section):
            if value.startswith("`"):
                read.set(section, key, value[1:-1])
    return read


def provisioned(fleet: Fleet, path: str) -> Any:
    return yaml.safe_load(files(fleet)[path])


def data_sources(fleet: Fleet) -> list[Any]:
    found: list[Any] = provisioned(fleet, DATASOURCES)["datasources"]
    return found


def test_it_is_one_bundle_on_its_host_with_all_it_needs() -> None:
    found = part(fleets.sharded())
    restart = OnChange("restart", "aami-grafana.service")
    assert (found.bundle, found.hosts, found.stage) == ("grafana", ("mon-01",), "central")
    assert {file.path: file.on_change for file in found.files} == {
        "/etc/systemd/system/aami-grafana.service": restart,
        "/etc/sysusers.d/aami-grafana.conf": OnChange("sysusers"),
        "/etc/tmpfiles.d/aami-grafana.conf": OnChange("tmpfiles"),
        "/etc/aami/grafana/grafana.ini": restart,
        "/etc/aami/grafana/cert.pem": restart,
        DATASOURCES: restart,
        PROVIDERS: restart,
        "/etc/aami/grafana/dashboards/aamic-overview.json": OnChange("none"),
        "/etc/aami/grafana/dashboards/aamic-node.json": OnChange("none"),
    }
    assert found.services == {"aami-grafana.service": "started", "grafana-server.service": "masked"}
    assert found.ports == {"aami-grafana.service": (3000,)}
    assert found.installs == ({"package": "grafana", "version": "11.6.0"},)
    assert found.secrets == {
        "/etc/aami/secrets/grafana-admin-password": {"env": "GRAFANA_PASSWORD", "owner": "aami-grafana"},
        "/etc/aami/secrets/grafana-tls-key": {"file": "secrets/grafana.key", "owner": "aami-grafana"},
    }


def test_nothing_is_rendered_without_grafana() -> None:
    assert list(render(replace(fleets.sharded(), grafana=None))) == []


def test_a_dashboard_alone_restarts_nothing_and_a_data_source_does() -> None:
    before = {file.path: file for file in part(fleets.sharded()).files}
    fleet = fleets.sharded()
    fewer = replace(fleet, dashboards=(replace(fleets.OVERVIEW, title="New"), fleets.NODE))
    other = replace(fleet, servers=fleet.servers[1:])
    restarts = [
        {path for path, file in _changed(before, part(after)).items() if file == "restart"} for after in (fewer, other)
    ]
    assert restarts == [set(), {DATASOURCES}]


def _changed(before: dict[str, Any], after: Part) -> dict[str, str]:
    return {file.path: file.on_change.action for file in after.files if before.get(file.path) != file}


def test_the_password_is_read_from_its_file_and_stands_nowhere() -> None:
    security = settings(fleets.sharded())["security"]
    read_from = "/etc/aami/secrets/grafana-admin-password"
    assert security["admin_password"] == f"$__file{{{read_from}}}"
    assert security["admin_user"] == "admin"
    assert not [path for path, content in files(fleets.sharded()).items() if b"GRAFANA_PASSWORD" in content]


def test_nobody_outside_is_called_and_nobody_signs_up() -> None:
    read = settings(fleets.paired())
    expected = {
        (section, key): str(value).lower() for section, found in NOTHING_OUTSIDE.items() for key, value in found.items()
    }
    expected |= {("users", "allow_sign_up"): "false", ("security", "disable_gravatar"): "true"}
    assert {place: read[place[0]][place[1]] for place in expected} == expected


def test_who_has_no_login_sees_something_only_where_the_site_says_so() -> None:
    told = [
        (found["enabled"], found["org_role"])
        for fleet in (fleets.sharded(), fleets.single())
        for found in [settings(fleet)["auth.anonymous"]]
    ]
    assert told == [("false", "Viewer"), ("true", "Viewer")]


def test_it_answers_over_tls_with_a_certificate() -> None:
    server = settings(fleets.sharded())["server"]
    assert dict(server) == {
        "protocol": "https",
        "cert_file": "/etc/aami/grafana/cert.pem",
        "cert_key": "/etc/aami/secrets/grafana-tls-key",
        "http_port": "3000",
        "root_url": "https://10.10.0.1:3000/",
        "serve_from_sub_path": "false",
    }
    assert settings(fleets.sharded())["security"]["cookie_secure"] == "true"
    assert settings(fleets.paired())["server"]["protocol"] == "http"


def test_no_sign_of_a_url_is_taken_for_a_comment_or_for_another_setting() -> None:
    server = settings(fleets.single())["server"]
    assert server["root_url"] == "https://grafana.example.com/gpu;#%25(protocol)s"
    assert server["serve_from_sub_path"] == "true"


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert settings(changed(fleets.paired(), host="v6"))["server"]["root_url"] == "http://[fd00::17]:3000/"


@pytest.mark.parametrize("text", ["a`b", "${HOME}", "%(protocol)s", "two\nlines"])
def test_what_no_quotes_keep_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"grafana\.ini cannot hold"):
        ini(text)


def test_the_overview_is_what_people_see_first_where_there_is_one() -> None:
    home = settings(fleets.sharded())["dashboards"]["default_home_dashboard_path"]
    assert home in files(fleets.sharded())
    assert "dashboards" not in settings(fleets.paired())


def test_every_server_is_a_data_source_and_central_is_the_default() -> None:
    found = data_sources(fleets.paired())
    assert [(each["uid"], each["name"], each["url"]) for each in found] == [
        ("aamic", "aamic", "http://10.10.0.1:9092"),
        ("aamic-shard-1-a", "Prometheus shard-1/a", "http://10.10.0.1:9090"),
        ("aamic-shard-1-b", "Prometheus shard-1/b", "http://10.10.0.2:9090"),
        ("aamic-shard-2-a", "Prometheus shard-2/a", "http://10.10.0.2:9091"),
        ("aamic-shard-2-b", "Prometheus shard-2/b", "http://127.0.0.1:9091"),
        ("aamic-alertmanager-mon-01", "Alertmanager mon-01", "http://10.10.0.1:9093"),
        ("aamic-alertmanager-mon-02", "Alertmanager mon-02", "http://10.10.0.2:9093"),
        ("aamic-alertmanager-mon-03", "Alertmanager mon-03", "http://127.0.0.1:9093"),
    ]
    assert [each["uid"] for each in found if each.get("isDefault")] == ["aamic"]
    assert {each["editable"] for each in found} == {False}
    single = data_sources(fleets.single())
    assert [(each["uid"], each["url"]) for each in single] == [
        ("aamic", "http://127.0.0.1:9090"),
        ("aamic-alertmanager", "http://127.0.0.1:9093"),
    ]


def test_what_a_later_site_has_not_is_deleted() -> None:
    assert provisioned(fleets.sharded(), DATASOURCES)["prune"] is True
    (provider,) = provisioned(fleets.sharded(), PROVIDERS)["providers"]
    assert (provider["disableDeletion"], provider["allowUiUpdates"]) == (False, False)
    assert provider["options"]["path"] == "/etc/aami/grafana/dashboards"


def test_of_a_pair_one_lists_its_alerts() -> None:
    lists = {each["uid"]: each["jsonData"].get("manageAlerts") for each in data_sources(fleets.paired())}
    assert [name for name, here in lists.items() if here] == ["aamic", "aamic-shard-1-a", "aamic-shard-2-a"]


def test_rates_of_central_are_over_what_it_reads() -> None:
    intervals = {each["uid"]: each["jsonData"].get("timeInterval") for each in data_sources(fleets.sharded())}
    assert (intervals["aamic"], intervals["aamic-shard-1"]) == ("60s", "15s")
    assert data_sources(fleets.single())[0]["jsonData"]["timeInterval"] == "15s"


def test_alertmanagers_are_read_as_those_of_prometheus() -> None:
    found = [each for each in data_sources(fleets.paired()) if each["type"] == "alertmanager"]
    assert {each["jsonData"]["implementation"] for each in found} == {"prometheus"}
    told = {
        each["jsonData"]["alertmanagerUid"]
        for each in data_sources(fleets.paired())
        if each["type"] != found[0]["type"]
    }
    assert told == {found[0]["uid"]}
    alone = replace(fleets.sharded(), alertmanagers=())
    assert not [each for each in data_sources(alone) if "alertmanagerUid" in each["jsonData"]]


def thanos(*on: str) -> Thanos:
    components = tuple(
        ThanosComponent("query", "query", host, 10_904 + index, 10_903 + index) for index, host in enumerate(on)
    )
    return Thanos((0, 42, 5), "/opt/aami/bin/thanos", None, components, None, "0d", "0d")


def test_thanos_is_the_default_and_lists_the_alerts_of_all() -> None:
    found = data_sources(replace(fleets.sharded(), thanos=thanos("mon-02", "mon-01")))
    assert [(each["uid"], each["url"], each["jsonData"].get("prometheusType")) for each in found] == [
        ("aamic", "http://127.0.0.1:10905", "Thanos"),
        ("aamic-thanos-mon-02", "http://10.10.0.2:10904", "Thanos"),
        ("aamic-shard-1", "http://127.0.0.1:9090", "Prometheus"),
        ("aamic-shard-2", "http://10.10.0.2:9091", "Prometheus"),
        ("aamic-central", "http://127.0.0.1:9092", "Prometheus"),
        ("aamic-alertmanager", "http://127.0.0.1:9093", None),
    ]
    assert [each["uid"] for each in found if each["jsonData"].get("manageAlerts")] == ["aamic"]


@pytest.mark.parametrize("name", SHOWN)
def test_no_two_data_sources_are_the_same(name: str) -> None:
    fleet = fleets.FLEETS[name]()
    found = sources(fleet, shown(fleet))
    for values in ([each.uid for each in found], [each.name for each in found]):
        assert sorted(set(values)) == sorted(values)


def test_a_long_name_and_another_that_begins_like_it_stay_two() -> None:
    one, two = uid("aamic", "s" * 60, "a"), uid("aamic", "s" * 60, "b")
    assert one != two
    assert [len(each) <= 40 for each in (one, two, uid("aamic", "a.b"))] == [True, True, True]
    assert uid("aamic", "a.b") != uid("aamic", "a-b")


def test_the_name_of_a_folder_is_itself_whatever_stands_in_it() -> None:
    (provider,) = provisioned(fleets.paired(), PROVIDERS)["providers"]
    assert provider["folder"] == fleets.HOSTILE.replace("$", "$$")
    assert "&id" not in files(fleets.paired())[DATASOURCES].decode()


def test_a_change_of_a_secret_alone_restarts_it() -> None:
    one, other = (part(changed(fleets.sharded(), admin_password=SecretFile(file=name))) for name in ("a", "b"))
    assert one.secrets != other.secrets
    assert {file.on_change.unit for file in one.files if file.on_change.action == "restart"} == {"aami-grafana.service"}


def test_dashboards_are_files_named_by_uid() -> None:
    pages = (fleets.NODE, Dashboard("aamic-empty", "Empty", "", (), ()))
    found = files(replace(fleets.sharded(), dashboards=pages))
    assert sorted(Path(path).stem for path in found if path.endswith(".json")) == ["aamic-empty", "aamic-node"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", SHOWN)
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    fleet = changed(fleets.FLEETS[name](), binary="/bin/true")
    hosts.install(hosts.tree(fleet), shown(fleet).host, tmp_path)
    unit = tmp_path / "etc/systemd/system/aami-grafana.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "aami-grafana" in line] == []
