"""`aamic init`: a small site to begin with."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from aamic.errors import OutsideError

Folder = Annotated[Path, typer.Argument(help="Folder to write; made if it does not exist.", metavar="DIR")]


def init(folder: Folder) -> None:
    """Write a small commented site.yaml that compiles."""
    path = folder / "site.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(files("aamic.commands").joinpath("first-site.yaml").read_bytes())
    except FileExistsError:
        raise OutsideError(f"`{path}` exists already", "choose another folder; nothing was written") from None
    except OSError as error:
        raise OutsideError(f"cannot write `{path}`: {error.strerror}") from error
    typer.echo(f"wrote {path}\nnext: aamic validate -f {path}, then aamic render -f {path}")
