"""Both sides' certificates: whom we trust, what we show, and what is said where either does not fit."""

from __future__ import annotations

import os
import socket
import ssl
import time
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from aamic.clients.cluster import open_aami
from aamic.errors import RemoteError
from aamic.model.fleet import RemoteCluster
from aamic.model.secret import SecretEnv, SecretFile
from tests.clients.peers import PING, chain_of, cluster, days_from_now, http, opened, peer, pem_of, sends, server_tls

NAME = "127.0.0.1"
OURS = trustme.CA(organization_unit_name="Seoul")
THEIRS = trustme.CA(organization_unit_name="Busan")
GOOD = THEIRS.issue_cert(NAME, "localhost")
SHOWN = OURS.issue_cert("seoul.example")
ANSWER = sends(http(200, PING))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's folder with our certificate, its key, and the authority of the other cluster."""
    (tmp_path / "ours.pem").write_bytes(chain_of(SHOWN))
    (tmp_path / "ours.key").write_bytes(SHOWN.private_key_pem.bytes())
    (tmp_path / "theirs.pem").write_bytes("# Behörde von Busan\n".encode() + pem_of(THEIRS))
    return tmp_path


def trusting(url: str, timeout: float = 5.0) -> RemoteCluster:
    return replace(cluster(url, timeout), tls_ca_cert="theirs.pem")


def showing(url: str) -> RemoteCluster:
    return replace(trusting(url), tls_cert="ours.pem", tls_key=SecretFile(file="ours.key"))


def failure(remote: RemoteCluster, site: Path) -> RemoteError:
    with opened(remote, site) as found, pytest.raises(RemoteError) as caught:
        found.ping()
    assert f"`{remote.endpoint}`" in str(caught.value)
    return caught.value


def test_an_authority_of_the_site_is_enough(site: Path) -> None:
    with peer(ANSWER, server_tls(GOOD)) as there, opened(trusting(there.url), site) as remote:
        assert [remote.ping().cluster for _ in range(3)] == ["busan"] * 3

    assert there.connections == 1


def test_what_the_server_showed_is_known(site: Path) -> None:
    pair = THEIRS.issue_cert(NAME, common_name="busan", not_after=datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC))
    with peer(ANSWER, server_tls(pair)) as there, opened(trusting(there.url), site) as remote:
        before = remote.certificate
        remote.ping()

    assert before is None
    assert remote.certificate is not None
    assert (remote.certificate.subject, remote.certificate.not_after) == ("busan", 2209086245.0)
    assert remote.certificate.issuer.startswith("trustme")


def test_pem_of_the_fleet_needs_no_file() -> None:
    with peer(ANSWER, server_tls(GOOD)) as there:
        remote = replace(trusting(there.url), authorities=pem_of(THEIRS))
        with opened(remote) as found:
            assert found.ping().cluster == "busan"


def test_authorities_of_the_system_are_asked_where_the_site_names_none(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(site / "theirs.pem"))
    with peer(ANSWER, server_tls(GOOD)) as there, opened(cluster(there.url)) as remote:
        assert remote.ping().cluster == "busan"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_lets_us_in_and_its_key_may_be_a_secret_of_any_kind(
    site: Path, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = server_tls(GOOD, OURS)
    tls.minimum_version = tls.maximum_version = version
    monkeypatch.setenv("OUR_KEY", SHOWN.private_key_pem.bytes().decode())
    with peer(ANSWER, tls) as there:
        for key in (SecretFile(file="ours.key"), SecretEnv(env="OUR_KEY")):
            with opened(replace(showing(there.url), tls_key=key), site) as remote:
                assert remote.ping().cluster == "busan"


def test_a_certificate_may_have_its_key_in_the_same_file(site: Path) -> None:
    (site / "both.pem").write_bytes(SHOWN.private_key_and_cert_chain_pem.bytes())
    with peer(ANSWER, server_tls(GOOD, OURS)) as there:
        remote = replace(trusting(there.url), tls_cert="both.pem")
        with opened(remote, site) as found:
            assert found.ping().cluster == "busan"


def test_the_key_is_left_nowhere(site: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names, not paths
    for _ in range(3):
        open_aami(showing("https://127.0.0.1:1"), site).close()

    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


BAD = {
    "expired": (THEIRS.issue_cert(NAME, not_before=days_from_now(-9), not_after=days_from_now(-2)), "has expired"),
    "not yet": (THEIRS.issue_cert(NAME, not_before=days_from_now(2), not_after=days_from_now(9)), "is not valid yet"),
    "other address": (THEIRS.issue_cert("198.18.0.1"), "is for another address"),
    "unknown": (trustme.CA().issue_cert(NAME), "is from an unknown authority"),
    "same name": (trustme.CA(organization_unit_name="Busan").issue_cert(NAME), "is from an unknown authority"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_certificate_that_is_not_to_be_trusted_is_told_with_the_reason(case: str, site: Path) -> None:
    pair, told = BAD[case]
    with peer(ANSWER, server_tls(pair)) as there:
        found = failure(trusting(there.url), site)

    assert found.state == "bad certificate"
    assert told in str(found)
    assert found.hint
    assert there.requests == []


def test_a_certificate_for_another_name_is_told(site: Path) -> None:
    with peer(ANSWER, server_tls(THEIRS.issue_cert("other.example")), "localhost") as there:
        found = failure(trusting(there.url), site)

    assert (found.state, "is for another name" in str(found)) == ("bad certificate", True)


def lone(folder: Path) -> ssl.SSLContext:
    """A server whose certificate no authority signed; it is in `lone.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, days_from_now(-1), days_from_now(1))
    own = x509.SubjectAlternativeName([x509.IPAddress(ip_address(NAME))])
    signed = made.add_extension(own, critical=False).sign(key, hashes.SHA256())
    (folder / "lone.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "lone.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "lone.pem", folder / "lone.key")
    return tls


def test_a_certificate_signed_by_itself_is_told_and_may_be_trusted_by_the_site(site: Path) -> None:
    with peer(ANSWER, lone(site)) as there:
        found = failure(trusting(there.url), site)
        with opened(replace(cluster(there.url), tls_ca_cert="lone.pem"), site) as remote:
            assert remote.ping().cluster == "busan"

    assert (found.state, "is signed by itself" in str(found)) == ("bad certificate", True)
    assert "tls_ca_cert" in str(found.hint)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_says_so_each_time(site: Path, version: ssl.TLSVersion) -> None:
    """By TLS 1.3 it says so while our request is under way already, and closes at once."""
    tls = server_tls(GOOD, OURS)
    tls.minimum_version = tls.maximum_version = version
    with peer(ANSWER, tls) as there:
        found = [failure(trusting(there.url), site) for _ in range(20)]

    assert {(each.state, "it wants a client certificate" in str(each)) for each in found} == {
        ("certificate refused", True)
    }
    assert there.requests == []


REFUSED = {
    "unknown": (trustme.CA().issue_cert("seoul.example"), "our certificate is from an authority that is unknown to it"),
    "expired": (
        OURS.issue_cert("seoul.example", not_before=days_from_now(-9), not_after=days_from_now(-2)),
        "our certificate has expired",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_refuses_ours_is_told_with_the_reason(site: Path, case: str, version: ssl.TLSVersion) -> None:
    pair, told = REFUSED[case]
    (site / "both.pem").write_bytes(pair.private_key_and_cert_chain_pem.bytes())
    tls = server_tls(GOOD, OURS)
    tls.minimum_version = tls.maximum_version = version
    with peer(ANSWER, tls) as there:
        found = failure(replace(trusting(there.url), tls_cert="both.pem"), site)

    assert (found.state, told in str(found)) == ("certificate refused", True)
    assert "`tls_cert` and `tls_key`" in str(found.hint)


def test_plain_http_on_the_port_of_tls_is_told(site: Path) -> None:
    with peer(sends(http(400, b"")), None) as there:
        found = failure(trusting(there.url.replace("http:", "https:")), site)

    assert (found.state, "does not speak TLS" in str(found)) == ("foreign", True)
    assert found.hint == "is it the port of plain HTTP?"


def test_older_tls_is_told(site: Path) -> None:
    tls = server_tls(GOOD)
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with peer(ANSWER, tls) as there:
        found = failure(trusting(there.url), site)

    assert (found.state, "speaks no TLS 1.2 or newer" in str(found)) == ("foreign", True)


def test_an_address_of_ipv6_is_verified_as_any_other(site: Path) -> None:
    tls = server_tls(THEIRS.issue_cert("::1"))
    with peer(ANSWER, tls, "[::1]", socket.AF_INET6) as there:
        with opened(trusting(there.url), site) as remote:
            assert remote.ping().cluster == "busan"
        asked = there.requests[-1]

    assert f"\r\nHost: {there.url.removeprefix('https://')}\r\n".encode() in asked


def test_a_handshake_that_never_ends_is_slow(site: Path) -> None:
    start = time.monotonic()
    with peer(sends(), None) as there:
        found = failure(trusting(there.url.replace("http:", "https:"), 0.3), site)

    assert (found.state, "took the connection, and began no TLS within 0.3 s" in str(found)) == ("slow", True)
    assert time.monotonic() - start < 3


def test_a_server_that_closes_in_the_handshake_is_unreachable(site: Path) -> None:
    with peer(sends(then_close=True), None) as there:
        found = failure(trusting(there.url.replace("http:", "https:")), site)

    assert (found.state, "closes the connection" in str(found)) == ("unreachable", True)
    assert there.connections == 2


def encrypted() -> bytes:
    key = serialization.load_pem_private_key(SHOWN.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


NONE: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no authority": ({"theirs.pem": None}, "`theirs.pem` cannot be read: No such file"),
    "no PEM of an authority": ({"theirs.pem": b"?"}, "`theirs.pem` has no certificate that can be read"),
    "empty authority": ({"theirs.pem": b""}, "`theirs.pem` has no certificate that can be read"),
    "no certificate": ({"ours.pem": None}, "`ours.pem` cannot be read: No such file"),
    "no PEM": ({"ours.pem": b"?"}, "`ours.pem` or the secret of the file `ours.key` cannot be read as PEM"),
    "no key": ({"ours.key": None}, "the secret of the file `ours.key` cannot be read: No such file"),
    "no PEM of a key": ({"ours.key": b"?"}, "`ours.pem` or the secret of the file `ours.key` cannot be read as PEM"),
    "another key": ({"ours.key": GOOD.private_key_pem.bytes()}, "`ours.key` is not the key of `ours.pem`"),
    "encrypted key": ({"ours.key": encrypted()}, "the secret of the file `ours.key` is an encrypted key"),
}


@pytest.mark.parametrize("case", NONE)
def test_what_we_cannot_show_is_told_before_anybody_is_asked(case: str, site: Path) -> None:
    files, told = NONE[case]
    for name, content in files.items():
        (site / name).unlink()
        if content is not None:
            (site / name).write_bytes(content)

    with pytest.raises(RemoteError) as caught:
        open_aami(showing("https://127.0.0.1:1"), site)

    assert caught.value.state == "no credentials"
    assert str(caught.value).startswith("`https://127.0.0.1:1` is not asked: ")
    assert told in str(caught.value)
    assert caught.value.hint


def test_a_key_is_sent_to_those_alone_who_are_trusted(site: Path) -> None:
    (site / "key").write_text("our-key")
    with peer(ANSWER, server_tls(BAD["unknown"][0])) as there:
        failure(replace(trusting(there.url), api_key=SecretFile(file="key")), site)

    assert there.requests == []
