"""Whether this node's prolog may refuse jobs: a refusal drains the node without asking anybody, so it has a cap. Pure.

The law: as long as those who refuse are seen by Prometheus, at most `cap` nodes are ever out of service by our doing.
A node may refuse only once its own failure has been visible in Prometheus for `settle` seconds, and only while all
that are visible there, itself included, are at most `cap`. So whoever is the last to refuse has seen all the others.
Where anything of this is not known, nobody refuses: the drain controller, which knows more, decides in its own time.
"""

from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence

from .promquery import Sample

RECENT_REFUSAL = 3600
"""Seconds for which a refusal counts by itself; by then the drain controller has taken note of it."""


class Facts(NamedTuple):
    """What Prometheus says: nodes that fail or have refused, how many aamic has drained, whether the breaker is open.

    None is not known.
    """

    out: FrozenSet[str]
    drained: Optional[int]
    tripped: Optional[bool]


class Brake(NamedTuple):
    """Most nodes out of service, and for how many seconds a failure must be visible before it may refuse."""

    cap: int
    settle: float


class Decision(NamedTuple):
    """Whether the prolog may refuse, why not, and since when the own failure is visible, by the node's own clock."""

    refuse: bool
    why: str
    visible: Optional[float]


def question(cluster: str) -> str:
    """Return the query whose answer `facts` reads."""
    quoted = '"' + cluster.replace("\\", "\\\\").replace('"', '\\"') + '"'
    own = f"cluster={quoted}"
    asked = {
        "failing": f'node:aamic_node_verdict{{{own},verdict="fail"}} == 1',
        "refused": f"time() - node:aamic_node_refused_timestamp_seconds{{{own}}} < {RECENT_REFUSAL}",
        "drained": f"node:aamic_drain_nodes{{{own}}}",
        "tripped": f"node:aamic_drain_breaker_tripped{{{own}}}",
    }
    return " or ".join(f'label_replace({expr}, "fact", "{name}", "", "")' for name, expr in asked.items())


def facts(samples: Sequence[Sample]) -> Facts:
    """Return what an answer to `question` says; of replicas that disagree the worse counts."""
    values: Dict[str, List[float]] = {"drained": [], "tripped": []}
    out = set()
    for sample in samples:
        fact = sample.labels.get("fact", "")
        if fact in values and sample.value == sample.value:  # NaN is not itself
            values[fact].append(sample.value)
        elif fact in ("failing", "refused"):
            out.add(sample.labels.get("node", ""))
    drained, tripped = values["drained"], values["tripped"]
    return Facts(frozenset(out), int(max(drained)) if drained else None, max(tripped) > 0 if tripped else None)


def decide(found: Facts, names: Sequence[str], brake: Brake, visible: Optional[float], now: float) -> Decision:
    """Return whether a node that fails may refuse; it is one of `names` to Prometheus, and `now` is its own clock.

    Drained nodes are told by number, so one that fails as well counts twice: that errs on the side of running jobs.
    """
    if not found.out.intersection(names):
        return Decision(False, "its failure is not visible in Prometheus yet", None)
    since = now if visible is None or visible > now else visible
    if found.drained is None or found.tripped is None:
        return Decision(False, "the drain controller says nothing", since)
    if found.tripped:
        return Decision(False, "the breaker is tripped", since)
    count = len(found.out) + found.drained
    if count > brake.cap:
        return Decision(
            False, f"{len(found.out)} nodes fail and {found.drained} are drained; the cap is {brake.cap}", since
        )
    if now - since < brake.settle:
        return Decision(False, f"its failure is visible for {now - since:.0f} of {brake.settle:.0f} s", since)
    return Decision(True, "", since)
