#!/usr/bin/python3
"""A stand-in for Slurm's scontrol: nodes in a file beside it, and faults that a real cluster cannot be made to have.

Its lines have the form of the real one's; the real one is met in `tests/fleet/test_slurm_drain.py`.
"""

import json
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent
FIXED = (
    "Arch=x86_64 CoresPerSocket=1 CPUAlloc=0 CPUTot=1 CPULoad=0.00 AvailableFeatures=(null) ActiveFeatures=(null) "
    "Gres=gpu:8 NodeAddr={name} NodeHostName={name} Version=22.05.8 OS=Linux 5.15.0 #1 SMP RealMemory=1 AllocMem=0 "
    "FreeMem=1 Sockets=1 Boards=1 State={state} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A "
    "Partitions=all  BootTime=1764000000 SlurmdStartTime=1764000000 LastBusyTime=1764000000 CfgTRES=cpu=1 AllocTRES= "
    "CapWatts=n/a CurrentWatts=0 AveWatts=0 ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s"
)


def shown(name: str, node: dict[str, str]) -> str:
    reason = f" Reason={node['reason']} [{node['by']}@{node['at']}]" if node["reason"] else ""
    return f"NodeName={name} " + FIXED.format(name=name, state=node["state"]) + reason + " "


def main() -> int:
    cluster = json.loads((HERE / "cluster.json").read_text())
    with (HERE / "calls").open("a") as log:
        log.write(json.dumps(sys.argv[1:]) + "\n")
    for fault in cluster["faults"]:
        if fault["verb"] == sys.argv[1]:
            time.sleep(fault.get("sleep", 0))
            sys.stderr.write(fault.get("says", ""))
            if "status" in fault:
                return int(fault["status"])
    nodes = cluster["nodes"]
    if sys.argv[1] == "show":
        wanted = sys.argv[4:] or list(nodes)
        sys.stdout.write("".join(shown(name, nodes[name]) + "\n" for name in wanted))
        return 0
    changes = dict(each.split("=", 1) for each in sys.argv[2:])
    node = nodes[changes["NodeName"]]
    if "State" in changes:
        node["state"] = node["state"].removesuffix("+DRAIN") + "+DRAIN"
    if not node["state"].endswith("+DRAIN"):
        return 0  # as the real one does with a reason alone
    node.update(reason=changes["Reason"], by="root", at=str(int(time.time())))
    (HERE / "cluster.json").write_text(json.dumps(cluster))
    return 0


if __name__ == "__main__":
    sys.exit(main())
