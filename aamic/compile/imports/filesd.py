"""Prometheus' file_sd: lists of targets with labels, in JSON or YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aamic.catalog.base import Signs
from aamic.compile.addresses import is_address, is_ip
from aamic.compile.imports.names import NODE, is_local
from aamic.compile.imports.place import Placed, read_placed
from aamic.compile.imports.sighting import WEAK, Fact, Reading, Said, Sighting
from aamic.compile.text import shown
from aamic.errors import Place, Problem

_TARGET: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/\s]+))(?::([0-9]{1,5}))?")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+|(?:\[[^\s/]+\]|[^\s/\[\]]+)/\S*", re.IGNORECASE)
_PROBES: Final = frozenset({9115, 9116})
"""Ports of blackbox_exporter and snmp_exporter, which ask others: https://github.com/prometheus/prometheus/wiki."""
_PROBED: Final = ("__param_target", "__param_module")
_LISTED: Final = 5
_PORT: Final = re.compile(r":[0-9]{1,5}$")
_NAMES: Final = ("node", "nodename", "hostname", "host", "instance")
"""Labels that name the host of a target, the surest one first."""
_COUNT: Final = re.compile(r"[0-9]{1,3}")
_FACTS: Final = {"rack": "rack", "gpu_vendor": "vendor", "gpu_model": "model", "gpu_count": "count"}
"""Labels that aamic sets itself, and the facts that they are."""


def read_file_sd(data: bytes, name: str, signs: Mapping[str, Signs]) -> Reading:
    """What a file of targets says of their hosts; ports of exporters tell whose GPUs a host has."""
    file = read_placed(data, name)
    if file.problems:
        return Reading(problems=file.problems)
    if not isinstance(file.data, list):
        hint = "a file of Prometheus' file_sd is a list of `targets` with `labels`"
        return Reading(problems=(Problem(f"{shown(name)} holds no list of targets", file.place(()), hint),))
    reading = _Reading(file, signs)
    for index, group in enumerate(file.data):
        reading.take(index, group)
    notes = [*reading.notes, *_left_out(reading.probes)]
    found, clusters, problems = reading.sightings, reading.clusters, reading.problems
    return Reading(tuple(found), tuple(clusters), notes=tuple(notes), problems=tuple(problems))


class _Reading:
    """A file as its groups are read."""

    def __init__(self, file: Placed, signs: Mapping[str, Signs]) -> None:
        self.sightings: list[Sighting] = []
        self.clusters: list[Said] = []
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.probes: dict[str, Place] = {}
        self._file = file
        self._vendors = {port: vendor for vendor, sign in signs.items() for port in sign.ports}

    def take(self, index: int, group: Any) -> None:
        """Take in a group of targets."""
        if not _is_group(group):
            hint = "write `targets: [HOST:PORT]`, and `labels: {NAME: TEXT}` if there are any"
            self.problems.append(Problem("this is no group of targets", self._file.place((index,)), hint))
            return
        labels = {key: _text(text) for key, text in (group.get("labels") or {}).items()}
        if labels.get("cluster"):
            self.clusters.append(Said(labels["cluster"], self._file.place((index, "labels", "cluster"))))
        for number, target in enumerate(group["targets"]):
            self._target(target, labels, self._file.place((index, "targets", number)))

    def _target(self, target: str, labels: Mapping[str, str], place: Place) -> None:
        match = _TARGET.fullmatch(target)
        if _is_probe(target, int(match[3] or 0) if match else 0, labels):
            self.probes.setdefault(target, place)
            return
        host = (match[1] or match[2]) if match else ""
        if match is None or not is_address(host):
            hint = "write the host and port that Prometheus scrapes, such as `10.0.0.1:9100`"
            self.problems.append(Problem(f"{shown(target)} is no target", place, hint))
        elif is_local(host):
            self.notes.append(f"target {shown(target)} at {place} is left out: it is the host of a Prometheus, unnamed")
        else:
            self.sightings.append(self._sighting(host, int(match[3] or 0), labels, place))

    def _sighting(self, host: str, port: int, labels: Mapping[str, str], place: Place) -> Sighting:
        name = next(_named(labels), None if is_ip(host) else host)
        facts: dict[str, Fact] = dict(_facts(labels))
        if name != host:
            long_form = name is not None and host.partition(".")[0] == name
            facts[f"{WEAK}address" if long_form else "address"] = host
        if port in self._vendors:
            facts[f"{WEAK}vendor"] = self._vendors[port]
        kept = {key: text for key, text in labels.items() if not _known(key, text, name)}
        return Sighting("file-sd", place, name, facts, kept, gpus=f"{WEAK}vendor" in facts)


def _is_probe(target: str, port: int, labels: Mapping[str, str]) -> bool:
    """Whether it is asked by a prober, such as a page, a switch or the prober itself: nobody would log in there."""
    return port in _PROBES or _URL.fullmatch(target) is not None or any(label in labels for label in _PROBED)


def _left_out(probes: Mapping[str, Place]) -> Iterator[str]:
    if probes:
        listed = ", ".join(shown(target) for target in list(probes)[:_LISTED])
        more = f" and {len(probes) - _LISTED:,} more" if len(probes) > _LISTED else ""
        yield f"no nodes, and left out: {listed}{more}, which a prober asks ({next(iter(probes.values()))})"


def _is_group(group: Any) -> bool:
    if not isinstance(group, dict) or not isinstance(group.get("targets"), list):
        return False
    labels = group.get("labels")
    scalars = (str, int, float, bool, type(None))
    return all(isinstance(target, str) for target in group["targets"]) and (
        labels is None or (isinstance(labels, dict) and all(isinstance(text, scalars) for text in labels.values()))
    )


def _text(value: Any) -> str:
    """A label's value; Prometheus takes text only, so what YAML reads as something else is written as JSON has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _named(labels: Mapping[str, str]) -> Iterator[str]:
    for label in _NAMES:
        text = _PORT.sub("", labels.get(label, ""))
        if NODE.fullmatch(text) and not is_ip(text):
            yield text


def _facts(labels: Mapping[str, str]) -> Iterator[tuple[str, Fact]]:
    for label, fact in _FACTS.items():
        text = labels.get(label, "").strip()
        if fact == "count" and _COUNT.fullmatch(text):
            yield fact, int(text)
        elif fact != "count" and text.isprintable() and text:
            yield fact, text


def _known(label: str, text: str, name: str | None) -> bool:
    """Whether a label says nothing that is not told elsewhere."""
    if label in _NAMES and _PORT.sub("", text) == name:
        return True
    return label == "cluster" or label in _FACTS or text == ""
