"""What the drain controller tells Prometheus of itself."""

import os
from typing import List, Mapping, Optional

from . import drainout, textfile
from .drainconfig import MODES, Settings
from .drainstate import State
from .policy import Decision, Node
from .textfile import Family, gauge

Nodes = Optional[Mapping[str, Node]]
"""What Slurm said of its nodes; None where it was not asked."""


def write(settings: Settings, state: State, decision: Optional[Decision], at: float, nodes: Nodes = None) -> None:
    """Write the textfile, if anybody reads it; without a decision the run has failed, and what it saw is not known.

    Raises:
        OSError: The folder is not there, is full or cannot be written to.
    """
    if settings.textfiles:
        path = os.path.join(settings.textfiles, "aamic_drain.prom")
        textfile.replace(path, textfile.exposition(families(settings, state, decision, at, nodes)))


def families(
    settings: Settings, state: State, decision: Optional[Decision], at: float, nodes: Nodes = None
) -> List[Family]:
    """Return the metrics of one run."""
    mode = [({"mode": each}, float(each == settings.mode)) for each in MODES]
    found = [
        gauge("aamic_drain_breaker_tripped", "1 until a person has reset the breaker.", float(state.trip is not None)),
        gauge("aamic_drain_cap", "Most nodes out of service by our doing.", settings.policy.cap),
        gauge("aamic_drain_timestamp_seconds", "When the drain controller last ran.", round(at)),
        gauge("aamic_drain_success", "1 if that run could see Slurm and verdicts.", float(decision is not None)),
        Family("aamic_drain_mode", "gauge", "1 for the mode it runs in.", mode),
    ]
    if decision is not None:
        ours = [({"by": "aamic"}, float(len(decision.ours)))]
        found.append(Family("aamic_drain_nodes", "gauge", "Nodes out of service by our doing.", ours))
        found.append(
            gauge("aamic_drain_wanted", "Nodes that this run would drain, whether it may or not.", len(decision.wanted))
        )
        if nodes is not None:
            found += drainout.families(nodes, decision.ours)
    return found
