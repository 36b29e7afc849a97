"""A real Slurm cluster on test hosts: slurmctld on one, slurmd on two others, accounting and REST when asked for.

A cluster is booted once for all tests of a run, which leave it with `reset`.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tests.fleet import disk
from tests.fleet.host import Host, add_host, boot_all
from tests.fleet.rack import Rack
from tests.fleet.slurmconf import KEY, PORT, SlurmConf
from tests.fleet.slurmhost import USER, clear, furnish, go_configless, own, start_accounting, write

CONTROLLER: Final = ("slurm-ctl", 20)
NODES: Final = (("node-01", 21), ("node-02", 22))
"""Names and rack numbers."""

ENDED: Final = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
READY: Final = ("IDLE", "MIXED", "ALLOCATED")


@dataclass
class Slurm:
    """A cluster that runs. `conf` is the slurm.conf that `reset` gives every host."""

    controller: Host
    nodes: Mapping[str, Host]
    conf: SlurmConf

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The controller and the nodes."""
        return (self.controller, *self.nodes.values())

    def run(self, *command: str, user: str = "root", stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client of Slurm on the controller, at home and with the environment of a login."""
        home = "/root" if user == "root" else f"/home/{user}"
        clean = ("env", "-i", "-C", home, f"HOME={home}", f"USER={user}", "PATH=/usr/sbin:/usr/bin:/bin")
        return self.controller.run("runuser", "-u", user, "--", *clean, *command, stdin=stdin)

    def do(self, *command: str, user: str = "root", stdin: str = "") -> str:
        """What a client on the controller said; AssertionError where it fails."""
        done = self.run(*command, user=user, stdin=stdin)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def scontrol(self, *words: str) -> str:
        """What scontrol said to root."""
        return self.do("scontrol", *words)

    def submit(self, script: str, *options: str, user: str = USER[0]) -> str:
        """Submit the lines of a shell script, and return the number of the job."""
        batch = ("sbatch", "--parsable", "--output=/dev/null", *options)
        return self.do(*batch, user=user, stdin=f"#!/bin/sh\n{script}\n").strip()

    def srun(self, *words: str, user: str = USER[0]) -> subprocess.CompletedProcess[str]:
        """Run a program as a job, to its end."""
        return self.run("srun", *words, user=user)

    def job(self, number: str) -> str:
        """The line that scontrol has for a job."""
        return self.scontrol("show", "job", "-o", number)

    def job_field(self, number: str, key: str) -> str:
        """A field of a job without spaces, such as `JobState`."""
        return _field(self.job(number), key)

    def wait_job(self, number: str, *states: str, seconds: float = 60) -> str:
        """Wait until a job is in one of the states, by default until it ended in any, and return the state."""
        wanted = states or ENDED
        _wait(lambda: self.job_field(number, "JobState") in wanted, lambda: self.job(number), seconds)
        return self.job_field(number, "JobState")

    def wait_forgotten(self, number: str) -> None:
        """Wait until slurmctld has forgotten a job, which it does every 10 s with `SlurmConf.forgetful`."""
        _wait(lambda: self.run("scontrol", "show", "job", number).returncode != 0, lambda: self.job(number), 60)

    def node_state(self, name: str) -> tuple[str, str]:
        """The state of a node, such as `IDLE+DRAIN`, and the reason that stands with it, or nothing."""
        line = self.scontrol("show", "node", "-o", name)
        reason = re.search(r" Reason=(.*?)(?: \[[^\]]*\])?\s*$", line)
        return _field(line, "State"), reason[1] if reason else ""

    def wait_node(self, name: str, *states: str, seconds: float = 60) -> None:
        """Wait until a node is in one of the states, such as `IDLE`."""
        _wait(lambda: self.node_state(name)[0] in states, lambda: self.scontrol("show", "node", name), seconds)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on every host."""
        for host in self.hosts:
            write(host, path, text, mode)

    def configure(self, conf: SlurmConf) -> None:
        """Have every host use another slurm.conf."""
        self.write("/etc/slurm/slurm.conf", conf.text())
        self.scontrol("reconfigure")

    def go_configless(self) -> None:
        """Have the nodes take their configuration from the controller, and none of their own."""
        conf = self.conf.with_lines(["SlurmctldParameters=enable_configless"])
        write(self.controller, "/etc/slurm/slurm.conf", conf.text())
        self._restart()
        for node in self.nodes.values():
            go_configless(node, self.controller.name)
        self.wait_ready()

    def account(self) -> None:
        """Start accounting, if it does not run yet; from then on `reset` keeps it."""
        if self.conf.accounting:
            return
        start_accounting(self.controller)
        self.conf = replace(self.conf, accounting=True)
        self.write("/etc/slurm/slurm.conf", self.conf.text())
        add = ("sacctmgr", "-i", "add", "cluster", "fleet")
        _wait(lambda: self.run(*add).returncode == 0, lambda: self.run(*add).stderr)
        self._restart()
        self.wait_ready()

    def _restart(self) -> None:
        self.controller.do("systemctl", "restart", "slurmctld")
        log = ("tail", "/var/log/slurm/slurmctld.log")
        _wait(lambda: self.run("scontrol", "reconfigure").returncode == 0, lambda: self.controller.do(*log))

    def wait_ready(self) -> None:
        """Wait until every node would take a job."""
        log = ("tail", "/var/log/slurm/slurmctld.log")
        _wait(lambda: self.run("scontrol", "ping").returncode == 0, lambda: self.controller.do(*log))
        for name in self.nodes:
            self.wait_node(name, *READY)

    def token(self, user: str = "root", lifespan: int = 600) -> str:
        """A token for slurmrestd."""
        return self.scontrol("token", f"username={user}", f"lifespan={lifespan}").strip().partition("=")[2]

    def rest(self) -> str:
        """The address of slurmrestd, which is started if it does not run yet; it insists on accounting."""
        self.account()
        if self.controller.run("systemctl", "is-active", "--quiet", "rest").returncode:
            self._start_rest()
        return f"http://{self.controller.address}:{PORT}"

    def _start_rest(self) -> None:
        daemon = ("slurmrestd", "-a", "rest_auth/jwt", f"0.0.0.0:{PORT}")
        settings = ("--unit=rest", "--uid=nobody", "--gid=nogroup", "--setenv=SLURM_JWT=daemon")
        self.controller.do("systemd-run", "--quiet", "--collect", *settings, *daemon)
        listening = ("ss", "-Hltn", f"sport = :{PORT}")
        _wait(lambda: self.controller.do(*listening) != "", lambda: self.controller.do("journalctl", "-u", "rest"))

    def reset(self) -> None:
        """Undo what a test did: no jobs, no files of its own, the first slurm.conf, every node takes jobs.

        Controller, nodes and their daemons must run, or be up to start with `systemctl`.
        """
        for host in self.hosts:
            clear(host, self.conf)
            host.do("systemctl", "start", "slurmctld" if host is self.controller else "slurmd")
        _wait(lambda: self.run("scontrol", "reconfigure").returncode == 0, lambda: "slurmctld does not answer")
        for state in ("PENDING", "RUNNING", "SUSPENDED"):
            self.run("scancel", f"--state={state}")
        _wait(lambda: self.do("squeue", "-h") == "", lambda: self.do("squeue"))
        for name in self.nodes:
            if self.node_state(name) != ("IDLE", ""):
                self.run("scontrol", "update", f"nodename={name}", "state=resume")
        self.wait_ready()


def _field(line: str, key: str) -> str:
    found = re.search(rf"(?:^| ){key}=(\S*)", line)
    return found[1] if found else ""


def _wait(holds: Callable[[], bool], why: Callable[[], str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, why()
        time.sleep(0.1)


def slurm_cluster(rack: Rack) -> Slurm:
    """Boot a cluster in a rack; it ends with the rack."""
    controller = add_host(rack, *CONTROLLER)
    nodes = {name: add_host(rack, name, number) for name, number in NODES}
    conf = SlurmConf((controller.name, controller.address), tuple((name, node.address) for name, node in nodes.items()))
    made = Slurm(controller, nodes, conf)
    munge = secrets.token_bytes(64)
    for host in made.hosts:
        furnish(host, conf, munge, made.hosts)
        disk.unmask(host.root, ("munge.service", "slurmctld.service" if host is controller else "slurmd.service"))
    own(controller.root / KEY.lstrip("/"), secrets.token_bytes(32), "slurm")
    boot_all(made.hosts)
    made.wait_ready()
    return made
