"""Asks the exporters of nodes, from here or through the nodes themselves, whether they answer as promised."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aamic.errors import HostError, OutsideError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aamic.commands.applying import Reach
    from aamic.compile.compiler import Compiled
    from aamic.model.installed import Installed
    from aamic.ops.installed import Promise

_TIMEOUT: Final = 5.0
"""Seconds for one answer."""


def ask_exporters(compiled: Compiled, vendor: str, reach: Reach, names: Sequence[str]) -> tuple[Installed, ...]:
    """What became of the exporter of each node; they are asked again until all is well, or `ready_timeout` is over."""
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out
    from aamic.model.installed import Installed
    from aamic.ops.installed import verified

    seconds = compiled.fleet.rollout.ready_timeout
    promises = {name: _promise(compiled, vendor, name) for name in names}

    def work(name: str) -> Installed:
        promised = promises[name]
        read = partial(_read, promised, reach, name)
        return verified(promised, name, read, seconds)

    with progress("asking exporters", len(names)) as tick:
        found = fan_out(names, work, reach.parallel, tick)
    return tuple(
        Installed(name, promises[name].url, faults=(str(each),)) if isinstance(each, HostError) else each
        for name, each in found.items()
    )


def _promise(compiled: Compiled, vendor: str, name: str) -> Promise:
    from aamic.compile.compiler import shipped_catalog
    from aamic.ops.installed import promise

    exporter = next(each.exporter for each in shipped_catalog().vendors if each.name == vendor)
    options = getattr(compiled.site.exporters, exporter.name)
    sample = exporter.sample(options, compiled.fleet.nodes[name], (), 0.0)
    return promise(compiled.fleet, vendor, name, sample)


def _read(promised: Promise, reach: Reach, name: str) -> tuple[bytes, str]:
    """The exposition, asked from here as Prometheus would; where nobody is reached, the host asks itself."""
    from aamic.clients.pages import NoAnswerError, read_on_host, read_page

    try:
        return read_page(promised.url, _TIMEOUT), ""
    except NoAnswerError as error:
        why = error
    try:
        page = read_on_host(reach.hosts, name, promised.local, _TIMEOUT, reach.timeout)
    except OutsideError as error:
        raise OutsideError(f"{why}; {error}", why.hint) from error
    return page, f"it answers the host itself, but not this machine: {why} (hint: does a firewall let Prometheus in?)"
