"""A Slurm cluster through slurmrestd, in the newest version of its API that both sides know."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from aamic.clients import slurmjson
from aamic.clients import slurmtext as read
from aamic.clients.slurmhttp import RestError, Server
from aamic.clients.slurmruns import asked, check_job, check_node, check_reason, known, ran
from aamic.errors import OutsideError
from aamic.model.slurm import Job, SlurmNode

OLDEST: Final = 36
NEWEST: Final = 45
"""Versions of the API whose forms are known, v0.0.36 to v0.0.45: Slurm 21.08 to 26.05."""
_CHANGES_NODES: Final = 39
"""The first version that lets a node be changed: POST /slurm/v0.0.39/node/{name}."""
_PATH: Final = re.compile(r"/(slurm|slurmdb)/v0\.0\.([0-9]{1,4})/jobs/?")
_UNKNOWN_JOB: Final = frozenset({2017, 9003})
"""ESLURM_INVALID_JOB_ID and ESLURM_REST_EMPTY_RESULT of slurm/slurm_errno.h."""
_ABSENT: Final = 404
_MANY_NODES: Final = 100
_EARLIEST: Final = 1_000_000
"""Times before that are refused by Slurm's parser of `uts` times."""


@dataclass
class SlurmRest:
    """A slurmrestd; `expand` reads host lists, and `note` is told what could not be found out."""

    server: Server
    expand: read.Expand
    note: Callable[[str], None]
    _versions: dict[str, int] = field(default_factory=dict)

    def job(self, name: str) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        check_job(name)
        whole = re.split("[_+]", name)[0]
        held = asked(self._jobs("slurm", f"job/{whole}"), name)
        return known(name, held, lambda: self._jobs("slurmdb", f"job/{whole}"), self.note)

    def jobs(self) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        return self._jobs("slurm", "jobs/")

    def history(self, since: float, until: float, nodes: Sequence[str] = ()) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        span = {"start_time": _time(math.floor(since)), "end_time": _time(math.ceil(until))}
        there = {"node": ",".join(map(check_node, nodes))} if 0 < len(nodes) <= _MANY_NODES else {}
        return ran(self._jobs("slurmdb", f"jobs/?{urlencode(span | there)}"), since, until, nodes)

    def nodes(self) -> Sequence[SlurmNode]:
        """See `clients.base.Workloads`."""
        return slurmjson.read_nodes(self._ask("slurm", "nodes/"))

    def drain(self, node: str, reason: str) -> None:
        """See `clients.base.Workloads`."""
        self._change(node, {"state": ["DRAIN"], "reason": check_reason(reason)})

    def resume(self, node: str) -> None:
        """See `clients.base.Workloads`."""
        self._change(node, {"state": ["RESUME"]})

    def _change(self, node: str, body: dict[str, Any]) -> None:
        version = self._version("slurm")
        if version < _CHANGES_NODES:
            raise OutsideError(f"slurmrestd, `{self.server.url}`, changes no nodes in v0.0.{version}")
        self.server.ask(f"/slurm/v0.0.{version}/node/{quote(check_node(node))}", body)

    def _jobs(self, api: str, path: str) -> tuple[Job, ...]:
        """The jobs of an answer; none where Slurm knows no such job."""
        reader = slurmjson.read_jobs if api == "slurm" else slurmjson.read_accounted
        try:
            return reader(self._ask(api, path), self.expand)
        except RestError as error:
            if error.number in _UNKNOWN_JOB:
                return ()
            raise

    def _ask(self, api: str, path: str) -> Any:
        return self.server.ask(f"/{api}/v0.0.{self._version(api)}/{path}")

    def _version(self, api: str) -> int:
        """The version to use of slurmctld's or slurmdbd's part."""
        if not self._versions:
            self._versions.update(self._offered())
        if api not in self._versions:
            raise OutsideError(f"slurmrestd, `{self.server.url}`, offers nothing of {api}")
        return self._versions[api]

    def _offered(self) -> dict[str, int]:
        """The newest version of each part that is known to both sides: the server's list tells, or trying them."""
        try:
            paths = self.server.ask("/openapi/v3")["paths"]
            found = [match for match in map(_PATH.fullmatch, paths) if match]
        except RestError as error:
            if error.status != _ABSENT:
                raise
            found = []
        except (KeyError, TypeError):
            found = []
        if found:
            apis = {match[1] for match in found}
            return {api: best([int(match[2]) for match in found if match[1] == api]) for api in apis}
        return dict.fromkeys(("slurm", "slurmdb"), self._tried())

    def _tried(self) -> int:
        for version in range(NEWEST, OLDEST - 1, -1):
            try:
                self.server.ask(f"/slurm/v0.0.{version}/ping/")
            except RestError as error:
                if error.status == _ABSENT:
                    continue
                raise
            return version
        raise OutsideError(
            f"slurmrestd, `{self.server.url}`, offers no version from v0.0.{OLDEST} to v0.0.{NEWEST} of its API",
            "is it the address of slurmrestd?",
        )


def best(offered: Iterable[int]) -> int:
    """The newest version whose forms are known; of a server that is newer still, its oldest.

    >>> best([38, 36, 37]), best([44, 45, 46]), best([47, 46])
    (38, 45, 46)
    """
    versions = sorted(offered)
    fitting = [version for version in versions if version <= NEWEST]
    return fitting[-1] if fitting else versions[0]


def _time(second: int) -> str:
    """A time as Slurm's parser takes it in every release, whatever the zone of slurmrestd."""
    return f"uts{max(second, _EARLIEST)}"
