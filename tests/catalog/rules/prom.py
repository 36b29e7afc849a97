"""Runs promtool's unit tests on rules and series written as Python values."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from aamic.catalog.artifacts.rules.artifact import rule_file
from aamic.model.fleet import RuleGroup


def promtool(*arguments: str, folder: Path) -> None:
    """Run promtool and show what it says when it fails."""
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


def evaluates(
    folder: Path,
    groups: Iterable[RuleGroup],
    series: Mapping[str, str],
    expected: Mapping[str, Mapping[str, float]],
    at: str = "10m",
) -> None:
    """With these series the rules make each expression give exactly these samples."""
    (folder / "rules.yml").write_bytes(rule_file(groups))
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": expr,
                "eval_time": at,
                "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
            }
            for expr, samples in expected.items()
        ],
    }
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(content, width=1_000_000))
    promtool("test", "rules", "test.yml", folder=folder)
