"""Users, folders and files of Thanos' processes on their hosts."""

from __future__ import annotations

from typing import Final

from aamic.model.fleet import Thanos, ThanosComponent

USER: Final = "aami-thanos"
SERVERS_USER: Final = "aami-prometheus"
BUCKET_GROUP: Final = USER
STORAGE: Final = "/var/lib/aami/thanos"
RULES: Final = "/etc/aami/rules/global/*.yml"


def folder(component: ThanosComponent) -> str:
    """Where its configuration is."""
    return f"/etc/aami/thanos/{component.name}"


def data_folder(component: ThanosComponent) -> str:
    """Where it keeps what it needs; a sidecar shares the folder of its server."""
    return f"{STORAGE}/{component.name}" if component.server is None else component.server.storage_path


def bucket_file(thanos: Thanos, component: ThanosComponent) -> str:
    """The configuration of the bucket: a secret, or a plain file where the bucket is a folder."""
    if isinstance(thanos.bucket, str):
        return f"{folder(component)}/objstore.yml"
    return f"/etc/aami/secrets/thanos-{component.name}"


def endpoints_file(component: ThanosComponent) -> str:
    """Whom Query asks."""
    return f"{folder(component)}/endpoints.yml"


def alert_labels_file(component: ThanosComponent) -> str:
    """How the ruler labels alerts."""
    return f"{folder(component)}/alert-labels.yml"
