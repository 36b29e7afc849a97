"""A small tree with everything that a host can have, for tests of what is compared and changed."""

from __future__ import annotations

from dataclasses import replace

from aamic.clients.base import Answer
from aamic.deploy import wire
from aamic.deploy.desired import Desired, union
from aamic.deploy.observe import request_for
from aamic.model.host import Observation
from aamic.model.tree import Bundle, File, OnChange
from tests.deploy.fakehosts import FakeHost, observe

UNITS = "/etc/systemd/system"
EXPORTER, SERVER = "aami-exporter.service", "aami-prometheus-a.service"
EXPORTER_FILE, SERVER_FILE = f"{UNITS}/{EXPORTER}", f"{UNITS}/{SERVER}"
WANTS = f"{UNITS}/multi-user.target.wants"
MASK = f"{UNITS}/prometheus.service"
FLAGS, CONFIG, RULES = "/etc/aami/exporter/flags", "/etc/aami/prometheus-a/prometheus.yml", "/etc/aami/rules/x/a.yml"
TARGETS, USERS = "/var/lib/aami/targets/a-nodes.json", "/etc/sysusers.d/aami.conf"
PROGRAM, SECRET = "/opt/aami/bin/exporter", "/etc/aami/secrets/slack"
REFERENCE = {"env": "SLACK"}


def unit(command: str) -> bytes:
    return f"[Service]\nExecStart={command} --x\n[Install]\nWantedBy=multi-user.target\n".encode()


EXPORTERS = Bundle(
    name="exporter",
    hosts=("h",),
    files=(
        File(FLAGS, b"one\n", on_change=OnChange("restart", EXPORTER)),
        File(EXPORTER_FILE, unit(PROGRAM), on_change=OnChange("restart", EXPORTER)),
        File(USERS, b"u aami\n", on_change=OnChange("sysusers")),
    ),
    services={EXPORTER: "started"},
    installs=({"tarball": "https://x.example/e-1.tar.gz", "sha256": "a" * 64, "binary": "e", "installs_to": PROGRAM},),
    secrets={},
    ports={EXPORTER: (9100,)},
    stage="exporters",
)
SERVERS = Bundle(
    name="server",
    hosts=("h",),
    files=(
        File(CONFIG, b"a: 1\n", on_change=OnChange("reload", SERVER)),
        File(RULES, b"groups: []\n", on_change=OnChange("reload", "aami-prometheus*.service")),
        File(SERVER_FILE, unit("/usr/bin/prometheus"), on_change=OnChange("restart", SERVER)),
        File(TARGETS, b"[]\n"),
    ),
    services={SERVER: "started", "prometheus.service": "masked"},
    installs=({"package": "prometheus", "version": "2.42"},),
    secrets={SECRET: {**REFERENCE, "owner": "aami"}},
    ports={SERVER: (9090,)},
    stage="shards",
)
DESIRED = union((EXPORTERS, SERVERS))


def with_file(bundle: Bundle, path: str, content: bytes) -> Bundle:
    """The bundle with another content of one of its files, or with a new file."""
    files = {file.path: file for file in bundle.files}
    changed = replace(files.get(path, File(path, b"")), content=content)
    return replace(bundle, files=tuple(sorted((files | {path: changed}).values(), key=lambda file: file.path)))


def without(bundle: Bundle, path: str) -> Bundle:
    return replace(bundle, files=tuple(file for file in bundle.files if file.path != path))


def look(host: FakeHost, desired: Desired = DESIRED, salt: str = "s") -> Observation:
    """The host as it is seen."""
    request = request_for(desired, salt)
    return wire.observation("h", Answer(0, observe(host, (), request.encode()), b""), request)
