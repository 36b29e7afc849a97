"""A site that hosts keep becomes a folder again, as it was, and what it needs besides is named."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aamic.compile.outside import Outside
    from aamic.deploy.sitefind import Choice
    from aamic.model.site import Site
    from aamic.model.sitecopy import SiteCopy


@dataclass(frozen=True, slots=True)
class Brought:
    """A site that was written: its main file, all of its files, and what it refers to that is not here.

    `here` is what it refers to that does not stand in its folder and is here all the same: whoever wrote the site chose
    what an apply takes from this machine.
    `problems` are those of the site as it stands now: this aamic may know it otherwise than the one that left it.
    """

    main: Path
    files: tuple[str, ...]
    missing: tuple[Outside, ...]
    commands: tuple[Outside, ...]
    here: tuple[Outside, ...] = ()
    problems: tuple[Problem, ...] = ()


def bring(choice: Choice, copy: SiteCopy, out: Path) -> Brought:
    """Write the files of a copy to `out`, and compile what is there then.

    `out` is a folder; or, where it ends like a file of YAML, the main file, which the others stand beside.

    Raises:
        OutsideError: The copy has files that its site does not read, or the folder is not empty. Nothing is written.
    """
    from aamic.clients.sitefolder import write_site
    from aamic.compile.compiler import compile_site

    folder, name = split(out, copy.main)
    files = {name if each == copy.main else each: text.encode() for each, text in copy.files.items()}
    _expect_whole(files, len(copy.files), name, choice.host)
    write_site(folder, files)
    main = folder / name
    try:
        site = compile_site(main).site
    except InputError as error:
        return Brought(main, tuple(files), (), (), problems=error.problems)
    return Brought(main, tuple(files), *_outside(site, main.parent))


def split(out: Path, main: str) -> tuple[Path, str]:
    """The folder that is written to, and what the main file is called there.

    >>> from pathlib import Path
    >>> split(Path("new"), "gpu.yaml"), split(Path("new/site.yaml"), "gpu.yaml")
    ((PosixPath('new'), 'gpu.yaml'), (PosixPath('new'), 'site.yaml'))
    """
    is_file = out.suffix in {".yaml", ".yml"} and not out.is_dir()
    return (out.parent, out.name) if is_file else (out, main)


def _expect_whole(files: Mapping[str, bytes], count: int, main: str, host: str) -> None:
    """Refuse a copy that holds anything but the files of its site: who knows what else would read them here."""
    import tempfile
    from pathlib import Path

    from aamic.clients.sitefolder import write_site
    from aamic.compile.parse import load

    with tempfile.TemporaryDirectory(prefix="aamic-") as temporary:
        folder = Path(temporary) / "site"
        write_site(folder, files)
        document = load(folder / main)
    texts = dict.fromkeys((Path(file.name).relative_to(folder).as_posix() for file in document.files), "YAML")
    kinds = dict.fromkeys(document.sources, "CSV") | dict.fromkeys(document.certificates.files, "PEM") | texts
    if told := _why_not_whole(files, kinds, count):
        raise OutsideError(f"the copy of the site on `{host}` is of no use: {told}", "nothing is written")


def _why_not_whole(files: Mapping[str, bytes], read: Mapping[str, str], count: int) -> str:
    """Why these are not just the files that a site of theirs reads, each as what it is by its name, or ''."""
    if strange := sorted(files.keys() - read.keys()):
        whether = " or which holds no certificate" if _kind(strange[0]) == "PEM" else ""
        return f"it holds `{strange[0]}`, which its site does not read{whether}"
    if read.keys() != files.keys() or len(files) != count:
        return "its site reads other files"
    wrong = sorted(name for name in files if read[name] != _kind(name))
    return f"its site reads `{wrong[0]}` as {read[wrong[0]]}" if wrong else ""


def _kind(name: str) -> str:
    """What a file is by its name.

    >>> _kind("racks/r01.yaml"), _kind("nodes.csv"), _kind("tls/ca.crt")
    ('YAML', 'CSV', 'PEM')
    """
    from aamic.compile.sitecopy import PEM

    return "PEM" if name.endswith(PEM) else "CSV" if name.endswith(".csv") else "YAML"


def _outside(site: Site, folder: Path) -> tuple[tuple[Outside, ...], tuple[Outside, ...], tuple[Outside, ...]]:
    """What a site refers to that is not here; commands, which nobody can know to be right; and what is here."""
    import os
    from pathlib import Path

    from aamic.compile.outside import outside

    def is_missing(each: Outside) -> bool:
        if each.kind == "env":
            return each.name not in os.environ
        return not (folder / Path(each.name).expanduser()).exists()

    found = outside(site)
    others = [each for each in found if each.kind != "command"]
    missing = tuple(each for each in others if is_missing(each))
    commands = tuple(each for each in found if each.kind == "command")
    return missing, commands, tuple(each for each in others if each not in missing)


def told(brought: Brought, choice: Choice) -> Iterator[str]:
    """What is said of it, line by line."""
    copy = choice.copy
    if copy is None:
        return
    revision = f", revision {copy.revision}" if copy.revision else ""
    count = f"{len(brought.files):,} file{'s' * (len(brought.files) != 1)}"
    yield f"cluster {copy.cluster}, as release {copy.release} of aamic {copy.aamic} left it on {choice.host}{revision}"
    yield f"wrote {count}: {', '.join(brought.files)}"
    for each in brought.missing:
        what = "variable" if each.kind == "env" else "file"
        yield f"not brought along: {each.key} needs the {what} `{each.name}`"
    for each in brought.commands:
        yield f"read this before an apply runs it: {each.key} is what `{each.name}` prints"
    for each in brought.here:
        what = "the variable" if each.kind == "env" else "the file"
        yield f"read this before the next apply: {each.key} takes {what} `{each.name}` from here"
    if not brought.problems:
        yield f"next: aamic plan -f {quote(str(brought.main))}"


def bring_back(choice: Choice, out: Path | None, *, json: bool) -> None:
    """Write the site that hosts keep, and say what is to be known of it; ends the command with 1 where it is wrong."""
    import typer

    from aamic.commands.options import print_json
    from aamic.views.problems import text
    from aamic.views.terminal import safe

    if choice.copy is None:
        return
    if out is None:
        count = f"{len(choice.copy.files):,} file{'s' * (len(choice.copy.files) != 1)}"
        raise OutsideError(
            f"`{choice.host}` keeps the site of cluster {choice.copy.cluster}, {count}; nothing is written",
            "name the folder to write it to with `--out`",
        )
    brought = bring(choice, choice.copy, out)
    if json:
        print_json(as_json(brought, choice))
    else:
        for warning in choice.warnings:
            typer.echo(safe(f"warning: {warning}"), err=True)
        for note in choice.notes:
            typer.echo(safe(f"note: {note}"), err=True)
        for line in told(brought, choice):
            typer.echo(safe(line))
        if brought.problems:
            typer.echo(text(brought.problems), err=True)
    if brought.problems:
        raise typer.Exit(1)


def as_json(brought: Brought, choice: Choice) -> dict[str, Any]:
    """The same for a machine."""
    copy = choice.copy
    return {
        "site": str(brought.main),
        "from": choice.host,
        "cluster": copy.cluster if copy else "",
        "release": copy.release if copy else "",
        "revision": copy.revision if copy else "",
        "rolled_back": copy.rolled_back if copy else "",
        "files": list(brought.files),
        "missing": [_told_outside(each) for each in brought.missing],
        "commands": [_told_outside(each) for each in brought.commands],
        "here": [_told_outside(each) for each in brought.here],
        "notes": [*choice.warnings, *choice.notes],
        "problems": [problem.message for problem in brought.problems],
    }


def _told_outside(each: Outside) -> dict[str, str]:
    return {"key": each.key.strip("`"), "kind": each.kind, "name": each.name}
