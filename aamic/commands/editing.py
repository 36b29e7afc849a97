"""Edits of a site's own files: proposed in memory, shown, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.errors import OutsideError

if TYPE_CHECKING:
    from aamic.clients.files import Rewrite
    from aamic.compile.compiler import Checked, Compiled
    from aamic.compile.edit import Sources

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the edit, and write nothing.")]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Files with new contents, and the site that they are then; no files where it says so already."""

    files: tuple[Rewrite, ...]
    compiled: Compiled

    @property
    def names(self) -> str:
        """The files, for a sentence."""
        return ", ".join(f"`{file.path}`" for file in self.files)


def propose(site: Path, edit: Callable[[Checked, Sources], Sources]) -> Proposal:
    """What an edit makes of a site; nothing is written.

    Raises:
        InputError: The site is wrong as it is, or would be, or the edit would change more than what it is about.
        OutsideError: A file cannot be read.
    """
    from aamic.clients.files import Rewrite
    from aamic.commands.options import warn
    from aamic.compile.compiler import check_document, compile_document, shipped_catalog
    from aamic.compile.edit import changed
    from aamic.compile.parse import load

    document = load(site)
    checked = check_document(document, shipped_catalog())
    after = edit(checked, document.files)
    texts = {file.name: file.text for file in document.files}
    files = []
    for file in changed(document.files, after):
        before = _bytes_of(Path(file.name), texts[file.name])
        mark = before[: len(before) - len(texts[file.name].encode())]
        files.append(Rewrite(Path(file.name), before, mark + file.text.encode()))
    compiled = compile_document(load(site, {file.path.as_posix(): file.after for file in files}), shipped_catalog())
    warn(compiled.warnings)
    return Proposal(tuple(files), compiled)


def _bytes_of(path: Path, text: str) -> bytes:
    """The bytes of a file that was read as this text, with a byte order mark where it has one."""
    from aamic.compile.folder import read_file
    from aamic.compile.text import decode

    try:
        found = read_file(path)
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}") from error
    if decode(found, str(path)) != text:
        raise OutsideError(f"`{path}` has changed meanwhile", "nothing was written; run the command again")
    return found


def differences_of(proposal: Proposal) -> dict[str, str]:
    """The difference of each file, by name."""
    from aamic.views.edits import difference

    return {
        str(file.path): "\n".join(difference(str(file.path), file.before.decode(), file.after.decode()))
        for file in proposal.files
    }


def settle(proposal: Proposal, *, yes: bool, dry_run: bool) -> bool:
    """Ask, and write the files; return whether they were written. Ends the command where somebody says no."""
    from aamic.clients.files import rewrite
    from aamic.commands.applying import ask

    if not proposal.files or dry_run:
        return False
    ask(f"Write this to {proposal.names}?", yes=yes)
    rewrite(proposal.files)
    return True
