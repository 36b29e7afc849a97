"""Other clusters and what serves this one: what of the site reaches the fleet, and what does not pass."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import trustme

from aamic.compile.certificates import LARGEST, why_not
from aamic.compile.compiler import Compiled, check_document, compile_document, compile_site, shipped_catalog
from aamic.compile.folder import Memory
from aamic.compile.parse import Document, parse
from aamic.errors import InputError
from aamic.model.fleet import Fleet, Serve, Tarball
from aamic.model.secret import SecretEnv, SecretFile

AUTHORITY = trustme.CA()
CA = AUTHORITY.cert_pem.bytes()
CERT = b"".join(pem.bytes() for pem in AUTHORITY.issue_cert("mon.example").cert_chain_pems)
SITE = """
    version: 1
    cluster: {name: seoul}
    prometheus: {node: mon}
    nodes: {mon: {address: 198.18.0.1}, gate: {address: 198.18.0.2}}
    """
SHARDS = """
    version: 1
    cluster: {name: seoul}
    nodes: {"mon-[1-3]": {addresses: "198.18.0.[1-3]"}}
    federation: {central_node: mon-2, shards: 1, shard_nodes: mon-3}
    """
OPEN = "serve: {tls_cert: tls/cert.pem, tls_key: {file: k}, keys: [{name: a, sha256: " + "a" * 64 + "}]"


def document(text: str, **files: bytes) -> Document:
    """The site with this text, and certificates beside it."""
    beside = {"tls/ca.pem": CA, "tls/cert.pem": CERT} | {name.replace("_", "."): data for name, data in files.items()}
    return parse(textwrap.dedent(text).encode(), "site.yaml", Memory(beside))


def fleet(text: str) -> Fleet:
    return check_document(document(text), shipped_catalog()).fleet


def told(text: str, **files: bytes) -> list[str]:
    try:
        return [each.message for each in check_document(document(text, **files), shipped_catalog()).warnings]
    except InputError as error:
        return [each.message for each in error.problems]


def served(text: str) -> Serve:
    found = fleet(text).serve
    assert found is not None
    return found


def test_a_cluster_is_in_the_fleet_with_its_certificates() -> None:
    (found,) = fleet(f"""{SITE}
    clusters:
      - name: busan
        endpoint: https://mon.busan.example:9443
        api_key: {{env: BUSAN_KEY}}
        tls_cert: ./tls/cert.pem
        tls_key: {{file: tls/key}}
        tls_ca_cert: tls/../tls/ca.pem
        labels: {{region: kr-2}}
        timeout: 1m500ms
        federate: true
    """).clusters
    assert (found.name, found.endpoint, found.kind) == ("busan", "https://mon.busan.example:9443", "aami")
    assert (found.api_key, found.tls_key) == (SecretEnv(env="BUSAN_KEY"), SecretFile(file="tls/key"))
    assert (found.tls_cert, found.tls_ca_cert) == ("./tls/cert.pem", "tls/../tls/ca.pem")
    assert (found.certificate, found.authorities) == (CERT, CA)
    assert (found.labels, found.timeout, found.federate) == ({"region": "kr-2"}, 60.5, True)


def test_certificates_are_files_of_the_site_like_every_other() -> None:
    text = f"""{SITE}
    clusters: [{{name: b, endpoint: "https://b.example", tls_ca_cert: tls/ca.pem}}]
    {OPEN}, tls_client_ca: tls/ca.pem}}
    """
    found: Compiled = compile_document(document(text), shipped_catalog())
    assert list(found.sources) == ["site.yaml", "tls/ca.pem", "tls/cert.pem"]
    assert found.sources["tls/ca.pem"] == CA


@pytest.mark.parametrize(
    ("endpoint", "more", "expected"),
    [
        ("http://127.0.0.1:9443", "api_key: {env: K}", []),
        ("http://localhost/x", "api_key: {env: K}", []),
        ("http://localhost.example", "api_key: {env: K}", ["cluster `b` is read over `http://`, with `api_key`"]),
        ("http://127.0.0.1.example", "labels: {}", ["cluster `b` is read over `http://`"]),
        (
            "http://b.example",
            "kind: prometheus, tls_ca_cert: tls/ca.pem",
            ["cluster `b` is read over `http://`, with `tls_ca_cert`"],
        ),
        ("http://b.example", "kind: prometheus", ["cluster `b` is read over `http://`"]),
        ("http://[::1]:9443", "api_key: {env: K}", []),
        ("http://[0:0::1]", "api_key: {env: K}", []),
        ("http://[fd00::1]", "api_key: {env: K}", ["cluster `b` is read over `http://`, with `api_key`"]),
        ("https://[fd00::1]:9443/x", "labels: {}", []),
        ("https://[fd00:::1]", "labels: {}", ["the endpoint of cluster `b` has no IPv6 address in its brackets"]),
        ("https://[10.0.0.1]", "labels: {}", ["the endpoint of cluster `b` has no IPv6 address in its brackets"]),
        ("https://b.example/#x", "kind: prometheus", ["`clusters[0].endpoint` is not a URL of a cluster"]),
        ("https://b.example/?", "kind: prometheus", ["`clusters[0].endpoint` is not a URL of a cluster"]),
    ],
)
def test_nothing_secret_goes_over_a_network_in_plain_text(endpoint: str, more: str, expected: list[str]) -> None:
    assert told(f'{SITE}\n    clusters: [{{name: b, endpoint: "{endpoint}", {more}}}]') == expected


def test_what_serves_stands_on_the_central_host_unless_the_site_names_another() -> None:
    alone, shards = served(f"{SITE}\n    {OPEN}}}"), served(f"{SHARDS}\n    {OPEN}}}")
    named = served(f"{SITE}\n    {OPEN}, node: gate, port: 8443, address: 198.18.0.2, rate: 7, timeout: 250ms}}")
    assert (alone.host, alone.port, alone.address, alone.install) == ("mon", 9443, None, None)
    assert (alone.certificate, alone.tls_key, alone.keys) == (CERT, SecretFile(file="k"), (("a", "a" * 64),))
    assert (alone.program, alone.client_authorities) == ("/opt/aami/venv/bin/aamic", None)
    assert shards.host == "mon-2"
    assert (named.host, named.port, named.address, named.rate, named.timeout) == ("gate", 8443, "198.18.0.2", 7, 0.25)


def test_a_program_that_is_brought_stands_where_it_is_installed() -> None:
    source = f"source: {{tarball: a.tgz, sha256: {'c' * 64}, binary: dist/aamic}}"
    found = served(f"{SITE}\n    {OPEN}, {source}}}")
    assert found.install == Tarball("a.tgz", "c" * 64, "dist/aamic", "/opt/aami/bin/aamic")
    assert found.program == "/opt/aami/bin/aamic"


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        ("{address: 127.0.0.1}", []),
        ("{address: '::1'}", []),
        ("{address: localhost}", []),
        ("{enabled: false, tls_cert: gone.pem}", []),
        ("{}", ["`serve` answers others without TLS", "`serve` lets everybody in"]),
        ("{address: 0.0.0.0}", ["`serve` answers others without TLS", "`serve` lets everybody in"]),
        ("{tls_cert: tls/cert.pem, tls_key: {file: k}}", ["`serve` lets everybody in"]),
        ("{tls_cert: tls/cert.pem, tls_key: {file: k}, tls_client_ca: tls/ca.pem}", []),
        ("{address: 127.0.0.1, port: 9090}", []),
        (
            "{address: 127.0.0.1, port: 9093}",
            ["port 9093 on `mon` is taken twice: by Alertmanager and by `aamic serve`"],
        ),
        # What was written and could not be read is not missing.
        (
            "{tls_cert: tls/cert.pem, tls_key: {file: k}, keys: [{name: 1, sha256: x}]}",
            [
                "`serve.keys[0].name` is the number 1, wanted a name",
                "`x` in `serve.keys[0].sha256` is not a SHA-256 digest",
            ],
        ),
    ],
)
def test_what_is_served_to_others_asks_who_they_are(serve: str, expected: list[str]) -> None:
    assert told(f"{SITE}\n    alertmanager: {{nodes: mon}}\n    serve: {serve}") == expected


def test_prometheus_makes_room_for_what_serves() -> None:
    found = fleet(f"{SITE}\n    serve: {{address: 127.0.0.1, port: 9090}}")
    assert [server.port for server in found.servers] == [9091]


def test_a_file_that_a_link_leads_out_to_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CA)
    (tmp_path / "site").mkdir()
    (tmp_path / "site/ca.pem").symlink_to(tmp_path / "ca.pem")
    text = textwrap.dedent(SITE) + 'clusters: [{name: b, endpoint: "https://b.example", tls_ca_cert: ca.pem}]\n'
    (tmp_path / "site/site.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        compile_site(tmp_path / "site/site.yaml")
    (found,) = error.value.problems
    assert found.message.endswith("cannot be read: it lies outside the folder of the site")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (CA + CERT, None),
        (b"# ours\r\n" + CA.replace(b"\n", b"\r\n"), None),
        (CA + AUTHORITY.private_key_pem.bytes(), "holds a private key"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", "holds a private key"),
        (b"", "holds no certificate"),
        (b"\x00" * 100, "holds no certificate"),
        (CA.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), "holds no certificate"),
        (CA[:-60], "holds a certificate that cannot be read: "),
        (CA + b"# \xff", "holds a certificate that cannot be read: it has characters beyond ASCII"),
        (CA * (LARGEST // len(CA) + 1), "is larger than 1 MiB"),
    ],
    ids=range(10),
)
def test_a_site_holds_certificates_and_no_keys(text: bytes, fault: str | None) -> None:
    found = why_not(text)
    assert (found is None) is (fault is None)
    assert found is None or found[0].startswith(str(fault))


def test_a_fault_of_a_certificate_hides_no_other() -> None:
    clusters = 'clusters: [{name: b, endpoint: "https://b.example", tls_ca_cert: bad.pem}]'
    text = f"{SITE}\n    {clusters}\n    slurm: {{controller: no}}"
    assert told(text, bad_pem=b"x") == [
        "`bad.pem` holds no certificate",
        "unknown node `no`",
    ]


@pytest.mark.parametrize("text", [SITE, SHARDS], ids=["single", "shards"])
def test_rules_read_of_others_what_central_reads(text: str) -> None:
    def alerts(*exprs: str) -> list[str]:
        custom = ", ".join(
            f"{{name: A{index}, expr: '{expr}', severity: info, scope: central}}" for index, expr in enumerate(exprs)
        )
        return told(f"""{text}
    clusters:
      - {{name: busan, endpoint: "https://b.example", federate: true}}
      - {{name: jeju, endpoint: "https://j.example"}}
    alerts: {{custom: [{custom}]}}
    """)

    assert (
        alerts(
            'cluster:gpu_count{cluster="busan"} < 8',
            'sum by (region) (cluster:nodes_up{job="remote-clusters"}) < 8',
            'up{job="remote-clusters"} == 0',
            'cluster:nodes_up{cluster="seoul"} < 2',
        )
        == []
    )
    assert alerts('cluster:nodes_up{cluster="jeju"} < 1', 'up{job="remote-clusters",node="mon"} == 0') == [
        'alert `A0`: no series of `cluster:nodes_up` satisfies `cluster="jeju"`',
        'alert `A1`: no series satisfies all of `up{job="remote-clusters",node="mon"}`',
    ]


def test_alerts_on_other_clusters_are_there_only_where_one_is_read() -> None:
    def alive(federate: str) -> bool:
        found = fleet(f'{SITE}\n    clusters: [{{name: b, endpoint: "https://b.example", federate: {federate}}}]')
        return "clusters" in {group.name for group in found.rules}

    assert (alive("true"), alive("false")) == (True, False)


def test_a_preset_is_not_missed_where_what_feeds_it_was_dropped() -> None:
    written = '[{{name: b, endpoint: "{}", federate: true}}]\n    alerts: {{presets: [clusters]}}'
    wrong = told(f"{SITE}\n    clusters: {written.format('https://b.example:65536')}")

    assert wrong == ["`clusters[0].endpoint` is not a URL of a cluster"]


@pytest.mark.parametrize(
    ("federate", "presets", "silent"),
    [("true", "[node]", True), ("true", "[node, clusters]", False), ("false", "[node]", False)],
)
def test_a_cluster_of_which_no_alert_tells_is_a_warning(federate: str, presets: str, *, silent: bool) -> None:
    others = f'clusters: [{{name: b, endpoint: "https://b.example", federate: {federate}}}]'
    found = told(f"{SITE}\n    {others}\n    alerts: {{presets: {presets}}}")

    expected = ["no alert tells when cluster `b` is gone: `alerts.presets` lacks `clusters`"] if silent else []
    assert [message for message in found if "gone" in message] == expected
