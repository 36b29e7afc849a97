"""Options of XPU Manager's exporter, `exporters.xpum` in site.yaml."""

from __future__ import annotations

from pydantic import Field

from aamic.model.source import PackageSource, Source
from aamic.model.types import Model, Port


class XpumOptions(Model):
    """The exporter of Intel's XPU Manager, on nodes with Intel GPUs."""

    enabled: bool = Field(default=True, description="False leaves it out.")
    port: Port = Field(default=29999, description="Port it listens on.")
    source: Source = Field(
        default=PackageSource(package="xpumanager", binary="/usr/local/bin/gunicorn"),
        description="Where it comes from; the default is Intel's package, whose exporter is run by gunicorn.",
    )
