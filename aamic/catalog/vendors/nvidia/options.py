"""Options of dcgm-exporter, `exporters.dcgm` in site.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aamic.model.source import PackageSource, Source
from aamic.model.types import Duration, Model, Port, host_port

FieldName = Annotated[
    str,
    Field(
        pattern=r"^DCGM_(FI|EXP)_[A-Z0-9_]+$",
        max_length=128,
        title="DCGM field",
        examples=["DCGM_FI_DEV_DEC_UTIL"],
    ),
]
Help = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r'^[^,"\\\x00-\x1f\x7f]*$', title="text without comma or quote")
]
HostEngine = Annotated[str, host_port("localhost:5555")]


class Counter(Model):
    """A DCGM field to collect; what is absent comes from the catalog, where it knows the field."""

    type: Literal["gauge", "counter", "label"] | None = Field(
        default=None, description="Prometheus type; `label` makes it a label of all the others."
    )
    help: Help | None = Field(default=None, description="One line that says what it is, with its unit.")


class Counters(Model):
    """Changes to the fields that the catalog collects."""

    add: dict[FieldName, Counter] = Field(
        default_factory=dict,
        description="Further fields; a name that the exporter does not know ends it at its start.",
    )
    omit: list[FieldName] = Field(default_factory=list, description="Fields of the catalog that are not collected.")


class DcgmOptions(Model):
    """NVIDIA's dcgm-exporter, on nodes with NVIDIA GPUs."""

    enabled: bool = Field(default=True, description="False leaves it out.")
    port: Port = Field(default=9400, description="Port it listens on.")
    collect_interval: Duration | None = Field(
        default=None, description="How often GPUs are read; the scrape interval if absent."
    )
    counters: Counters = Field(default=Counters(), description="Which DCGM fields are collected.")
    hostengine: HostEngine | None = Field(
        default=None,
        description="host:port of a running nv-hostengine; if absent the exporter runs its own, as root.",
    )
    source: Source = Field(
        default=PackageSource(package="datacenter-gpu-manager-exporter", binary="/usr/bin/dcgm-exporter"),
        description="Where it comes from; the default is the package of NVIDIA's repository.",
    )
