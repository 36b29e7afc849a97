"""`aamic keys create`, `revoke` and `list`: who may read this cluster through `aamic serve`."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aamic.commands.applying import Yes, ask
from aamic.commands.editing import DryRun, differences_of, need_consent_unless, propose, show
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aamic.commands.editing import Proposal
    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources
    from aamic.model.clusters import ServeKey

_BYTES: Final = 32
_KEYS: Final = ("serve", "keys")
_SHOWN: Final = 12
_NEXT: Final = "`aamic apply` brings it to the server"

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Who has the key.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write the key to; it must not exist.")]


def create_key(  # noqa: PLR0913  # one argument for each option
    name: KeyName,
    out: Out,
    site: SitePath = DEFAULT_SITE,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make a key, write it to a file of its own, and its digest into site.yaml. The key itself is never shown."""
    import secrets

    from aamic.clients.files import expect_absent

    need_consent_unless(yes=yes, dry_run=dry_run)
    expect_absent(out)
    key = secrets.token_urlsafe(_BYTES)
    made = _made(name, key)
    proposal = propose(site, lambda now, files: _added(now, files, made))
    show(proposal, json=json)
    written = not dry_run
    if written:
        _write(proposal, out, key, yes=yes)
    _tell(proposal, {"name": name, "sha256": made.sha256, "file": str(out)}, written=written, json=json)
    if written and not json:
        typer.echo(f"wrote the key to `{out}`; hand it over, then remove it\nnext: {_NEXT}")
        if out.resolve().is_relative_to(site.resolve().parent):
            typer.echo("note: it stands in the folder of the site: keep it out of git")


def revoke_key(
    name: KeyName,
    site: SitePath = DEFAULT_SITE,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take a key's digest out of site.yaml; after the next apply nobody is let in with it."""
    from aamic.commands.editing import settle

    need_consent_unless(yes=yes, dry_run=dry_run)
    proposal = propose(site, lambda now, files: _removed(now, files, name))
    show(proposal, json=json)
    written = settle(proposal, yes=yes, dry_run=dry_run)
    _tell(proposal, {"name": name}, written=written, json=json)
    if written and not json:
        typer.echo(f"next: {_NEXT}; until then the key is let in")


def list_keys(site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """Show who has a key, with the beginning of its digest."""
    found = _keys(checked(site))
    if json:
        print_json({"version": 1, "keys": [{"name": key.name, "sha256": key.sha256} for key in found]})
        return
    width = max((len(key.name) for key in found), default=0)
    for key in found:
        typer.echo(f"{key.name:{width}}  sha256 {key.sha256[:_SHOWN]}")
    if not found:
        typer.echo("there are no keys")


# The edits


def _keys(now: Checked) -> Sequence[ServeKey]:
    return now.site.serve.keys if now.site.serve else ()


def _made(name: str, key: str) -> ServeKey:
    """The key as the site has it. Raises InputError where it cannot have this name."""
    from pydantic import ValidationError

    from aamic.model.clusters import ServeKey

    try:
        return ServeKey(name=name, sha256=sha256(key.encode()).hexdigest())
    except ValidationError as error:
        hint = "write up to 63 letters, digits, `_`, `.` and `-`, beginning with a letter or digit"
        raise InputError([Problem(f"`{name}` is no name for a key", hint=hint)]) from error


def _added(now: Checked, files: Sources, made: ServeKey) -> Sources:
    from aamic.compile.edit import append

    if now.site.serve is None:
        hint = "add `serve` with `tls_cert` and `tls_key` first: docs/clusters.md"
        raise InputError([Problem("this site serves nothing that a key could open", hint=hint)])
    if made.name in {key.name for key in _keys(now)}:
        hint = "choose another name, or revoke that key first"
        raise InputError([Problem(f"there is a key `{made.name}` already", hint=hint)])
    return append(files, _KEYS, {"name": made.name, "sha256": made.sha256})


def _removed(now: Checked, files: Sources, name: str) -> Sources:
    from aamic.compile.edit import remove
    from aamic.compile.suggest import closest

    names = [key.name for key in _keys(now)]
    if name not in names:
        like = closest(name, names)
        hint = f"did you mean `{like}`?" if like else "`aamic keys list` shows those that there are"
        raise InputError([Problem(f"there is no key `{name}`", hint=hint)])
    return remove(files, _KEYS if len(names) == 1 else (*_KEYS, names.index(name)))


# What becomes of them


def _write(proposal: Proposal, out: Path, key: str, *, yes: bool) -> None:
    """Write the key and the site, or neither of them."""
    from aamic.clients.files import fresh_secret, rewrite

    ask(f"Write this to {proposal.names}, and the key to `{out}`?", yes=yes)
    with fresh_secret(out, f"{key}\n".encode()):
        rewrite(proposal.files)


def _tell(proposal: Proposal, about: dict[str, Any], *, written: bool, json: bool) -> None:
    if json:
        files = [{"path": path, "diff": difference} for path, difference in differences_of(proposal).items()]
        print_json({"version": 1, **about, "files": files, "written": written})
    else:
        typer.echo(f"wrote {proposal.names}" if written else "nothing was written")
