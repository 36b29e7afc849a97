"""The pipeline of `aamic render` in one process, stage by stage: prints time and peak memory of each as JSON.

Usage: python bench/stages.py SITE OUT
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

PEAK_RESET: Final = Path("/proc/self/clear_refs")


class Stages:
    """Seconds of processor time and the highest resident size of each stage, in order."""

    def __init__(self) -> None:
        self.costs: dict[str, tuple[float, int]] = {}

    def run(self, name: str, stage: Callable[..., Any], *args: Any, **options: Any) -> Any:
        PEAK_RESET.write_text("5", encoding="ascii")  # from here on, the kernel counts the peak anew
        start = time.process_time()
        value = stage(*args, **options)
        self.costs[name] = (time.process_time() - start, _peak())
        return value

    def watch(self, module: Any, name: str, function: str) -> None:
        """Measure a function of a module wherever that module calls it."""
        setattr(module, function, partial(self.run, name, getattr(module, function)))


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(site: Path, out: Path) -> None:
    stages = Stages()
    compiler, outputs = stages.run("import", _modules)
    for name, function in (("parse", "load"), ("validate", "validate"), ("resolve", "resolve"), ("render", "render")):
        stages.watch(compiler, name, function)
    files = compiler.compile_site(site).tree.files()
    stages.run("write", outputs.write, files, out)
    stages.run("compare", outputs.write, files, out)
    print(json.dumps(stages.costs))


def _modules() -> tuple[Any, Any]:
    from aamic.clients import outputs  # noqa: PLC0415  # importing is measured
    from aamic.compile import compiler  # noqa: PLC0415

    compiler.shipped_catalog()
    return compiler, outputs


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
