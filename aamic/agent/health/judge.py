"""Judges a node by the readings of its GPUs: the worst GPU decides, and what is not known is never called good. Pure.

A hard signal counts at once; soft ones are those of `soft`. An error code stays in an exporter until the next one, so a
fatal code is remembered until the exporter shows none any more: another code after it does not make the GPU good.

Memory is a plain document, so that it can be kept in a file; `{}` is none. Whatever it holds, a verdict comes out.
"""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from . import gpustate
from .components import Component
from .gpustate import FAIL, HARD, OK, UNKNOWN, WARN, WORSE, Finding
from .nodepolicy import Policy
from .readings import Readings

MOST_FINDINGS = 200
_NUMBER = re.compile(r"[0-9]{1,9}")


class Verdict(NamedTuple):
    """What is thought of a node, and why.

    `score` is that of the worst GPU, from 0 to 100; None where it is not known. `scores` and `states` are by index of
    the GPU, `uuids` and `components` too; a component of the node itself stands below ''. `hard` says that a signal
    which needs no second look makes it fail.
    """

    state: str
    score: Optional[int]
    reason: str
    findings: List[Finding]
    states: Dict[str, str]
    scores: Dict[str, Optional[int]]
    uuids: Dict[str, str]
    hard: bool
    components: Dict[str, List[Component]]


def judge(
    readings: Optional[Readings], policy: Policy, memory: Mapping[str, Any], now: float, trouble: str = ""
) -> Tuple[Verdict, Dict[str, Any]]:
    """Return the verdict on a node and what to remember; `now` is in seconds of a clock that never goes back.

    `readings` are None where the exporter gave no answer, for the reason `trouble`. What is remembered then stays.
    """
    known = memory.get("gpus")
    before = known if isinstance(known, dict) else {}
    if not readings:
        why = trouble or "the exporter reports no GPU"
        return unknown(why), {"gpus": before}
    after: Dict[str, Any] = {}
    found: Dict[str, List[Component]] = {}
    scores: Dict[str, Optional[int]] = {}
    # GPUs of one node are of one kind: what one of them reports, each can.
    like = policy._replace(
        required=policy.required.union(*(gpustate.names(each, policy) for each in readings.values()))
    )
    for gpu in sorted(readings, key=natural):
        key = readings[gpu].get("uuid") or gpu
        own = _document(before.get(key))
        found[gpu], scores[gpu], after[key] = gpustate.look(gpu, readings[gpu], like, own, now)
    lost = {key: each for key, each in before.items() if key not in after}
    found[""] = [_count(len(readings), lost, policy)]
    if len(readings) < policy.gpus:
        after.update(lost)  # so that a GPU which comes back is the one that it was
    uuids = {gpu: readings[gpu].get("uuid", "") for gpu in readings}
    return _verdict(found, scores, uuids), {"gpus": after}


def unknown(why: str) -> Verdict:
    """Return the verdict on a node of which nothing is known."""
    return _verdict({"": [Component("no_data", UNKNOWN, why)]}, {}, {})


def besides(verdict: Verdict, more: List[Component]) -> Verdict:
    """Return the verdict with what else is known of the node; it never gets better by that."""
    components = {**verdict.components, "": [*verdict.components.get("", []), *more]}
    return _verdict(components, verdict.scores, verdict.uuids)


def natural(gpu: str) -> Tuple[int, str]:
    """Sort GPUs by number."""
    return (int(gpu) if _NUMBER.fullmatch(gpu) else 1 << 30, gpu)


def _document(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(present: int, lost: Mapping[str, Any], policy: Policy) -> Component:
    most = float(policy.gpus)
    if present > policy.gpus:
        said = f"{present} GPUs where the inventory has {policy.gpus}"
        return Component("inventory", UNKNOWN, said, float(present))
    bound = {"fail" if "lost_gpu" in policy.drain_on else "warn": most - 1}
    said = f"{present} of {policy.gpus} GPUs are there"
    if present == policy.gpus:
        return Component("lost_gpu", OK, said, float(present), **bound)
    level = FAIL if "lost_gpu" in policy.drain_on else WARN
    gone = sorted((str(_document(each).get("gpu", "")) for each in lost.values()), key=natural)
    named = "GPU " + ", ".join(filter(None, gone)) + " is gone: " if 0 < len(gone) == policy.gpus - present else ""
    return Component("lost_gpu", level, named + said, float(present), **bound)


def _verdict(
    components: Dict[str, List[Component]], scores: Dict[str, Optional[int]], uuids: Dict[str, str]
) -> Verdict:
    findings = [
        Finding(gpu, each.signal, each.level, each.text)
        for gpu, own in components.items()
        for each in own
        if each.level in WORSE and each.level != OK
    ]
    findings = sorted(findings, key=lambda each: -WORSE.index(each.level))[:MOST_FINDINGS]
    state = findings[0].level if findings else OK
    known = [score for score in scores.values() if score is not None]
    score = None if state == UNKNOWN or len(known) < len(scores) else min(known) if known else None
    return Verdict(
        state=state,
        score=0 if state == FAIL else score if state != WARN else min(score if score is not None else 100, 50),
        reason="; ".join(_said(findings, state)) or f"all {len(scores)} GPUs are well",
        findings=findings,
        states={gpu: _worst(findings, gpu) for gpu in scores},
        scores=scores,
        uuids=uuids,
        hard=any(each.level == FAIL and each.signal in HARD for each in findings),
        components=components,
    )


def _worst(findings: List[Finding], gpu: str) -> str:
    return max((each.level for each in findings if each.gpu == gpu), key=WORSE.index, default=OK)


def _said(findings: List[Finding], state: str) -> List[str]:
    """What the worst findings say, each text once with all its GPUs; three of them are enough for a person."""
    gpus: Dict[str, List[str]] = {}
    for each in findings:
        if each.level == state:
            gpus.setdefault(each.text, []).append(each.gpu)
    texts = [text + (f" on GPU {','.join(on)}" if any(on) else "") for text, on in gpus.items()]
    return texts[:3] + ([f"and {len(texts) - 3} more"] if len(texts) > 3 else [])  # noqa: PLR2004  # see above
