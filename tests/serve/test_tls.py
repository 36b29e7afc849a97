"""TLS and mutual TLS with real certificates, as clients see them."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from aamic.errors import OutsideError
from aamic.model.serveconfig import Tls
from aamic.serve.server import Terms
from aamic.serve.tls import context
from tests.serve.server import KEY, Setup, running

OURS, THEIRS = trustme.CA(), trustme.CA()
HEADERS = {"Authorization": f"Bearer {KEY}"}


def files(folder: Path, *, mutual: bool = False, key: trustme.LeafCert | None = None) -> Tls:
    own = OURS.issue_cert("localhost", "127.0.0.1")
    certificate, private, authorities = (folder / name for name in ("cert.pem", "key.pem", "ca.pem"))
    certificate.write_bytes(b"".join(each.bytes() for each in own.cert_chain_pems))
    private.write_bytes((key or own).private_key_pem.bytes())
    OURS.cert_pem.write_to_path(authorities)
    return Tls(certificate=str(certificate), key=str(private), client_authorities=str(authorities) if mutual else None)


def client_context(leaf: trustme.LeafCert | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context()
    OURS.configure_trust(made)
    if leaf:
        leaf.configure_cert(made)
    return made


def get(port: int, verify: ssl.SSLContext) -> httpx.Response:
    with httpx.Client(verify=verify, trust_env=False) as client:
        return client.get(f"https://localhost:{port}/api/v1/ping", headers=HEADERS)


def test_answers_come_over_tls_and_a_key_is_still_needed(tmp_path: Path) -> None:
    with running(Setup(tls=context(files(tmp_path)))) as port:
        with httpx.Client(verify=client_context(), trust_env=False) as client:
            without = client.get(f"https://localhost:{port}/api/v1/ping").status_code
        got = get(port, client_context())

    assert (without, got.status_code) == (401, 200)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("version", "agreed"),
    [(ssl.TLSVersion.TLSv1_1, None), (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")],
)
def test_tls_is_1_2_or_newer(tmp_path: Path, version: ssl.TLSVersion, agreed: str | None) -> None:
    made = client_context()
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version = made.maximum_version = version
    with running(Setup(tls=context(files(tmp_path)))) as port, socket.create_connection(("127.0.0.1", port)) as plain:
        if agreed is None:
            with pytest.raises(ssl.SSLError):
                made.wrap_socket(plain, server_hostname="localhost")
            return
        with made.wrap_socket(plain, server_hostname="localhost") as wrapped:
            assert wrapped.version() == agreed


def expired() -> trustme.LeafCert:
    return OURS.issue_cert("them@example.com", not_after=datetime.now(UTC) - timedelta(days=1))


@pytest.mark.parametrize(
    ("leaf", "told"),
    [
        (None, "CERTIFICATE_REQUIRED|certificate required"),
        (THEIRS.issue_cert("them@example.com"), "unknown ca|UNKNOWN_CA"),
        (expired(), "certificate expired|CERTIFICATE_EXPIRED"),
    ],
    ids=["none", "foreign", "expired"],
)
def test_only_known_certificates_are_let_in_where_they_are_a_must(
    tmp_path: Path, leaf: trustme.LeafCert | None, told: str
) -> None:
    with running(Setup(tls=context(files(tmp_path, mutual=True)))) as port:
        with pytest.raises((httpx.ReadError, httpx.ConnectError), match=told):
            get(port, client_context(leaf))
        good = get(port, client_context(OURS.issue_cert("us@example.com")))

    assert good.status_code == 200


def test_keys_are_no_must_where_certificates_are_and_the_log_says_whose(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "aamic.serve")
    setup = Setup(keys=(), tls=context(files(tmp_path, mutual=True)))
    verify = client_context(OURS.issue_cert("us@example.com", common_name="seoul"))
    with running(setup) as port, httpx.Client(verify=verify, trust_env=False) as client:
        assert client.get(f"https://localhost:{port}/api/v1/ping").status_code == 200

    assert 'key="-" certificate="seoul" address="127.0.0.1" method="GET" path="/api/v1/ping"' in caplog.text


def test_a_handshake_that_never_ends_holds_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aamic.serve.door.HANDSHAKE", 0.5)
    with (
        running(Setup(tls=context(files(tmp_path)), terms=Terms())) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as silent,
    ):
        assert silent.recv(1) == b""
        assert get(port, client_context()).status_code == 200


def test_plain_http_on_the_port_of_tls_is_no_way_in(tmp_path: Path) -> None:
    with (
        running(Setup(tls=context(files(tmp_path)))) as port,
        pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)),
    ):
        httpx.get(f"http://127.0.0.1:{port}/api/v1/ping", headers=HEADERS)


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    foreign = files(tmp_path, key=THEIRS.issue_cert("localhost"))
    garbled = tmp_path / "garbled.pem"
    garbled.write_text("nothing")
    cases = {
        foreign: f"certificate `{foreign.certificate}` and key `{foreign.key}` do not fit each other",
        Tls(certificate="/nowhere", key=foreign.key): "cannot read `/nowhere`: No such file or directory",
        Tls(
            certificate=str(garbled), key=foreign.key
        ): f"certificate `{garbled}` and key `{foreign.key}` cannot be used",
    }
    told = {}
    for tls in cases:
        with pytest.raises(OutsideError) as failed:
            context(tls)
        told[tls] = str(failed.value)
    good = files(tmp_path).model_copy(update={"client_authorities": str(garbled)})
    with pytest.raises(OutsideError, match="holds no certificates of authorities"):
        context(good)

    assert cases == told
