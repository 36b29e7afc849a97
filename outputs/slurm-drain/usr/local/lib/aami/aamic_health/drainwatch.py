"""What Prometheus has of the nodes of a cluster."""

import json
import math
from typing import Dict, List, Set, Tuple

from . import promquery
from .drainconfig import Settings
from .policy import Health

_VERDICTS = "max by (node, verdict) (node:aamic_node_verdict{%s}) == 1"
_AGES = "time() - max by (node) (node:aamic_node_check_timestamp_seconds{%s})"
_SIGNALS = "max by (node, signal, gpu) (node:aamic_failing_signal{%s}) > 0"
_REFUSALS = "max by (node) (node:aamic_node_refused_timestamp_seconds{%s})"
_TIMEOUT = 10.0


def healths(settings: Settings) -> Tuple[str, Dict[str, Health]]:
    """Return the server that was asked, and what it has; the first that answers and has a verdict of any node.

    Raises:
        NoAnswer: None does; the text has the reasons of all.
    """
    reasons = []
    for url in settings.urls:
        try:
            found = _ask(url, settings.cluster)
        except promquery.NoAnswer as error:
            reasons.append(str(error))
            continue
        if settings.policy.nodes.intersection(found):
            return url, found
        reasons.append(f"{url} has no verdict of any node of cluster {json.dumps(settings.cluster)}")
    raise promquery.NoAnswer("; ".join(reasons) or "no server is named")


def _ask(url: str, cluster: str) -> Dict[str, Health]:
    # JSON's quoting of a text is PromQL's.
    where = "cluster=" + json.dumps(cluster)
    verdicts, ages, signals, refusals = (
        promquery.query(url, expr % where, _TIMEOUT) for expr in (_VERDICTS, _AGES, _SIGNALS, _REFUSALS)
    )
    age, refused = _by_node(ages), _by_node(refusals)
    said, found = _sets(verdicts), _pairs(signals)
    return {
        name: Health(frozenset(said[name]), age.get(name), frozenset(found.get(name, ())), refused.get(name))
        for name in said
    }


def _by_node(samples: List[promquery.Sample]) -> Dict[str, float]:
    return {each.labels.get("node", ""): each.value for each in samples if math.isfinite(each.value)}


def _sets(samples: List[promquery.Sample]) -> Dict[str, Set[str]]:
    found = {}  # type: Dict[str, Set[str]]
    for each in samples:
        found.setdefault(each.labels.get("node", ""), set()).add(each.labels.get("verdict", ""))
    return found


def _pairs(samples: List[promquery.Sample]) -> Dict[str, Set[Tuple[str, str]]]:
    found = {}  # type: Dict[str, Set[Tuple[str, str]]]
    for each in samples:
        pair = each.labels.get("signal", ""), each.labels.get("gpu", "")
        found.setdefault(each.labels.get("node", ""), set()).add(pair)
    return found
