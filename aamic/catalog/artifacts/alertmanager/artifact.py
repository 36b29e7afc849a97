"""Alertmanager: who is told of what, and the service on each of its hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from aamic import templates
from aamic.catalog.units import account_files, install_entry, unit_file
from aamic.model.fleet import Alertmanager, Fleet, Unit
from aamic.model.quantities import go_duration
from aamic.model.secret import SecretCommand, SecretEnv, SecretFile
from aamic.model.site import Notifications
from aamic.model.tree import File, OnChange, Part

NAME: Final = "aami-alertmanager"
FOLDER: Final = "/etc/aami/alertmanager"
STORAGE: Final = "/var/lib/aami/alertmanager"
WORSE_THAN: Final = (
    ("GpuTooHot", "GpuHot"),
    ("GpuUnhealthy", "GpuHealthWarning"),
    ("GpuFabricFailing", "GpuFabricErrors"),
    ("GpuRowRemapFailure", "GpuRowsRemapped"),
    ("NodeFilesystemFull", "NodeFilesystemFilling"),
)
"""Alerts of the presets of which the first leaves nothing to be said by the second."""
_RELOAD: Final = OnChange("reload", f"{NAME}.service")

Secret = SecretFile | SecretEnv | SecretCommand


class _Spec(Protocol):
    """What every receiver of site.yaml has."""

    @property
    def severities(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver: `secret` is the path that holds what `reference` names."""

    name: str
    spec: _Spec
    reference: Secret | None

    @property
    def matcher(self) -> str:
        """The alerts it is told of."""
        return f'severity=~"{"|".join(self.spec.severities)}"'

    @property
    def secret(self) -> str | None:
        """Where the secret stands on the host, if there is one."""
        return f"/etc/aami/secrets/alertmanager-{self.name}" if self.reference else None


def render(fleet: Fleet) -> Iterable[Part]:
    """One bundle that all hosts share; the members of a cluster have one more each, for their peers."""
    if not fleet.alertmanagers:
        return
    yield _shared(fleet)
    for member in fleet.alertmanagers:
        unit = unit_of(fleet, member)
        yield Part(
            bundle=f"alertmanager-{member.host}" if member.peers else "alertmanager",
            hosts=(member.host,),
            files=(unit_file(unit),),
            services={unit.file_name: "started"},
            ports={unit.file_name: (member.port, member.cluster_port) if member.peers else (member.port,)},
            stage="central",
        )


def _shared(fleet: Fleet) -> Part:
    receivers = receivers_of(fleet.notifications)
    config = templates.render(
        "catalog/artifacts/alertmanager/alertmanager.yml.j2", folder=FOLDER, receivers=receivers, worse_than=WORSE_THAN
    )
    return Part(
        bundle="alertmanager",
        hosts=tuple(member.host for member in fleet.alertmanagers),
        files=(
            File(f"{FOLDER}/alertmanager.yml", config, on_change=_RELOAD),
            File(f"{FOLDER}/aami.tmpl", Path(__file__).with_name("aami.tmpl").read_bytes(), on_change=_RELOAD),
            *account_files(NAME, NAME, (STORAGE,)),
        ),
        services={"prometheus-alertmanager.service": "masked"},
        installs=(install_entry(fleet.alertmanager_install),),
        secrets=dict(_secrets(receivers)),
        stage="central",
    )


def receivers_of(notifications: Notifications) -> tuple[Receiver, ...]:
    """The receivers that are told of anything."""
    slack, email, webhook, pagerduty = (
        notifications.slack,
        notifications.email,
        notifications.webhook,
        notifications.pagerduty,
    )
    every = (
        Receiver("slack", slack, slack.webhook_url) if slack else None,
        Receiver("email", email, email.password) if email else None,
        Receiver("webhook", webhook, webhook.token) if webhook else None,
        Receiver("pagerduty", pagerduty, pagerduty.routing_key) if pagerduty else None,
    )
    return tuple(receiver for receiver in every if receiver and receiver.spec.severities)


def _secrets(receivers: Iterable[Receiver]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for receiver in receivers:
        if receiver.secret and receiver.reference:
            yield receiver.secret, {**receiver.reference.model_dump(), "owner": NAME}


def unit_of(fleet: Fleet, member: Alertmanager) -> Unit:
    """The systemd service of one member. A secret is read when it is used, so a new one needs no restart."""
    return Unit(
        name=NAME,
        description=f"Alertmanager of cluster {fleet.cluster}",
        command=(
            fleet.alertmanager_binary,
            f"--config.file={FOLDER}/alertmanager.yml",
            f"--storage.path={STORAGE}",
            f"--data.retention={go_duration(member.retention)}",
            f"--web.listen-address=:{member.port}",
            f"--cluster.listen-address={_gossip(fleet, member)}",
            *(f"--cluster.peer={peer}" for peer in member.peers),
        ),
        user=NAME,
        reload=True,
        writable=(STORAGE,),
    )


def _gossip(fleet: Fleet, member: Alertmanager) -> str:
    """Where the member listens for its peers; empty switches clustering off. Members have IP addresses."""
    return fleet.address(member.host, member.cluster_port) if member.peers else ""
