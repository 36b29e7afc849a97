"""`aamic detect` over real SSH: with the bus and programs of others, with sudo and without, and down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet.controller import Controller
from tests.fleet.faults import down
from tests.fleet.host import Host
from tests.fleet.rack import Rack
from tests.machines import BUS, RECORDED, lspci, machine, program

FAKE = "srv/fake"
GPU = "gpu: {vendor: nvidia, model: H100, count: 8}"


@contextmanager
def plugged(host: Host, listing: str, smi: str = "") -> Iterator[None]:
    """The host has another PCI bus, a loaded driver, and an nvidia-smi, if that is wanted."""
    fake = machine(host.root / FAKE, listing, modules={"nvidia": "550.90.07"})
    assert (fake / BUS).is_dir()
    if smi:
        program(host.root / "usr/local/bin", "nvidia-smi", smi)
    mounts = [f"/{BUS}", "/sys/module"]
    try:
        for path in mounts:
            host.do("mount", "--bind", f"/{FAKE}{path}", path)
        yield
    finally:
        host.run("umount", *mounts)
        host.run("rm", "-rf", f"/{FAKE}", "/usr/local/bin/nvidia-smi")


def site(controller: Controller, become: str = "sudo") -> None:
    """A site that knows of the GPUs of gpu-01."""
    controller.write(become=become)
    path = controller.folder / "site.yaml"
    text = path.read_text()
    address = controller.hosts["gpu-01"].address
    path.write_text(text.replace(f"{{address: {address}}}", f"{{address: {address}, {GPU}}}"))


@pytest.fixture
def controller(rack: Rack, hosts: Mapping[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Controller:
    monkeypatch.setenv("COLUMNS", "100")
    return Controller(tmp_path, rack, hosts)


def smi() -> str:
    return f"cat <<'E'\n{(RECORDED / 'h100.csv').read_text()}E"


@pytest.mark.parametrize(("user", "become"), [("deploy", "sudo"), ("nosudo", "none"), ("root", "sudo")])
def test_hosts_tell_what_they_have(hosts: Mapping[str, Host], controller: Controller, user: str, become: str) -> None:
    controller = Controller(controller.folder, controller.rack, hosts, user)
    site(controller, become=become)
    with (
        plugged(hosts["gpu-01"], lspci("h100"), smi()),
        plugged(hosts["gpu-02"], lspci("mi250")),
        down(hosts["mon-01"]),
    ):
        done = controller.run("detect", "--exit-code")

    unknown = done.stdout.split("unknown · 1 host · mon-01\n")[1]
    assert done.stdout.split("unknown")[0] == (
        """\
not in the site · 1 host · gpu-02
  4 amd MI250 or MI250X, no driver
    at 0000:29:00.0, 0000:2c:00.0, 0000:41:00.0, 0000:44:00.0
  nothing to write: its model is not known for sure: write `gpu` by hand
same · 1 host · gpu-01
  8 nvidia H100, driver 550.90.07
    at 0000:1b:00.0, 0000:43:00.0, 0000:52:00.0, 0000:61:00.0, 0000:9d:00.0, 0000:c3:00.0,
      0000:d1:00.0, 0000:df:00.0
"""
    )
    assert "`mon-01`" in unknown
    assert "2 tries" in unknown
    assert unknown.endswith("3 hosts: 1 same, 1 not in the site, 1 unknown\n")
    assert done.returncode == 16


def test_what_programs_print_steers_no_terminal(hosts: Mapping[str, Host], controller: Controller) -> None:
    site(controller)
    hostile = r"printf '\033]0;x\007\033[2J\nend\n'; printf '\033[31mbad\n' >&2; exit 3"
    with plugged(hosts["gpu-01"], lspci("h100"), hostile):
        told = controller.run("detect", "gpu-01")
        document = json.loads(controller.run("detect", "gpu-01", "--json").stdout)

    assert r"nvidia: `nvidia-smi` failed with status 3: \x1b]0;x\x07\x1b[2J" in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    assert document["hosts"]["gpu-01"]["gpus"][0]["troubles"] == [
        "`nvidia-smi` failed with status 3: \x1b]0;x\x07\x1b[2J"
    ]


def test_hosts_without_gpus_are_an_answer(controller: Controller) -> None:
    controller.write()
    done = controller.run("detect", "--exit-code")
    document = json.loads(controller.run("detect", "--json").stdout)

    assert (done.stdout, done.returncode) == ("same · 3 hosts · gpu-[01-02],mon-01\n  no GPUs\n3 hosts: 3 same\n", 0)
    assert {name: host["calls_itself"] for name, host in document["hosts"].items()} == {
        name: name for name in ("gpu-01", "gpu-02", "mon-01")
    }
    assert all(host["threads"] > 0 and host["memory_bytes"] > 1 << 28 for host in document["hosts"].values())


def test_nobody_answers(hosts: Mapping[str, Host], controller: Controller) -> None:
    controller.write()
    with down(hosts["gpu-01"]):
        done = controller.run("detect", "gpu-01")

    assert done.returncode == 1
    assert done.stdout.endswith("\n1 host: 1 unknown\n")
