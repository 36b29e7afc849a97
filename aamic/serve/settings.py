"""The configuration of the server: read, and refused where it would let in anybody."""

from __future__ import annotations

import os
import socket
from errno import EADDRINUSE
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from aamic.errors import InputError, OutsideError, Problem
from aamic.model.serveconfig import Inventory, ServeConfig

NODES: Final = "nodes.json"
"""The file of the nodes, beside the configuration."""
_AGAIN: Final = "`aamic apply` writes it anew"
_Model = TypeVar("_Model", bound=BaseModel)


def read(path: Path) -> tuple[ServeConfig, Inventory]:
    """Read the configuration and the nodes beside it.

    Raises:
        InputError: One of them is not what it should be.
        OutsideError: One of them cannot be read.
    """
    return _parsed(path, ServeConfig), _parsed(path.with_name(NODES), Inventory)


def _parsed(path: Path, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}", _AGAIN) from error
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise InputError([_problem(path, each["loc"], each["msg"]) for each in found]) from error


def _problem(path: Path, place: tuple[int | str, ...], said: str) -> Problem:
    key = ".".join(map(str, place))
    about = f"`{key}` in `{path}`" if key else f"`{path}`"
    return Problem(f"{about}: {said[:1].lower()}{said[1:]}", hint=_AGAIN)


def expect_safe(settings: ServeConfig) -> None:
    """Refuse to be asked from elsewhere without TLS or without knowing by whom. Raises InputError."""
    if is_loopback(settings.address):
        return
    problems = []
    hint = "or listen on 127.0.0.1 alone"
    if settings.tls is None:
        problems.append(Problem("without TLS, keys and answers could be read on their way", hint=f"set it up, {hint}"))
    if not is_guarded(settings):
        problems.append(Problem("there are neither keys nor client certificates", hint=f"make a key, {hint}"))
    if problems:
        raise InputError(problems)


def is_guarded(settings: ServeConfig) -> bool:
    """Whether anybody must show a key or a certificate."""
    return bool(settings.keys or (settings.tls and settings.tls.client_authorities))


def is_loopback(address: str | None) -> bool:
    """Whether only this machine can reach what listens there.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::"), is_loopback(None)
    (True, True, False, False)
    """
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def listen(address: str | None, port: int) -> list[socket.socket]:
    """Take the port at an address, or at every one. Raises OutsideError where that cannot be."""
    try:
        if address is None and socket.has_dualstack_ipv6():
            return [socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)]
        where, family = _where(address or "", port)
        return [socket.create_server(where, family=family)]
    except OSError as error:
        said = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error.strerror)
        hint = "does another server run here? `--port` takes another" if error.errno == EADDRINUSE else None
        raise OutsideError(f"cannot listen on `{address or '*'}` port {port}: {said}", hint) from error


def _where(address: str, port: int) -> tuple[tuple[str, int], socket.AddressFamily]:
    if not address:
        return ("", port), socket.AF_INET
    family, *_, found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    return (str(found[0]), port), family
