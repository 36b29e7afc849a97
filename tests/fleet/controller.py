"""The command line as a user runs it, against test hosts: a site in a folder, and processes that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.fleet.host import Host
from tests.fleet.rack import Rack

UNIT: Final = "aami-node-exporter.service"
ROLLOUT: Final = "{settle: 2s, ready_timeout: 8s, gate_timeout: 5s, confirm_timeout: 60s}"


@dataclass(frozen=True)
class Controller:
    """A folder with a site, where `aamic` is run; `code` is a folder with another `aamic`, if it is not this one."""

    folder: Path
    rack: Rack
    hosts: Mapping[str, Host]
    user: str = "deploy"
    code: Path | None = None

    def write(self, extra: str = "", rollout: str = ROLLOUT, **ssh: object) -> None:
        """Write the site: one Prometheus on mon-01, node exporters on all hosts, and `extra`."""
        nodes = "\n".join(f"  {name}: {{address: {host.address}}}" for name, host in self.hosts.items())
        retry = {"max_attempts": 2, "backoff_base": "1s"}
        told: dict[str, Any] = {"connect_timeout": "3s", "command_timeout": "60s", "retry": retry, **ssh}
        (self.folder / "site.yaml").write_text(
            f"version: 1\ncluster: {{name: fleet}}\n{self.rack.site_ssh(self.user, **told)}"
            f"rollout: {rollout}\nnodes:\n{nodes}\nprometheus: {{node: mon-01, scrape_interval: 1s, "
            f"scrape_timeout: 1s, evaluation_interval: 1s}}\nalerts: {{presets: []}}\n{extra}"
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command."""
        environment = os.environ | {"XDG_STATE_HOME": str(self.folder / "state"), "XDG_CACHE_HOME": str(self.folder)}
        return subprocess.Popen(
            [sys.executable, "-m", "aamic", *words, "-f", str(self.folder / "site.yaml")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            cwd=self.code,
        )  # fmt: skip

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*words)
        output, errors = process.communicate(timeout=240)
        assert process.returncode != 3, errors
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def apply(self, *words: str) -> dict[str, Any]:
        """Apply, and return the report; its exit code stands under `exit`."""
        done = self.run("apply", *words, "--yes", "--json")
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report | {"exit": done.returncode}

    def apply_all(self, *words: str) -> None:
        """Apply where nothing may fail."""
        report = self.apply(*words)
        assert (report["exit"], report["ok"]) == (0, True), report

    def killed(self, *words: str, when: Callable[[], bool], seconds: float = 60) -> None:
        """Start an apply and kill it, as a power cut would, as soon as `when` holds."""
        process = self.start("apply", "--yes", *words)
        try:
            wait_until(when, seconds)
            assert process.poll() is None, process.communicate()
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds; TimeoutError if it never does."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("it never came to be")
        time.sleep(0.05)


PICTURE: Final = """
cd /
find etc/aami etc/systemd/system etc/sysusers.d etc/tmpfiles.d usr/local/lib/aami var/lib/aami/targets opt/aami \
    ! -type d -printf '%p %#m %u %g %l\\n' 2>/dev/null | sort
find etc/aami etc/systemd/system usr/local/lib/aami var/lib/aami/targets -type f 2>/dev/null | sort | xargs cat
cat var/lib/aamic/manifest
ls var/lib/aamic/incoming
"""
"""Everything that aamic may have changed, half-written files among it."""


def picture(host: Host) -> str:
    """What a host has and runs: two pictures are equal if it has the same release, completely."""
    pid = host.run("systemctl", "show", "-P", "MainPID", UNIT).stdout.strip()
    running = host.run("cat", f"/proc/{pid}/cmdline").stdout.replace("\0", " ") if pid != "0" else "-"
    states = host.run("systemctl", "is-active", UNIT, "aamic-check.timer").stdout
    return f"{running}\n{states}\n{host.run('sh', '-c', PICTURE).stdout}"


def is_settled(host: Host) -> bool:
    """Whether no change of the host is under way or waits to be confirmed."""
    under_way = host.run("ls", "/var/lib/aamic").stdout.split()
    running = host.run("systemctl", "is-active", "aamic-transaction.service").stdout.strip()
    return not {"pending", "restoring", "confirmed"} & {*under_way} and running in {"inactive", "failed", "unknown"}
