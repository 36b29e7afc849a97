"""A new item of the registry from what a command line says of it, and everything that is wrong with that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from aamic.compile.certificates import why_not
from aamic.compile.clusters import resolve_clusters
from aamic.compile.findings import Findings, Path
from aamic.compile.text import shown
from aamic.compile.validate import validate
from aamic.errors import OutsideError, Place, Problem
from aamic.model.site import Site

_PATH: Final = re.compile(r"`clusters\[0\]\.([a-z_]+(?:\.(?:file|env))?)[^`]*`")
_OPTIONS: Final = {
    "name": "NAME",
    "api_key.file": "--api-key-file",
    "api_key.env": "--api-key-env",
    "tls_cert": "--tls-cert",
    "tls_key": "--tls-key",
    "tls_key.file": "--tls-key",
    "tls_ca_cert": "--tls-ca",
    "labels": "--label",
}
_LONGEST: Final = 40
"""Characters of a variable's name; a key has more. Our policy."""


class Where(Protocol):
    """Files as the command line names them, and as the site would."""

    def inside(self, path: str) -> str | None:
        """The path relative to the site's folder; None if it lies elsewhere."""

    def named(self, path: str) -> str:
        """How the site names a file that may lie anywhere."""

    def read(self, path: str) -> bytes:
        """What stands there. Raises OutsideError, which does not repeat the path."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a command line says of a cluster; paths are those of the shell's folder."""

    name: str
    endpoint: str
    kind: str = "aami"
    api_key_file: str | None = None
    api_key_env: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_ca: str | None = None
    labels: Mapping[str, str] | None = None
    timeout: str | None = None
    federate: bool = False


def item_of(given: Given, where: Where) -> dict[str, Any]:
    """The item as it stands in the site; what needs not be said is left out."""
    item = {
        "name": given.name,
        "endpoint": given.endpoint,
        "kind": given.kind if given.kind != "aami" else None,
        "api_key": _key(given, where),
        "tls_cert": given.tls_cert and where.named(given.tls_cert),
        "tls_key": {"file": where.named(given.tls_key)} if given.tls_key else None,
        "tls_ca_cert": given.tls_ca and where.named(given.tls_ca),
        "labels": dict(given.labels or {}) or None,
        "timeout": given.timeout,
        "federate": given.federate or None,
    }
    return {key: value for key, value in item.items() if value is not None}


def faults(given: Given, where: Where, model: type[Site], taken: Mapping[str, Place], own: str) -> list[Problem]:
    """Everything that is wrong with it; `taken` are the names of the registry, `own` is that of the site's cluster."""
    return [
        *_of_the_name(given.name, taken),
        *_of_values(item_of(given, where), model, own),
        *_of_keys(given),
        *_of_secrets(given, where),
        *_of_certificates(given, where),
    ]


def _key(given: Given, where: Where) -> dict[str, str] | None:
    if given.api_key_env is not None:
        return {"env": given.api_key_env}
    return None if given.api_key_file is None else {"file": where.named(given.api_key_file)}


def _of_the_name(name: str, taken: Mapping[str, Place]) -> Iterator[Problem]:
    if name in taken:
        hint = "choose another name, or take the other out with `aamic clusters remove`"
        yield Problem(f"the registry has `{name}` already", taken[name], hint)


class _Alone:
    """A document with nothing but the item; its values stand on the command line, so that places mean nothing."""

    def __init__(self, item: dict[str, Any], own: str) -> None:
        self.data: dict[str, Any] = {"version": 1, "cluster": {"name": own}, "clusters": [item]}
        self.problems: Sequence[Problem] = ()

    def place(self, path: Path) -> Place:
        """A place of its own for each value."""
        return Place(".".join(map(str, path)), 1)

    def place_of_key(self, path: Path) -> Place:
        """A place of its own for each key."""
        return self.place(path)


def _of_values(item: dict[str, Any], model: type[Site], own: str) -> Iterator[Problem]:
    """What the compiler would say of it."""
    outcome = validate(_Alone(item, own), model)
    findings = Findings(outcome.places, outcome.pruned)
    if outcome.site is not None:
        resolve_clusters(outcome.site, {}, findings)
    for problem in (*outcome.problems, *findings.problems):
        if problem.severity == "error":
            yield replace(problem, message=_PATH.sub(_option, problem.message), place=None, also=())


def _option(found: re.Match[str]) -> str:
    return f"`{_OPTIONS.get(found[1], f'--{found[1]}')}`"


def _of_keys(given: Given) -> Iterator[Problem]:
    if given.api_key_file is not None and given.api_key_env is not None:
        yield Problem("`--api-key-file` and `--api-key-env` exclude each other", hint="give one of the two")
    if given.api_key_env is not None and len(given.api_key_env) >= _LONGEST:
        hint = "name a variable that holds the key; a key itself does not belong on a command line"
        yield Problem("`--api-key-env` is longer than names of variables are", hint=hint)


def _of_secrets(given: Given, where: Where) -> Iterator[Problem]:
    for option, path in (("--api-key-file", given.api_key_file), ("--tls-key", given.tls_key)):
        if path is not None and (fault := _unreadable(path, where)):
            hint = "name a file that holds the key; a key itself does not belong on a command line"
            yield Problem(f"the file of `{option}` cannot be read: {fault}", hint=hint)


def _of_certificates(given: Given, where: Where) -> Iterator[Problem]:
    for option, path in (("--tls-cert", given.tls_cert), ("--tls-ca", given.tls_ca)):
        if path is None:
            continue
        if fault := _unreadable(path, where):
            yield Problem(f"{shown(path)} of `{option}` cannot be read: {fault}")
        elif where.inside(path) is None:
            hint = "copy it there, such as to `tls/`, and name that: the site has to be whole without other folders"
            yield Problem(f"{shown(path)} of `{option}` lies outside the folder of the site", hint=hint)
        elif found := why_not(where.read(path)):
            yield Problem(f"{shown(path)} of `{option}` {found[0]}", hint=found[1])


def _unreadable(path: str, where: Where) -> str:
    try:
        where.read(path)
    except OutsideError as error:
        return str(error).lower()
    return ""
