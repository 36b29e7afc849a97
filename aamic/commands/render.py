"""`aamic render`: write outputs/."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, compiled, print_json
from aamic.errors import OutsideError

if TYPE_CHECKING:
    from aamic.clients.outputs import Differences
    from aamic.model.tree import Tree

EXIT_DIFFERENT = 16

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder to write; `outputs` beside the site if not given.")
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 16 when the folder is stale.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Let promtool, amtool and systemd-analyze check every file they know.")
]


def render(
    site: SitePath = DEFAULT_SITE,
    out: Out = None,
    *,
    check: Check = False,
    verify: Verify = False,
    json: Json = False,
) -> None:
    """Compile the site into a folder of files, replaced as a whole."""
    from aamic.clients import outputs

    tree = compiled(site).tree
    if verify:
        _verify(tree)
    folder = out if out is not None else site.parent / "outputs"
    desired = tree.files()
    differences = outputs.check(desired, folder) if check else outputs.write(desired, folder)
    if json:
        print_json({"out": str(folder), "files": len(desired), **_as_json(differences)})
    else:
        _tell(differences, folder, len(desired), check=check)
    if check and differences:
        raise typer.Exit(EXIT_DIFFERENT)


def _verify(tree: Tree) -> None:
    """Let the tools judge the tree before anything is written. Raises OutsideError with what they say."""
    from aamic.clients.tools import has_tool, run_tool
    from aamic.deploy.verify import verify

    with tempfile.TemporaryDirectory(prefix="aamic-verify-") as folder:
        verdicts = verify(tree, Path(folder), has_tool, run_tool)
    for verdict in verdicts:
        state = {True: "ok", False: "FAILED", None: "not checked: the tool is not on this machine"}[verdict.passed]
        typer.echo(f"  {verdict.check}: {verdict.files} files, {state}", err=True)
    if failed := [verdict for verdict in verdicts if verdict.passed is False]:
        said = "\n".join(f"{verdict.check}:\n{verdict.output.strip()}" for verdict in failed)
        raise OutsideError(f"the tools refuse what was rendered; nothing was written\n{said}")


def _as_json(differences: Differences) -> dict[str, list[str]]:
    return {
        "added": list(differences.added),
        "changed": list(differences.changed),
        "removed": list(differences.removed),
    }


def _tell(differences: Differences, folder: Path, total: int, *, check: bool) -> None:
    for symbol, paths in (("+", differences.added), ("~", differences.changed), ("-", differences.removed)):
        for path in paths:
            typer.echo(f"  {symbol} {folder / path}")
    count = len(differences.added) + len(differences.changed) + len(differences.removed)
    if not differences:
        typer.echo(f"{folder}: {total} files, nothing changed")
    elif check:
        typer.echo(f"{folder} is stale: {count} of {total} files differ; run `aamic render`")
    else:
        typer.echo(
            f"{folder}: {len(differences.added)} added, {len(differences.changed)} changed, "
            f"{len(differences.removed)} removed, {total} in all"
        )
