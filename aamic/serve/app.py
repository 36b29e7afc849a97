"""The API and the page, as an application without a guard: what is asked, and the document that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException

from aamic.errors import OutsideError
from aamic.model.api import (
    MAX_ITEMS,
    Aggregates,
    Alerts,
    Document,
    Health,
    Nodes,
    Ping,
    Status,
    Verdict,
    Version,
)
from aamic.ops.clusterview import View
from aamic.ops.nodeverdicts import counted_as
from aamic.serve import exposition, refusal
from aamic.serve.description import describe, responses
from aamic.serve.refusal import Refusal

API: Final = "/api/v1"
DESCRIPTION: Final = "/openapi.json"
_HTML: Final = "text/html; charset=utf-8"

Page = Callable[[Status, Health | None, Alerts | None], str]
Limit = Annotated[int, Query(ge=1, le=MAX_ITEMS, description="Most items of the answer.")]
Offset = Annotated[int, Query(ge=0, le=10**9, description="Items before the first of the answer.")]
Severity = Annotated[
    Literal["critical", "warning", "info"] | None, Query(description="Only alerts that count as this.")
]
Rack = Annotated[Annotated[str, Field(max_length=63)] | None, Query(description="Only nodes of this rack.")]
Wanted = Annotated[Verdict | None, Query(description="Only nodes of which this is thought.")]


@dataclass(frozen=True, slots=True)
class Source:
    """What answers are made of: the cluster's name and racks, our version, the newest look, the page and its policy."""

    cluster: str
    racks: frozenset[str]
    version: str
    look: Callable[[], Awaitable[View]]
    page: Page
    policy: str


class NotHereError(Exception):
    """A request names something that this cluster does not have."""


def application(source: Source) -> FastAPI:
    """The application; every answer that is no document of what was asked for is a `Fault`."""
    app = FastAPI(
        title="aamic serve",
        version=source.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_known_parameters)],
    )
    app.include_router(_routes(source), prefix=API)
    app.add_api_route("/", _page_of(source), response_class=Response, responses=responses(_HTML), summary="Page")
    _add_failures(app)
    described = describe(app)
    for path in (DESCRIPTION, API + DESCRIPTION):
        app.add_api_route(path, lambda: Response(described, media_type="application/json"), include_in_schema=False)
    return app


def paths_of(app: FastAPI) -> frozenset[str]:
    """The paths that there are."""
    return frozenset({DESCRIPTION, API + DESCRIPTION, *app.openapi()["paths"]})


# What is asked


def _routes(source: Source) -> APIRouter:
    router = APIRouter(default_response_class=Response)
    cluster = source.cluster

    async def ping() -> Response:
        """Whether it is there, and lets us in."""
        return _answer(Ping(cluster=cluster))

    async def version() -> Response:
        """What answers."""
        return _answer(Version(aamic=source.version, cluster=cluster))

    async def status() -> Response:
        """The cluster at one look."""
        return _answer((await source.look()).status)

    async def health() -> Response:
        """How well its nodes are."""
        return _answer((await source.look()).health)

    async def alerts(severity: Severity = None, limit: Limit = MAX_ITEMS) -> Response:
        """Its alerts, the most severe and then the newest first."""
        return _answer(alerts_of(await source.look(), severity, limit))

    async def nodes(
        rack: Rack = None, verdict: Wanted = None, limit: Limit = MAX_ITEMS, offset: Offset = 0
    ) -> Response:
        """Its nodes, in natural order."""
        if rack is not None and rack not in source.racks:
            raise NotHereError("this cluster has no such rack")
        return _answer(nodes_of(await source.look(), rack, verdict, limit, offset))

    async def metrics(request: Request) -> Response:
        """Its own `cluster:*` aggregates, for a Prometheus that federates it; JSON where `Accept` asks for that."""
        return _metrics(await source.look(), cluster, request.headers.get("accept", ""))

    answers: list[tuple[Any, type[Document]]] = [
        (ping, Ping),
        (version, Version),
        (status, Status),
        (health, Health),
        (alerts, Alerts),
        (nodes, Nodes),
    ]
    for asked, document in answers:
        name = asked.__name__
        router.add_api_route(f"/{name}", asked, responses=responses(document, missing=name == "nodes"), summary=name)
    router.add_api_route("/metrics", metrics, responses=responses(exposition.MEDIA_TYPE, Aggregates), summary="metrics")
    return router


def _answer(document: Document) -> Response:
    return Response(document.model_dump_json(), media_type="application/json")


def alerts_of(view: View, severity: str | None, limit: int) -> Alerts:
    """The alerts of a look. Raises OutsideError where nobody could be asked for them."""
    if view.status.alerts is None:
        raise OutsideError("no Alertmanager of this cluster answered", "; ".join(view.status.missing) or None)
    found = [each for each in view.alerts or () if severity in (None, counted_as(each.severity))]
    return Alerts(cluster=view.status.cluster, at=view.status.at, alerts=found[:limit], total=len(found))


def nodes_of(view: View, rack: str | None, verdict: str | None, limit: int, offset: int) -> Nodes:
    """Some of the nodes of a look."""
    found = [each for each in view.nodes if rack in (None, each.rack) and verdict in (None, each.verdict)]
    part = found[offset : offset + limit]
    return Nodes(cluster=view.status.cluster, at=view.status.at, nodes=part, total=len(found), offset=offset)


def _metrics(view: View, cluster: str, accept: str) -> Response:
    found = exposition.own(view.aggregates, cluster)
    if not found:  # an empty answer would look like a cluster of which all is known
        raise OutsideError("this cluster's Prometheus has no aggregates", "; ".join(view.status.missing) or None)
    if exposition.wants_json(accept):
        return _answer(Aggregates(cluster=cluster, at=view.status.at, aggregates=exposition.aggregates(found)))
    return Response(exposition.exposition(found), headers={"Content-Type": exposition.MEDIA_TYPE})


def _page_of(source: Source) -> Callable[[], Awaitable[Response]]:
    async def page() -> Response:
        """The same for people, as HTML."""
        view = await source.look()
        alerts = alerts_of(view, None, MAX_ITEMS) if view.status.alerts is not None else None
        html = source.page(view.status, view.health, alerts)
        return Response(html, headers={"Content-Type": _HTML, "Content-Security-Policy": source.policy})

    return page


# What is refused


def _known_parameters(request: Request) -> None:
    """Refuse parameters that mean nothing here, as one with a typo would otherwise ask for everything."""
    known = {each.alias for each in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    if unknown := [name for name in given if name not in known]:
        raise RequestValidationError(
            [{"loc": ("query", "?"), "msg": f"{len(unknown)} unknown; known: {sorted(known)}"}]
        )
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise RequestValidationError([{"loc": ("query", name), "msg": "is given twice"} for name in twice])


def _add_failures(app: FastAPI) -> None:
    async def unavailable(_: Request, error: Exception) -> Response:
        return refusal.unavailable(str(error), getattr(error, "hint", None)).response()

    async def invalid(_: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        told = [f"`{each['loc'][-1]}`: {each['msg'][:1].lower()}{each['msg'][1:]}" for each in found]
        return Refusal(422, "; ".join(told)).response()

    async def not_here(_: Request, error: Exception) -> Response:
        return Refusal(404, str(error)).response()

    async def other(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:  # noqa: PLR2004  # of HTTP
            return Refusal(405, "this can only be read", headers={"Allow": "GET, HEAD"}).response()
        return Refusal(404, "there is nothing at this path", f"`{API}{DESCRIPTION}` says what there is").response()

    async def broken(_: Request, __: Exception) -> Response:
        return refusal.broken().response()

    app.add_exception_handler(Exception, broken)
    app.add_exception_handler(OutsideError, unavailable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(NotHereError, not_here)
    app.add_exception_handler(HTTPException, other)
