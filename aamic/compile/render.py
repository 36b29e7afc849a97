"""Fleet -> Tree: the artifacts' parts become bundles, and the manifest describes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import orjson

from aamic.catalog.base import Artifact
from aamic.compile.hostlist import fold
from aamic.model.fleet import Fleet
from aamic.model.tree import Bundle, File, Line, Part, Tree


def render(fleet: Fleet, artifacts: Sequence[Artifact]) -> Tree:
    """Every file of the fleet. The same fleet gives the same bytes."""
    parts = [part for artifact in artifacts for part in artifact.render(fleet) if part.hosts]
    bundles = tuple(_merge(name, same) for name, same in sorted(_by_bundle(parts).items()))
    _check_paths(bundles)
    return Tree(bundles, _manifest(fleet.cluster, bundles))


def _by_bundle(parts: Iterable[Part]) -> dict[str, list[Part]]:
    grouped: dict[str, list[Part]] = {}
    for part in parts:
        grouped.setdefault(part.bundle, []).append(part)
    return grouped


def _merge(name: str, parts: Sequence[Part]) -> Bundle:
    """One bundle of all parts with its name. Parts that disagree are a fault of the catalog, not of the site."""
    hosts = parts[0].hosts
    if any(part.hosts != hosts for part in parts):
        raise ValueError(f"parts of bundle {name} name different hosts")
    if any(part.stage != parts[0].stage for part in parts):
        raise ValueError(f"parts of bundle {name} name different stages")
    files = sorted((file for part in parts for file in part.files), key=lambda file: file.path)
    paths = [file.path for file in files]
    if len(set(paths)) != len(paths):
        raise ValueError(f"bundle {name} has two files of one path: {paths}")
    installs = {orjson.dumps(install): install for part in parts for install in part.installs}
    return Bundle(
        name=name,
        hosts=hosts,
        files=tuple(files),
        services=_union(part.services for part in parts),
        installs=tuple(installs.values()),
        secrets=_union(part.secrets for part in parts),
        ports=_union(part.ports for part in parts),
        stage=parts[0].stage,
        lines=tuple(line for part in parts for line in part.lines),
    )


def _union(mappings: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for mapping in mappings:
        merged.update(mapping or {})
    return dict(sorted(merged.items()))


def _check_paths(bundles: Sequence[Bundle]) -> None:
    """Two bundles that give one host the same path contradict each other: a fault of the catalog."""
    owners: dict[str, list[Bundle]] = {}
    for bundle in bundles:
        for file in bundle.files:
            owners.setdefault(file.path, []).append(bundle)
    for path, sharing in owners.items():
        for first, second in combinations(sharing, 2):
            if not set(first.hosts).isdisjoint(second.hosts):
                raise ValueError(f"bundles {first.name} and {second.name} both hold {path} for one host")


def _manifest(cluster: str, bundles: Sequence[Bundle]) -> bytes:
    """`manifest.json`: what stands in each bundle, for which hosts, and what a change of it means."""
    folded = cache(fold)  # many bundles stand on the same hosts
    document = {
        "version": 1,
        "cluster": cluster,
        "bundles": {
            bundle.name: {
                "hosts": folded(bundle.hosts),
                "stage": bundle.stage,
                "files": {file.path: _describe(file) for file in bundle.files},
                "services": bundle.services,
                "ports": bundle.ports,
                "installs": bundle.installs,
                "secrets": bundle.secrets,
                **({"lines": [_described(line) for line in bundle.lines]} if bundle.lines else {}),
            }
            for bundle in bundles
        },
    }
    return b"".join(_lines(document, 4)) + b"\n"


def _lines(value: Any, levels: int, indent: bytes = b"\n") -> Iterable[bytes]:
    """JSON with the outer levels a key a line and the rest on one, so that a changed file is a one-line diff."""
    if not levels or not isinstance(value, dict) or not value:
        yield orjson.dumps(value)
        return
    inner = indent + b"  "
    before = b"{"
    for key, item in value.items():
        yield before + inner + orjson.dumps(key) + b": "
        yield from _lines(item, levels - 1, inner)
        before = b","
    yield indent + b"}"


def _described(line: Line) -> dict[str, Any]:
    on_change = {"action": line.on_change.action, "unit": line.on_change.unit}
    return {"path": line.path, "text": line.text, "needed": line.needed, "on_change": on_change}


def _describe(file: File) -> dict[str, Any]:
    return {
        "sha256": hashlib.sha256(file.content).hexdigest(),
        "mode": f"{file.mode:04o}",
        "owner": file.owner,
        "group": file.group,
        "on_change": {"action": file.on_change.action, "unit": file.on_change.unit},
        **({"stays": True} if file.stays else {}),
    }
