"""Another cluster, by its `aamic serve`: documents, each checked against what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import ValidationError

from aamic.clients.base import Shown
from aamic.clients.clusterhttp import ClusterHttp
from aamic.errors import RemoteError
from aamic.model import api
from aamic.model.fleet import RemoteCluster

_D = TypeVar("_D", bound=api.Document)


def open_aami(cluster: RemoteCluster, folder: Path) -> AamiCluster:
    """Return a cluster of kind `aami`, without asking it anything; secrets and PEM are relative to the site's folder.

    Raises:
        RemoteError: A key or certificate cannot be read: `no credentials`.
    """
    return AamiCluster(ClusterHttp(cluster, folder))


class AamiCluster:
    """A `Remote` that asks `aamic serve`; safe to use from many threads. Every method raises RemoteError."""

    def __init__(self, http: ClusterHttp) -> None:
        self._http = http

    def ping(self) -> api.Ping:
        """Return its own name, if it is there and lets us in."""
        return self._document(api.Ping, "ping")

    def version(self) -> api.Version:
        """Return what answers there."""
        return self._document(api.Version, "version")

    def status(self) -> api.Status:
        """Return the cluster at one look."""
        return self._document(api.Status, "status")

    def health(self) -> api.Health:
        """Return how well its nodes are."""
        return self._document(api.Health, "health")

    def alerts(self, severity: str | None, limit: int) -> api.Alerts:
        """Return its alerts, the most severe first."""
        chosen = {} if severity is None else {"severity": severity}
        return self._document(api.Alerts, "alerts?" + urlencode(chosen | {"limit": str(limit)}))

    def nodes(self, limit: int, offset: int) -> api.Nodes:
        """Return some of its nodes, in natural order."""
        return self._document(api.Nodes, "nodes?" + urlencode({"limit": limit, "offset": offset}))

    @property
    def certificate(self) -> Shown | None:
        """What the server showed when it last answered; None before that, and for plain HTTP."""
        return self._http.certificate

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def _document(self, kind: type[_D], page: str) -> _D:
        path = f"/api/{api.VERSION}/{page}"
        body = self._http.get(path)
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            found = self._another(f"{self._http.url}{path}", error)
        raise found  # without the error before it, which holds a part of the answer

    def _another(self, url: str, error: ValidationError) -> RemoteError:
        """Tell the first thing that is not as it should be, by its place."""
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = self._http.shown(".".join(map(str, first["loc"])), 80) or "the document"
        told = f"`{url}` does not answer as `aamic serve` does: {where}: {self._http.shown(first['msg'])}"
        return RemoteError("foreign", told, "is it the API of another program, or of another version?")
