"""Edits of a site's own files: proposed in memory, shown, written whole or not at all, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.commands.applying import ask, need_consent
from aamic.commands.options import print_json
from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from aamic.clients.files import Rewrite
    from aamic.compile.compiler import Checked, Compiled
    from aamic.compile.edit import Sources
    from aamic.compile.parse import Document
    from aamic.model.plan import Plan

_LONGEST: Final = 200
"""Characters of a line that are shown."""
PlanWanted = Annotated[
    bool, typer.Option("--plan/--no-plan", help="Look at the hosts and show what an apply would do.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the edit, and write nothing.")]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Files with new contents, the site as it is, and that which they are then; no files where it says so already."""

    files: tuple[Rewrite, ...]
    compiled: Compiled
    before: Checked

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
    instead = {file.path.as_posix(): file.after for file in files}
    try:
        compiled = compile_document(load(site, instead), shipped_catalog())
    except InputError as error:
        raise InputError([_as_it_would_be(each, instead) for each in error.problems]) from error
    warn(compiled.warnings)
    return Proposal(tuple(files), compiled, checked)


def _as_it_would_be(problem: Problem, instead: Mapping[str, bytes]) -> Problem:
    """A problem in a text that nobody has seen, with the line instead of the place."""
    place = problem.place
    if place is None or place.path not in instead:
        return problem
    lines = instead[place.path].decode(errors="replace").splitlines()
    line = lines[place.line - 1].strip() if place.line <= len(lines) else ""
    where = f"in the site as it would be, where `{place.path}` says `{line[:_LONGEST]}`"
    hint = f"{problem.hint}; {where}" if problem.hint else where
    return replace(problem, place=None, also=(), hint=hint)


def tried(site: Path, document: Document, edit: Callable[[Sources], Sources]) -> Checked:
    """The site that an edit would make of one that was read, checked. Raises InputError where it would be wrong."""
    from aamic.compile.compiler import check_document, shipped_catalog
    from aamic.compile.edit import changed
    from aamic.compile.parse import load

    instead = {file.name: file.text.encode() for file in changed(document.files, edit(document.files))}
    return check_document(load(site, instead), shipped_catalog())


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

    if not proposal.files or dry_run:
        return False
    ask(f"Write this to {proposal.names}?", yes=yes)
    rewrite(proposal.files)
    return True


def need_consent_unless(*, yes: bool, dry_run: bool) -> None:
    """Refuse at once to write what nobody can be asked about."""
    need_consent(yes=yes or dry_run, hint="`--yes` writes without asking; `--dry-run` only shows the edit")


def show(proposal: Proposal, *, json: bool) -> None:
    """Print the difference of each file, beside what a machine reads where there is such."""
    for difference in differences_of(proposal).values():
        typer.echo(difference, err=json)


# What a command does with an edit


@dataclass(frozen=True, slots=True)
class Way:
    """How a command was asked to go about an edit; without `plan` no host is looked at."""

    plan: bool
    host_root: Path | None
    yes: bool
    dry_run: bool
    json: bool

    def need_consent(self) -> None:
        """Refuse to write what nobody can be asked about."""
        need_consent_unless(yes=self.yes, dry_run=self.dry_run)


@dataclass(frozen=True, slots=True)
class About:
    """What is told of an edit besides itself.

    `shown` comes before the question, `notes` after it; `question` is asked first where an edit needs a second thought.
    `values` go beside the edit into JSON.
    """

    shown: str = ""
    notes: tuple[str, ...] = ()
    question: str = ""
    values: Mapping[str, Any] | None = None


def carry_out(proposal: Proposal, site: Path, way: Way, about: About) -> None:
    """Show an edit, write it where that is wanted, and show what an apply would do then. Nothing is applied."""
    if proposal.files:
        way.need_consent()
    differences = differences_of(proposal)
    for text in filter(None, (*differences.values(), about.shown)):
        typer.echo(text, err=way.json)
    if about.question and proposal.files and not way.dry_run:
        ask(about.question, yes=way.yes)
    written = settle(proposal, yes=way.yes, dry_run=way.dry_run)
    if not way.json:
        typer.echo(_outcome(proposal, site, written=written))
        for note in about.notes:
            typer.echo(f"note: {note}")
    made = _plan(proposal, site, way.host_root) if way.plan else None
    if way.json:
        files = [{"path": path, "diff": difference} for path, difference in differences.items()]
        edit = {"version": 1, "files": files, "written": written, "notes": list(about.notes)}
        print_json({**edit, **(about.values or {}), "plan": made and _as_json(made)})
    elif made is not None:
        from aamic.commands.plan import Format, shown

        typer.echo("\n" + shown(made, Format.text), nl=False)


def _outcome(proposal: Proposal, site: Path, *, written: bool) -> str:
    if not proposal.files:
        return f"`{site}` says so already"
    return f"wrote {proposal.names}" if written else "nothing was written"


def _plan(proposal: Proposal, site: Path, host_root: Path | None) -> Plan:
    from aamic.commands import planning
    from aamic.commands.plan import look

    return look(planning.scope(proposal.compiled, planning.Wish()), site, host_root)


def _as_json(made: Plan) -> Any:
    import json

    from aamic.deploy.saved import dump

    return json.loads(dump(made))
