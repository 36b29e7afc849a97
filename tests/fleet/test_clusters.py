"""Two clusters that read each other: real hosts with Prometheus, Alertmanager and `aamic serve`, and mutual TLS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import httpx
import pytest
import trustme

from tests.fleet import faults
from tests.fleet.clusters import PROMETHEUS, SERVE, Cluster, frozen, replaced, stopped
from tests.fleet.controller import Controller, wait_until
from tests.fleet.host import Host, wipe_all
from tests.fleet.program import Program
from tests.fleet.rack import Rack

PLAIN: Final = "plain"
"""What seoul calls the Prometheus of busan, which it reads as a cluster of its own as well."""
ALL: Final = ("seoul", "busan", PLAIN)
"""What seoul looks at, itself among it."""
STRANGER: Final = trustme.CA()
"""An authority that nobody trusts."""
PATIENCE: Final = 3
"""Seconds that seoul waits for an answer."""
SLOWEST: Final = 5 * PATIENCE
"""Seconds for a whole command, on a machine that does much else."""


@pytest.fixture(scope="module")
def seoul(hosts: Mapping[str, Host], rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return _cluster("seoul", {"mon-01": hosts["mon-01"]}, rack, tmp_path_factory)


@pytest.fixture(scope="module")
def busan(hosts: Mapping[str, Host], rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    nodes = {name: hosts[name] for name in ("gpu-01", "gpu-02")}
    return _cluster("busan", nodes, rack, tmp_path_factory)


def _cluster(name: str, hosts: Mapping[str, Host], rack: Rack, factory: pytest.TempPathFactory) -> Cluster:
    central = next(iter(hosts.values()))
    return Cluster(name, Controller(factory.mktemp(name), rack, hosts), central, trustme.CA())


@pytest.fixture(scope="module", autouse=True)
def added(seoul: Cluster, busan: Cluster, hosts: Mapping[str, Host], program: Program) -> Iterator[dict[str, Any]]:
    """Both run, and seoul has busan in its registry, and busan's Prometheus too: what `clusters add` said of busan."""
    wipe_all(list(hosts.values()))
    seoul.begin(program.site, busan.authority)
    busan.begin(program.site, seoul.authority)
    seoul.make_key("people")
    for reader in ("seoul", "guest"):
        busan.make_key(reader)
    busan.site.apply_all()
    wait_until(lambda: busan.value("cluster:nodes_up") == "2")
    said = seoul.join(busan, busan.key("seoul"), "--timeout", f"{PATIENCE}s", "--federate")
    plain = ("--endpoint", busan.prometheus, "--kind", "prometheus", "--timeout", f"{PATIENCE}s")
    seoul.do("clusters", "add", PLAIN, *plain, "--yes")
    seoul.site.apply_all()
    yield said
    wipe_all(list(hosts.values()))


def test_a_cluster_that_answers_is_added(added: dict[str, Any], seoul: Cluster, busan: Cluster) -> None:
    tried = added["test"]
    assert (added["written"], tried["state"], tried["cluster"]) == (True, "connected", "busan"), added
    assert {step["name"]: step["ok"] for step in tried["steps"]} == dict.fromkeys(
        ("credentials", "connection", "certificate", "key", "answer", "name"), True
    )
    written = (seoul.site.folder / "site.yaml").read_text()
    assert f'endpoint: "{busan.url}"' in written
    for key in ("seoul", "guest"):
        assert busan.key(key).read_text().strip() not in f"{added}{written}"


def test_all_are_added_up_once(seoul: Cluster) -> None:
    """One that is read through its Prometheus as well is the same, and counted where it stands first."""
    alerts = {"critical": 0, "warning": 2, "info": 0}
    wait_until(lambda: seoul.said("clusters", "status")["total"]["alerts"] == alerts, 30)
    seen = seoul.said("clusters", "status")

    assert {each["name"]: each["state"] for each in seen["clusters"]} == dict.fromkeys(ALL, "connected")
    assert (seen["total"]["clusters"], seen["total"]["connected"], seen["missing"]) == (3, 3, [])
    assert seen["total"]["nodes"] == {"total": 3, "up": 3, "down": 0}
    assert (seen["total"]["alerts"], seen["total"]["incomplete"]) == (alerts, [])
    assert {each["name"]: each["same_as"] for each in seen["clusters"]} == {
        "seoul": None,
        "busan": None,
        PLAIN: "busan",
    }


def test_nothing_is_left_to_apply(seoul: Cluster, busan: Cluster) -> None:
    assert "no changes on 1 host" in seoul.do("plan")
    assert "no changes on 2 hosts" in busan.do("plan")


def test_alerts_and_one_of_them_closely(seoul: Cluster) -> None:
    found = seoul.said("clusters", "alerts", "--severity", "warning")
    closely = seoul.said("clusters", "info", "busan")

    assert sorted((each["cluster"], each["name"]) for each in found["alerts"]) == [
        ("busan", "Always"),
        ("seoul", "Always"),
    ]
    assert found["same"] == [{"name": PLAIN, "same_as": "busan"}]
    assert [each["name"] for each in closely["nodes"]] == ["gpu-01", "gpu-02"]
    assert {each["name"]: each["up"] for each in closely["seen"]["status"]["shards"]} == {"shard-1": True}
    assert (closely["missing"], closely["alerts_total"]) == ([], 1)


def test_central_reads_aggregates_of_the_other(seoul: Cluster) -> None:
    wait_until(lambda: seoul.value('cluster:nodes_up{cluster="busan"}') == "2", 20)
    assert seoul.value('cluster:nodes_up{cluster="seoul"}') == "1"
    assert seoul.value(f'count({{cluster="{PLAIN}"}})') == ""
    assert seoul.value('count({cluster="busan",__name__!~"cluster:.*|up|scrape_.*|ALERTS.*"})') == ""


def test_people_see_it_in_a_browser(seoul: Cluster, busan: Cluster) -> None:
    page = busan.get("/", seoul, busan.key("guest"))

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "busan" in page.text
    asked = busan.central.do("journalctl", "--unit", SERVE, "--output", "cat")
    assert 'key="guest"' in asked
    assert busan.key("guest").read_text().strip() not in asked


def test_nobody_gets_in_with_less(seoul: Cluster, busan: Cluster) -> None:
    assert busan.get("/api/v1/ping", seoul, seoul.key("people")).status_code == 401
    with pytest.raises(httpx.TransportError):
        busan.get("/api/v1/ping", None, busan.key("guest"))
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{busan.url.replace('https', 'http')}/api/v1/ping")


@contextmanager
def _without_prometheus(seoul: Cluster, busan: Cluster) -> Iterator[None]:
    """Its Prometheus stands still, and its API has noticed: an answer is good for some seconds."""
    with frozen(busan.central, PROMETHEUS):
        wait_until(lambda: busan.get("/api/v1/status", seoul, busan.key("guest")).status_code == 503, 30)
        yield


Break = Callable[[Cluster, Cluster], AbstractContextManager[None]]
FAULTS: Final[dict[str, tuple[Break, dict[str, set[str]], str]]] = {
    "it does not run": (
        lambda _, busan: stopped(busan.central, SERVE),
        {"busan": {"refused"}},
        "",
    ),
    "it stands still": (
        lambda _, busan: frozen(busan.central, SERVE),
        {"busan": {"slow"}},
        "",
    ),
    "its Prometheus stands still": (
        _without_prometheus,
        {"busan": {"unavailable"}, PLAIN: {"slow"}},
        "timed out",
    ),
    "its host is cut off": (
        lambda _, busan: faults.cut(busan.central),
        {"busan": {"slow", "unreachable"}, PLAIN: {"slow", "unreachable"}},
        "",
    ),
    "the line to it is all but full": (
        lambda _, busan: faults.narrow(busan.central, 1),
        {"busan": {"slow"}, PLAIN: {"slow"}},
        f"within {PATIENCE} s",
    ),
    "its certificate has expired": (
        lambda _, busan: busan.expired(),
        {"busan": {"bad certificate"}},
        "expired",
    ),
    "its certificate is from nobody we know": (
        lambda seoul, _: replaced(seoul.pki / "others.pem", STRANGER.cert_pem.bytes()),
        {"busan": {"bad certificate"}},
        "authority",
    ),
    "our key is another": (
        lambda seoul, busan: replaced(busan.key("seoul"), seoul.key("people").read_bytes()),
        {"busan": {"unauthorized"}},
        "",
    ),
    "our certificate is from a stranger": (
        lambda seoul, _: seoul.showing(STRANGER),
        {"busan": {"certificate refused"}},
        "",
    ),
    "our certificate has expired": (
        lambda seoul, _: seoul.showing(seoul.authority, expired=True),
        {"busan": {"certificate refused"}},
        "",
    ),
}
"""What is broken, the states of those that are then missing, and a word of busan's reason."""


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_is_missing_has_a_state_and_enters_no_sum(fault: str, seoul: Cluster, busan: Cluster) -> None:
    begin, lost, reason = FAULTS[fault]
    with begin(seoul, busan):
        started = time.monotonic()
        seen = seoul.said("clusters", "status")
        took = time.monotonic() - started

    missing = {each["name"]: each["state"] for each in seen["missing"]}
    assert missing.keys() == lost.keys(), seen
    assert all(missing[name] in allowed for name, allowed in lost.items()), seen["missing"]
    assert reason in next(each["message"] for each in seen["missing"] if each["name"] == "busan")
    nodes = 1 if PLAIN in lost else 3
    assert (seen["total"]["clusters"], seen["total"]["connected"]) == (3, 3 - len(lost))
    assert seen["total"]["nodes"] == {"total": nodes, "up": nodes, "down": 0}
    assert took < SLOWEST
    wait_until(lambda: _lets_in(seoul, busan), 30)


def _lets_in(seoul: Cluster, busan: Cluster) -> bool:
    """Whether busan answers seoul again."""
    try:
        return busan.get("/api/v1/status", seoul, busan.key("seoul")).status_code == 200
    except httpx.TransportError:
        return False


def test_central_tells_that_one_is_gone(seoul: Cluster, busan: Cluster) -> None:
    alert = 'ALERTS{alertname="RemoteClusterDown",cluster="busan",alertstate="pending"}'
    with stopped(busan.central, SERVE):
        wait_until(lambda: seoul.value(alert) == "1", 20)
        wait_until(lambda: _seen_by(seoul, busan) == ("gone", None), 20)
    wait_until(lambda: seoul.value(alert) == "", 20)
    wait_until(lambda: _seen_by(seoul, busan) == ("connected", 2), 20)


def _seen_by(seoul: Cluster, busan: Cluster) -> tuple[str, int | None]:
    """What seoul's own API says of busan."""
    clusters = seoul.get("/api/v1/status", busan, seoul.key("people")).json()["clusters"]
    return next((each["state"], each["nodes_up"]) for each in clusters if each["name"] == "busan")


def test_a_key_is_revoked_by_the_next_apply(seoul: Cluster, busan: Cluster) -> None:
    def ping() -> int:
        return busan.get("/api/v1/ping", seoul, busan.key("guest")).status_code

    assert ping() == 200
    busan.do("keys", "revoke", "guest", "--yes")
    assert ping() == 200
    busan.site.apply_all()
    wait_until(lambda: ping() == 401, 30)

    with replaced(busan.key("seoul"), busan.key("guest").read_bytes()):
        assert seoul.said("clusters", "test", "busan")["state"] == "unauthorized"
    assert seoul.said("clusters", "test", "busan")["state"] == "connected"
