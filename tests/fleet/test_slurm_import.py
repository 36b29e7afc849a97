from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from aamic.compile.compiler import shipped_catalog
from aamic.compile.folder import Memory
from aamic.compile.imports.merge import merge
from aamic.compile.imports.sighting import Wishes
from aamic.compile.imports.slurm import Text, read_slurm
from tests.fleet.slurm import Slurm

MORE = """\
NodeName=DEFAULT Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 RealMemory=9000
NodeName=more-[08-11] NodeAddr=198.18.0.[108-111] gres=gpu:h100:4(S:0-1) \\
    Feature="a,b"   # goes on
nodename=more-12,other[1-2] NodeAddr=198.18.0.112,198.18.0.[113-114] CPUs=16
NodeName=DEFAULT Gres=gpu:a100:2,gpu:v100:1 RealMemory=7000
NodeName=old-1 NodeAddr=198.18.0.120 CPUs=8 Sockets=1 CoresPerSocket=8 ThreadsPerCore=1
"""


@pytest.fixture
def cluster(slurm: Slurm) -> Iterator[Slurm]:
    yield slurm
    # slurmctld of some releases ends when nodes vanish from its configuration while it runs.
    slurm.write("/etc/slurm/slurm.conf", slurm.conf.text())
    slurm.controller.do("systemctl", "restart", "slurmctld")
    slurm.reset()


def fields(line: str) -> tuple[str, str, int, int, int]:
    """Name, address, CPUs, memory and GPUs of a line of `scontrol show nodes -o`."""
    known = dict(re.findall(r"(\w+)=(\S+)", line))
    gpus = re.findall(r"gpu(?::[a-z]\w*)?:(\d+)", known.get("Gres", ""))
    return known["NodeName"], known["NodeAddr"], int(known["CPUTot"]), int(known["RealMemory"]), sum(map(int, gpus))


def test_an_import_sees_the_nodes_that_slurmctld_sees(cluster: Slurm) -> None:
    conf = cluster.conf.text().replace("PartitionName", f"{MORE}PartitionName", 1)
    cluster.write("/etc/slurm/slurm.conf", conf)
    cluster.controller.do("systemctl", "restart", "slurmctld")
    cluster.wait_ready()
    seen = sorted(map(fields, cluster.scontrol("show", "nodes", "-o").splitlines()))

    signs = {vendor.name: vendor.signs for vendor in shipped_catalog().vendors}
    text = Text(conf.encode(), "slurm.conf", Memory({}))
    reading = read_slurm(text, None, signs)
    gpus = {each.name: each.facts["count"] for each in reading.sightings if "count" in each.facts}
    nodes = [node for node in merge([reading], Wishes()).nodes if node.name != cluster.controller.name]

    assert [
        (node.name, node.address, node.threads, (node.memory or 0) // 2**20, gpus.get(node.name, 0)) for node in nodes
    ] == seen
