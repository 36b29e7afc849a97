"""What makes a test host one of a Slurm cluster: its files, devices and daemons."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.fleet import disk
from tests.fleet.host import Host
from tests.fleet.slurmconf import DBD_CONF, GPUS, GRES_CONF, MARIADB_CONF, SlurmConf

USER: Final = ("alice", 2010)
"""Who submits jobs: an account on every host, which may not use sudo."""

DATABASE: Final = """
create database slurm_acct;
create user slurm@localhost identified via unix_socket;
grant all on slurm_acct.* to slurm@localhost;
"""

NO_DNS: Final = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"
"""Daemons of Slurm ask for the names of who connects, and no name server would answer."""

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

CONFIGLESS: Final = """\
[Unit]
ConditionPathExists=
[Service]
Environment="SLURMD_OPTIONS=--conf-server {server}"
"""
DROP_IN: Final = "/etc/systemd/system/slurmd.service.d/configless.conf"


def write(host: Host, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file of root on a host."""
    target = host.root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text)
    target.chmod(mode)


def own(path: Path, content: bytes, user: str) -> None:
    """Write a file that only its user may read."""
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(content)
    shutil.chown(path, user, user)


def configure(host: Host, conf: SlurmConf) -> None:
    """Give a host the files in /etc/slurm that it begins with."""
    write(host, "/etc/slurm/slurm.conf", conf.text())
    write(host, "/etc/slurm/gres.conf", GRES_CONF)


def furnish(host: Host, conf: SlurmConf, munge: bytes, others: Iterable[Host]) -> None:
    """Prepare a host that is off, for a cluster with `others` and this key for munge."""
    configure(host, conf)
    write(host, "/etc/nsswitch.conf", NO_DNS)
    own(host.root / "etc/munge/munge.key", munge, "munge")
    disk.add_account(host.root, *USER)
    home = host.root / "home" / USER[0]
    home.mkdir()
    shutil.chown(home, USER[1], USER[1])
    for number in range(GPUS):
        os.mknod(host.root / f"srv/nvidia{number}", stat.S_IFCHR, NULL)
    with (host.root / "etc/hosts").open("a") as known:
        known.writelines(f"{other.address} {other.name}\n" for other in others if other is not host)


def clear(host: Host, conf: SlurmConf) -> None:
    """Throw away what tests put on a host, and give it its slurm.conf again; daemons are not told."""
    drop_in = host.root / DROP_IN.lstrip("/")
    was_configless = drop_in.exists()
    drop_in.unlink(missing_ok=True)
    host.do("sh", "-euc", LEFT)
    configure(host, conf)
    if was_configless:
        host.do("systemctl", "restart", "slurmd")


def go_configless(host: Host, server: str) -> None:
    """Have a host's slurmd ask a server for its configuration, and have none of its own."""
    # Stopped first: one that is asked to read its files again meanwhile would report no GPUs, and be drained.
    host.do("systemctl", "stop", "slurmd")
    write(host, DROP_IN, CONFIGLESS.format(server=server))
    for name in ("slurm.conf", "gres.conf"):
        (host.root / "etc/slurm" / name).unlink()
    host.do("systemctl", "daemon-reload")
    host.do("systemctl", "start", "slurmd")


def start_accounting(host: Host) -> None:
    """Start a database and slurmdbd on a host, which answers a moment later."""
    write(host, "/etc/mysql/mariadb.conf.d/90-test.cnf", MARIADB_CONF)
    own(host.root / "etc/slurm/slurmdbd.conf", DBD_CONF.encode(), "slurm")
    disk.unmask(host.root, ("mariadb.service", "slurmdbd.service"))
    host.do("systemctl", "daemon-reload")
    host.do("systemctl", "start", "mariadb")
    host.do("mariadb", "--execute", DATABASE)
    host.do("systemctl", "start", "slurmdbd")
