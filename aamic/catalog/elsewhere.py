"""What would emit a metric that nothing in a site emits: hints for the provenance check, read only when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from aamic.catalog import emits
from aamic.catalog.exporters.node import collectors
from aamic.catalog.exporters.slurm import exporter as slurm
from aamic.catalog.vendors import NAMES


def elsewhere(name: str) -> str | None:
    """What would emit the metric, and what to set for it; None if the catalog does not know the name.

    >>> elsewhere("node_systemd_unit_state")
    'collector `systemd` of exporter `node`: add it to `exporters.node.collectors.enable`'
    """
    return _known().get(name) or next((text for prefix, text in _open_ended().items() if name.startswith(prefix)), None)


@cache
def _known() -> Mapping[str, str]:
    return {**dict(_slurm()), **dict(_vendors()), **dict(_node())}


def _node() -> Iterator[tuple[str, str]]:
    for collector, spec in collectors.known().items():
        what = "exporter `node`" if collector == collectors.ITSELF else f"collector `{collector}` of exporter `node`"
        how = (
            "it is on unless `exporters.node` switches it off"
            if spec["default"]
            else "add it to `exporters.node.collectors.enable`"
        )
        for family, declared in spec["metrics"].items():
            if "needs" in declared:
                yield family, f"the {declared['needs']}: it comes with `slurm`, unless `auto_drain` is off"
                continue
            for metric in emits.metric("node", family, declared["type"], None):
                yield metric.name, f"{what}: {how}"


def _open_ended() -> Mapping[str, str]:
    """Beginnings of names that depend on kernel, driver or flags, so that no list has them all."""
    return {
        prefix: f"collector `{collector}` of exporter `node`, if the hosts have it: names that begin with `{prefix}` "
        "depend on them, so declare this one under `exporters.node.textfile_metrics`"
        for collector, spec in collectors.known().items()
        for prefix in spec.get("dynamic", ())
    }


def _vendors() -> Iterator[tuple[str, str]]:
    for name in NAMES:
        yield from import_module(f"aamic.catalog.vendors.{name}.elsewhere").known()


def _slurm() -> Iterator[tuple[str, str]]:
    for section in slurm.known().values():
        flag = section.get("flag")
        how = f"its flag `{flag}` is not among those that aamic sets" if flag else "set `slurm.controller`"
        for family, declared in section["metrics"].items():
            for metric in emits.metric("slurm", family, declared["type"], None):
                yield metric.name, f"exporter `slurm`, on the controller: {how}"
