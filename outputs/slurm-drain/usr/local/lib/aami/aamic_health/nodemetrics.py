"""What the node check tells Prometheus, through node_exporter's textfile collector. Pure."""

from typing import Dict, List, Optional, Tuple

from .judge import Verdict
from .textfile import Family, gauge
from .verdict import STATES

FILE = "aamic_node.prom"


def families(verdict: Verdict, refuses: bool, now: float, refused: Optional[int]) -> List[Family]:  # noqa: FBT001  # a fact among others
    """Return the metrics of a verdict; what is not known is left out. Times are seconds since 1970."""
    scores = [
        ({"gpu": gpu, "gpu_uuid": verdict.uuids.get(gpu, "")}, float(score))
        for gpu, score in verdict.scores.items()
        if score is not None
    ]
    node: List[Tuple[Dict[str, str], float]] = [] if verdict.score is None else [({}, float(verdict.score))]
    signals = sorted({(each.signal, each.gpu) for each in verdict.findings})
    return [
        Family(
            "aamic_node_verdict", "gauge", "1 for what the node check thinks of this node.",
            [({"verdict": state}, float(state == verdict.state)) for state in STATES],
        ),
        Family("aamic_gpu_health_score", "gauge", "Health of a GPU: 0 fails, up to 50 warns, 100 is well.", scores),
        Family("aamic_node_health_score", "gauge", "Health of the worst GPU.", node),
        Family(
            "aamic_node_failing_signal", "gauge", "1 for each thing that is wrong or not known.",
            [({"signal": signal, "gpu": gpu}, 1.0) for signal, gpu in signals],
        ),
        gauge("aamic_node_refuses", "1 while the prolog may refuse jobs.", float(refuses)),
        gauge("aamic_node_check_timestamp_seconds", "When this was written.", now),
        Family(
            "aamic_node_refused_timestamp_seconds", "gauge", "When the prolog last refused a job in this boot.",
            [] if refused is None else [({}, float(refused))],
        ),
    ]  # fmt: skip
