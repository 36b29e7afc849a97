from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from aamic.catalog.base import Artifact
from aamic.clients.outputs import compare
from aamic.compile.compiler import compile_site
from aamic.compile.hostlist import expand
from aamic.compile.render import render
from aamic.model.tree import File, Part
from tests import fleets

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "site.example" / "site.yaml"


def artifact(*parts: Part) -> Artifact:
    return Artifact("test", lambda _: parts)


def test_outputs_are_what_the_example_compiles_to() -> None:
    assert not compare(compile_site(EXAMPLE).tree.files(), ROOT / "outputs")


def test_another_process_with_other_hashes_renders_the_same_bytes() -> None:
    program = (
        "import hashlib, pathlib, sys\n"
        "from aamic.compile.compiler import compile_site\n"
        "files = compile_site(pathlib.Path(sys.argv[1])).tree.files()\n"
        "print(hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(EXAMPLE)],
            env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True, cwd=ROOT,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip

    assert len(digests) == 1


def test_the_manifest_accounts_for_every_file_and_host() -> None:
    compiled = compile_site(EXAMPLE)
    files = compiled.tree.files()
    manifest = json.loads(files["manifest.json"])

    listed = {
        f"{name}{path}": file for name, bundle in manifest["bundles"].items() for path, file in bundle["files"].items()
    }
    assert listed.keys() == files.keys() - {"manifest.json"}
    assert all(hashlib.sha256(files[path]).hexdigest() == file["sha256"] for path, file in listed.items())
    hosts = {host for bundle in manifest["bundles"].values() for host in expand(bundle["hosts"])}
    assert hosts == set(compiled.fleet.nodes)


def test_no_secret_and_no_trace_of_this_machine_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2-smtp")
    monkeypatch.setenv("HOOK_TOKEN", "hunter2-hook")
    monkeypatch.setenv("BUSAN_KEY", "hunter2-busan")

    everything = b"\n".join(compile_site(EXAMPLE).tree.files().values())

    assert b"hunter2" not in everything
    assert str(ROOT).encode() not in everything


def test_one_more_node_is_a_small_diff(tmp_path: Path) -> None:
    text = "version: 1\ncluster: {name: t}\nprometheus: {node: n1}\nnodes: {'n[1-%d]': {addresses: '10.0.0.[1-%d]'}}\n"
    (tmp_path / "a.yaml").write_text(text % (50, 50))
    (tmp_path / "b.yaml").write_text(text % (51, 51))
    before, after = (compile_site(tmp_path / name).tree.files() for name in ("a.yaml", "b.yaml"))

    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}

    assert changed == {"manifest.json", "prometheus/var/lib/aami/targets/prometheus-nodes.json"}
    for path in changed:
        gone = set(before[path].splitlines()) - set(after[path].splitlines())
        new = set(after[path].splitlines()) - set(before[path].splitlines())
        assert (len(gone), len(new)) == ((0, 1) if "targets" in path else (2, 2))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([Part("a", ("h",)), Part("a", ("i",))], "parts of bundle a name different hosts"),
        ([Part("a", ("h",), (File("/x", b""), File("/x", b"")))], "bundle a has two files of one path"),
        ([Part("a", ("h", "i"), (File("/x", b""),)), Part("b", ("i",), (File("/x", b""),))],
         "bundles a and b both hold /x for one host"),
    ],
)  # fmt: skip
def test_artifacts_that_contradict_each_other_are_refused(parts: list[Part], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(fleets.single(), [artifact(*parts)])
