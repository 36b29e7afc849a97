"""`aamic VENDOR install` on real hosts: exporters that answer with what real ones answered, and some that do not."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import faults
from tests.fleet.controller import UNIT, Controller, is_settled, picture
from tests.fleet.host import Host, wipe_all
from tests.fleet.rack import Rack
from tests.fleet.slurmhost import write

NAME = "gpu-01"
CENTRAL = "mon-01"
NO_COPY = (
    f"note: no copy of the site is left on {CENTRAL}: it carries nothing of this site yet "
    "(hint: the next apply leaves one)\n"
)
RECORDED = Path(__file__).parents[1] / "recorded"
PROGRAM = """\
#!/usr/bin/python3
import http.server

PAGE = {page!r}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(({address!r}, {port}), Page).serve_forever()
"""
KINDS: dict[str, tuple[str, str, str, int]] = {
    "nvidia": ("dcgm", "dcgm.prom", "H100", 9400),
    "amd": ("amd", "amd_mi300x.prom", "MI300X", 5000),
}
"""Key of the exporter in the site, what it answers, the GPUs of which that is told, and its port."""
UNITS = {"nvidia": "aami-dcgm-exporter.service", "amd": "aami-amd-exporter.service"}
OWN = "aami-dcgm\\|aami-amd\\|/aami/dcgm/\\|/aami/amd/\\|nvidia-dcgm\\|amd-metrics\\|/aami/bin/"
"""What names the files of the two exporters."""
OTHERS = f"""
cd /
find etc opt usr/local/lib/aami var/lib/aami srv ! -type d 2>/dev/null | grep -v '{OWN}' | sort |
    while read -r path; do
        if [ -L "$path" ]; then echo "$path $(readlink "$path")"; elif [ -f "$path" ]; then sha256sum "$path"; fi
    done
grep -v '{OWN}\\|^release' var/lib/aamic/manifest
"""
"""Every file of a host that somebody may have changed, but for those of the exporters; and the rest of its record."""


def program(page: bytes, port: int, address: str = "") -> str:
    return PROGRAM.format(page=page, port=port, address=address)


def tarball(folder: Path, text: str) -> str:
    """A tarball beside the site with that program in it; the `source` that pins it."""
    with tarfile.open(folder / "exporter.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("exporter-1.0/exporter")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha256((folder / "exporter.tar.gz").read_bytes()).hexdigest()
    return f"{{tarball: exporter.tar.gz, sha256: {digest}, binary: exporter-1.0/exporter}}"


def recorded(vendor: str) -> str:
    """A program that answers as the vendor's exporter did."""
    _, page, _, port = KINDS[vendor]
    return program((RECORDED / page).read_bytes(), port)


@pytest.fixture
def host(hosts: Mapping[str, Host]) -> Host:
    """The node; neither it nor the central host carries anything of a site, whatever other tests left there."""
    wipe_all([hosts[NAME], hosts[CENTRAL]])
    return hosts[NAME]


@pytest.fixture
def controller(hosts: Mapping[str, Host], host: Host, rack: Rack, tmp_path: Path) -> Controller:
    """A controller of a host that has everything but the exporter of its GPUs, of which the site says nothing."""
    made = Controller(tmp_path, rack, hosts)
    made.write()
    made.apply_all("--limit", NAME)
    assert is_settled(host)
    return made


def install(controller: Controller, source: str, vendor: str = "nvidia") -> dict[str, Any]:
    """Install from this source; the document that is printed, with the exit code."""
    key, _, model, _ = KINDS[vendor]
    controller.write(f"exporters: {{{key}: {{source: {source}}}}}\n")
    done = controller.run(vendor, "install", NAME, "--model", model, "--count", "2", "--yes", "--json")
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found | {"exit": done.returncode, "errors": done.stderr}


def state(done: dict[str, Any]) -> tuple[str, str]:
    report = done["report"]["hosts"][NAME]
    return report["state"], report["message"]


def other_files(host: Host) -> set[str]:
    return set(host.do("sh", "-c", OTHERS).splitlines())


def process(host: Host) -> str:
    return host.do("systemctl", "show", "-P", "MainPID", UNIT)


@pytest.mark.parametrize("vendor", KINDS)
def test_from_a_pinned_tarball_and_nothing_else_changes(vendor: str, controller: Controller, host: Host) -> None:
    others, running = other_files(host), process(host)
    with faults.isolated(host):
        done = install(controller, tarball(controller.folder, recorded(vendor)), vendor)

    assert (done["exit"], state(done)) == (0, ("done", "")), done
    assert (done["written"], [file["path"] for file in done["files"]]) == (True, [str(controller.folder / "site.yaml")])
    assert f"gpu: {{vendor: {vendor}, model: {KINDS[vendor][2]}, count: 2}}" in site(controller)
    answer = done["exporters"][NAME]
    assert (answer["ok"], answer["gpus"], answer["faults"], answer["notes"]) == (True, 2, [], [])
    assert answer["url"] == f"http://{host.address}:{KINDS[vendor][3]}/metrics"
    assert host.do("systemctl", "is-active", UNITS[vendor]) == "active\n"
    assert other_files(host) ^ others == set()
    assert process(host) == running
    assert is_settled(host)

    before = picture(host)
    again = controller.run(vendor, "install", NAME, "--yes")
    assert again.returncode == 0, again.stderr
    assert again.stderr == NO_COPY + "nothing to do\n"
    assert again.stdout.endswith(
        "an apply would do nothing\n"
        f"answers · {NAME} · 2 GPUs, {answer['promised']} of {answer['promised']} metrics at {answer['url']}\n"
    )
    assert picture(host) == before
    assert "no changes on 1 host" in controller.run("plan", "--limit", NAME).stdout


def test_as_a_package_of_the_host(controller: Controller, host: Host) -> None:
    write(host, "/srv/exporter", recorded("nvidia"), 0o755)
    done = install(controller, "{package: coreutils, binary: /srv/exporter}")

    assert (done["exit"], state(done), done["exporters"][NAME]["gpus"]) == (0, ("done", ""), 2), done
    assert "no version of package `coreutils` is pinned" in " ".join(done["errors"].split())
    assert "ExecStart=/srv/exporter" in host.do("systemctl", "cat", UNITS["nvidia"]).replace('"', "")


def test_a_package_that_is_nowhere(controller: Controller, host: Host) -> None:
    before = picture(host)
    done = install(controller, '{package: aamic-no-such-package, version: "1.0"}')

    assert (done["exit"], state(done)[0], done["exporters"]) == (1, "refused", {})
    assert state(done)[1].startswith("packages could not be installed: ")
    assert picture(host) == before


@pytest.mark.parametrize("kind", ["another digest", "no file", "no such program"])
def test_a_tarball_that_is_not_the_one_meant(kind: str, controller: Controller, host: Host) -> None:
    before, source = picture(host), tarball(controller.folder, recorded("nvidia"))
    digest = hashlib.sha256((controller.folder / "exporter.tar.gz").read_bytes()).hexdigest()
    other = "a" * 64
    broken = {
        "another digest": (digest, other, f"`exporter.tar.gz` has SHA-256 {digest}, not {other}"),
        "no file": ("exporter.tar.gz", "gone.tar.gz", "`gone.tar.gz` cannot be read: No such file or directory"),
        "no such program": ("-1.0/", "-2.0/", "`exporter.tar.gz` holds no file `exporter-2.0/exporter`"),
    }
    old, new, told = broken[kind]
    done = install(controller, source.replace(old, new))

    assert done["exit"] == 1
    assert f"error: {told}\n" in done["errors"], done["errors"]
    assert picture(host) == before
    assert host.run("ls", "/opt/aami").returncode != 0


def test_an_exporter_that_dies_is_taken_back(controller: Controller, host: Host) -> None:
    before = picture(host)
    done = install(controller, tarball(controller.folder, "#!/bin/sh\necho no GPU >&2\nexit 1\n"))

    assert (done["exit"], state(done)[0], done["exporters"]) == (1, "restored", {}), done
    assert "aami-dcgm-exporter.service" in state(done)[1]
    assert picture(host) == before
    assert is_settled(host)


def test_another_program_on_its_port(controller: Controller) -> None:
    page = (RECORDED / "node.prom").read_bytes()
    done = install(controller, tarball(controller.folder, program(page, 9400)))

    assert (done["exit"], state(done)) == (1, ("done", ""))
    assert done["exporters"][NAME]["faults"] == [
        (
            "no metric of a GPU: another program answers on port 9400, with `go_gc_duration_seconds`, "
            "`go_gc_duration_seconds_count`, `go_gc_duration_seconds_sum`"
        )
    ]


def test_what_only_the_host_itself_reaches(controller: Controller, host: Host) -> None:
    page = (RECORDED / "dcgm.prom").read_bytes()
    done = install(controller, tarball(controller.folder, program(page, 9400, "127.0.0.1")))

    answer = done["exporters"][NAME]
    assert (done["exit"], answer["ok"], answer["gpus"]) == (0, True, 2), done
    url = f"http://{host.address}:9400/metrics"
    assert answer["notes"] == [
        (
            f"it answers the host itself, but not this machine: `{url}`: connection refused "
            "(hint: does a firewall let Prometheus in?)"
        )
    ]


def test_a_host_that_is_not_reached(controller: Controller, host: Host) -> None:
    source = tarball(controller.folder, recorded("nvidia"))
    with faults.cut(host):
        done = install(controller, source)

    assert (done["exit"], state(done)[0], done["exporters"]) == (1, "not reached", {})


def test_gpus_that_neither_the_site_nor_the_host_has(controller: Controller, host: Host) -> None:
    before, written = picture(host), site(controller)
    done = controller.run("nvidia", "install", NAME, "--yes")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: the site does not say which GPUs of nvidia `{NAME}` has, and none is there\n"
        "hint: add `--model` and `--count`, such as `--model H100 --count 8`\n\n1 error\n\n"
    )
    assert (picture(host), site(controller)) == (before, written)


def site(controller: Controller) -> str:
    return (controller.folder / "site.yaml").read_text()
