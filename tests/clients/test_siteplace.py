"""Paths of a command line as a site writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aamic.clients.siteplace import SitePlace
from aamic.errors import OutsideError


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a site, a link to that site, and files within and without."""
    (tmp_path / "site/tls").mkdir(parents=True)
    (tmp_path / "link").symlink_to("site")
    (tmp_path / "site/tls/ca.pem").write_text("ca")
    (tmp_path / "site/tls/out.pem").symlink_to(tmp_path / "key")
    (tmp_path / "key").write_text("key")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("folder", ["site", "link", "./site/../site"])
def test_files_of_the_site_are_named_from_its_folder(shell: Path, folder: str) -> None:
    place = SitePlace(Path(folder))
    written = ("site/tls/ca.pem", "link/tls/ca.pem", f"{shell}/site/tls/../tls/ca.pem")

    assert [place.inside(path) for path in written] == ["tls/ca.pem"] * 3
    assert [place.named(path) for path in written] == ["tls/ca.pem"] * 3


def test_files_elsewhere_are_told_apart_and_stay_reachable(shell: Path) -> None:
    place = SitePlace(Path("site"))

    assert [place.inside(path) for path in ("key", "../x", "site/tls/out.pem", str(shell))] == [None] * 4
    assert [place.named(path) for path in ("key", f"{shell}/key", "~/key")] == ["../key", f"{shell}/key", "~/key"]


def test_a_site_in_the_shells_own_folder_names_files_as_the_shell_does(shell: Path) -> None:
    assert SitePlace(shell / "site").named("site/tls/ca.pem") == "tls/ca.pem"
    assert SitePlace(Path()).named("key") == "key"


@pytest.mark.parametrize("path", ["no-such-file", "site", "/dev/zero", "a\0b", "~nobody-of-this-name/x"])
def test_what_cannot_be_read_is_told_without_its_name(shell: Path, path: str) -> None:  # noqa: ARG001  # the folder
    with pytest.raises(OutsideError) as caught:
        SitePlace(Path("site")).read(path)

    assert path not in str(caught.value)
