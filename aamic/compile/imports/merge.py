"""What all sources say together: a draft, or what they contradict each other in. The order of sources is no matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from aamic.compile.addresses import value
from aamic.compile.hostlist import fold
from aamic.compile.imports.gpus import VendorSigns, known_words, settle
from aamic.compile.imports.labels import NAME, of_nodes, with_racks
from aamic.compile.imports.names import hosts, nodes, with_names
from aamic.compile.imports.sighting import FACTS, WEAK, Fact, Reading, Sighting, Wishes, joined
from aamic.compile.text import shown
from aamic.errors import InputError, Place, Problem
from aamic.model.draft import Draft, DraftNode
from aamic.model.fleet import Gpu

_PLACES: Final = 5
_WORDS: Final = {
    "vendor": "GPU vendor",
    "model": "GPU model",
    "count": "number of GPUs",
    "threads": "number of CPU threads",
    "ssh_user": "SSH user",
    "ssh_port": "SSH port",
}
_GPU: Final = frozenset({"vendor", "model", "count"})

Facts = dict[str, Fact]


class _Word(NamedTuple):
    """One sighting's word on a fact."""

    value: Fact
    source: str
    place: Place


class _Clash(NamedTuple):
    """A fact of a node of which several places say different things."""

    node: str
    fact: str
    words: tuple[_Word, ...]

    @property
    def kind(self) -> tuple[Any, ...]:
        """What it has in common with clashes that one sentence can tell together."""
        values = tuple(word.value for word in self.words) if self.fact in _GPU else ()
        return self.fact, values, tuple(word.place.path for word in self.words)


@dataclass(frozen=True, slots=True)
class Words:
    """What the catalog knows: by what it tells vendors, and labels that exporters put on their own series."""

    signs: VendorSigns = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)


_NO_WORDS: Final = Words()


def merge(readings: Iterable[Reading], wishes: Wishes, words: Words = _NO_WORDS) -> Draft:
    """The draft of what all readings say.

    Raises:
        InputError: A source has problems, or two of them contradict each other and `wishes` does not settle it.
    """
    reading = joined(readings)
    reading = replace(reading, sightings=tuple(known_words(each, words.signs) for each in reading.sightings))
    seen, notes = with_names(reading)
    settling = _Settling(wishes)
    facts = {name: settling.facts(name, seen[name]) for name in sorted(seen)}
    problems = [*reading.problems, *_told(settling.clashes), *_unknown(settling.settled.difference(seen))]
    cluster = _cluster(reading, wishes, notes, problems)
    if problems:
        raise InputError(sorted(set(problems), key=lambda each: (each.place is None, each.place or 0, each.message)))
    with_gpus = {name for name, sightings in seen.items() if any(each.gpus for each in sightings)}
    gpus = settle(facts, with_gpus, wishes.gpus, notes)
    notes += _passed_over(settling.passed)
    with_racks(facts, notes)
    labels = of_nodes(seen, words.taken, notes)
    unsure = with_gpus - gpus.keys()
    made = tuple(
        _node(name, known, gpus.get(name), labels[name], unsure=name in unsure) for name, known in facts.items()
    )
    return Draft(made, cluster, next(iter(reading.controllers), None), notes=tuple(sorted({*reading.notes, *notes})))


def _node(
    name: str, facts: Mapping[str, Any], gpu: Gpu | None, labels: Mapping[str, str], *, unsure: bool
) -> DraftNode:
    plain = ("address", "rack", "threads", "memory", "ssh_user", "ssh_port")
    known: dict[str, Any] = {key: facts.get(key) for key in plain}
    if known["address"] is not None and value(known["address"]) == value(name):
        known["address"] = None
    return DraftNode(name, gpu=gpu, labels=labels, unsure_gpus=unsure, **known)


_SaidBy = Mapping[Fact, Sequence[_Word]]


class _Settling:
    """Settles what is known of each node; what clashes is left out."""

    def __init__(self, wishes: Wishes) -> None:
        self.clashes: list[_Clash] = []
        self.passed: list[tuple[str, str]] = []
        self.settled = {name for wish in wishes.gpus for name in wish.nodes or ()}
        self._prefer = wishes.prefer

    def facts(self, name: str, sightings: Sequence[Sighting]) -> Facts:
        """What is known of a node."""
        asked = [fact for fact in FACTS if fact not in _GPU or name not in self.settled]
        found = {fact: self._fact(name, fact, sightings) for fact in asked}
        return {fact: known for fact, known in found.items() if known is not None}

    def _fact(self, name: str, fact: str, sightings: Sequence[Sighting]) -> Fact | None:
        said, likely = _said(sightings, fact), _said(sightings, WEAK + fact)
        if fact != "address" and (len(likely) > 1 or (said and likely.keys() - said.keys())):
            self.passed.append((name, WEAK + fact))
        said = said or (likely if len(likely) == 1 else {})
        if len(said) > 1 and (kept := self._preferred(said)):
            said = kept
            self.passed.append((name, fact))
        if len(said) > 1:
            firsts = sorted((words[0] for words in said.values()), key=lambda word: (word.place, str(word.value)))
            self.clashes.append(_Clash(name, fact, tuple(firsts)))
            return None
        return next(iter(said.values()))[0].value if said else None

    def _preferred(self, said: _SaidBy) -> _SaidBy:
        """What the most preferred source says of those that say anything; nothing if none of them is preferred."""
        for source in self._prefer:
            kept = {key: words for key, words in said.items() if any(word.source == source for word in words)}
            if kept:
                return kept
        return {}


def _said(sightings: Iterable[Sighting], fact: str) -> _SaidBy:
    """Who says what of a fact, by what it comes down to."""
    found: defaultdict[Fact, list[_Word]] = defaultdict(list)
    for each in sightings:
        if fact in each.facts:
            written = each.facts[fact]
            found[_meaning(fact, written)].append(_Word(written, each.source, each.place))
    return {key: sorted(words, key=lambda word: (word.place, str(word.value))) for key, words in found.items()}


def _meaning(fact: str, written: Fact) -> Fact:
    if not isinstance(written, str):
        return written
    return value(written) if fact.endswith("address") else written.casefold() if fact == "model" else written


def _passed_over(passed: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What is not taken because another source is preferred."""
    by_fact: defaultdict[str, list[str]] = defaultdict(list)
    for name, fact in passed:
        by_fact[fact].append(name)
    for fact, names in by_fact.items():
        if fact.startswith(WEAK):
            yield f"a sign of another {_word(fact.removeprefix(WEAK))} of {hosts(names)} is not taken for true"
        else:
            yield f"sources differ in the {_word(fact)} of {hosts(names)}: `--prefer` decides"


def _word(fact: str) -> str:
    return _WORDS.get(fact, fact)


def _told(clashes: Iterable[_Clash]) -> list[Problem]:
    """Problems of clashes; many of one kind are one problem."""
    kinds: defaultdict[tuple[Any, ...], list[_Clash]] = defaultdict(list)
    for clash in clashes:
        kinds[clash.kind].append(clash)
    return [_problem(members) for members in kinds.values()]


def _problem(clashes: Sequence[_Clash]) -> Problem:
    fact, words = clashes[0].fact, clashes[0].words
    values = " and ".join(shown(str(word.value)) for word in words)
    names = [clash.node for clash in clashes] if fact in _GPU else [clashes[0].node]
    more = len(clashes) - len(names)
    also = f"; {nodes(more)} more {'has' if more == 1 else 'have'} two as well" if more else ""
    ways = ["correct one of them"]
    ways += ["say with `--prefer` which source is right"] if len({word.source for word in words}) > 1 else []
    ways += [f"say with `--gpu {fold(names)}=VENDOR:MODEL:COUNT` what there is"] if fact in _GPU else []
    first, *others = (word.place for word in words[:_PLACES])
    message = f"sources differ in the {_word(fact)} of {hosts(names)}: {values}{also}"
    return Problem(message, first, ", or ".join(ways), tuple(others))


def _unknown(names: set[str]) -> list[Problem]:
    if not names:
        return []
    return [Problem(f"`--gpu` names {hosts(names)}, which no source has", None, "correct the host list of `--gpu`")]


def _cluster(reading: Reading, wishes: Wishes, notes: list[str], problems: list[Problem]) -> str | None:
    """The cluster's name, if it has one and only one."""
    found: dict[str, Place] = {}
    for said in sorted(reading.clusters):
        if NAME.fullmatch(said.value):
            found.setdefault(said.value, said.place)
        else:
            notes.append(f"{shown(said.value)} at {said.place} cannot be the name of a cluster, and is left out")
    if wishes.cluster is not None:
        others = sorted(set(found) - {wishes.cluster})
        notes += [
            f"{shown(other)} at {found[other]} is not the name of the cluster: `--cluster` is" for other in others
        ]
        return wishes.cluster
    if len(found) > 1:
        names, places = " and ".join(map(shown, found)), tuple(found.values())
        hint = "say with `--cluster` what its name is"
        problems.append(Problem(f"the cluster is called {names}", places[0], hint, places[1:_PLACES]))
    return next(iter(found), None)
