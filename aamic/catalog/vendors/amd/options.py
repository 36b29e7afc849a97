"""Options of AMD's device-metrics-exporter, `exporters.amd` in site.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aamic.model.source import PackageSource, Source
from aamic.model.types import Model, Port

Prefix = Annotated[
    str, Field(pattern=r"^([a-zA-Z_][a-zA-Z0-9_]*)?$", max_length=64, title="metric prefix", examples=["amd_"])
]


class AmdOptions(Model):
    """AMD's device-metrics-exporter, on nodes with AMD GPUs."""

    enabled: bool = Field(default=True, description="False leaves it out.")
    port: Port = Field(default=5000, description="Port it listens on.")
    prefix: Prefix = Field(default="amd_", description="Put before the name of every GPU metric.")
    profiler: bool = Field(
        default=False, description="Read the GPUs' profiler as well; only one program may profile a GPU at a time."
    )
    cper: bool = Field(default=True, description="Read the errors that the firmware recorded (AFID).")
    source: Source = Field(
        default=PackageSource(package="amdgpu-exporter", binary="/usr/local/bin/amd-metrics-exporter"),
        description="Where it comes from; the default is the package of AMD's repository.",
    )
