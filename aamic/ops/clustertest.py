"""What a first contact with a cluster tells, step by step: how far it got, and what is odd about who answered. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, get_args

from aamic.clients.base import Shown
from aamic.errors import RemoteError, RemoteState
from aamic.model.api import Version
from aamic.model.fleet import RemoteCluster
from aamic.model.overview import Step, StepName, Tried

_FAILS: Final[dict[RemoteState, StepName]] = {
    "no credentials": "credentials",
    "unreachable": "connection",
    "refused": "connection",
    "bad certificate": "certificate",
    "certificate refused": "certificate",
    "unauthorized": "key",
    "forbidden": "key",
}
"""The step that fails in each state; in all others, the answer."""
_PROVEN: Final[dict[StepName, int]] = {"credentials": 0, "connection": 1, "certificate": 2, "key": 3, "answer": 1}
"""How many steps a failure of this one shows to have worked: no answer in time may be for any reason."""

_SOON: Final = 14 * 86400.0
"""Seconds before its end from which on a certificate is warned of; our policy."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a cluster told of itself, the certificate that it showed, and when, in seconds since 1970."""

    version: Version
    certificate: Shown | None = None
    at: float = 0.0

    def oddities(self, name: str, own: str) -> Iterator[str]:
        """Yield what may be wrong with a cluster that is called `name` here; `own` is the cluster that asks."""
        if self.version.cluster == own:
            yield f"it says that it is `{own}`, which is this cluster: does the endpoint lead back here?"
        elif self.version.cluster != name:
            yield f"it calls itself `{self.version.cluster}`, here it is `{name}`: is it the one you mean?"
        if self.certificate is not None and (left := self.certificate.not_after - self.at) < _SOON:
            yield f"its certificate ends in {max(left, 0) / 86400:.0f} days: it is time for another"


def tried(cluster: RemoteCluster, outcome: Answered | RemoteError, own: str) -> Tried:
    """Tell how a first contact went; `own` is the name of the cluster that asks."""
    error = outcome if isinstance(outcome, RemoteError) else None
    version = outcome.version if isinstance(outcome, Answered) else None
    steps = _failed(cluster, error) if error else _worked(cluster, outcome) if isinstance(outcome, Answered) else []
    return Tried(
        name=cluster.name,
        kind=cluster.kind,
        endpoint=cluster.endpoint,
        state=error.state if error else "connected",
        hint=error.hint if error else None,
        steps=steps,
        warnings=list(outcome.oddities(cluster.name, own)) if isinstance(outcome, Answered) else [],
        cluster=version.cluster if version else None,
        program=program(version) if version else None,
    )


def program(version: Version) -> str:
    """What answers, in words.

    >>> program(Version(aamic="0.1.0", cluster="busan"))
    'aamic 0.1.0, API v1'
    """
    return f"aamic {version.aamic}, API {version.api}" if version.aamic else version.api


def _worked(cluster: RemoteCluster, outcome: Answered) -> list[Step]:
    return [
        _credentials(cluster),
        Step(name="connection", ok=True, message="connected"),
        _certificate(cluster, outcome.certificate),
        _key(cluster),
        Step(name="answer", ok=True, message=program(outcome.version)),
        Step(name="name", ok=True, message=f"it calls itself `{outcome.version.cluster}`"),
    ]


def _failed(cluster: RemoteCluster, error: RemoteError) -> list[Step]:
    at = _FAILS.get(error.state, "answer")
    good = _worked(cluster, Answered(Version(aamic="", cluster=""), None))[: _PROVEN[at]]
    names: tuple[StepName, ...] = get_args(StepName)
    return [*good, *(_step(name, at, error) for name in names[len(good) :])]


def _step(name: StepName, at: StepName, error: RemoteError) -> Step:
    if name == at:
        return Step(name=name, ok=False, message=str(error))
    return Step(name=name, ok=None, message="not known")


def _credentials(cluster: RemoteCluster) -> Step:
    used = [
        *(["API key"] if cluster.api_key else []),
        *(["client certificate"] if cluster.tls_cert else []),
        *(["authorities of its own"] if cluster.tls_ca_cert else []),
    ]
    if not used:
        return Step(name="credentials", ok=None, message="none are configured")
    return Step(name="credentials", ok=True, message=f"read: {', '.join(used)}")


def _certificate(cluster: RemoteCluster, shown: Shown | None) -> Step:
    if not cluster.endpoint.startswith("https://"):
        return Step(name="certificate", ok=None, message="no TLS: the endpoint begins with `http://`")
    if shown is None:
        return Step(name="certificate", ok=True, message="verified")
    until = datetime.fromtimestamp(shown.not_after, UTC).date()
    message = f"verified, for `{shown.subject}`, from `{shown.issuer}`, valid until {until}"
    return Step(name="certificate", ok=True, message=message)


def _key(cluster: RemoteCluster) -> Step:
    if not cluster.api_key:
        return Step(name="key", ok=None, message="none is configured, and it wants none")
    return Step(name="key", ok=True, message="accepted")
