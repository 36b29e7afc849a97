"""`aamic import`: a site from what a cluster has already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.hostsource import Addresses, BecomeRoot, HostList, HostSource, KnownHosts, SshKey, SshUser
from aamic.commands.options import Json, print_json
from aamic.commands.transport import HostRoot, Parallel
from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from aamic.catalog.base import Signs
    from aamic.compile.draft import Pages
    from aamic.compile.imports.sighting import Reading
    from aamic.compile.imports.slurm import Text
    from aamic.model.draft import Draft


class From(StrEnum):
    """A kind of source."""

    slurm = "slurm"
    file_sd = "file-sd"
    ansible = "ansible"
    hosts = "hosts"


SlurmConf = Annotated[
    Path | None, typer.Option("--slurm-conf", help="slurm.conf; gres.conf beside it is read too.", metavar="PATH")
]
GresConf = Annotated[Path | None, typer.Option("--gres-conf", help="gres.conf that stands elsewhere.", metavar="PATH")]
FileSd = Annotated[
    list[str] | None,
    typer.Option("--file-sd", help="Prometheus' file_sd, JSON or YAML; may be a glob.", metavar="GLOB"),
]
Ansible = Annotated[
    list[Path] | None,
    typer.Option(
        "--ansible", help="Ansible inventory: INI, YAML, or JSON of `ansible-inventory --list`.", metavar="PATH"
    ),
]
Cluster = Annotated[str | None, typer.Option("--cluster", help="Name of the cluster.", metavar="NAME")]
PrometheusNode = Annotated[
    str | None, typer.Option("--prometheus-node", help="Node that Prometheus is to run on.", metavar="NAME")
]
Gpu = Annotated[
    list[str] | None,
    typer.Option(
        "--gpu",
        help="GPUs of nodes of which too little is known; with HOSTS= of these nodes, whatever else is known.",
        metavar="[HOSTS=]VENDOR:MODEL:COUNT",
    ),
]
Prefer = Annotated[list[From] | None, typer.Option("--prefer", help="Source that is right where sources differ.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File to write, instead of standard output; of --hosts, a folder as well."),
]


def import_site(  # noqa: PLR0913  # each is an option
    *,
    slurm_conf: SlurmConf = None,
    gres_conf: GresConf = None,
    file_sd: FileSd = None,
    ansible: Ansible = None,
    hosts: HostList = "",
    addresses: Addresses = "",
    ssh_user: SshUser = None,
    ssh_key: SshKey = None,
    known_hosts: KnownHosts = None,
    become: BecomeRoot = None,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    cluster: Cluster = None,
    prometheus_node: PrometheusNode = None,
    gpu: Gpu = None,
    prefer: Prefer = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Build a site.yaml from slurm.conf, Prometheus' file_sd, Ansible inventories, or the hosts themselves."""
    from aamic.compile.compiler import shipped_catalog
    from aamic.compile.imports.gpus import wish
    from aamic.compile.imports.merge import Words, merge
    from aamic.compile.imports.sighting import Wishes
    from aamic.compile.imports.taken import taken_labels

    others = bool(slurm_conf or gres_conf or file_sd or ansible)
    if not (others or hosts):
        raise typer.BadParameter("name a source: `--slurm-conf`, `--gres-conf`, `--file-sd`, `--ansible` or `--hosts`")
    if not hosts:
        expect_new(out)
    signs = {vendor.name: vendor.signs for vendor in shipped_catalog().vendors}
    gpus = tuple(wish(text, signs) for text in gpu or ())
    wishes = Wishes(cluster, gpus, tuple(each.value for each in prefer or ()))
    readings = [*_slurm(slurm_conf, gres_conf, signs), *_targets(file_sd or [], signs), *_inventories(ansible or [])]
    if hosts:
        source = HostSource(hosts, addresses, ssh_user, ssh_key, known_hosts, become, host_root, parallel)
        alone = not (others or gpu or prefer or cluster or prometheus_node)
        if (reading := _of_hosts(source, out, alone=alone, json=json)) is None:
            return
        readings, out = [*readings, reading], _file(out)
        expect_new(out)
    words = Words(signs, taken_labels(shipped_catalog()))
    finish(merge(readings, wishes, words), prometheus_node, out, json=json)


def _of_hosts(source: HostSource, out: Path | None, *, alone: bool, json: bool) -> Reading | None:
    """What hosts are; None where they keep their site, which is written as it was."""
    from aamic.commands.bringing import bring_back
    from aamic.commands.hostsource import look

    looked = look(source)
    if looked.choice.copy is not None and not alone:
        told = f"`{looked.choice.host}` keeps the site of cluster {looked.choice.copy.cluster}, which is taken as it is"
        raise OutsideError(told, "give no other source, and nothing that would change it; or do not name that host")
    if looked.reading is None:
        bring_back(looked.choice, out, json=json)
    return looked.reading


def _file(out: Path | None) -> Path | None:
    """The file that a draft is written to, where a folder may be named."""
    if out is None or (out.suffix in {".yaml", ".yml"} and not out.is_dir()):
        return out
    return out / "site.yaml"


def expect_new(out: Path | None) -> None:
    """Tell before any work that a file is in the way. Raises OutsideError."""
    if out is not None and os.path.lexists(out):
        raise OutsideError(f"`{out}` exists already", "choose another name; nothing was written")


def finish(draft: Draft, prometheus_node: str | None, out: Path | None, *, json: bool) -> None:
    """Write a draft as a site, compiled before; what is wrong with it is told, and ends the command with 1."""
    from aamic.compile.compiler import shipped_catalog
    from aamic.compile.draft import INVENTORY, Pages, pages, write
    from aamic.views.draft import notes, to_json
    from aamic.views.problems import text

    vendors = tuple(vendor.name for vendor in shipped_catalog().vendors)
    made = Pages(write(draft, vendors, prometheus_node)) if out is None else pages(draft, vendors, prometheus_node)
    name = out or Path("site.yaml")
    problems = _compiled(made, name)
    failed = any(problem.severity == "error" for problem in problems)
    if json:
        print_json(to_json(draft, made.site, made.inventory, problems))
    elif out is None:
        typer.echo(made.site, nl=False)
    for line in notes(draft) if not json else ():
        typer.echo(line, err=True)
    if failed and out is not None:
        problems = tuple(replace(each, place=None, also=()) for each in problems)  # no such file is there
    if problems and not json:
        typer.echo(text(problems), err=True)
    if failed and out is not None and not json:
        typer.echo(f"hint: `{out}` was not written; without `--out` it is printed, with the places", err=True)
    if failed:
        raise typer.Exit(1)
    if out is not None:
        contents = {out: made.site, **({out.parent / INVENTORY: made.inventory} if made.inventory else {})}
        _write_new(contents)
        if not json:
            typer.echo(f"wrote {' and '.join(map(str, contents))}\nnext: read it, then aamic plan -f {out}")


def _compiled(made: Pages, name: Path) -> tuple[Problem, ...]:
    """What the compiler says of the site: warnings, or what is wrong with it."""
    from aamic.compile.compiler import compile_document, shipped_catalog
    from aamic.compile.draft import INVENTORY
    from aamic.compile.folder import Memory
    from aamic.compile.parse import parse

    files = Memory({INVENTORY: made.inventory.encode()} if made.inventory else {})
    try:
        document = parse(made.site.encode(), name.as_posix(), files)
        return compile_document(document, shipped_catalog()).warnings
    except InputError as error:
        return error.problems


def _write_new(contents: dict[Path, str]) -> None:
    """Write files that do not exist yet, all of them or none."""
    done: list[Path] = []
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                done.append(path)
                file.write(content.encode())
    except OSError as error:
        for written in done:
            written.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise OutsideError(f"`{path}` exists already", "choose another folder; nothing was written") from None
        raise OutsideError(f"cannot write `{path}`: {error.strerror}") from error


def _slurm(conf: Path | None, gres: Path | None, signs: Mapping[str, Signs]) -> Iterator[Reading]:
    """What Slurm's files say; gres.conf is looked for where Slurm does, beside slurm.conf."""
    from aamic.compile.imports.sighting import Reading
    from aamic.compile.imports.slurm import read_slurm

    if gres is None and conf is not None and (beside := conf.parent / "gres.conf").is_file():
        gres = beside
    problems: list[Problem] = []
    texts = [_text(path, problems) if path is not None else None for path in (conf, gres)]
    yield read_slurm(texts[0], texts[1], signs)
    yield Reading(problems=tuple(problems))


def shown(text: str) -> str:
    """Text of the command line as a message may quote it."""
    from aamic.compile.text import shown as quoted

    return quoted(text)


def _text(path: Path, problems: list[Problem]) -> Text | None:
    from aamic.compile.folder import Folder
    from aamic.compile.imports.slurm import Text

    data = _bytes(path, problems)
    return Text(data, path.as_posix(), Folder(path.parent)) if data is not None else None


def _targets(patterns: Iterable[str], signs: Mapping[str, Signs]) -> Iterator[Reading]:
    from aamic.compile.imports.filesd import read_file_sd
    from aamic.compile.imports.sighting import Reading

    for pattern in patterns:
        problems: list[Problem] = []
        paths = [pattern] if os.path.exists(pattern) else sorted(glob(pattern, recursive=True))  # noqa: PTH110, PTH207
        if not paths:
            problems.append(Problem(f"{shown(pattern)} of `--file-sd` matches no file", None, "check the path"))
        for path in paths:
            if (data := _bytes(Path(path), problems)) is not None:
                yield read_file_sd(data, path, signs)
        yield Reading(problems=tuple(problems))


def _inventories(paths: Iterable[Path]) -> Iterator[Reading]:
    from aamic.compile.imports.ansible import read_ansible
    from aamic.compile.imports.sighting import Reading

    for path in paths:
        problems: list[Problem] = []
        if (data := _bytes(path, problems)) is not None:
            yield read_ansible(data, path.as_posix())
        beside = [name for name in ("group_vars", "host_vars") if (path.parent / name).is_dir()]
        said = f"{' and '.join(map(shown, beside))} beside {shown(path.as_posix())} were not read"
        notes = [f"{said}: give the output of `ansible-inventory --list` instead"] if beside else []
        yield Reading(notes=tuple(notes), problems=tuple(problems))


def _bytes(path: Path, problems: list[Problem]) -> bytes | None:
    from aamic.compile.folder import read_file

    try:
        return read_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problems.append(Problem(f"{shown(path.as_posix())} cannot be read: {reason}", None, "check the path"))
        return None
