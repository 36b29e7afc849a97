"""A whole site on loopback for its dashboards: pairs of shards, central, another cluster, one that is gone, faults."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from aamic.catalog.artifacts.rules import presets
from aamic.catalog.base import Fault
from aamic.clients.processes import Processes, find_program, vanishing_folder
from aamic.compile.compiler import Compiled, check_site, shipped_catalog
from aamic.compile.render import render
from aamic.errors import OutsideError
from aamic.model.dashboard import EVERYTHING, Dashboard, Query, Variable, chosen, filled
from aamic.model.fleet import AlertRule, Fleet, RemoteCluster, RuleGroup
from aamic.twin import checks, faults
from aamic.twin.exporters import Page, SyntheticExporters
from aamic.twin.faults import parse_injections
from aamic.twin.pages import pages
from aamic.twin.ports import reserved_ports
from aamic.twin.slurmside import SICK
from aamic.twin.stage import launches, staged, write_hosts

SITE = """
version: 1
cluster: {name: here}
racks:
  r01: {nodes: "gpu-[001-002]", addresses: "10.10.1.[1-2]", gpu: {vendor: nvidia, model: H100, count: 2}}
  r02: {nodes: "mi-[001-002]", addresses: "10.10.3.[1-2]", gpu: {vendor: amd, model: MI300X, count: 2}}
nodes:
  mon-01: {address: 10.10.0.11}
  mon-02: {address: 10.10.0.12}
  slurm-ctl: {address: 10.10.0.20}
federation: {central_node: mon-01, shards: 2, by: rack, shard_nodes: "mon-[01-02]", replicas: 2}
alertmanager: {nodes: mon-01}
alerts: {presets: [node, gpu, slurm, federation, aamic, clusters]}
slurm: {enabled: true, controller: slurm-ctl, nodes: "gpu-[001-002],mi-[001-002]", job_mapping: true,
        pre_job_check: true, auto_drain: shadow}
clusters:
  - {name: busan, endpoint: "https://busan.example", federate: true}
  - {name: seoul-2, endpoint: "https://seoul-2.example", federate: true}
"""
ELSEWHERE = "127.99.0.1"
"""Where the other cluster is: no address of a node, nor the one at which ports are held."""
INJECTED = (
    "xid:79@gpu-001/0", "ecc:3@gpu-001/0", "temperature:95@gpu-001/0",
    "afid:30@mi-001/0", "ecc:3@mi-001/0", "temperature:108@mi-001/0", "lost@gpu-002/1", "down@mi-002",
)  # fmt: skip
DRIFTED = {
    "gpu-001": (('aamic_managed_files{state="changed"} 0', 'aamic_managed_files{state="changed"} 2'),
                ("aamic_apply_pending 0", "aamic_apply_pending 1")),
    "mi-001": (("aamic_check_success 1", "aamic_check_success 0"), ("aamic_managed_files{", "left_out{"),
               (r"(amd_gpu_violation_socket_thermal_residency_percentage{.*}) 0", r"\1 20")),
}  # fmt: skip
SETTLED = "gpu:present offset 20s"
"""A code of a GPU that was not watched for a while before is none that has just come up."""
BROKEN = (
    'node:aamic_failing_signal and on () cluster:alerts_firing{cluster="here",severity="critical"}',
    'gpu:errors_recent{vendor="nvidia"} and on () gpu:errors_recent{vendor="amd"}',
    'count (node:gpu_count{node="gpu-002"} == 1) == 2',
    'node:down == 1 and on () cluster:nodes_up{cluster="busan"}',
)
"""What central has once all faults have come there."""
ONE_OF_EACH: tuple[Mapping[str, str], ...] = (
    {"cluster": "here", "rack": "r01", "node": "gpu-001", "vendor": "nvidia", "gpu": "0"},
    {"cluster": "here", "rack": "r02", "node": "mi-001", "vendor": "amd", "gpu": "0"},
    {"cluster": "busan"},
)
"""What a person may choose; of variables that are not here, the first value."""


@dataclass(frozen=True)
class Shown:
    """The dashboards of a site that runs, and the server that Grafana would ask."""

    fleet: Fleet
    url: str

    @property
    def dashboards(self) -> tuple[Dashboard, ...]:
        return self.fleet.dashboards

    def rows(self, query: Query, values: Mapping[str, str]) -> int:
        """How many series a query gives: at the next full minute, at which subqueries have their steps."""
        end = -(-time.time() // 60) * 60
        asked = {"query": filled(query.expr, {"__range": "5m", "__rate_interval": "5m", "__interval": "1m", **values})}
        if query.instant:
            found = self.ask("/api/v1/query", {**asked, "time": end})
        else:
            found = self.ask("/api/v1/query_range", {**asked, "start": end - 60, "end": end, "step": 15})
        return len(found["result"])

    def now(self, expr: str) -> list[Any]:
        """The series of an expression now."""
        found: list[Any] = self.ask("/api/v1/query", {"query": expr})["result"]
        return found

    def values(self, variable: Variable, before: Mapping[str, str]) -> list[str]:
        """The values of a variable, as Grafana asks for them."""
        found: list[str] = self.ask(
            f"/api/v1/label/{variable.name}/values", {"match[]": filled(variable.metric, before)}
        )
        return found

    def choice(self, dashboard: Dashboard, wanted: Mapping[str, str]) -> dict[str, str]:
        """One value for each variable of a page, each within those before it."""
        out: dict[str, str] = {}
        for each in dashboard.variables:
            values = self.values(each, out)
            name = wanted.get(each.name, next(iter(values), ""))
            out[each.name] = chosen([name])
        return out

    def ask(self, path: str, parameters: Mapping[str, Any]) -> Any:
        with urlopen(f"{self.url}{path}?{urlencode(parameters)}", timeout=20) as answer:  # noqa: S310  # http alone
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]


def everything(dashboard: Dashboard) -> dict[str, str]:
    """All values of each variable."""
    return {each.name: EVERYTHING for each in dashboard.variables}


@contextmanager
def running(site: Path) -> Iterator[Shown]:
    """Run the site with its faults until central has seen all of it; nothing is left of it."""
    whole = check_site(site)
    injections = parse_injections(INJECTED, whole.fleet)
    with ExitStack() as stack:
        folder = stack.enter_context(vanishing_folder("aamic-twin-"))
        twin = stack.enter_context(staged(whole, 24, injections, folder))
        ports = stack.enter_context(reserved_ports(2, [ELSEWHERE]))
        twin = changed(folder / "site.yaml", twin, ports)
        write_hosts(twin, folder / "hosts")
        answers = [drifted(page) for page in pages(twin.site, twin.fleet, shipped_catalog(), frozenset())]
        exporters = stack.enter_context(SyntheticExporters(answers))
        processes = stack.enter_context(Processes())
        start(processes, twin, folder, ports[0])
        yield seen(twin, exporters, faults.by_node(injections))


def changed(site: Path, twin: Compiled, ports: Sequence[int]) -> Compiled:
    """The twin with its dashboards and with other clusters; its alerts do not wait."""
    others = tuple(
        replace(remote(each.name, port), labels=each.labels)
        for each, port in zip(check_site(site).fleet.clusters, ports, strict=True)
    )
    fleet = replace(
        twin.fleet,
        clusters=others,
        dashboards=check_site(site, dashboards=True).fleet.dashboards,
        rules=tuple(at_once(group) for group in twin.fleet.rules),
    )
    return replace(twin, fleet=fleet, tree=render(fleet, shipped_catalog().artifacts))


def remote(name: str, port: int) -> RemoteCluster:
    return RemoteCluster(
        name=name,
        endpoint=f"http://{ELSEWHERE}:{port}",
        kind="prometheus",
        api_key=None,
        tls_cert=None,
        tls_key=None,
        tls_ca_cert=None,
        labels={},
        timeout=2.0,
        federate=True,
    )


def at_once(group: RuleGroup) -> RuleGroup:
    """A group whose alerts fire as soon as they are true."""
    rules = (replace(rule, for_=None) if isinstance(rule, AlertRule) else rule for rule in group.rules)
    return replace(group, rules=tuple(rules))


def drifted(page: Page) -> Page:
    """A page as it is on a node whose files are not as they were applied, or whose GPUs are slowed down by heat."""
    if page.node not in DRIFTED:
        return page

    def sample(kinds: tuple[Fault, ...], seconds: float) -> str:
        text = page.sample(kinds, seconds)
        for old, new in DRIFTED[page.node]:
            text = re.sub(old, new, text)
        return text

    return replace(page, sample=sample)


def start(processes: Processes, twin: Compiled, folder: Path, port: int) -> None:
    """Start every server of the site and that of the other cluster; the one of the third is nowhere."""
    logs = folder / "logs"
    logs.mkdir()
    for each in launches(twin, folder / "hosts", None):
        processes.start(each.name, each.command, each.folder, logs / f"{each.host}-{each.unit}.log", each.environment)
    config = folder / "other"
    config.mkdir()
    (config / "prometheus.yml").write_text(
        "global: {evaluation_interval: 1s, external_labels: {cluster: busan}}\nrule_files: [rules.json]\n"
    )
    (config / "rules.json").write_text(json.dumps({"groups": [{"name": "cluster", "rules": list(aggregates())}]}))
    command = (find_program("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data")
    processes.start("busan", (*command, f"--web.listen-address={ELSEWHERE}:{port}"), config, logs / "busan.log")


def aggregates() -> Iterator[dict[str, Any]]:
    """What another cluster says of itself: every aggregate that there is, some of them by a label."""
    labels = {"cluster:node_verdicts": {"verdict": "ok"}, "cluster:alerts_firing": {"severity": "warning"}}
    for record in presets.records("cluster"):
        own = {"vendor": "nvidia"} if record.startswith("cluster:gpu_") else labels.get(record, {})
        yield {"record": record, "expr": "vector(7)", "labels": {"cluster": "busan", **own}}


def seen(twin: Compiled, exporters: SyntheticExporters, wanted: Mapping[str, tuple[Fault, ...]]) -> Shown:
    """Wait until central has everything of a healthy site, then until it has its faults."""
    world = checks.world(twin.fleet)
    shown = Shown(twin.fleet, world.top[1].url)
    for check in (checks.ready, checks.recorded, checks.federated):
        until(partial(complete, check, world), check)
    until(partial(shown.now, SETTLED), SETTLED)
    exporters.faults = {
        name: (*kinds, *([Fault(SICK, "", None)] if name in DRIFTED else [])) for name, kinds in wanted.items()
    }
    for query in BROKEN:
        until(partial(shown.now, query), query)
    return shown


def complete(check: Callable[[checks.World], checks.Seen], world: checks.World) -> bool:
    return not check(world).missing


def until(fact: Callable[[], object], what: object, seconds: float = 60.0) -> None:
    """Wait for a fact; servers that do not answer yet have none."""
    end = time.monotonic() + seconds
    while True:
        with suppress(OutsideError):
            if fact():
                return
        assert time.monotonic() < end, f"not seen in time: {what}"
        time.sleep(0.3)
