"""The plan of a site that moves to Thanos, as its owner reads it. `AAMIC_GOLDEN=update` writes the text anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

GOLDEN: Final = Path(__file__).with_name("golden")
SITE: Final = """\
version: 1
cluster: {name: seoul}
nodes:
  "mon-[01-03]": {addresses: "10.10.0.[11-13]"}
  "gpu-[001-002]": {addresses: "10.10.1.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
federation:
  type: prometheus
  central_node: mon-01
  by: count
  shards: 2
  shard_nodes: "mon-[02-03]"
  central: {retention_raw: 90d, retention_downsampled: 1y}
thanos:
  version: "0.42.5"
  objstore: {env: BUCKET}
alerts: {presets: [node, gpu]}
"""


def aamic(folder: Path, *words: str) -> str:
    """What a command says, on folders that stand for hosts."""
    command = [sys.executable, "-m", "aamic", *words, "--host-root", "hosts"]
    environment = os.environ | {"COLUMNS": "100", "BUCKET": "type: S3\n", "XDG_STATE_HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def planned(folder: Path, kind: str) -> str:
    """The plan of the one changed line."""
    (folder / "site.yaml").write_text(SITE.replace("type: prometheus", f"type: {kind}"))
    return aamic(folder, "plan")


def test_one_line_brings_thanos_and_takes_it_away_and_its_plans_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    aamic(tmp_path, "apply", "--yes")
    there = planned(tmp_path, "thanos")
    path = GOLDEN / "to-thanos.txt"
    if os.environ.get("AAMIC_GOLDEN") == "update":
        path.parent.mkdir(exist_ok=True)
        path.write_text(there)
    assert path.read_text() == there

    aamic(tmp_path, "apply", "--yes")
    back = " ".join(planned(tmp_path, "prometheus").split())

    assert "kept: /var/lib/aami/thanos/store on mon-01, data of aami-thanos-store, which is removed" in back
    assert "nothing is added" in back
    assert "6 stops of 6 units" in back
