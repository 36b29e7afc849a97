"""The same outputs by other compilers: what each shard scrapes (file_sd) and its prometheus.yml.

The peers get what aamic works out first: which node is in which shard, ports, addresses, in their own input format.
They expand no host list, place no node, check nothing, and write two files for each shard.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from measure import Cost, cost_of, least

from aamic.catalog.artifacts.prometheus.artifact import watched_central
from aamic.compile.compiler import Compiled
from aamic.model.fleet import Fleet, Node, Server

HERE: Final = Path(__file__).parent
REQUIREMENTS: Final = HERE.parent / "requirements.txt"
VENV: Final = HERE.parent / ".venv"
LONG: Final = 30.0
"""Seconds of a run that is not repeated."""


class LeftOutError(Exception):
    """A peer cannot be measured here."""


def install(package: str) -> Path:
    """The folder of programs of bench/.venv with this package of requirements.txt in it."""
    programs = VENV / "bin"
    pinned = next(line for line in REQUIREMENTS.read_text().splitlines() if line.startswith(package))
    try:
        if not (programs / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True, capture_output=True)
        subprocess.run(
            [programs / "pip", "install", "-q", "--disable-pip-version-check", pinned], check=True, capture_output=True
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise LeftOutError(lines[-1] if lines else str(error)) from error
    return programs


def _servers(fleet: Fleet) -> list[Server]:
    return [server for server in fleet.servers if server.role == "shard"]


def _shard(fleet: Fleet, server: Server) -> dict[str, Any]:
    nodes = [fleet.nodes[name] for name in server.nodes]
    jobs = [endpoint for endpoint in fleet.endpoints if not endpoint.hosts.isdisjoint(server.nodes)]
    return {
        "name": server.name,
        "cluster": fleet.cluster,
        "external_labels": server.external_labels,
        "scrape_interval": server.scrape_interval,
        "scrape_timeout": server.scrape_timeout,
        "evaluation_interval": server.evaluation_interval,
        "alertmanagers": [fleet.address(each.host, each.port) for each in fleet.alertmanagers],
        "own": {"address": fleet.address(server.host, server.port), "node": server.host},
        "watches": _watched(fleet, server),
        "targets_path": server.targets_path,
        "jobs": [{"name": endpoint.job, "port": endpoint.port} for endpoint in jobs],
        "ports": {_vendor(node): _ports(fleet, node) for node in nodes},
        "nodes": [_node(node) for node in nodes],
    }


def _watched(fleet: Fleet, server: Server) -> list[dict[str, str]]:
    central = watched_central(fleet, server)
    return [{"address": fleet.address(central.host, central.port), "node": central.host}] if central else []


def _vendor(node: Node) -> str:
    return node.gpu.vendor if node.gpu else "none"


def _ports(fleet: Fleet, node: Node) -> list[int]:
    return sorted(endpoint.port for endpoint in fleet.endpoints if node.name in endpoint.hosts)


def _node(node: Node) -> dict[str, Any]:
    rack = {"rack": node.rack} if node.rack else {}
    gpu = {"vendor": node.gpu.vendor, "model": node.gpu.model, "count": node.gpu.count} if node.gpu else {}
    return {"name": node.name, "address": node.address, **rack, **gpu}


@dataclass(frozen=True)
class Run:
    """How a peer is run, and the folder in which it leaves one folder for each shard."""

    command: list[str | Path]
    compiled: Path


def rjsonnet(folder: Path, shards: Sequence[dict[str, Any]]) -> Run:
    """One process that evaluates one Jsonnet program and writes each of its values as JSON."""
    programs = install("rjsonnet")
    data = folder / "shards.json"
    data.write_text(json.dumps(shards))
    out = folder / "out"
    return Run([programs / "python", HERE / "rjsonnet_compile.py", data, out], out)


def kapitan(folder: Path, shards: Sequence[dict[str, Any]]) -> Run:
    """`kapitan compile`: a target for each shard with its nodes as parameters, Jsonnet inputs, no parallelism."""
    programs = install("kapitan")
    targets = folder / "inventory" / "targets"
    targets.mkdir(parents=True)
    (folder / "inventory" / "classes").mkdir()
    for path in HERE.glob("*sonnet"):
        shutil.copy(path, folder)
    for shard in shards:
        (targets / f"{shard['name']}.yml").write_text(json.dumps(_kapitan_target(shard)))
    command = [programs / "kapitan", "compile", "--quiet", "--parallelism", "1", "--output-path", "out"]
    return Run(command, folder / "out" / "compiled")


def _kapitan_target(shard: dict[str, Any]) -> dict[str, Any]:
    steps = [
        {"output_path": ".", "input_type": "jsonnet", "output_type": kind, "input_paths": [path]}
        for kind, path in (("json", "kapitan_targets.jsonnet"), ("yaml", "kapitan_prometheus.jsonnet"))
    ]
    return {"parameters": {"kapitan": {"vars": {"target": shard["name"]}, "compile": steps}, "shard": shard}}


def jsonnet(folder: Path, shards: Sequence[dict[str, Any]]) -> Run:
    """The C++ program of Debian's package `jsonnet`: one evaluation that writes a file for each key."""
    program = shutil.which("jsonnet")
    if program is None:
        raise LeftOutError("`jsonnet` is not on this machine; it is Debian's package of that name")
    data = folder / "shards.json"
    data.write_text(json.dumps(shards))
    out = folder / "out"
    return Run([program, "--tla-code-file", f"shards={data}", "-m", out, HERE / "all.jsonnet"], out)


def ansible(folder: Path, shards: Sequence[dict[str, Any]]) -> Run:
    """A playbook on this machine: the module `template` twice for each shard, no facts gathered, no SSH."""
    programs = install("ansible-core")
    out = folder / "out"
    (folder / "shards.json").write_text(json.dumps({"shards": shards}))
    (folder / "playbook.json").write_text(json.dumps(_playbook(out)))
    (folder / "ansible.cfg").write_text(f"[defaults]\nlocal_tmp = {folder / 'local'}\n")
    return Run([programs / "ansible-playbook", "-i", "localhost,", folder / "playbook.json"], out)


def _playbook(out: Path) -> list[dict[str, Any]]:
    loop = {"loop": "{{ shards }}", "loop_control": {"label": "{{ item.name }}"}}
    folders = {"file": {"path": f"{out}/{{{{ item.name }}}}", "state": "directory"}, **loop}
    files = [
        {"template": {"src": f"{HERE}/{name}.j2", "dest": f"{out}/{{{{ item.name }}}}/{name}"}, **loop}
        for name in ("targets.json", "prometheus.yaml")
    ]
    plain = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars_files": ["shards.json"]}
    interpreter = {"ansible_python_interpreter": str(VENV / "bin/python")}
    return [plain | {"vars": interpreter, "tasks": [folders, *files]}]


PEERS: Final = {"rjsonnet": rjsonnet, "jsonnet": jsonnet, "kapitan": kapitan, "ansible": ansible}


def cost_of_peer(name: str, folder: Path, compiled: Compiled, repeat: int) -> Cost:
    """The least cost of several runs, whose outputs are checked. Raises LeftOutError when it cannot be installed.

    What takes longer than half a minute is run once.
    """
    shards = [_shard(compiled.fleet, server) for server in _servers(compiled.fleet)]
    run = PEERS[name](folder, shards)
    costs = []
    for _ in range(repeat):
        shutil.rmtree(folder / "out", ignore_errors=True)
        for shard in shards:
            (run.compiled / shard["name"]).mkdir(parents=True)
        costs.append(cost_of(run.command, folder)[0])
        _check(compiled, run.compiled)
        if costs[-1].wall > LONG:
            break
    return least(costs)


def _check(compiled: Compiled, folder: Path) -> None:
    """Stop unless the peer wrote the values that aamic writes."""
    files = compiled.tree.files()
    for server in _servers(compiled.fleet):
        for path, name in (
            (server.targets_path, "targets.json"),
            (f"{server.config_dir}/prometheus.yml", "prometheus.yaml"),
        ):
            if _values(files[f"{server.name}{path}"]) != _values((folder / server.name / name).read_bytes()):
                raise SystemExit(f"{folder / server.name / name} does not hold what aamic renders")


def _values(text: bytes) -> Any:
    return yaml.load(text, yaml.CSafeLoader) if text[:1] not in b"[{" else json.loads(text)
