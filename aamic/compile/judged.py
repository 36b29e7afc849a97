"""Whether the nodes of Slurm can be judged at all: a verdict takes GPUs, their exporter, and somebody who reads it."""

from __future__ import annotations

from collections.abc import Collection

from aamic.compile.findings import Findings
from aamic.compile.hostlist import fold
from aamic.compile.references import References
from aamic.compile.text import shown
from aamic.model.fleet import SlurmSettings


def check_judged(
    slurm: SlurmSettings | None, probed: Collection[str], watched: Collection[str], refs: References, findings: Findings
) -> None:
    """Warn where nodes are to be drained, or jobs refused, and no verdict can be the reason.

    `probed` are hosts with a GPU exporter, `watched` those whose textfiles Prometheus reads.
    """
    if slurm is None or not (slurm.auto_drain == "on" or slurm.pre_job_check) or findings.failed:
        return
    with_gpus = [name for name in slurm.nodes if refs.nodes[name].gpu is not None]
    where = findings.place("slurm", "auto_drain" if slurm.auto_drain == "on" else "pre_job_check")
    if not with_gpus:
        hint = "give the nodes that run slurmd a `gpu:`; what a verdict is about are GPUs"
        findings.warn("`slurm` can judge no node, as none of its nodes has GPUs", where, hint)
    elif blind := [name for name in with_gpus if name not in probed]:
        hint = "enable the exporter of their vendor; until then no verdict, drain or refusal is about them"
        findings.warn(f"`slurm` cannot judge {shown(fold(blind))}: no GPU exporter runs there", where, hint)
    elif slurm.auto_drain == "on" and (unread := [name for name in with_gpus if name not in watched]):
        hint = "enable `exporters.node` with its collector `textfile`; until then nothing is drained or refused"
        findings.warn(f"Prometheus sees no verdict of {shown(fold(unread))}", where, hint)
