"""Many clusters at one look, as documents: what `aamic clusters` knows, and what it prints as JSON.

A value that is not known is null, never 0. Times are seconds since 1970. Fields may be added in later versions.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from aamic.errors import RemoteState
from aamic.model.api import Alert, AlertCounts, Count, Gpus, Health, Node, NodeCounts, Status, Verdict, Version

State = Literal["connected"] | RemoteState
Kind = Literal["aami", "prometheus"]
Reference = Literal["file", "env", "command"]
StepName = Literal["credentials", "connection", "certificate", "key", "answer", "name"]
"""The steps of a first contact, in order."""


class Part(BaseModel):
    """A document, or a part of one."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Listed(Part):
    """A cluster of the registry; of its credentials it says by which kind of reference they come."""

    name: str
    kind: Kind
    endpoint: str
    labels: dict[str, str]
    federate: bool
    timeout_seconds: float
    api_key: Reference | None
    tls_cert: str | None
    tls_key: Reference | None
    tls_ca_cert: str | None


class Registry(Part):
    """`aamic clusters list`."""

    version: Literal[1] = 1
    clusters: list[Listed]


class Seen(Part):
    """What became of asking one cluster: `status` if it is connected, else why it is not."""

    name: str
    own: bool = False
    """Whether it is the cluster of the site itself."""
    kind: Kind
    endpoint: str
    labels: dict[str, str] = {}
    state: State
    message: str | None = None
    hint: str | None = None
    status: Status | None = None
    same_as: str | None = None
    """The name of the cluster before it that is the same one, by what it calls itself; it is counted there."""


class Absent(Part):
    """A cluster that is in no sum, and why."""

    name: str
    state: State
    message: str | None
    hint: str | None


class Total(Part):
    """All connected clusters together; what none of them knows is null.

    Attributes:
        verdict: The worst of the connected clusters; never better than `unknown` where one is missing.
        score: Weighted by the nodes of each cluster.
        gpus: By vendor; the use is weighted by the GPUs that are present.
        incomplete: Connected clusters that do not say all of this, so that sums lack their share.
        lacks: What each of them does not say, in words.
    """

    clusters: Count
    connected: Count
    verdict: Verdict
    score: float | None
    nodes: NodeCounts
    gpus: list[Gpus]
    alerts: AlertCounts | None
    incomplete: list[str]
    lacks: dict[str, list[str]] = {}


class Overview(Part):
    """`aamic clusters status`; clusters stand in the order of the site."""

    version: Literal[1] = 1
    at: float
    clusters: list[Seen]
    total: Total
    missing: list[Absent]


class FoundAlert(Alert):
    """An alert with the cluster it was read from, as the registry names that."""

    cluster: str


class Same(Part):
    """A cluster that is one of those before it, by what it calls itself."""

    name: str
    same_as: str


class FoundAlerts(Part):
    """`aamic clusters alerts`; `total` counts all that the connected clusters told of, listed or not.

    What those in `same` told is not listed and counted again.
    """

    version: Literal[1] = 1
    at: float
    connected: Count
    alerts: list[FoundAlert]
    total: Count
    missing: list[Absent]
    same: list[Same] = []


class Step(Part):
    """One step of a test; `ok` is null where it was not come to, or where it does not apply."""

    name: StepName
    ok: bool | None
    message: str


class Tried(Part):
    """`aamic clusters test`; `cluster` is the name that it gives itself."""

    version: Literal[1] = 1
    name: str
    kind: Kind
    endpoint: str
    state: State
    hint: str | None = None
    steps: list[Step]
    warnings: list[str] = []
    cluster: str | None = None
    program: str | None = None
    """What answers, with its version."""

    @property
    def connected(self) -> bool:
        """Whether it answers as it should."""
        return self.state == "connected"


class Details(Part):
    """`aamic clusters info`; `missing` says what else could not be read."""

    version: Literal[1] = 1
    seen: Seen
    program: Version | None = None
    health: Health | None = None
    alerts: list[Alert] | None = None
    alerts_total: Count | None = None
    nodes: list[Node] | None = None
    nodes_total: Count | None = None
    missing: list[str] = []
