"""Whether an exporter answers as the fleet promises: the names of its metrics, its GPUs, and what is lost if not.

Pure, but for what it is given to read with and to wait with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aamic.agent.health import exposition
from aamic.agent.health.exposition import Exposition
from aamic.agent.health.judge import natural
from aamic.agent.health.readings import Readings, readings
from aamic.catalog import neutral
from aamic.catalog.artifacts.slurm.signals import signals
from aamic.errors import OutsideError
from aamic.model.fleet import Endpoint, Fleet, GpuProbe, Metric
from aamic.model.installed import Installed

_INTERVAL: Final = 2.0
_SHOWN: Final = 3
Read = Callable[[], tuple[bytes, str]]
"""The exposition, and a note on how it was come by, '' where it was asked directly."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What the exporter of a node is to answer.

    `local` is its URL on the node itself. `emitted` are all names that it may show, `of_gpus` those of them that have
    the label of a GPU, `names` those that a node with these GPUs shows when all is well.
    """

    vendor: str
    url: str
    local: str
    port: int
    prefix: str
    gpus: int
    emitted: frozenset[str]
    of_gpus: frozenset[str]
    names: frozenset[str]
    signals: Sequence[Mapping[str, Any]]


def promise(fleet: Fleet, vendor: str, host: str, sample: str) -> Promise:
    """What is promised of a node; `sample` is what the catalog says that its exporter answers."""
    probe = next(each for each in fleet.probes if each.vendor == vendor and host in each.hosts)
    metrics = tuple(_metrics(fleet.endpoints, probe, host))
    emitted = frozenset(metric.name for metric in metrics)
    gpu, label = fleet.nodes[host].gpu, _gpu_label(vendor)
    return Promise(
        vendor=vendor,
        url=f"http://{fleet.address(host, probe.port)}{probe.path}",
        local=f"http://127.0.0.1:{probe.port}{probe.path}",
        port=probe.port,
        prefix=probe.prefix,
        gpus=gpu.count if gpu else 0,
        emitted=emitted,
        of_gpus=frozenset(metric.name for metric in metrics if metric.labels is None or label in metric.labels),
        names=emitted.intersection(each.name for each in exposition.read(sample.encode()).samples),
        signals=signals(vendor, probe.prefix, emitted),
    )


def _metrics(endpoints: Iterable[Endpoint], probe: GpuProbe, host: str) -> Iterator[Metric]:
    for endpoint in endpoints:
        if (endpoint.port, endpoint.path) == (probe.port, probe.path) and host in endpoint.hosts:
            yield from endpoint.metrics


def _gpu_label(vendor: str) -> str:
    """The label in which the vendor's exporter names a GPU."""
    return next(source.labels["gpu"] for row in neutral.rows(vendor) for source in row.sources)


def verified(  # noqa: PLR0913  # what, how long, and with which clock
    promised: Promise,
    host: str,
    read: Read,
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Installed:
    """Ask until all is as promised, for so long at most: an exporter's first collection comes after its interval."""
    until = clock() + seconds
    while True:
        found = _asked(promised, host, read)
        if found.ok or clock() >= until:
            return found
        sleep(min(_INTERVAL, max(0.0, until - clock())))


def _asked(promised: Promise, host: str, read: Read) -> Installed:
    try:
        text, note = read()
    except OutsideError as error:
        hint = f" (hint: {error.hint})" if error.hint else ""
        return Installed(host, promised.url, promised=len(promised.names), faults=(f"{error}{hint}",))
    found = judged(promised, host, text)
    return replace(found, notes=(note, *found.notes)) if note else found


def judged(promised: Promise, host: str, text: bytes) -> Installed:
    """Hold what an exporter answered against what is promised of it."""
    read = exposition.read(text)
    present = frozenset(each.name for each in read.samples)
    gpus = readings(read.samples, [dict(each) for each in promised.signals])
    another = _another(promised, read, present)
    faults = (another,) if another else (*_gpus(promised, gpus), *_required(promised, gpus))
    return Installed(
        host,
        promised.url,
        gpus=len(gpus),
        metrics=len(promised.names & present),
        promised=len(promised.names),
        faults=faults,
        notes=() if another else (*_lost(promised, present), *_unread(read)),
    )


def _another(promised: Promise, read: Exposition, present: frozenset[str]) -> str:
    """Why this is no answer of the vendor's exporter as the site configures it; '' where it is one."""
    if not present:
        return "it answers, and shows no metric" + (f": {_lines(read.bad)} cannot be read" if read.bad else "")
    if present & promised.of_gpus:
        return ""
    prefix = promised.prefix
    if prefix and any(name.removeprefix(prefix) in present for name in promised.of_gpus):
        return f"its metrics lack the prefix `{prefix}`, so it does not read the configuration that aamic wrote"
    shown = ", ".join(f"`{name}`" for name in sorted(present)[:_SHOWN])
    return f"no metric of a GPU: another program answers on port {promised.port}, with {shown}"


def _gpus(promised: Promise, gpus: Readings) -> Iterator[str]:
    if len(gpus) < promised.gpus:
        yield f"{len(gpus)} of {promised.gpus} GPUs are there"
    elif len(gpus) > promised.gpus:
        yield f"{len(gpus)} GPUs are there, and the site has {promised.gpus}"


def _required(promised: Promise, gpus: Readings) -> Iterator[str]:
    """What decides about a node, and is missing of some GPU."""
    for signal in promised.signals:
        name = signal["name"]
        without = sorted((gpu for gpu, reading in gpus.items() if name not in reading), key=natural)
        if signal.get("required") and without:
            metrics = _or(name for source in signal["sources"] for name in source["metrics"])
            yield f"no `gpu:{name}` of GPU {', '.join(without)}: it is read from {metrics}"


def _lost(promised: Promise, present: frozenset[str]) -> Iterator[str]:
    """Promised metrics that are not there, each with what it costs."""
    missing = promised.names - present
    costly: set[str] = set()
    for row in neutral.rows(promised.vendor):
        known = [{promised.prefix + metric for metric in source.metrics} for source in row.sources]
        known = [metrics for metrics in known if metrics <= promised.emitted]
        gone = {metric for metrics in known for metric in metrics & missing}
        if gone and not any(metrics <= present for metrics in known):
            costly |= gone
            labels = ",".join(f'{name}="{value}"' for name, value in row.labels.items())
            yield f"`{row.record}{f'{{{labels}}}' if labels else ''}` has no source: {_and(gone)} missing"
    if rest := missing - costly:
        yield f"{_and(rest)} missing, and no `gpu:*` series is lost by it"


def _unread(read: Exposition) -> Iterator[str]:
    if read.bad:
        yield f"{_lines(read.bad)} of its answer cannot be read"


def _lines(number: int) -> str:
    return f"{number:,} line{'' if number == 1 else 's'}"


def _or(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in dict.fromkeys(names))


def _and(names: Iterable[str]) -> str:
    told = [f"`{name}`" for name in sorted(names)]
    return f"{', '.join(told)} {'is' if len(told) == 1 else 'are'}"
