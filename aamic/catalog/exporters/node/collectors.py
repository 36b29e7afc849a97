"""node_exporter's collectors: which run under a site's options, the flags that say so, and what they emit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aamic.catalog import emits
from aamic.catalog.exporters.node.options import Collectors, NodeOptions
from aamic.model.fleet import Metric

_FOLDER: Final = Path(__file__).parent
ITSELF: Final = "exporter"
"""The entry of emits.yaml for what the exporter says of itself; no collector."""


def known() -> Mapping[str, Mapping[str, Any]]:
    """The collectors of emits.yaml by name."""
    collectors: Mapping[str, Mapping[str, Any]] = emits.table(_FOLDER)["collectors"]
    return collectors


def running(collectors: Collectors) -> frozenset[str]:
    """The collectors that run, and `exporter`."""
    default = {name for name, spec in known().items() if spec["default"]}
    return frozenset(default.union(collectors.enable).difference(collectors.disable))


def flags(collectors: Collectors) -> Iterator[str]:
    """Flags for what differs from the defaults, and for what distributions switch on by themselves."""
    on = running(collectors)
    patched = {name for name, spec in known().items() if "debian" in spec}
    for name in sorted(patched.union(collectors.enable, collectors.disable)):
        yield f"--collector.{name}" if name in on else f"--no-collector.{name}"


def metrics(options: NodeOptions, parts: frozenset[str] = frozenset()) -> Iterator[Metric]:
    """What the running collectors emit, and what the site declares of its textfiles.

    `parts` of Slurm are those that write textfiles here: `node check`, `drain controller`.
    """
    on = running(options.collectors)
    for collector, spec in known().items():
        if collector in on:
            for name, declared in spec["metrics"].items():
                if declared.get("needs") in {None, *parts}:
                    yield from emits.metric("node", name, declared["type"], declared.get("labels", ()))
    if "textfile" in on:
        for name, own in options.textfile_metrics.items():
            yield from emits.metric("node", name, own.type, own.labels)
