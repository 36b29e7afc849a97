"""Times prolog and epilog as slurmd starts them, beside an empty script: what every job pays.

python bench/hooks.py [RUNS]
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aamic import agent
from aamic.agent.health import verdict
from aamic.agent.health.verdict import Verdict
from aamic.catalog import knowledge
from aamic.catalog.vendors import NAMES

JOB = {
    "SLURM_JOB_ID": "123456",
    "SLURM_JOB_USER": "kim",
    "SLURM_JOB_UID": "1000",
    "SLURM_JOB_PARTITION": "gpu",
    "SLURM_JOB_ACCOUNT": "lab",
    "SLURM_CLUSTER_NAME": "c1",
    "SLURM_JOB_GPUS": "0-7",
    "SLURM_JOB_EXIT_CODE2": "0:0",
    "SLURMD_NODENAME": "gpu-001",
}


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # a tmpfs, as /run is
        for shell in filter(None, (shutil.which("dash"), shutil.which("bash"))):
            report(shell, scripts(Path(folder)), runs)


def _jobs() -> dict[str, bytes]:
    """Those of all vendors, which do nothing where their exporter has no folder."""
    return {name: script for name in NAMES if (script := knowledge.script(name, "jobs.sh"))}


def scripts(folder: Path) -> dict[str, Path]:
    """The scripts by what is measured; the node is well, and its GPUs are mapped."""
    uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
    gpus = [f"{gpu} ok" for gpu in range(8)]
    told = Verdict("ok", uptime, int(time.time()), 30_000, False, 100, "all 8 GPUs are well", "-", gpus)
    (folder / "verdict").write_bytes(verdict.text(told))
    paths = {"run": str(folder), "state": str(folder), "logger": "/bin/true", "jobs": _jobs()}
    made = {
        "empty script": b"#!/bin/sh\nexit 0\n",
        "prolog, check": agent.prolog(agent.Hooks(check=True, mode="on", **paths)),  # type: ignore[arg-type]
        "prolog, check and mapping of 8 GPUs": agent.prolog(
            agent.Hooks(check=True, mapping=True, mode="on", **paths)  # type: ignore[arg-type]
        ),
        "epilog, journal and mapping of 8 GPUs": agent.epilog(
            agent.Hooks(journal=True, mapping=True, **paths)  # type: ignore[arg-type]
        ),
    }
    for number, content in enumerate(made.values()):
        (folder / f"hook-{number}").write_bytes(content)
    return {name: folder / f"hook-{number}" for number, name in enumerate(made)}


def report(shell: str, hooks: dict[str, Path], runs: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in hooks}
    for _ in range(runs):
        for name, path in hooks.items():  # in turn, so that a busy moment hits all of them
            times[name].append(timed(shell, path))
    base = statistics.median(processor for _, processor in times["empty script"])
    print(f"{shell}, {runs} runs: milliseconds; the ratio is that of processor times to an empty script")
    print(f"  {'':<40} median    95 %  processor  ratio")
    for name, each in times.items():
        elapsed = [one for one, _ in each]
        median, worst = statistics.median(elapsed), statistics.quantiles(elapsed, n=20)[-1]
        processor = statistics.median(one for _, one in each)
        print(f"  {name:<40} {median:6.1f}  {worst:6.1f}     {processor:6.1f}  {processor / base:4.1f}x")


def timed(shell: str, path: Path) -> tuple[float, float]:
    """Milliseconds that pass, and that processors worked, its children's too."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([shell, str(path)], env=JOB, check=True)
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return elapsed * 1000, worked * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
