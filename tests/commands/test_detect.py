"""`aamic detect` as a user runs it, on folders that stand for hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aamic.clients.base import Answer
from aamic.commands.detecting import detect_hosts
from aamic.errors import HostError
from aamic.model.host import Unobserved
from tests.commands.conftest import Aamic
from tests.machines import add_device, lspci, machine

SITE = """\
version: 1
cluster: {name: test}
prometheus: {node: mon}
racks:
  r1: {nodes: "gpu-[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 4}}  # eight?
  r2: {nodes: "mi-[1-2]", addresses: "198.18.2.[1-2]", gpu: {vendor: amd, model: MI300X, count: 8}}
nodes:
  mon: {address: 198.18.0.1}
"""
LOADED = {"nvidia": "550.90.07", "amdgpu": "6.10.5"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    hosts = tmp_path / "hosts"
    for name in ("gpu-1", "gpu-2", "gpu-3"):
        machine(hosts / name, lspci("h100"), modules=LOADED)
    for name in ("mi-1", "mi-2"):
        machine(hosts / name, lspci("mi300x"), modules=LOADED)
    machine(hosts / "mon")
    return path


def test_what_is_there_is_told_once_for_equal_hosts(aamic: Aamic, site: Path) -> None:
    done = aamic("detect", "--host-root", "hosts")

    assert (done.stdout, done.stderr, done.returncode) == (
        """\
different · 3 hosts · gpu-[1-3]
  the site says 4 GPUs, there are 8
  8 nvidia H100, driver 550.90.07
    at 0000:1b:00.0, 0000:43:00.0, 0000:52:00.0, 0000:61:00.0, 0000:9d:00.0, 0000:c3:00.0,
      0000:d1:00.0, 0000:df:00.0
same · 2 hosts · mi-[1-2]
  8 amd MI300X, driver 6.10.5
    at 0000:05:00.0, 0000:26:00.0, 0000:46:00.0, 0000:65:00.0, 0000:85:00.0, 0000:a6:00.0,
      0000:c6:00.0, 0000:e5:00.0
same · 1 host · mon
  no GPUs
6 hosts: 3 same, 3 different
`aamic detect --write` makes the site say what was found
""",
        "",
        0,
    )
    assert site.read_text() == SITE


def test_the_edit_is_shown_and_written(aamic: Aamic, site: Path) -> None:
    shown = aamic("detect", "gpu-[1-3]", "--host-root", "hosts", "--dry-run")
    unchanged = site.read_text()
    written = aamic("detect", "--host-root", "hosts", "--write", "--yes")
    again = aamic("detect", "--host-root", "hosts", "--write", "--yes", "--exit-code")

    assert shown.stdout.endswith(
        """\
3 hosts: 3 different
--- site.yaml
+++ site.yaml
@@ -2,7 +2,7 @@
 cluster: {name: test}
 prometheus: {node: mon}
 racks:
-  r1: {nodes: "gpu-[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 4}}  # eight?
+  r1: {nodes: "gpu-[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}  # eight?
   r2: {nodes: "mi-[1-2]", addresses: "198.18.2.[1-2]", gpu: {vendor: amd, model: MI300X, count: 8}}
 nodes:
   mon: {address: 198.18.0.1}
nothing was written
"""
    )
    assert (unchanged, written.stdout.splitlines()[-1], written.returncode) == (SITE, "wrote `site.yaml`", 0)
    assert site.read_text() == SITE.replace("count: 4", "count: 8")
    assert (again.stdout.splitlines()[-1], again.returncode) == ("nothing in `site.yaml` is to be changed", 0)


def test_fewer_than_the_site_says_is_a_fault_first(aamic: Aamic, site: Path) -> None:
    machine(site.parent / "broken/mi-1", "\n".join(lspci("mi300x").splitlines()[1:]), modules=LOADED)
    careful = aamic("detect", "mi-1", "--host-root", "broken", "--write", "--yes")
    unchanged = site.read_text()
    wished = aamic("detect", "mi-1", "--host-root", "broken", "--write", "--fewer", "--yes")

    assert careful.stdout == (
        """\
different · 1 host · mi-1
  the site says 8 GPUs, there are 7
  7 amd MI300X, driver 6.10.5
    at 0000:26:00.0, 0000:46:00.0, 0000:65:00.0, 0000:85:00.0, 0000:a6:00.0, 0000:c6:00.0,
      0000:e5:00.0
  nothing to write: fewer GPUs than the site says are rather a fault than a change: `--fewer`
    writes them all the same
1 host: 1 different
nothing in `site.yaml` is to be changed
"""
    )
    assert (unchanged, wished.returncode) == (SITE, 0)
    assert site.read_text() == SITE + "  mi-1: {gpu: {vendor: amd, model: MI300X, count: 7}}\n"


def test_json_has_every_address(aamic: Aamic, site: Path) -> None:
    add_device(site.parent / "hosts/mon", "0000:05:00.0", "0x038000", "0x1002", "0x740c")
    done = json.loads(aamic("detect", "mon,mi-1", "--host-root", "hosts", "--dry-run", "--json").stdout)

    assert list(done["hosts"]) == ["mi-1", "mon"]
    assert done["edit"] == {"files": [], "written": False}
    assert done["hosts"]["mon"] == {
        "state": "not in the site", "differences": [], "wanted": None,
        "not_written_because": "its model is not known for sure: write `gpu` by hand",
        "calls_itself": "mon", "threads": 192, "memory_bytes": 1584505288 * 1024,
        "gpus": [{
            "vendor": "amd", "model": None, "perhaps": ["MI250", "MI250X"], "count": 1, "driver": None,
            "devices": [{"address": "0000:05:00.0", "device": "0x740c", "driver": None}],
            "troubles": ["1 of 1 GPUs have no driver: install `amdgpu`, or see in the kernel log why it is not loaded"],
        }],
    }  # fmt: skip


@pytest.mark.usefixtures("site")
def test_json_and_an_edit(aamic: Aamic) -> None:
    done = aamic("detect", "--host-root", "hosts", "--write", "--yes", "--json")
    document = json.loads(done.stdout)

    assert (document["edit"]["written"], [file["path"] for file in document["edit"]["files"]]) == (True, ["site.yaml"])
    assert document["edit"]["files"][0]["diff"] in done.stderr
    assert document["hosts"]["gpu-1"]["wanted"] == {"vendor": "nvidia", "model": "H100", "count": 8}


def test_exit_codes(aamic: Aamic, site: Path) -> None:
    codes = [
        aamic("detect", hosts, "--host-root", root, *words).returncode
        for hosts, root, words in (
            ("mi-[1-2]", "hosts", ["--exit-code"]),
            ("gpu-1", "hosts", ["--exit-code"]),
            ("gpu-1", "hosts", []),
            ("gpu-1", "hosts/gpu-1", []),
        )
    ]
    (site.parent / "part").mkdir()
    machine(site.parent / "part/mi-1", lspci("mi300x"), modules=LOADED)
    some = aamic("detect", "mi-[1-2]", "--host-root", "part")
    strict = aamic("detect", "mi-[1-2]", "--host-root", "part", "--exit-code")

    assert (codes, some.returncode, strict.returncode) == ([0, 16, 0, 1], 0, 1)
    assert some.stdout.endswith(
        """\
unknown · 1 host · mi-2
  `mi-2`: it has no `/sys/bus/pci/devices`, so its GPUs cannot be seen
2 hosts: 1 same, 1 unknown
"""
    )


@pytest.mark.usefixtures("site")
def test_hosts_that_the_site_lacks(aamic: Aamic) -> None:
    done = [aamic("detect", words, "--host-root", "hosts") for words in ("gpu-[3-4],x", "gpu-[1")]

    assert [each.stderr for each in done] == [
        """\
error: unknown host `gpu-4`
hint: did you mean `gpu-3`?

error: unknown host `x`
hint: this site has no node like it

2 errors

""",
        "error: bracket in `gpu-[1` is not closed\nhint: add `]`\n\n1 error\n\n",
    ]
    assert [each.returncode for each in done] == [1, 1]


@pytest.mark.usefixtures("site")
def test_nobody_to_ask(aamic: Aamic) -> None:
    done = aamic("detect", "--host-root", "hosts", "--write")

    told = "error: nobody can be asked: this is no terminal"
    hint = "hint: `--yes` writes without asking; `--dry-run` only shows the edit"
    assert (done.stderr, done.stdout, done.returncode) == (f"{told}\n{hint}\n\n1 error\n\n", "", 1)


class WithoutSudo:
    """Hosts on which nobody becomes root."""

    def run(self, host: str, *_: object) -> Answer:
        raise HostError("no-right", f"user `a` cannot become root on `{host}`", "add a line to sudoers")

    def close(self) -> None:
        """Nothing is open."""


def test_who_cannot_become_root_is_told_that_no_root_is_needed() -> None:
    (told,) = detect_hosts(WithoutSudo(), ["gpu-1"], {}).values()

    assert told == Unobserved(
        "gpu-1",
        "no-right",
        "user `a` cannot become root on `gpu-1`",
        "add a line to sudoers; or look without root, which is enough for GPUs: `ssh.become: none`, or `--become none` "
        "of `import`",
    )


def test_a_value_that_cannot_be_edited_keeps_no_other_from_it(aamic: Aamic, site: Path) -> None:
    shared = SITE.replace("gpu: {vendor: nvidia", "gpu: &g {vendor: nvidia").replace(
        "{vendor: amd, model: MI300X, count: 8}", "*g"
    )
    site.write_text(f"{shared}  k-1: {{address: 198.18.3.1}}\n")
    machine(site.parent / "hosts/k-1", lspci("h100"), modules=LOADED)
    told = aamic("detect", "gpu-[1-3],k-1", "--host-root", "hosts")
    done = aamic("detect", "gpu-[1-3],k-1", "--host-root", "hosts", "--write", "--yes")
    again = aamic("detect", "gpu-[1-3]", "--host-root", "hosts")

    left = "`racks.r1.gpu` is shared by its anchor `&g`: write its `gpu` by hand"
    assert all(left in " ".join(each.stdout.split()) for each in (told, done, again))
    assert done.returncode == 0, done.stderr
    assert site.read_text().startswith(shared)
    assert "  k-1: {address: 198.18.3.1, gpu: {vendor: nvidia, model: H100, count: 8}}\n" in site.read_text()
    assert ["--write" in each.stdout for each in (told, done, again)] == [True, False, False]
