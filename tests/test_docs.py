"""The words of the project are held to what they describe.

Every command that README.md and docs/commands.md show is run, and its output must be the one shown: in a `console`
block after `$ `, or as a block behind a comment `<!-- $ command -->`. The page runs from top to bottom in one shell, in
a folder that holds `site.example` and the outputs committed for it. `AAMIC_GOLDEN=update` writes the outputs anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any, get_args

import pytest
import typer.main
from pydantic import BaseModel
from typer.testing import CliRunner

from aamic.catalog.vendors import NAMES
from aamic.cli import GROUPS, app
from aamic.compile.compiler import check_site, shipped_catalog
from aamic.compile.schema import site_model
from aamic.views.markdown import anchor

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
SHOWN = [ROOT / "README.md", ROOT / "docs/commands.md"]
SLURM = ROOT / "tests/recorded/slurm/bin"
GROUP = f"(?:{'|'.join(word for word, _, _ in GROUPS)})"
"""Programs that answer as those of a recorded Slurm cluster."""
STEP = re.compile(r"^<!-- \$ (?P<hidden>.*) -->\n```\w+\n(?P<block>(?s:.*?))^```$", re.MULTILINE)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\$ (?P<typed>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


def names(pages: list[Path]) -> list[str]:
    return [page.relative_to(ROOT).as_posix() for page in pages]


# What the pages show


def steps(text: str) -> list[tuple[str, int, int]]:
    """Every command of a page with the span of its output, from top to bottom."""
    found = [(match["hidden"], *match.span("block")) for match in STEP.finditer(text)]
    for block in CONSOLE.finditer(text):
        for match in TYPED.finditer(block[1]):
            start, end = match.span("output")
            found.append((match["typed"], block.start(1) + start, block.start(1) + end))
    return sorted(found, key=lambda step: step[1])


def run(commands: list[str], folder: Path) -> list[str]:
    """What each command prints, on both streams, in one shell; `$?` is that of the command before."""
    script = "\n".join(f"{command}\nstatus=$?; printf '\\0'; (exit $status)" for command in commands)
    environment = os.environ | {
        "PATH": f"{SLURM}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TZ": "UTC",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
    }
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
        timeout=300,
    )
    return done.stdout.decode().split("\0")[:-1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with the example and its outputs."""
    copytree(ROOT / "site.example", tmp_path / "site.example", ignore=lambda *_: ["outputs"])
    copytree(ROOT / "schema", tmp_path / "schema")
    prepare = [
        "git init -q -b main",
        "aamic render -f site.example/site.yaml --out outputs",
        "git add .",
        "git -c user.name=a -c user.email=a@example.com commit -q -m first",
    ]
    run(prepare, tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", SHOWN, ids=names(SHOWN))
def test_commands_print_what_the_page_shows(page: Path, clone: Path) -> None:
    text = page.read_text()
    found = steps(text)
    actual = run([command for command, _, _ in found], clone)

    if os.environ.get("AAMIC_GOLDEN") == "update":
        for (_, start, end), output in reversed(list(zip(found, actual, strict=True))):
            text = text[:start] + output + text[end:]
        page.write_text(text)
    assert [(command, text[start:end]) for command, start, end in steps(text)] == [
        (command, output) for (command, _, _), output in zip(found, actual, strict=True)
    ]


# What the pages point at


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    relative = [link for link in links if not link.startswith(("https://", "http://"))]

    assert [link for link in relative if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether the file is there, and the heading in it."""
    path, _, heading = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not heading or heading in headings(target.read_text()))


def headings(text: str) -> set[str]:
    """The anchors of a page's headings."""
    return {anchor(title) for title in re.findall("^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_paths_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:aamic|tests|docs|bench|tools|schema|site\.example)(?:/[\w./-]*)?)`", page.read_text())
    missing = [path for path in named if "NAME" not in path and not (ROOT / path).exists()]

    assert len(named) > 10
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_whole_sites_on_a_page_compile(page: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    whole = [block for block in blocks if re.search("^version:", block, re.MULTILINE) and "\ncluster:" in block]
    for number, block in enumerate(whole):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        assert check_site(path).fleet.nodes

    assert len(whole) == (1 if page.name == "README.md" else 0)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "site.md"], ids=lambda page: page.name)
def test_prose_is_at_most_120_wide(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)

    assert [line for line in prose.splitlines() if len(line) > 120] == []


# What must be described


def dotted(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The names of all keys below a model, as docs/site.md writes them; `*` for a key the user chooses."""
    for name, info in model.model_fields.items():
        key = f"{prefix}{info.alias or name}"
        yield key
        for path, inner in inside(info.annotation):
            yield from dotted(inner, f"{key}{path}." if path != "union" else "")


def inside(annotation: Any, path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The models in an annotation, and what leads to each: `[]` for a list, `.*` for a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield path, annotation
        return
    arguments = [each for each in get_args(annotation) if not isinstance(each, str)]
    models = [each for each in arguments if any(True for _ in inside(each))]
    origin = getattr(annotation, "__origin__", None)
    step = "[]" if origin is list else ".*" if origin is dict else ""
    several = len({inner for each in models for _, inner in inside(each)}) > 1
    for each in models:
        yield from inside(each, "union" if several else path + step)


def test_every_key_is_in_the_reference() -> None:
    text = (ROOT / "docs/site.md").read_text()
    described = {re.sub(r"<[^>]*>", "*", key) for key in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)}
    keys = set(dotted(site_model(shipped_catalog().exporters)))
    titles = set(re.findall(r"^##+ `(.*)`$", text, re.MULTILINE))

    assert keys - described - titles == set()


def test_the_reference_is_not_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    outcome = CliRunner().invoke(app, ["schema", "--format", "markdown", "--check"])

    assert (outcome.output, outcome.exit_code) == ("docs/site.md is up to date\n", 0)


def commands() -> dict[str, list[str]]:
    """Every command with its arguments and options; those that each vendor has once, as `VENDOR explain`."""
    group: Any = typer.main.get_command(app)
    return {shared(name): [*words(command)] for name, command in flat(group)}


def shared(name: str) -> str:
    """The name under which a command is described: vendors share the sections of theirs."""
    return re.sub(rf"^(?:{'|'.join(NAMES)}) ", "VENDOR ", name)


def words(command: Any) -> Iterator[str]:
    """The arguments and options of a command, those that switch an option off among them."""
    for param in command.params:
        if param.opts[0].startswith("-"):
            yield from (*param.opts, *param.secondary_opts)
        else:
            yield param.metavar


def flat(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The commands of a group by name, those of its own groups as `slurm jobs`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from flat(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def documented() -> dict[str, str]:
    """The sections of docs/commands.md by command."""
    parts = re.split(
        rf"^## `aamic ((?:{GROUP} |VENDOR )?[a-z-]+).*`$", (ROOT / "docs/commands.md").read_text(), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_described() -> None:
    assert list(documented()) == list(commands())


def test_every_vendor_has_the_same_commands() -> None:
    group: Any = typer.main.get_command(app)
    every = [{name: [*words(command)] for name, command in flat(group.commands[vendor])} for vendor in NAMES]

    assert every == [every[0]] * len(NAMES)


@pytest.mark.parametrize("command", commands())
def test_every_option_is_described_and_no_other(command: str) -> None:
    rows = re.findall(r"^\| (`.*?) \| .*\|$", documented()[command], re.MULTILINE)
    described = {word.split()[0] for row in rows for word in re.findall("`([^`]+)`", row)}

    assert described == set(commands()[command])
