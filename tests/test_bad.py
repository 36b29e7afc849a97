"""Bad input: each folder of bad/ holds a site and the exact text that a user gets to read.

`AAMIC_GOLDEN=update` writes the texts anew; read them before you commit them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aamic.compile.compiler import check_site
from aamic.errors import InputError
from aamic.views.problems import text

CASES = Path(__file__).parent / "bad"


def told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a user in this folder reads; what was written nowhere must not be shown as found."""
    monkeypatch.chdir(folder)
    with pytest.raises(InputError) as caught:
        check_site(Path("site.yaml"))
    return text(caught.value.problems)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_bad_site(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = told(CASES / case, monkeypatch)
    golden = CASES / case / "expected.txt"
    if os.environ.get("AAMIC_GOLDEN") == "update":
        golden.write_text(actual)
    assert golden.read_text() == actual


def test_a_file_of_100_megabytes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "site.yaml").open("wb") as file:
        file.truncate(100 * 1024**2)
    expected = "error: `site.yaml` cannot be read: it is larger than 64 MiB\n\n1 error\n"
    assert expected == told(tmp_path, monkeypatch)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
def test_brackets_without_end(opening: str, closing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\nnodes:\n  " + opening * 10_000 + closing * 10_000)
    expected = "error: values are nested deeper than 50 levels"
    assert expected == told(tmp_path, monkeypatch).splitlines()[0]


def test_a_site_that_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").mkdir()
    expected = "error: `site.yaml` cannot be read: is a directory\n\n1 error\n"
    assert expected == told(tmp_path, monkeypatch)


def test_no_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = """\
error: `site.yaml` cannot be read: no such file or directory
hint: run `aamic init`, or name the site with `--site`

1 error
"""
    assert expected == told(tmp_path, monkeypatch)
