"""A site that moves to Thanos and back on real hosts: one changed line, units that come and go, samples that stay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from aamic.clients.prometheus import Prometheus
from aamic.compile.compiler import check_site
from aamic.errors import OutsideError
from tests.fleet.controller import Controller, wait_until
from tests.fleet.host import Host
from tests.fleet.rack import Rack
from tests.thanos.program import THANOS, needs_thanos
from tests.thanos.running import ARCHIVED, BLOCK, archive, archived_from

pytestmark = needs_thanos
SITE: Final = """\
federation:
  type: prometheus
  central_node: mon-01
  by: count
  shards: 2
  shard_nodes: mon-01,gpu-01
  central: {federate_interval: 1s, federate_timeout: 1s, retention_raw: 30d, retention_downsampled: 1y}
thanos:
  version: "0.42.5"
  objstore: {directory: /var/lib/aami/bucket}
"""
UNITS: Final = {
    "mon-01": {
        "aami-thanos-compact",
        "aami-thanos-query",
        "aami-thanos-sidecar-central",
        "aami-thanos-sidecar-shard-1",
        "aami-thanos-store",
    },
    "gpu-01": {"aami-thanos-sidecar-shard-2"},
    "gpu-02": set(),
}
DATA: Final = "/var/lib/aami/prometheus-shard-1"
BUCKET: Final = "/var/lib/aami/bucket"
QUERY_PORT: Final = 10912


@pytest.fixture
def site(fresh_hosts: Mapping[str, Host], rack: Rack, tmp_path: Path) -> Controller:
    """A site with two shards, applied; its hosts have the program, and shard-1 has blocks of long ago."""
    for name in ("mon-01", "gpu-01"):
        shutil.copy(THANOS, fresh_hosts[name].root / "usr/local/bin/thanos")
    made = Controller(tmp_path, rack, fresh_hosts)
    made.write(SITE)
    made.apply_all()
    host = fresh_hosts["mon-01"]
    archive(tmp_path / "blocks", archived_from(time.time()))
    shutil.copytree(tmp_path / "blocks", host.root / DATA.lstrip("/"), dirs_exist_ok=True)
    host.do("chown", "-R", "aami-prometheus:", DATA)
    return made


def units(host: Host) -> set[str]:
    """The processes of Thanos that a host runs, by the names of their units."""
    shown = host.do("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "aami-thanos*").splitlines()
    return {line.split()[0].removesuffix(".service") for line in shown}


def nodes_up(url: str) -> list[float]:
    """How many node exporters a server knows to answer; nothing while it has no whole answer."""
    try:
        return [each.value for each in Prometheus(url).query('count(up{job="node"} == 1)')]
    except OutsideError:
        return []


def blocks(host: Host) -> list[str]:
    return host.do("find", BUCKET, "-name", "meta.json", "-printf", "%h %M %u %g\\n").splitlines()


def test_to_thanos_and_back(site: Controller) -> None:
    mon = site.hosts["mon-01"]
    query = f"http://{mon.address}:{QUERY_PORT}"

    site.write(SITE.replace("type: prometheus", "type: thanos"))
    site.apply_all()

    assert {name: units(host) for name, host in site.hosts.items()} == UNITS
    wait_until(lambda: nodes_up(query) == [3])
    assert Prometheus(query).query('up{job="node"} unless on (node) (up{shard=~"shard-.+"})') == ()
    # What sidecars put into the bucket is the compactor's to delete, though their users differ.
    wait_until(lambda: len(blocks(mon)) == -(-ARCHIVED // BLOCK))
    block = blocks(mon)[0].split()[0]
    mon.do("runuser", "-u", "aami-thanos", "--", "rm", "-r", block)

    site.write(SITE)
    site.apply_all()

    assert {name: units(host) for name, host in site.hosts.items()} == {name: set() for name in UNITS}
    left = "find /etc -path '*aami*' -name '*thanos*' ! -type d; find /etc/aami/thanos ! -type d 2>/dev/null || true"
    assert {name: host.do("sh", "-c", left) for name, host in site.hosts.items()} == dict.fromkeys(UNITS, "")
    assert len(blocks(mon)) == -(-ARCHIVED // BLOCK) - 1
    (central,) = (each for each in check_site(site.folder / "site.yaml").fleet.servers if each.role == "central")
    wait_until(lambda: nodes_up(f"http://{mon.address}:{central.port}") == [3])
    with pytest.raises(OutsideError):
        Prometheus(query).ready()
