"""Evaluates all.jsonnet with rjsonnet and writes a file for each key. Runs in bench/.venv.

Usage: rjsonnet_compile.py SHARDS.json OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import rjsonnet


def main(shards: str, out: str) -> None:
    text = rjsonnet.evaluate_file(
        str(Path(__file__).with_name("all.jsonnet")), tla_codes={"shards": f"import {json.dumps(shards)}"}
    )
    for path, value in json.loads(text).items():
        target = Path(out) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
