"""The nodes that a host list on the command line means. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aamic.compile.hostlist import HostListError, expand
from aamic.compile.suggest import closest
from aamic.errors import InputError, Problem
from aamic.model.fleet import Fleet

_TOLD: Final = 3


def known_nodes(fleet: Fleet, text: str, unknown: Callable[[str, str | None], Problem]) -> tuple[str, ...]:
    """The nodes of a host list, each once.

    `unknown` says of a name that the site does not have, and of the nearest that it has, what is wrong.

    Raises:
        InputError: It is no host list, or has names that the site does not have.
    """
    try:
        names = tuple(dict.fromkeys(expand(text)))
    except HostListError as error:
        raise InputError([Problem(str(error), hint=error.hint)]) from error
    strangers = [name for name in names if name not in fleet.nodes][:_TOLD]
    if strangers:
        raise InputError([unknown(name, closest(name, fleet.nodes)) for name in strangers])
    return names
