"""The OpenAPI description of the API: which answers there are, and which keys."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import FastAPI

from aamic.model.api import Document, Fault

_FAULTS: Final = {
    400: "It is not HTTP.",
    401: "It shows no key, or one that is not known.",
    403: "It asks a server without keys by a name that is not that of loopback.",
    413: "It has a body.",
    414: "Its URL is too long.",
    422: "A parameter is not one, or has no such value.",
    429: "There were too many of them.",
    431: "Its headers are too large.",
    500: "aamic has a bug.",
    503: "Prometheus, or for alerts Alertmanager, did not answer; the reason is told.",
}
"""Answers to a request that is refused, whatever it asks for."""
_MISSING: Final = "The cluster has no such thing."
_SCHEMES: Final = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key made by `aamic keys create`."},
    "browser": {"type": "http", "scheme": "basic", "description": "Any user; the key is the password."},
}
_ABOUT: Final = (
    "What one cluster tells of itself; nothing can be changed through it. Values that are not known are null. "
    "Where the server has client authorities, TLS wants a certificate of theirs as well. "
    "Every path answers HEAD as well; other methods give 405, other paths 404, both with a `Fault`."
)


def responses(first: str | type[Document], *others: type[Document], missing: bool = False) -> dict[int | str, Any]:
    """What a path may answer: a document, or text of some media type with what else may be asked for."""
    models = [each for each in (first, *others) if not isinstance(each, str)]
    good: dict[str, Any] = {"description": "What was asked for."}
    if models:
        good["model"] = models[0]
    if isinstance(first, str):
        good["content"] = {first: {"schema": {"type": "string"}}}
    faults = {**_FAULTS, 404: _MISSING} if missing else _FAULTS
    return {200: good, **{status: {"description": about, "model": Fault} for status, about in sorted(faults.items())}}


def describe(app: FastAPI) -> bytes:
    """The description, as JSON, of an application with all its routes."""
    app.description = _ABOUT
    document = app.openapi()
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    for path in document["paths"].values():
        _headers(path["get"]["responses"])
        path["head"] = _head(path["get"])
    return orjson.dumps(document)


def _headers(answers: dict[str, Any]) -> None:
    seconds = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}}
    challenge = {"description": "Which keys there are.", "required": True, "schema": {"type": "string"}}
    answers["401"]["headers"] = {"WWW-Authenticate": challenge}
    for status in ("429", "503"):
        answers[status]["headers"] = {"Retry-After": seconds}


def _head(get: dict[str, Any]) -> dict[str, Any]:
    """The same operation, whose answers have no content."""
    answers = {
        status: {name: value for name, value in answer.items() if name != "content"}
        for status, answer in get["responses"].items()
    }
    return {**get, "operationId": f"{get['operationId']}_head", "responses": answers}
