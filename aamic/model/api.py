"""What `aamic serve` answers, as documents: the server makes them, and a client checks what it got against them.

A value that is not known is null, never 0. Times are seconds since 1970. Fields may be added in later versions, so a
client overlooks those that it does not know. Every number has bounds: a cluster that is broken, or lies, must not spoil
what is added up of it and others.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

VERSION: Final = "v1"
MAX_ITEMS: Final = 1000
"""Most alerts or nodes of one answer."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""Most bytes of an answer that a client reads."""

Verdict = Literal["ok", "warning", "critical", "unknown"]
MOST: Final = 10**12
"""The largest number of anything."""
Count = Annotated[int, Field(ge=0, le=MOST)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Quantity = Annotated[float, Field(ge=0, le=MOST)]
Score = Annotated[float, Field(ge=0, le=100)]
LAST: Final = 253_402_300_799.0
"""The end of the year 9999, the last that every calendar shows."""
Moment = Annotated[float, Field(ge=0, le=LAST)]
Text = Annotated[str, Field(max_length=4096)]
Labels = dict[Annotated[str, Field(max_length=256)], Text]


class Document(BaseModel):
    """One answer, or a part of it."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Ping(Document):
    """It is there, and lets us in."""

    ok: Literal[True] = True
    cluster: Text = Field(description="The cluster's own name.")


class Version(Document):
    """What answers."""

    aamic: Text = Field(description="Version of aamic.")
    api: Text = Field(default=VERSION, description="Version of this API.")
    cluster: Text = Field(description="The cluster's own name.")


class NodeCounts(Document):
    """Nodes by whether anything on them answers."""

    total: Count | None = Field(description="Nodes that there should be; those that are known where nothing says.")
    up: Count | None = Field(description="Nodes on which any exporter answers.")
    down: Count | None = Field(description="Nodes on which none does.")


class VerdictCounts(Document):
    """Nodes by what is thought of them."""

    ok: Count = 0
    warning: Count = 0
    critical: Count = 0
    unknown: Count = 0


class Gpus(Document):
    """The GPUs of one vendor."""

    vendor: Text
    expected: Count | None = Field(description="How many the site says there are.")
    present: Count | None = Field(description="How many exporters show.")
    unhealthy: Count | None = Field(description="How many say themselves that they are not well.")
    utilization: Ratio | None = Field(description="Mean use, from 0 to 1.")
    power_watts: Quantity | None = None


class AlertCounts(Document):
    """Firing alerts by severity, without those that are silenced."""

    critical: Count = 0
    warning: Count = 0
    info: Count = 0


class Shard(Document):
    """One Prometheus server that scrapes nodes."""

    name: Text
    replica: Text | None = None
    up: bool | None = Field(description="Whether central can read it; of a single server, whether it answers.")
    nodes: Count | None = Field(description="Nodes that it scrapes.")
    targets_up: Count | None = None
    targets_down: Count | None = None
    series: Count | None = Field(default=None, description="Series in its memory.")
    predicted_series: Count | None = None
    age_seconds: Quantity | None = Field(default=None, description="Age of the newest sample that central has of it.")


class Remote(Document):
    """Another cluster, as this cluster's Prometheus sees it."""

    name: Text
    endpoint: Text
    kind: Text
    labels: Labels = {}
    state: Literal["connected", "gone", "stale", "not read"] = Field(
        description="`not read`: the site does not federate it, so that nothing is known of it here."
    )
    nodes_up: Count | None = None
    nodes_down: Count | None = None
    gpus: Count | None = None
    age_seconds: Quantity | None = None


class Status(Document):
    """The cluster at one look."""

    cluster: Text
    at: Moment
    verdict: Verdict
    reasons: list[Text] = Field(default=[], max_length=MAX_ITEMS, description="Why it is not ok, worst first.")
    nodes: NodeCounts
    verdicts: VerdictCounts | None = Field(description="Nodes by what is thought of them; null where nothing says.")
    score: Score | None = Field(
        description="Percentage of all nodes that are ok; unknown ones are not. Null where nothing says."
    )
    gpus: list[Gpus] = Field(max_length=MAX_ITEMS)
    alerts: AlertCounts | None = Field(description="Null where nobody could be asked.")
    shards: list[Shard] = Field(default=[], max_length=MAX_ITEMS)
    clusters: list[Remote] = Field(default=[], max_length=MAX_ITEMS)
    missing: list[Text] = Field(
        default=[], max_length=MAX_ITEMS, description="What could not be asked or is not known."
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        known = (self.nodes.up or 0) + (self.nodes.down or 0)
        if self.nodes.total is not None and known > self.nodes.total:
            raise ValueError(f"{known} nodes are up or down, of {self.nodes.total} in all")
        return self


class Group(Document):
    """Nodes of one rack, or of one reason."""

    name: Text
    nodes: VerdictCounts


class Health(Document):
    """How well the nodes are: by their own checks where they run, whether they answer, their GPUs and their alerts."""

    cluster: Text
    at: Moment
    overall: Verdict
    score: Score | None
    nodes: VerdictCounts
    racks: list[Group] = Field(max_length=MAX_ITEMS)
    reasons: list[Text] = Field(default=[], max_length=MAX_ITEMS)
    missing: list[Text] = Field(default=[], max_length=MAX_ITEMS)


class Alert(Document):
    """One alert of Alertmanager."""

    name: Text
    severity: Text
    state: Literal["firing", "suppressed", "pending"]
    since: Moment
    labels: Labels
    summary: Text = ""
    runbook_url: Text | None = None
    about: Text | None = Field(
        default=None, description="The other cluster that it is about; null of this cluster's own, which alone count."
    )


class Alerts(Document):
    """Alerts, its own before those about other clusters, the most severe and then the newest first."""

    cluster: Text
    at: Moment
    alerts: list[Alert] = Field(max_length=MAX_ITEMS)
    total: Count = Field(description="How many there are, whether or not they are in this answer.")


class Node(Document):
    """One node."""

    name: Text
    rack: Text | None
    up: bool | None
    verdict: Verdict
    reasons: list[Text] = Field(default=[], max_length=MAX_ITEMS)
    vendor: Text | None
    model: Text | None
    gpus_expected: Count | None
    gpus_present: Count | None


class Nodes(Document):
    """Nodes in natural order, from `offset` on."""

    cluster: Text
    at: Moment
    nodes: list[Node] = Field(max_length=MAX_ITEMS)
    total: Count = Field(description="How many fit, whether or not they are in this answer.")
    offset: Count = 0


class Fault(Document):
    """Why there is no answer."""

    error: Text
    hint: Text | None = None


class Aggregate(Document):
    """One of the cluster's own aggregates."""

    name: Text
    labels: Labels
    value: float | None = Field(description="Null where it is no number.")


class Aggregates(Document):
    """The cluster's own `cluster:*` aggregates, for those who do not read Prometheus' text format."""

    cluster: Text
    at: Moment
    aggregates: list[Aggregate]
