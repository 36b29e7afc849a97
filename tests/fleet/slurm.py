"""A real Slurm cluster on test hosts: slurmctld on one, slurmd on two others, accounting and REST when asked for.

A cluster is booted once for all tests of a run, which leave it with `reset`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.fleet import disk
from tests.fleet.controller import wait_until
from tests.fleet.host import Host, add_host, boot_all
from tests.fleet.rack import Rack
from tests.fleet.slurmconf import DBD_CONF, GPUS, GRES_CONF, KEY, MARIADB_CONF, PORT, SlurmConf

CONTROLLER: Final = ("slurm-ctl", 20)
NODES: Final = (("node-01", 21), ("node-02", 22))
"""Names and rack numbers."""

USER: Final = ("alice", 2010)
"""Who submits jobs: an account on every host, which may not use sudo."""

DATABASE: Final = """
create database slurm_acct;
create user slurm@localhost identified via unix_socket;
grant all on slurm_acct.* to slurm@localhost;
"""

NULL: Final = os.makedev(1, 3)

LEFT: Final = """
for unit in $(systemctl list-units --all --plain --no-legend 'aami*' | cut -d ' ' -f 1); do
    systemctl stop "$unit"
done
find /etc/systemd/system -name 'aami*' -delete
find /etc /opt /run /usr/local/lib /var/lib /var/log /var/spool -maxdepth 1 -name 'aami*' -exec rm -rf {} +
find /etc/slurm -mindepth 1 -maxdepth 1 ! -name 'plugstack*' ! -name slurmdbd.conf -exec rm -rf {} +
systemctl daemon-reload
systemctl reset-failed
"""
"""Throw away all that tests may have put on a host, and what configures Slurm."""


@dataclass
class Slurm:
    """A cluster that runs. `conf` is the slurm.conf that `reset` gives every host."""

    controller: Host
    nodes: Mapping[str, Host]
    conf: SlurmConf
    _rest: bool = field(default=False, repr=False)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The controller and the nodes."""
        return (self.controller, *self.nodes.values())

    def run(self, *command: str, user: str = "root", stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client of Slurm on the controller, with the environment of a login."""
        home = "/root" if user == "root" else f"/home/{user}"
        clean = ("env", "-i", "-C", "/tmp", f"HOME={home}", f"USER={user}", "PATH=/usr/bin:/bin:/usr/sbin:/sbin")
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
        """Submit the lines of a shell script; the job's number, which may be `1+0` or `1_2` elsewhere."""
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

    def wait_job(self, number: str, *states: str, seconds: float = 30) -> str:
        """Wait until a job is in one of the states, by default until it ended in any; returns the state."""
        ends = states or ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        until = time.monotonic() + seconds
        while (state := self.job_field(number, "JobState")) not in ends:
            assert time.monotonic() < until, self.job(number)
            time.sleep(0.1)
        return state

    def node_state(self, name: str) -> tuple[str, str]:
        """The state of a node, such as `IDLE+DRAIN`, and the reason that stands with it, or nothing."""
        line = self.scontrol("show", "node", "-o", name)
        reason = re.search(r" Reason=(.*?)(?: \[[^\]]*\])?\s*$", line)
        return _field(line, "State"), reason[1] if reason else ""

    def wait_node(self, name: str, state: str, seconds: float = 30) -> None:
        """Wait until a node is in a state, such as `IDLE`."""
        until = time.monotonic() + seconds
        while self.node_state(name)[0] != state:
            assert time.monotonic() < until, self.scontrol("show", "node", name)
            time.sleep(0.1)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on every host."""
        for host in self.hosts:
            write(host, path, text, mode)

    def configure(self, conf: SlurmConf) -> None:
        """Have every host use another slurm.conf."""
        self.write("/etc/slurm/slurm.conf", conf.text())
        self.scontrol("reconfigure")

    def account(self) -> None:
        """Start accounting, if it does not run yet; from then on `reset` keeps it."""
        if self.conf.accounting:
            return
        start_accounting(self.controller)
        self.conf = replace(self.conf, accounting=True)
        self.write("/etc/slurm/slurm.conf", self.conf.text())
        wait_until(lambda: self.run("sacctmgr", "-i", "add", "cluster", "fleet").returncode == 0)
        self.controller.do("systemctl", "restart", "slurmctld")
        self.wait_ready()
        self.scontrol("reconfigure")

    def wait_ready(self) -> None:
        """Wait until every node would take a job."""
        until = time.monotonic() + 60
        while self.run("scontrol", "ping").returncode != 0:
            assert time.monotonic() < until, self.controller.run("tail", "/var/log/slurm/slurmctld.log").stdout
            time.sleep(0.1)
        for name in self.nodes:
            self.wait_node(name, "IDLE")

    def token(self, user: str = "root", lifespan: int = 600) -> str:
        """A token for slurmrestd."""
        return self.scontrol("token", f"username={user}", f"lifespan={lifespan}").strip().partition("=")[2]

    def rest(self) -> str:
        """The address of slurmrestd, which is started if it does not run yet."""
        if self.controller.run("systemctl", "is-active", "--quiet", "rest").returncode:
            daemon = ("slurmrestd", "-a", "rest_auth/jwt", f"0.0.0.0:{PORT}")
            settings = ("--unit=rest", "--uid=nobody", "--gid=nogroup", "--setenv=SLURM_JWT=daemon")
            self.controller.do("systemd-run", "--quiet", "--collect", *settings, *daemon)
        return f"http://{self.controller.address}:{PORT}"

    def reset(self) -> None:
        """Undo what a test did: no jobs, no files of its own, the first slurm.conf, every node takes jobs."""
        self.run("scancel", "--state=PENDING"), self.run("scancel", "--state=RUNNING")
        for host in self.hosts:
            host.do("sh", "-euc", LEFT)
            configure(host, self.conf)
        self.scontrol("reconfigure")
        self.wait_ready()


def _field(line: str, key: str) -> str:
    found = re.search(rf"(?:^| ){key}=(\S*)", line)
    return found[1] if found else ""


def write(host: Host, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file of root on a host."""
    target = host.root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


def configure(host: Host, conf: SlurmConf) -> None:
    """Give a host the files in /etc/slurm that it begins with."""
    write(host, "/etc/slurm/slurm.conf", conf.text())
    write(host, "/etc/slurm/gres.conf", GRES_CONF)


def slurm_cluster(rack: Rack) -> Slurm:
    """Boot a cluster in a rack; it ends with the rack."""
    controller = add_host(rack, *CONTROLLER)
    nodes = {name: add_host(rack, name, number) for name, number in NODES}
    conf = SlurmConf((controller.name, controller.address), tuple((name, node.address) for name, node in nodes.items()))
    made = Slurm(controller, nodes, conf)
    munge, jwt = secrets.token_bytes(64), secrets.token_bytes(32)
    for host in made.hosts:
        _furnish(host, conf, munge, made.hosts)
        disk.unmask(host.root, ("munge.service", "slurmctld.service" if host is controller else "slurmd.service"))
    _own(controller.root / KEY.lstrip("/"), jwt, "slurm")
    boot_all(made.hosts)
    made.wait_ready()
    return made


def _furnish(host: Host, conf: SlurmConf, munge: bytes, others: tuple[Host, ...]) -> None:
    configure(host, conf)
    _own(host.root / "etc/munge/munge.key", munge, "munge")
    disk.add_account(host.root, *USER)
    home = host.root / "home" / USER[0]
    home.mkdir()
    shutil.chown(home, USER[1], USER[1])
    for number in range(GPUS):
        os.mknod(host.root / f"srv/nvidia{number}", stat.S_IFCHR, NULL)
    with (host.root / "etc/hosts").open("a") as known:
        known.writelines(f"{other.address} {other.name}\n" for other in others if other is not host)


def _own(path: Path, content: bytes, user: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(content)
    shutil.chown(path, user, user)


def start_accounting(host: Host) -> None:
    """Start a database and slurmdbd on a host."""
    write(host, "/etc/mysql/mariadb.conf.d/90-test.cnf", MARIADB_CONF)
    _own(host.root / "etc/slurm/slurmdbd.conf", DBD_CONF.encode(), "slurm")
    units = ("mariadb.service", "slurmdbd.service")
    disk.unmask(host.root, units)
    host.do("systemctl", "daemon-reload")
    host.do("systemctl", "start", "mariadb")
    host.do("mariadb", "--execute", DATABASE)
    host.do("systemctl", "start", "slurmdbd")
