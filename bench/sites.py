"""Sites of any size, in each of the ways a user can list nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

RACK_SIZE: Final = 32
SHARD_SIZE: Final = 500
AMD_EVERY: Final = 4

HEAD: Final = """\
version: 1
cluster: {{name: bench, labels: {{region: kr-1}}}}
federation: {{central_node: mon-001, shards: {shards}, by: {by}, shard_nodes: "mon-[001-{shards:03}]"}}
alertmanager: {{nodes: mon-001}}
alerts: {{presets: [node, gpu, federation, aamic]}}
"""
SERVERS: Final = '  "mon-[001-{shards:03}]": {{addresses: "10.250.0.[1-{shards}]"}}\n'
THREADS: Final = 192
"""CPU threads of a node with 8 GPUs."""
WHOLE: Final = """\
version: 1
cluster: {{name: bench, labels: {{region: kr-1}}}}
prometheus: {{scrape_interval: 15s, retention: 15d}}
federation: {{central_node: central, shards: {shards}, replicas: {replicas}, by: rack, shard_nodes: "{mons}"}}
alertmanager: {{nodes: "alert-[1-2]"}}
alerts: {{presets: [node, gpu, slurm, federation, aamic]}}
slurm: {{controller: slurm-ctl, pre_job_check: true, post_job_check: true, job_mapping: true, exporter: false}}
nodes:
  central: {{address: 10.250.1.1, memory: 64GB, disk: 4TB, threads: 32}}
  "alert-[1-2]": {{addresses: "10.250.1.[2-3]"}}
  slurm-ctl: {{address: 10.250.1.4}}
  "{mons}": {{addresses: "10.250.0.[1-{hosts}]", memory: 64GB, disk: 4TB, threads: 32}}
  "{gpus}": {{threads: {threads}}}
"""


class Listed(NamedTuple):
    """One GPU node as a site lists it."""

    name: str
    address: str
    rack: str
    vendor: str
    model: str


def shard_count(nodes: int) -> int:
    """One shard for every 500 nodes."""
    return max(1, nodes // SHARD_SIZE)


def listed(index: int) -> Listed:
    """A node by its number: racks of 32, each fourth of them AMD."""
    rack, slot = divmod(index, RACK_SIZE)
    vendor, model = ("amd", "MI300X") if rack % AMD_EVERY == AMD_EVERY - 1 else ("nvidia", "H100")
    address = f"10.{1 + rack // 256}.{rack % 256}.{slot + 1}"
    return Listed(f"gpu-{index + 1:06}", address, f"r{rack + 1:05}", vendor, model)


def rack_lines(nodes: int) -> list[str]:
    """The mapping `racks:` with host lists."""
    lines = ["racks:"]
    for start in range(0, nodes, RACK_SIZE):
        size = min(RACK_SIZE, nodes - start)
        first = listed(start)
        network = first.address.rpartition(".")[0]
        lines.append(
            f'  {first.rack}: {{nodes: "gpu-[{start + 1:06}-{start + size:06}]", addresses: "{network}.[1-{size}]", '
            f"gpu: {{vendor: {first.vendor}, model: {first.model}, count: 8}}}}"
        )
    return lines


def racks(folder: Path, nodes: int) -> None:
    """Racks with host lists."""
    _write(folder, nodes, "rack", "\n".join(rack_lines(nodes)) + "\nnodes:\n")


def inventory(folder: Path, nodes: int) -> None:
    """One CSV file."""
    rows = (f"{','.join(node)},8\n" for node in map(listed, range(nodes)))
    header = "name,address,rack,gpu_vendor,gpu_model,gpu_count\n"
    (folder / "nodes.csv").write_text(header + "".join(rows), encoding="utf-8")
    _write(folder, nodes, "rack", "inventory: nodes.csv\nnodes:\n")


def entries(folder: Path, nodes: int) -> None:
    """Every node as an entry of `nodes:`, spread by count."""
    rows = (
        f"  {node.name}: {{address: {node.address}, gpu: {{vendor: {node.vendor}, model: {node.model}, count: 8}}}}\n"
        for node in map(listed, range(nodes))
    )
    _write(folder, nodes, "count", "nodes:\n" + "".join(rows))


def _write(folder: Path, nodes: int, by: str, body: str) -> None:
    shards = shard_count(nodes)
    text = HEAD.format(shards=shards, by=by) + body + SERVERS.format(shards=shards)
    (folder / "site.yaml").write_text(text, encoding="utf-8")


def whole(folder: Path, nodes: int, shards: int, replicas: int = 2) -> Path:
    """A complete site: every preset, Slurm with the node check, pairs of shards, hosts whose size is known."""
    hosts = shards * replicas
    text = WHOLE.format(
        shards=shards,
        replicas=replicas,
        hosts=hosts,
        mons=f"mon-[001-{hosts:03}]",
        gpus=f"gpu-[{1:06}-{nodes:06}]",
        threads=THREADS,
    )
    (folder / "site.yaml").write_text(text + "\n".join(rack_lines(nodes)) + "\n", encoding="utf-8")
    return folder / "site.yaml"


FORMS: Final[dict[str, Callable[[Path, int], None]]] = {"racks": racks, "csv": inventory, "yaml": entries}
