from __future__ import annotations

import fnmatch
import gc
import os
from pathlib import Path

import pytest

from aamic.compile import folder
from aamic.compile.inventory import Row
from aamic.compile.parse import Document, load, parse
from aamic.errors import InputError, Place, Problem

NOBODY = 65_534


class Memory:
    """A folder in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise FileNotFoundError(2, "No such file or directory")
        return self._files[path].encode()

    def match(self, pattern: str) -> list[str]:
        return sorted(fnmatch.filter(self._files, pattern))


def site(files: dict[str, str], name: str = "site.yaml") -> Document:
    return parse(files["site.yaml"].encode(), name, Memory(files))


def faults(files: dict[str, str], name: str = "site.yaml") -> list[str]:
    return told(site(files, name).problems)


def told(problems: tuple[Problem, ...]) -> list[str]:
    return [
        f"{problem.place}{''.join(f' and {place}' for place in problem.also)} {problem.message}; {problem.hint}"
        for problem in problems
    ]


INCLUDING = {
    "site.yaml": "include: [racks/*.yaml, more.yaml]\ninventory: a.csv\nracks: {r0: {n: 0}}\n",
    "racks/b.yaml": "racks: {r2: {n: 2}}\ninventory: ../b.csv\n",
    "racks/a.yaml": "include: [sub/x.yaml]\nracks: {r1: {n: 1}}\n",
    "racks/sub/x.yaml": "deep: {x: [1]}\n",
    "more.yaml": "deep: {y: 1}\n",
    "a.csv": "name,address\nn1,1\n",
    "b.csv": "address,name\n2,n2\n",
}


def test_includes_are_merged_in_the_order_of_their_names() -> None:
    data = site(INCLUDING).data
    expected = {
        "include": ["racks/*.yaml", "more.yaml"],
        "inventory": "a.csv",
        "racks": {"r0": {"n": 0}, "r1": {"n": 1}, "r2": {"n": 2}},
        "deep": {"x": [1], "y": 1},
    }
    assert expected == data
    assert list(data["racks"]) == ["r0", "r1", "r2"]


def test_inventories_of_all_files_are_read() -> None:
    rows = {Row("n1", "1", "", "", "", "", 2, "a.csv"), Row("n2", "2", "", "", "", "", 2, "b.csv")}
    assert rows == set(site(INCLUDING).inventory)


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("racks", "r2", "n"), Place("racks/b.yaml", 1, 17), Place("racks/b.yaml", 1, 14)),
        (("deep", "x", 0), Place("racks/sub/x.yaml", 1, 12), Place("racks/sub/x.yaml", 1, 12)),
        (("racks", "r9"), Place("site.yaml", 3, 8), Place("site.yaml", 3, 8)),
        (("racks",), Place("site.yaml", 3, 8), Place("site.yaml", 3, 1)),
        ((), Place("site.yaml", 1, 1), Place("site.yaml", 1, 1)),
    ],
)
def test_places_lie_in_the_file_that_says_it(path: tuple[str | int, ...], value: Place, key: Place) -> None:
    document = site(INCLUDING)
    assert value == document.place(path)
    assert key == document.place_of_key(path)


def test_sources_are_the_bytes_of_all_files_by_path_below_the_site() -> None:
    files = {
        "site.yaml": "include: [racks/a.yaml, racks/a.yaml]\r\ninventory: n.csv # mine\n",
        "racks/a.yaml": "\ufeffinventory: ../m.csv\n",
        "m.csv": "name,address\n",
        "n.csv": "\ufeffname,address\n",
        "unread.yaml": "",
    }
    sources = site(files, "deep/folder/site.yaml").sources

    assert dict(sources) == {name: text.encode() for name, text in files.items() if name != "unread.yaml"}
    assert next(iter(sources)) == "site.yaml"


def test_a_file_that_is_named_twice_counts_once() -> None:
    files = {
        "site.yaml": "include: [a.yaml, b.yaml, ./c.yaml]\ninventory: [n.csv, ./n.csv]\n",
        "a.yaml": "include: [c.yaml]\na: 1\n",
        "b.yaml": "include: [c.yaml]\nb: 1\n",
        "c.yaml": "c: 1\n",
        "n.csv": "name,address\nx,1\n",
    }
    document = site(files)
    assert {key: document.data[key] for key in "abc"} == {"a": 1, "b": 1, "c": 1}
    assert len(document.inventory) == 1


ABSENT = "cannot be read: no such file or directory; paths are relative to the folder of"
OUTSIDE = "lies outside the folder of the site; move it there, and name it relative to"
GLOBS = "globs are relative to the folder of `site.yaml`; remove it if it is not needed"

FAULTS = {
    "all files of a site are read": (
        {
            "site.yaml": "include: [a.yaml, b.yaml, no.yaml]\ninventory: [n.csv, no.csv]\nx: 1\nx: 2\n",
            "a.yaml": "a: [\n",
            "b.yaml": "x: 3\n",
            "n.csv": "name\n",
        },
        [
            "a.yaml:2:1 a value is expected here; write a value, or check the brackets",
            "b.yaml:1:1 and site.yaml:3:1 key `x` stands in two files; keep one of the two",
            "n.csv:1:1 column `address` is missing; the header needs `name`, `address`",
            f"site.yaml:1:27 `no.yaml` {ABSENT} `site.yaml`",
            f"site.yaml:2:20 `no.csv` {ABSENT} `site.yaml`",
            "site.yaml:4:1 and site.yaml:3:1 key `x` stands twice in one mapping; remove one of the two",
        ],
    ),
    "the same key in two files": (
        {
            "site.yaml": "include: [a.yaml, b.yaml]\nr: {l: [1], m: {x: 1}}\n",
            "a.yaml": "r:\n  l: [1]\n",
            "b.yaml": "r: {m: 1, l: 1}\n",
        },
        [
            "a.yaml:2:3 and site.yaml:2:5 and b.yaml:1:11 key `r.l` stands in two files; keep one of the two",
            "b.yaml:1:5 and site.yaml:2:13 key `r.m` stands in two files; keep one of the two",
        ],
    ),
    "an include loop": (
        {"site.yaml": "include: [a.yaml]\n", "a.yaml": "include: [b.yaml]\n", "b.yaml": "include: ['[ab].yaml']\n"},
        [
            "b.yaml:1:11 includes form a loop: `a.yaml` → `b.yaml` → `a.yaml`; remove one of them, or narrow the glob",
            "b.yaml:1:11 includes form a loop: `b.yaml` → `b.yaml`; remove one of them, or narrow the glob",
        ],
    ),
    "a glob that finds the file itself": (
        {"site.yaml": "include: ['*.yaml']\n"},
        ["site.yaml:1:11 includes form a loop: `site.yaml` → `site.yaml`; remove one of them, or narrow the glob"],
    ),
    "paths outside": (
        {
            "site.yaml": "include: [/etc/x.yaml, ../x.yaml, a/../../x.yaml, a/b.yaml]\ninventory: ../n.csv\n",
            "a/b.yaml": "inventory: [../../n.csv, ../n.csv]\n",
            "n.csv": "name,address\n",
        },
        [
            f"a/b.yaml:1:13 `../../n.csv` {OUTSIDE} `a/b.yaml`",
            "site.yaml:1:11 `/etc/x.yaml` is an absolute path; write it relative to the folder of `site.yaml`",
            f"site.yaml:1:24 `../x.yaml` {OUTSIDE} `site.yaml`",
            f"site.yaml:1:35 `a/../../x.yaml` {OUTSIDE} `site.yaml`",
            f"site.yaml:2:12 `../n.csv` {OUTSIDE} `site.yaml`",
        ],
    ),
    "a glob without files": (
        {"site.yaml": "include: ['racks/*.yaml']\n"},
        [
            f"site.yaml:1:11 `racks/*.yaml` matches no file; {GLOBS}",
        ],
    ),
    "no file names in the main file, which the model tells": (
        {"site.yaml": "include: a.yaml\ninventory: {a: 1}\n"},
        [],
    ),
    "no file names": (
        {"site.yaml": "include: [a.yaml]\n", "a.yaml": "include: a.yaml\ninventory: {a: 1}\n"},
        [
            "a.yaml:1:10 `include` does not name files; write `include: [racks/*.yaml]`",
            "a.yaml:2:12 `inventory` does not name files; write `inventory: nodes.csv`",
        ],
    ),
    "no file names in a list": (
        {"site.yaml": "include: [a.yaml]\n", "a.yaml": "include: [a.yaml, 1]\ninventory:\n"},
        [
            "a.yaml:1:10 `include` does not name files; write `include: [racks/*.yaml]`",
            "a.yaml:2:11 `inventory` does not name files; write `inventory: nodes.csv`",
        ],
    ),
    "an empty site": (
        {"site.yaml": ""},
        ["site.yaml:1:1 `site.yaml` is empty; run `aamic init` for a site to begin with"],
    ),
    "an empty include": (
        {"site.yaml": "include: [a.yaml]", "a.yaml": "# later\n"},
        ["a.yaml:1:1 `a.yaml` is empty; delete it, or write `{}` if that is meant"],
    ),
    "a long chain": (
        {"site.yaml": "include: [0.yaml]", **{f"{i}.yaml": f"include: [{i + 1}.yaml]" for i in range(60)}},
        ["48.yaml:1:11 includes are nested deeper than 50 files; include the file from the main file"],
    ),
}


@pytest.mark.parametrize(("files", "expected"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_told_with_its_place_and_a_remedy(files: dict[str, str], expected: list[str]) -> None:
    assert expected == faults(files)
    assert gc.isenabled()


def test_paths_are_shown_as_seen_from_where_the_command_runs() -> None:
    files = {"site.yaml": "include: [no.yaml, sub/a.yaml]\n", "sub/a.yaml": "{a: 1, a: 2}\n"}
    expected = [
        f"conf/site.yaml:1:11 `conf/no.yaml` {ABSENT} `conf/site.yaml`",
        "conf/sub/a.yaml:1:8 and conf/sub/a.yaml:1:2 key `a` stands twice in one mapping; remove one of the two",
    ]
    assert expected == faults(files, "conf/site.yaml")


# Real files


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "site"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def load_faults(path: str = "site.yaml") -> list[str]:
    try:
        return told(load(Path(path)).problems)
    except InputError as error:
        return told(error.problems)


def test_a_site_is_read_from_its_folder(root: Path) -> None:
    (root / "racks" / "deep").mkdir(parents=True)
    (root / "racks" / ".git").mkdir()
    (root / "site.yaml").write_text("include: ['racks/**/*.yaml']\ninventory: n.csv\n")
    (root / "racks" / "a.yaml").write_text("a: 1")
    (root / "racks" / "deep" / "b.yaml").write_text("b: 1")
    (root / "racks" / ".a.yaml").write_text("a: 2")
    (root / "racks" / ".git" / "a.yaml").write_text("a: 2")
    (root / "racks" / "folder.yaml").mkdir()
    (root / "racks" / "round").symlink_to(root / "racks", target_is_directory=True)
    (root / "n.csv").write_text("name,address\nx,1\n")
    document = load(Path("site.yaml"))
    assert (document.data["a"], document.data["b"], len(document.inventory)) == (1, 1, 1)
    assert str(document.place(("b",))) == "racks/deep/b.yaml:1:4"
    assert f"{root}/racks/deep/b.yaml:1:4" == str(load(root / "site.yaml").place(("b",)))


def test_hidden_files_are_included_if_the_glob_says_so(root: Path) -> None:
    (root / "site.yaml").write_text("include: ['.racks/*.yaml']\n")
    (root / ".racks").mkdir()
    (root / ".racks" / "a.yaml").write_text("a: 1")
    assert load(Path("site.yaml")).data["a"] == 1


@pytest.mark.usefixtures("root")
def test_a_site_that_is_not_there() -> None:
    hint = "run `aamic init`, or name the site with `--site`"
    assert [f"None `site.yaml` cannot be read: no such file or directory; {hint}"] == load_faults()


@pytest.mark.usefixtures("root")
def test_a_site_whose_path_is_none() -> None:
    assert load_faults("a\0b") == ["None `a\\x00b` cannot be read: embedded null byte; None"]


@pytest.mark.usefixtures("root")
def test_a_site_that_is_a_folder() -> None:
    assert load_faults(".") == ["None `.` cannot be read: is a directory; None"]


def test_a_site_that_links_to_itself(root: Path) -> None:
    (root / "site.yaml").symlink_to("site.yaml")
    assert load_faults() == ["None `site.yaml` cannot be read: too many levels of symbolic links; None"]


def test_a_pipe_is_refused_rather_than_waited_for(root: Path) -> None:
    os.mkfifo(root / "site.yaml")
    assert load_faults() == ["None `site.yaml` cannot be read: it is not a regular file; None"]


def test_a_huge_file_is_refused_before_it_is_read(root: Path) -> None:
    with (root / "site.yaml").open("wb") as file:
        file.truncate(folder.MAX_BYTES + 1)
    assert load_faults() == ["None `site.yaml` cannot be read: it is larger than 64 MiB; None"]


def test_a_file_without_permission(root: Path) -> None:
    (root / "site.yaml").touch(mode=0)
    user = os.geteuid()
    os.seteuid(user or NOBODY)  # root reads everything
    try:
        assert load_faults() == ["None `site.yaml` cannot be read: permission denied; None"]
    finally:
        os.seteuid(user)


def test_includes_that_cannot_be_read(root: Path) -> None:
    outside = root.parent / "outside.yaml"
    outside.write_text("a: 1")
    (root / "link.yaml").symlink_to(outside)
    (root / "loop.yaml").symlink_to("loop.yaml")
    (root / "folder.yaml").mkdir()
    names = ["link.yaml", "loop.yaml", "folder.yaml", '"a\\0b"', "'a/**b/*'", "''"]
    (root / "site.yaml").write_text("include:\n" + "".join(f"- {name}\n" for name in names))
    hint = "paths are relative to the folder of `site.yaml`"
    expected = [
        f"site.yaml:2:3 `link.yaml` cannot be read: it lies outside the folder of the site; {hint}",
        f"site.yaml:3:3 `loop.yaml` cannot be read: too many levels of symbolic links; {hint}",
        f"site.yaml:4:3 `folder.yaml` cannot be read: is a directory; {hint}",
        f"site.yaml:5:3 `a\\x00b` cannot be read: embedded null byte; {hint}",
        "site.yaml:6:3 `a/**b/*` is no glob; an example: `racks/*.yaml`",
        "site.yaml:7:3 `include` holds an empty file name; write `include: [racks/*.yaml]`, or remove it",
    ]
    assert expected == load_faults()


def test_a_site_with_single_faults_is_whole() -> None:
    document = site({"site.yaml": "a: 1\na: 2\nb: 3\n"})

    assert (document.data, document.whole, len(document.problems)) == ({"a": 1, "b": 3}, True, 1)


@pytest.mark.parametrize(
    "text",
    ["a: [1", "include: [gone.yaml]\n", "include: [gone/*.yaml]\n", "include: [/etc/x]\n", "a: 1\n---\nb: 2\n", ""],
)
def test_a_site_of_which_a_part_was_not_read_is_not_whole(text: str) -> None:
    assert not site({"site.yaml": text}).whole


def test_an_inventory_that_cannot_be_read_leaves_a_gap() -> None:
    document = site({"site.yaml": "inventory: gone.csv\n"})

    assert (document.whole, document.gaps) == (True, frozenset({("inventory",)}))
