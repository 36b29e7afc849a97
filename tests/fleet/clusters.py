"""Two clusters on test hosts, each with a site, an authority and keys of its own; they read each other over TLS."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import trustme

from tests.fleet.controller import Controller, wait_until
from tests.fleet.host import Host

SERVE: Final = "aami-serve.service"
PROMETHEUS: Final = "aami-prometheus-central.service"
CERTIFICATE: Final = "etc/aami/serve/cert.pem"
KEY: Final = "etc/aami/secrets/serve-tls-key"
ROLLOUT: Final = "{settle: 1s, ready_timeout: 30s, gate_timeout: 10s, confirm_timeout: 90s}"
"""The program unpacks itself at its first start, which takes its time where all processors are busy."""
LONG_AGO: Final = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))

SITE: Final = """\
version: 1
cluster: {{name: {name}}}
{ssh}rollout: {rollout}
nodes:
{nodes}
prometheus: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
federation:
  central_node: {central}
  shard_nodes: {shard}
  central: {{port: 9090, federate_interval: 1s, federate_timeout: 1s}}
alertmanager: {{nodes: {central}}}
alerts:
  presets: [clusters]
  custom:
    - name: Always
      scope: central
      expr: cluster:nodes_up{{cluster="{name}"}} >= 0
      severity: warning
      summary: It always fires
{program}\
  tls_cert: pki/server.pem
  tls_key: {{file: pki/server.key}}
  tls_client_ca: pki/others.pem
  timeout: 2s
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster whose central host runs Prometheus, Alertmanager and `aamic serve`.

    `authority` signs its server's certificate, and the one that it shows to other clusters.
    """

    name: str
    site: Controller
    central: Host
    authority: trustme.CA

    @property
    def url(self) -> str:
        """Where its API answers."""
        return f"https://{self.central.address}:9443"

    @property
    def prometheus(self) -> str:
        """Where its Prometheus answers."""
        return f"http://{self.central.address}:9090"

    @property
    def pki(self) -> Path:
        """The folder of its site with certificates and keys."""
        return self.site.folder / "pki"

    def begin(self, program: str, trusted: trustme.CA) -> None:
        """Write its site, which lets in whom another authority vouches for."""
        self.pki.mkdir()
        trusted.cert_pem.write_to_path(self.pki / "others.pem")
        self.certify("server", self.authority, self.central.address)
        self.certify("client", self.authority, f"{self.name}.example.com")
        text = SITE.format(
            name=self.name,
            ssh=self.site.rack.site_ssh("deploy", connect_timeout="3s", command_timeout="60s"),
            rollout=ROLLOUT,
            nodes="\n".join(f"  {name}: {{address: {host.address}}}" for name, host in self.site.hosts.items()),
            central=self.central.name,
            shard=max(self.site.hosts),
            program=program,
        )
        (self.site.folder / "site.yaml").write_text(text)

    def certify(self, what: str, authority: trustme.CA, identity: str, *, expired: bool = False) -> None:
        """Write a certificate and its key below the site."""
        starts, ends = LONG_AGO if expired else (None, None)
        made = authority.issue_cert(identity, not_before=starts, not_after=ends)
        made.private_key_pem.write_to_path(self.pki / f"{what}.key")
        (self.pki / f"{what}.pem").write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))

    def key(self, reader: str) -> Path:
        """The file with the key that a reader has."""
        return self.pki / f"{reader}.bearer"

    def make_key(self, reader: str) -> None:
        """Make a key for a reader, and let it in from the next apply on."""
        self.do("keys", "create", reader, "--out", str(self.key(reader)), "--yes")

    def join(self, other: Cluster, key: Path, *more: str) -> dict[str, Any]:
        """Add another cluster to the registry; what was said."""
        files = {"--api-key-file": key} | {
            f"--tls-{word}": self.pki / name
            for word, name in {"cert": "client.pem", "key": "client.key", "ca": "others.pem"}.items()
        }
        words = (str(word) for option in files.items() for word in option)
        added: dict[str, Any] = self.said(
            "clusters", "add", other.name, "--endpoint", other.url, *words, *more, "--yes"
        )
        return added

    @contextmanager
    def showing(self, authority: trustme.CA, *, expired: bool = False) -> Iterator[None]:
        """It shows others another certificate than its own."""
        with kept(self.pki / "client.pem"), kept(self.pki / "client.key"):
            self.certify("client", authority, f"{self.name}.example.com", expired=expired)
            yield

    @contextmanager
    def expired(self) -> Iterator[None]:
        """Its server's certificate is one that nobody renewed."""
        self.certify("other", self.authority, self.central.address, expired=True)
        pairs = {CERTIFICATE: self.pki / "other.pem", KEY: self.pki / "other.key"}
        with ExitStack() as stack:
            stack.callback(self.central.do, "systemctl", "restart", SERVE)
            for path, other in pairs.items():
                stack.enter_context(kept(self.central.root / path))
                (self.central.root / path).write_bytes(other.read_bytes())
            self.central.do("systemctl", "restart", SERVE)
            wait_until(self.listens, 30)
            yield

    def listens(self) -> bool:
        """Whether anybody takes connections where its API is."""
        with socket.socket() as probe:
            return probe.connect_ex((self.central.address, 9443)) == 0

    def do(self, *words: str) -> str:
        """What a command prints that must not fail."""
        done = self.site.run(*words)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    def said(self, *words: str) -> Any:
        """What a command says as JSON, whatever its exit code."""
        done = self.site.run(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def value(self, query: str) -> str:
        """The value of the one series that a query finds in its Prometheus; empty if it finds another number."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": query})
        found = answer.json()["data"]["result"]
        return str(found[0]["value"][1]) if len(found) == 1 else ""

    def get(self, path: str, reader: Cluster | None, key: Path) -> httpx.Response:
        """What its API answers a browser with a key, and with the certificate of another cluster."""
        trust = ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())
        if reader is not None:
            trust.load_cert_chain(reader.pki / "client.pem", reader.pki / "client.key")
        return httpx.get(f"{self.url}{path}", verify=trust, auth=("anybody", key.read_text().strip()))


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Whatever a file has meanwhile, it has its content again afterwards."""
    before = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def replaced(path: Path, content: bytes) -> Iterator[None]:
    """A file has another content."""
    with kept(path):
        path.write_bytes(content)
        yield


@contextmanager
def stopped(host: Host, unit: str) -> Iterator[None]:
    """A unit does not run."""
    host.do("systemctl", "stop", unit)
    try:
        yield
    finally:
        host.do("systemctl", "start", unit)


@contextmanager
def frozen(host: Host, unit: str) -> Iterator[None]:
    """A unit's processes stand still: they take connections, and say nothing."""
    host.do("systemctl", "kill", "--signal=SIGSTOP", unit)
    try:
        yield
    finally:
        host.do("systemctl", "kill", "--signal=SIGCONT", unit)
