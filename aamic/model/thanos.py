"""Thanos beside the shards, as the user writes it: what reads all of them at once and keeps samples for years."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Tag

from aamic.model.secret import REFERENCE, SecretCommand, SecretEnv, SecretFile, tag_of
from aamic.model.source import TarballSource
from aamic.model.types import AbsolutePath, Duration, HostList, Model, NodeName, Port, text

CENTRAL_REPLICA: Final = "central"
"""The label `replica` of what Query has from central; `replica!="central"` are the shards' own series."""


class BucketFolder(Model):
    """Of `thanos.objstore` alone, a folder as a bucket, for trials: one host has it, or all of them mount it."""

    directory: AbsolutePath = Field(description="Folder that every component which reads the bucket finds there.")


def _bucket_kind(value: Any) -> str | None:
    return tag_of(value, "file", "env", "command", "directory")


Bucket = Annotated[
    Annotated[SecretFile, Tag("(file)")]
    | Annotated[SecretEnv, Tag("(env)")]
    | Annotated[SecretCommand, Tag("(command)")]
    | Annotated[BucketFolder, Tag("(directory)")],
    Discriminator(_bucket_kind),
    Field(title=REFERENCE),
]
"""Thanos' own configuration of a bucket as a reference to a secret, as it holds keys; or a folder."""


class Ruler(Model):
    """Rules that read the raw samples of all shards at once: `alerts.custom` of the scope `global`."""

    node: NodeName | None = Field(default=None, description="Host it runs on; that of central if absent.")
    retention: Duration = Field(default="48h", description="How long its own samples stay on its host; at least 6h.")


class Thanos(Model):
    """Thanos for `federation.type: thanos`; with `prometheus` it waits, and does nothing."""

    version: Annotated[
        str,
        text(
            r"^0\.[0-9]{1,3}\.[0-9]{1,3}$",
            "release of Thanos",
            'a release in quotes, such as `"0.42.5"`',
            "0.42.5",
        ),
    ] = Field(description="Release of the program; its options differ between them.")
    source: TarballSource | None = Field(
        default=None, description="Where the program comes from; absent: `program` is there already."
    )
    program: AbsolutePath = Field(
        default="/usr/local/bin/thanos", description="Path of thanos on its hosts, where `source` does not bring it."
    )
    objstore: Bucket | None = Field(
        default=None,
        description="The bucket: a reference to the secret that is Thanos' configuration of it, or a folder, written "
        "`{directory: /srv/bucket}`. Without one, nothing is kept beyond the servers' own retention.",
    )
    query_nodes: HostList | None = Field(default=None, description="Hosts of Thanos Query; that of central if absent.")
    store_node: NodeName | None = Field(
        default=None, description="Host that reads the bucket; that of central if absent."
    )
    compact_node: NodeName | None = Field(
        default=None, description="Host of the one compactor of the bucket; that of central if absent."
    )
    ruler: Ruler | None = Field(default=None, description="Thanos Rule; there only where asked for.")
    http_port: Port = Field(default=10902, description="First HTTP port to try on each host, Thanos Query's aside.")
    grpc_port: Port = Field(default=10901, description="First gRPC port to try on each host.")
    query_port: Port = Field(default=10912, description="HTTP port of Thanos Query: what people and Grafana ask.")
