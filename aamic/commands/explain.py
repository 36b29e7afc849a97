"""`aamic explain`, and `explain` and `list-errors` of each vendor: what errors of GPUs mean."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import Json, colourful, columns, print_json
from aamic.errors import OutsideError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aamic.ops.gpucodes import Answer

_USAGE = (
    "write a kind and codes, such as `aamic explain xid 79`, or give it a kernel log: `dmesg | aamic explain`, "
    "`aamic explain --log FILE`"
)


class SeverityName(StrEnum):
    """The severities of `aamic/model/gpuerror.py`."""

    critical = "critical"
    warning = "warning"
    info = "info"


class PolicyName(StrEnum):
    """The policies of `aamic/model/gpuerror.py`."""

    fatal = "fatal"
    uncorrected = "uncorrected"
    application = "application"
    ignored = "ignored"
    corrected = "corrected"
    workflow = "workflow"
    unlisted = "unlisted"


KindOf = Annotated[str | None, typer.Argument(metavar="KIND", help="What the codes are, such as xid or ras.")]
Codes = Annotated[list[str] | None, typer.Argument(metavar="CODE...", help="Numbers or words, such as 79 or umc.")]
VendorCodes = Annotated[list[str], typer.Argument(metavar="CODE...", help="Numbers or words, such as 79 or umc.")]
Log = Annotated[Path | None, typer.Option("--log", metavar="FILE", help="A kernel log to read.", show_default=False)]
BySeverity = Annotated[SeverityName | None, typer.Option("--severity", help="Only those.", show_default=False)]
ByPolicy = Annotated[PolicyName | None, typer.Option("--policy", help="Only those.", show_default=False)]


def explain(kind: KindOf = None, codes: Codes = None, *, log: Log = None, json: Json = False) -> None:
    """Explain error codes of GPUs, or the errors in a kernel log from a file or standard input."""
    if kind is None:
        _explain_log(log, json=json)
        return
    if log is not None:
        raise typer.BadParameter("codes and a log cannot be explained in one", param_hint="--log")
    _show(_of_kind(kind, codes or []), json=json)


def explain_of(vendor: str) -> Callable[..., None]:
    """`aamic VENDOR explain`."""

    def explain(codes: VendorCodes, *, json: Json = False) -> None:
        from aamic.ops import gpucodes

        _show(_answers(codes, lambda code: gpucodes.of_vendor(vendor, code)), json=json)

    explain.__doc__ = f"Explain error codes of {vendor} GPUs."
    return explain


def list_errors_of(vendor: str) -> Callable[..., None]:
    """`aamic VENDOR list-errors`."""

    def list_errors(*, severity: BySeverity = None, policy: ByPolicy = None, json: Json = False) -> None:
        from aamic.ops import gpucodes
        from aamic.views import explain as view

        errors = [
            error
            for error in gpucodes.all_of(vendor)
            if severity in {None, error.severity} and policy in {None, error.policy}
        ]
        if json:
            print_json(view.list_json(errors))
        else:
            typer.echo(view.list_text(errors, width=columns(), colour=colourful()), nl=False)

    list_errors.__doc__ = f"List every error code of {vendor} GPUs that aamic knows."
    return list_errors


def _explain_log(log: Path | None, *, json: bool) -> None:
    from aamic.ops.gpulog import read_log
    from aamic.views import explain as view

    found = read_log(_text(_lines(log)))
    if json:
        print_json(view.log_json(found))
    else:
        typer.echo(view.log_text(found, width=columns(), colour=colourful()), nl=False)


def _lines(log: Path | None) -> Iterator[bytes]:
    """The lines of the file, or of standard input where something other than a person is behind it."""
    from aamic.clients.textlines import lines, lines_of

    if log is not None:
        return lines_of(log)
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(_USAGE, param_hint="KIND")
    return lines(sys.stdin.buffer, "standard input")


def _text(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The same lines; OutsideError if they are those of a packed file, which would look like a log without errors."""
    from itertools import chain

    from aamic.ops.loglines import packed

    first = next(lines, b"")
    if hint := packed(first):
        raise OutsideError("the log is not text", hint)
    return chain([first] if first else [], lines)


def _of_kind(kind: str, typed: Sequence[str]) -> list[Answer]:
    from aamic.compile.suggest import closest
    from aamic.ops import gpucodes

    known = gpucodes.kinds()
    if kind.lower() not in known:
        near = closest(kind, known)
        hint = f"did you mean `{near}`?" if near else "write one before it, such as `aamic explain xid 79`"
        raise typer.BadParameter(f"`{kind}` is no kind of code ({', '.join(known)}); {hint}", param_hint="KIND")
    return _answers(typed, lambda code: gpucodes.of_kind(kind.lower(), code))


def _answers(typed: Sequence[str], explained: Callable[[str], Answer]) -> list[Answer]:
    """What each code means; a usage error that tells of all that are none, or where there are none."""
    from aamic.ops import gpucodes

    answers, wrong = [], []
    for code in gpucodes.codes(typed):
        try:
            answers.append(explained(code))
        except gpucodes.NoCodeError as error:
            wrong.append(str(error))
    if wrong or not answers:
        raise typer.BadParameter("\n".join(wrong) or "write at least one code", param_hint="CODE")
    return answers


def _show(answers: Sequence[Answer], *, json: bool) -> None:
    from aamic.views import explain as view

    if json:
        print_json(view.errors_json((each.asked, error, each.near) for each in answers for error in each.errors))
        return
    asked = [(error, each.near) for each in answers for error in each.errors]
    typer.echo(view.errors_text(asked, width=columns(), colour=colourful()), nl=False)
