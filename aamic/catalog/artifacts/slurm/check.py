"""The node check: program and units on every node that has GPUs and an exporter, a configuration for each kind."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from aamic import agent, templates
from aamic.catalog import gpuerrors
from aamic.catalog.artifacts.slurm.expected import expected
from aamic.catalog.artifacts.slurm.signals import document, signals
from aamic.catalog.limits import limits
from aamic.catalog.nodechecks import checked
from aamic.model.fleet import Fleet, Gpu, GpuProbe, HealthPolicy, SlurmSettings
from aamic.model.quantities import duration_seconds
from aamic.model.tree import File, OnChange, Part

FOLDER: Final = "/usr/local/lib/aami"
PROGRAM: Final = f"{FOLDER}/aamic-node-check"
CONFIG: Final = "/etc/aami/slurm/node-check.json"
SERVICE: Final = "aamic-node-check.service"
TIMER: Final = "aamic-node-check.timer"
_RELOAD: Final = OnChange("daemon-reload")


def parts(fleet: Fleet, slurm: SlurmSettings) -> Iterator[Part]:
    """The program on all nodes that are checked, and a configuration for each kind of them."""
    hosts = checked(fleet)
    if hosts:
        yield Part("node-check", hosts, tuple(_files(fleet, slurm)), {TIMER: "started"})
    kinds: dict[Gpu, list[str]] = {}
    for name in hosts:
        gpu = fleet.nodes[name].gpu
        assert gpu is not None  # noqa: S101  # `checked` has looked
        kinds.setdefault(gpu, []).append(name)
    for gpu, names in kinds.items():
        probe = next(probe for probe in fleet.probes if names[0] in probe.hosts)
        config = File(CONFIG, _json(_config(fleet, slurm, gpu, probe)))
        yield Part(_bundle(gpu), tuple(names), (config,))


def _bundle(gpu: Gpu) -> str:
    """`node-check-nvidia-H100-8`; a name that would not do for a folder is told apart by its digest."""
    model = re.sub(r"[^A-Za-z0-9._-]+", "-", gpu.model)
    if model != gpu.model:
        model += f"-{hashlib.sha256(gpu.model.encode()).hexdigest()[:6]}"
    return f"node-check-{gpu.vendor}-{model}-{gpu.count}"


def _textfiles(fleet: Fleet) -> str | None:
    return next((each.textfiles for each in fleet.services if each.textfiles), None)


def _files(fleet: Fleet, slurm: SlurmSettings) -> Iterator[File]:
    folder = _textfiles(fleet)
    yield File(PROGRAM, agent.starter("nodecheck"), 0o755)
    # A folder that is missing must not keep the verdict from being written.
    yield _unit(SERVICE, _RELOAD, program=PROGRAM, folders=[f"-{folder}"] if folder else [])
    yield _unit(TIMER, OnChange("restart", TIMER), interval=slurm.health.interval)
    if folder:
        yield expected(folder, "aamic_node_check_expected", "a node check")


def _unit(name: str, on_change: OnChange, **values: Any) -> File:
    content = templates.render(f"catalog/artifacts/slurm/{name}.j2", **values)
    return File(f"/etc/systemd/system/{name}", content, on_change=on_change)


def _config(fleet: Fleet, slurm: SlurmSettings, gpu: Gpu, probe: GpuProbe) -> dict[str, Any]:
    return {
        "version": 1,
        "cluster": fleet.cluster,
        "interval": slurm.health.interval,
        "url": f"http://127.0.0.1:{probe.port}{probe.path}",
        **judging(fleet, slurm.health, gpu, probe),
        "brake": {"urls": _asked(fleet), "cap": slurm.max_drained, "settle": settle(fleet, slurm)},
        "textfiles": _textfiles(fleet),
    }


def judging(fleet: Fleet, policy: HealthPolicy, gpu: Gpu, probe: GpuProbe) -> dict[str, Any]:
    """How the GPUs of a kind are judged, as `aamic.agent.health.nodepolicy` reads it."""
    fatal = sorted(policy.codes.get(gpu.vendor, gpuerrors.codes(gpu.vendor, "fatal")))
    quiet = sorted(gpuerrors.quiet(gpu.vendor).difference(fatal))
    return {
        "inventory": {"vendor": gpu.vendor, "model": gpu.model, "count": gpu.count},
        "signals": signals(gpu.vendor, probe.prefix, _emitted(fleet, probe)),
        "fatal_codes": fatal,
        "quiet_codes": quiet,
        "line_codes": sorted(gpuerrors.by_line(gpu.vendor).difference(fatal)),
        "code_kind": gpuerrors.kind(gpu.vendor),
        "code_names": _names(gpu.vendor, fatal, quiet),
        "drain_on": list(policy.drain_on),
        "limits": document(limits(gpu.vendor, gpu.model, policy.thresholds)),
        "hysteresis": {"breaches": policy.breaches, "clears": policy.clears},
    }


def _names(vendor: str, fatal: Collection[int], quiet: Collection[int]) -> dict[str, str]:
    """What the codes that may be told of are called."""
    loud = {code for code, error in gpuerrors.errors(vendor).items() if error.name != "unused" and code not in quiet}
    return {str(code): str(gpuerrors.explain(vendor, code)) for code in sorted({*fatal, *loud})}


def _emitted(fleet: Fleet, probe: GpuProbe) -> frozenset[str]:
    return frozenset(
        metric.name
        for endpoint in fleet.endpoints
        if (endpoint.port, endpoint.path) == (probe.port, probe.path) and endpoint.hosts & probe.hosts
        for metric in endpoint.metrics
    )


def _asked(fleet: Fleet) -> list[str]:
    """The servers that see all nodes."""
    return [
        f"http://{fleet.address(server.host, server.port)}"
        for server in fleet.servers
        if server.role in {"central", "single"}
    ]


def settle(fleet: Fleet, slurm: SlurmSettings) -> int:
    """Seconds until everybody's verdict of one moment has reached the server that is asked.

    A check is due within an interval of it, then comes a scrape, an evaluation of the records, and the federation.
    """
    servers: Iterable[tuple[str, str]] = [
        (each.scrape_interval, each.evaluation_interval) for each in fleet.servers if each.role != "central"
    ]
    scrape = max((duration_seconds(scrape) + duration_seconds(evaluation) for scrape, evaluation in servers), default=0)
    federation = duration_seconds(fleet.federation.interval) if fleet.federation else 0
    return round(slurm.health.interval + scrape + federation)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
