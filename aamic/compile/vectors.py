"""Sets of series: what labels and values they can have, as far as that is known before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import promql_parser as ast

from aamic.catalog import promql
from aamic.model.fleet import THANOS_JOBS, MetricType

Matchers = Mapping[str, list[ast.Matcher]]
"""The matchers of a selector by label, without those of the name."""

REMOTE_JOB: Final = "remote-clusters"
"""The job that reads the aggregates of other clusters."""
OWN_JOBS: Final = frozenset({"alertmanager", "central", "federate", "prometheus", REMOTE_JOB, *THANOS_JOBS.values()})
"""Jobs whose targets are servers, and no nodes."""

CROWD: Final = 2_000
"""So many values are not matched with a regular expression one by one, save to see whether any matches."""
_REPEATING: Final = frozenset(
    {"__name__", "job", "cluster", "vendor", "gpu_vendor", "shard", "gpu", "gpu_id", "gpu_partition_id", "cpu", "mode"}
)
"""Labels whose matchers leave the series of more than one node, or more than one part of a node."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A set of series. Whatever is None, or not among the names, is unknown and never held against a rule."""

    labels: frozenset[str] | None
    """Those it may have; None: any."""
    jobs: frozenset[str] | None = None
    """The scrape jobs of its samples, as long as the label `job` or `instance` tells."""
    kind: MetricType | None = None
    sure: frozenset[str] = frozenset()
    """Labels that every series has."""
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """All values of a label."""
    several: frozenset[str] = frozenset()
    """Labels by which there are several series that differ in nothing else that repeats."""
    sources: frozenset[str] | None = None
    """The scrape jobs of all that it was made from, whatever its labels."""
    interval: float | None = None
    """Seconds from one sample to the next."""
    coarse: float | None = None
    """The same of central's copy, where Thanos may give that; None where it gives none."""

    def lacks(self, label: str) -> bool:
        """Whether no series of it can have the label."""
        return self.labels is not None and label not in self.labels

    def known(self, label: str) -> frozenset[str] | None:
        """All values of a label."""
        return self.jobs if label == "job" else self.values.get(label)

    def with_labels(self, labels: Iterable[str] | None) -> Vector:
        """The same series with other labels; what labels told is forgotten with them."""
        if labels is None:
            return replace(self, labels=None)
        known = frozenset(labels)
        told = "job" in known or "instance" in known
        return replace(
            self,
            labels=known,
            jobs=self.jobs if told else None,
            sure=self.sure & known,
            values={label: values for label, values in self.values.items() if label in known},
            several=self.several & known,
        )

    def labelled(self, labels: Mapping[str, str]) -> Vector:
        """The same series with these labels put on each."""
        if not labels:
            return self
        return replace(
            self,
            labels=None if self.labels is None else self.labels.union(labels),
            sure=self.sure.union(labels),
            values={**self.values, **{label: frozenset({value}) for label, value in labels.items()}},
            several=self.several.difference(labels),
        )

    def where(self, matchers: Matchers) -> Vector | None:
        """Those of its series that satisfy all matchers; None if none can."""
        if not matchers:
            return self
        vector = self
        for label, wanted in matchers.items():
            narrowed = vector._where(label, wanted)
            if narrowed is None:
                return None
            vector = narrowed
        several = self.several if _REPEATING.issuperset(matchers) else self.several & {"replica"}
        return replace(vector, several=several.difference(matchers))

    def thinned(self) -> Vector:
        """Fewer of the same series, no one knows which; the servers of a pair still give the same ones."""
        return replace(self, several=self.several & {"replica"})

    def _where(self, label: str, wanted: list[ast.Matcher]) -> Vector | None:
        absent = satisfies(wanted, "")
        if self.lacks(label):
            return self if absent else None
        possible = self.known(label)
        if possible is None:
            possible = _only(wanted)
            if possible is None:
                return self if absent else replace(self, sure=self.sure | {label})
        kept = _kept(possible, wanted)
        if not kept and (not absent or label in self.sure):
            return None
        sure = self.sure if absent else self.sure | {label}
        if label == "job":
            return replace(self, jobs=kept, sure=sure, sources=kept if self.sources == self.jobs else self.sources)
        return replace(self, values={**self.values, label: kept}, sure=sure)


ANY: Final = Vector(None)


def by_label(selector: ast.VectorSelector) -> Matchers:
    """The matchers of a selector, those of the name left out."""
    out: dict[str, list[ast.Matcher]] = {}
    for matcher in selector.matchers.matchers:
        if matcher.name != "__name__":
            out.setdefault(matcher.name, []).append(matcher)
    return out


def satisfies(wanted: Iterable[ast.Matcher], value: str) -> bool:
    """Whether a value satisfies all matchers of its label."""
    return all(promql.accepts(matcher, value) for matcher in wanted)


def _only(wanted: Iterable[ast.Matcher]) -> frozenset[str] | None:
    """The value that an equality leaves; none if it is that of an absent label."""
    equal = [matcher.value for matcher in wanted if matcher.op == ast.MatchOp.Equal]
    return frozenset(value for value in equal[:1] if value) if equal else None


def _kept(possible: frozenset[str], wanted: Iterable[ast.Matcher]) -> frozenset[str]:
    for matcher in wanted:
        if matcher.op == ast.MatchOp.Equal:
            possible &= {matcher.value}
        elif matcher.op == ast.MatchOp.NotEqual:
            possible = possible - {matcher.value} if matcher.value in possible else possible
        elif len(possible) <= CROWD:
            possible = frozenset(value for value in possible if promql.accepts(matcher, value))
        elif not any(promql.accepts(matcher, value) for value in possible):
            return frozenset()
    return possible


def union(vectors: Iterable[Vector]) -> Vector:
    """The vector of all series of several; a fact that one does not know is not known of all."""
    every = list(vectors)
    if len(every) == 1:
        return every[0]
    kinds = {each.kind for each in every}
    intervals = [each.interval for each in every]
    return Vector(
        labels=_joined(each.labels for each in every),
        jobs=_joined(each.jobs for each in every),
        kind=kinds.pop() if len(kinds) == 1 else None,
        sure=frozenset.intersection(*(each.sure for each in every)) if every else frozenset(),
        values=dict(_values(every)),
        several=frozenset().union(*(each.several for each in every)),
        sources=_joined(each.sources for each in every),
        interval=None if None in intervals else min((each for each in intervals if each is not None), default=None),
        coarse=max((each.coarse for each in every if each.coarse is not None), default=None),
    )


def side_by_side(vector: Vector, parts: Sequence[Vector]) -> Vector:
    """The union of several jobs' series; where two jobs read the same node, it has several of them."""
    told = [part for part in parts if part.jobs and "job" in part.sure and "node" in part.values]
    for index, one in enumerate(told):
        for other in told[:index]:
            apart = one.jobs is not None and other.jobs is not None and one.jobs.isdisjoint(other.jobs)
            if apart and not one.values["node"].isdisjoint(other.values["node"]):
                return replace(vector, several=vector.several | {"job"})
    return vector


def _joined(sets: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    every = list(sets)
    return None if None in every else frozenset().union(*(each for each in every if each is not None))


def _values(vectors: list[Vector]) -> Iterator[tuple[str, frozenset[str]]]:
    """Values of the labels for which each vector that may have the label knows all."""
    for label in dict.fromkeys(label for each in vectors for label in each.values):
        sets = [each.values.get(label) for each in vectors if not each.lacks(label)]
        if None not in sets:
            yield label, _all({id(each): each for each in sets if each is not None}.values())


def _all(sets: Collection[frozenset[str]]) -> frozenset[str]:
    """What all sets hold together. Most often one large set holds the small ones, and is not copied then."""
    largest = max(sets, key=len, default=frozenset())
    rest = [each for each in sets if each is not largest]
    return largest if all(len(each) <= CROWD and each <= largest for each in rest) else largest.union(*rest)
