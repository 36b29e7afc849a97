"""Health as a document for machines: JSON that a published schema describes."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aamic.compile.schema import published
from aamic.model.health import GpuHealth, GroupHealth, Health, NodeHealth, State
from aamic.model.types import Model

SCHEMA_ID: Final = "urn:aamic:schema:health:1"
VERSION: Final = 1

Score = Annotated[int, Field(ge=0, le=100)]
Verdict = Annotated[State, Field(description="From good to bad: ok, warn, unknown, fail.")]


class ComponentDocument(Model):
    """One thing that was looked at."""

    name: str = Field(description="Its name; that of a signal is the same as in `slurm.drain_on`.")
    level: State | Literal["unmeasured"] = Field(
        description="`unmeasured`: not reported; where it should be, `no_data` is unknown."
    )
    value: float | None
    warn: float | None = Field(description="From here on it is a warning; null where no value is.")
    fail: float | None = Field(description="From here on the GPU fails; for `lost_gpu`, at this number or below.")
    message: str


class GpuDocument(Model):
    """A GPU that reports."""

    gpu: str = Field(description="Its index, as its exporter says it.")
    uuid: str
    verdict: Verdict
    score: Score | None = Field(description="0 fails, up to 50 warns, null is not known.")
    reason: str = Field(description="What is wrong; '' where nothing is.")
    components: tuple[ComponentDocument, ...] = Field((), description="Everything that was looked at; `--detailed`.")


class NodeDocument(Model):
    """A node with GPUs; it is never better than the worst of them."""

    name: str
    rack: str | None
    verdict: Verdict
    score: Score | None
    reason: str
    expected_gpus: Annotated[int, Field(ge=0, description="How many the inventory gives it.")]
    gpus: tuple[GpuDocument, ...] = Field(description="Those that report now.")
    components: tuple[ComponentDocument, ...] = Field((), description="What is of the node itself; `--detailed`.")


class Counts(Model):
    """How many nodes are in each state."""

    ok: Annotated[int, Field(ge=0)]
    warn: Annotated[int, Field(ge=0)]
    unknown: Annotated[int, Field(ge=0)]
    fail: Annotated[int, Field(ge=0)]


class RackDocument(Model):
    """The nodes of a rack together."""

    name: str | None = Field(description="null for nodes that are in no rack.")
    verdict: Verdict = Field(description="That of the worst node.")
    score: Score | None = Field(description="Mean of the nodes', where one that is not known counts as 0.")
    counts: Counts


class SilenceDocument(Model):
    """A server that said nothing, and what that means."""

    message: str
    nodes: tuple[str, ...] = Field(description="Those that it was asked for.")
    lost: bool = Field(description="Whether nobody else knew them all.")


class HealthDocument(Model):
    """What `aamic health --json` prints."""

    version: Literal[1]
    cluster: str
    time: float = Field(description="When it was asked, in seconds since 1970.")
    overall: Score | None = Field(description="Score of all nodes that were asked for; of one node, its own.")
    verdict: Verdict = Field(description="That of the worst node.")
    counts: Counts
    racks: tuple[RackDocument, ...]
    nodes: tuple[NodeDocument, ...]
    without_gpus: tuple[str, ...] = Field(description="Nodes that have none, and count nowhere.")
    silences: tuple[SilenceDocument, ...]


def schema_text() -> bytes:
    """The published file, `schema/health.schema.json`."""
    return published(HealthDocument, SCHEMA_ID, "Health of GPUs, as aamic tells it")


def document(found: Health) -> dict[str, Any]:
    """What is known, as plain values."""
    whole = found.whole
    return {
        "version": VERSION,
        "cluster": found.cluster,
        "time": found.at,
        "overall": whole.score,
        "verdict": whole.verdict,
        "counts": dict(whole.counts),
        "racks": [_rack(each) for each in found.racks],
        "nodes": [_node(each) for each in found.nodes],
        "without_gpus": list(found.without),
        "silences": [{"message": e.message, "nodes": list(e.nodes), "lost": e.lost} for e in found.silences],
    }


def _rack(rack: GroupHealth) -> dict[str, Any]:
    return {"name": rack.name, "verdict": rack.verdict, "score": rack.score, "counts": dict(rack.counts)}


def _node(node: NodeHealth) -> dict[str, Any]:
    return {
        "name": node.name,
        "rack": node.rack,
        "verdict": node.verdict,
        "score": node.score,
        "reason": node.reason,
        "expected_gpus": node.expected,
        "gpus": [_gpu(each) for each in node.gpus],
        **_components(node),
    }


def _gpu(gpu: GpuHealth) -> dict[str, Any]:
    return {
        "gpu": gpu.gpu,
        "uuid": gpu.uuid,
        "verdict": gpu.verdict,
        "score": gpu.score,
        "reason": gpu.reason,
        **_components(gpu),
    }


def _components(of: NodeHealth | GpuHealth) -> dict[str, Any]:
    if not of.components:
        return {}
    return {
        "components": [
            {
                "name": each.name,
                "level": each.level,
                "value": each.value,
                "warn": each.warn,
                "fail": each.fail,
                "message": each.message,
            }
            for each in of.components
        ]
    }
