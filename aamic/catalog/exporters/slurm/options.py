"""Options of the Slurm exporter, `exporters.slurm` in site.yaml."""

from __future__ import annotations

from pydantic import Field

from aamic.model.source import PackageSource, Source
from aamic.model.types import Model, Port


class SlurmOptions(Model):
    """Rivos' prometheus-slurm-exporter, on the controller where `slurm:` is enabled."""

    enabled: bool = Field(default=True, description="False leaves it out.")
    port: Port = Field(default=9092, description="Port it listens on.")
    cli_fallback: bool = Field(
        default=True, description="Read squeue's and sinfo's text; false reads the JSON of Slurm's openapi plugin."
    )
    source: Source = Field(
        default=PackageSource(
            package="prometheus-slurm-exporter", version="1.7.0", binary="/usr/bin/prometheus-slurm-exporter"
        ),
        description="Where it comes from. The default is the .deb of its releases, in a repository of the site; a "
        "package of the same name without this version may be another exporter with other metrics.",
    )
