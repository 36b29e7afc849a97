"""Measures everything that docs/scale.md shows, one part after another, and prints it as Markdown.

Run: .venv/bin/python bench/scale.py [--quick] [--only plan,rollout]

The whole takes an hour or two on two processors, and 12 GiB of RAM at its largest; `--quick` takes some minutes and
little of both. Each part is a program of its own in bench, which says what it needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parent


class Part(NamedTuple):
    """A title, a program with what it is told, and what it is told when it has to be quick; None: it cannot be."""

    title: str
    program: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = ("--quick",)


PARTS: Final = {
    "compile": Part("Compile", "compile.py"),
    "plan": Part("Plan", "fleet.py"),
    "drift": Part("Drift", "drift.py"),
    "rollout": Part("Rollout", "rollout.py"),
    "predict": Part("Predicted for 100,000 GPUs", "predict.py", quick=()),
    "load": Part("Predicted and real, a whole shard", "load.py"),
    "hours": Part(
        "Predicted and real, after four hours",
        "load.py",
        ("--nodes", "10", "--interval", "15", "--lapse", "15", "--minutes", "17"),
        None,
    ),
    "disk": Part("A sample on disk", "disk.py", ("--samples", "240"), None),
}


def main() -> None:
    asked = _asked()
    for name in asked.only:
        options = PARTS[name].quick if asked.quick else PARTS[name].options
        if options is not None:
            _run(PARTS[name], options)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, once each")
    parser.add_argument("--only", type=_names, default=list(PARTS), help=f"some of {','.join(PARTS)}")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]}; there are {', '.join(PARTS)}")
    return names


def _run(part: Part, options: tuple[str, ...]) -> None:
    print(f"## {part.title}\n\n`{' '.join(('bench/' + part.program, *options))}`\n", flush=True)
    done = subprocess.run([sys.executable, HERE / part.program, *options], check=False)
    print(flush=True)
    if done.returncode:
        raise SystemExit(f"bench/{part.program} failed")


if __name__ == "__main__":
    main()
