from __future__ import annotations

import textwrap

import pytest
import trustme

from aamic.compile.compiler import check_document, shipped_catalog
from aamic.compile.folder import Memory
from aamic.compile.parse import parse
from aamic.model.fleet import Fleet, Grafana, Package
from aamic.model.secret import SecretEnv
from tests.sites import checked, told

PASSWORD = "admin_password: {env: GRAFANA_PASSWORD}"  # noqa: S105  # a reference to one
CERTIFICATE = trustme.CA().cert_pem.bytes()
SHARDED = """
    version: 1
    cluster: {name: seoul}
    racks:
      r01: {nodes: "gpu-[1-4]", addresses: "10.0.1.[1-4]", gpu: {vendor: nvidia, model: H100, count: 8}}
    nodes:
      "mon-[1-3]": {addresses: "10.0.0.[1-3]"}
    prometheus: {port: 3000}
    federation: {central_node: mon-1, shard_nodes: "mon-[1-3]", shards: 3, by: count}
"""
SINGLE = """
    version: 1
    cluster: {name: seoul}
    prometheus: {node: mon}
    nodes:
      mon: {address: 10.0.0.1}
      show: {address: 10.0.0.2}
"""


def fleet(site: str, *keys: str) -> Fleet:
    return checked(f"{site}    grafana: {{{', '.join((PASSWORD, *keys))}}}\n").fleet


def shown(site: str, *keys: str) -> Grafana:
    found = fleet(site, *keys).grafana
    assert found is not None
    return found


def warnings(*keys: str) -> list[str]:
    return told(f"{SINGLE}    grafana: {{{', '.join((PASSWORD, *keys))}}}\n")


def test_without_further_words_it_runs_beside_central_with_what_the_package_brings() -> None:
    assert shown(SHARDED) == Grafana(
        host="mon-1",
        port=3000,
        root_url=None,
        folder="seoul",
        admin_user="admin",
        admin_password=SecretEnv(env="GRAFANA_PASSWORD"),
        anonymous=False,
        certificate=None,
        tls_key=None,
        install=Package("grafana"),
        binary="/usr/share/grafana/bin/grafana",
        home="/usr/share/grafana",
    )
    assert shown(SINGLE).host == "mon"


def test_it_runs_where_the_site_says() -> None:
    assert shown(SINGLE, "node: show").host == "show"


def test_no_server_takes_its_port() -> None:
    found = fleet(SHARDED)
    assert [server.port for server in found.servers if server.host == "mon-1"] == [3001, 3002]
    assert {server.port for server in found.servers} == {3001, 3002}


def test_a_package_elsewhere_has_its_program_below_its_home() -> None:
    found = shown(SINGLE, "home: /opt/grafana", 'source: {package: grafana-enterprise, version: "12.0.1"}')
    assert (found.binary, found.install) == ("/opt/grafana/bin/grafana", Package("grafana-enterprise", "12.0.1"))


def test_dashboards_come_with_it_alone() -> None:
    assert [each.uid for each in fleet(SINGLE).dashboards]
    off = fleet(SINGLE, "enabled: false")
    assert (off.grafana, off.dashboards) == (None, ())
    assert checked(SINGLE).fleet.grafana is None


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((), ["`grafana` takes passwords over plain HTTP"]),
        (('root_url: "http://grafana.example.com"',), ["`grafana` takes passwords over plain HTTP"]),
        (('root_url: "https://grafana.example.com/gpu"',), []),
        (("enabled: false",), []),
    ],
)
def test_passwords_that_everybody_reads_are_warned_of(keys: tuple[str, ...], expected: list[str]) -> None:
    assert [line.split(": ")[1].split(" (")[0] for line in warnings(*keys)] == expected


def test_its_certificate_is_read_with_the_site() -> None:
    keys = f"{PASSWORD}, tls_cert: tls/grafana.pem, tls_key: {{file: secrets/grafana.key}}"
    text = textwrap.dedent(f"{SINGLE}    grafana: {{{keys}}}\n").encode()
    found = check_document(parse(text, "site.yaml", Memory({"tls/grafana.pem": CERTIFICATE})), shipped_catalog())
    assert found.fleet.grafana is not None
    assert (found.fleet.grafana.certificate, found.warnings) == (CERTIFICATE, ())
