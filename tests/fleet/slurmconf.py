"""What stands in the configuration of the Slurm cluster that tests run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

GPUS: Final = 4
"""GPUs of each node: slurmd only asks whether they are devices."""

PORT: Final = 6820
KEY: Final = "/var/lib/slurm/jwt.key"

SLURM_CONF: Final = """\
ClusterName=fleet
SlurmctldHost={controller}
SlurmUser=slurm
MailProg=/bin/true
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
AuthType=auth/munge
AuthInfo=cred_expire={requeue}
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={key}
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
JobRequeue=1
ReturnToService=1
MinJobAge={min_job_age}
KillWait=2
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=10
SlurmctldDebug=info
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdDebug=info
SlurmdLogFile=/var/log/slurm/slurmd.log
SlurmdParameters=config_overrides
{accounting}SchedulerParameters={scheduler}
{extra}NodeName={node_names} CPUs=8 RealMemory=8000 Gres=gpu:{gpus}
PartitionName=main Nodes=ALL Default=YES MaxTime=1:00:00 State=UP
"""

ACCOUNTING: Final = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageTRES=gres/gpu
"""

GRES_CONF: Final = f"Name=gpu File=/srv/nvidia[0-{GPUS - 1}]\n"

DBD_CONF: Final = f"""\
DbdHost=localhost
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageUser=slurm
StorageLoc=slurm_acct
StorageHost=localhost
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={KEY}
LogFile=/var/log/slurm/slurmdbd.log
"""

MARIADB_CONF: Final = """\
[mysqld]
bind-address = 127.0.0.1
innodb_buffer_pool_size = 64M
innodb_log_file_size = 8M
innodb_flush_log_at_trx_commit = 0
"""


@dataclass(frozen=True)
class SlurmConf:
    """A slurm.conf; `nodes` and `controller` are names with addresses, times are seconds.

    `requeue` is how long a job waits before it starts again, as its credential must have run out, and `extra` are lines
    before those of the nodes.
    """

    controller: tuple[str, str]
    nodes: tuple[tuple[str, str], ...]
    min_job_age: int = 300
    requeue: int = 5
    accounting: bool = False
    scheduler: str = "bf_interval=1,sched_interval=1"
    extra: str = ""

    def text(self) -> str:
        """The file's contents."""
        name, address = self.controller
        names = ",".join(node for node, _ in self.nodes)
        addresses = ",".join(address for _, address in self.nodes)
        return SLURM_CONF.format(
            controller=f"{name}({address})",
            node_names=f"{names} NodeAddr={addresses}",
            min_job_age=self.min_job_age,
            requeue=self.requeue,
            accounting=ACCOUNTING if self.accounting else "",
            scheduler=self.scheduler,
            extra=self.extra,
            key=KEY,
            gpus=GPUS,
        )

    def with_lines(self, lines: Iterable[str]) -> SlurmConf:
        """The same with more lines."""
        return replace(self, extra=self.extra + "".join(f"{line}\n" for line in lines))

    def without_hold(self) -> SlurmConf:
        """The same for a slurmctld that gives a job which a prolog refused to another node, instead of holding it."""
        return replace(self, scheduler=f"{self.scheduler},nohold_on_prolog_fail")

    def forgetful(self) -> SlurmConf:
        """The same for a slurmctld that forgets a job as soon as it looks after it has ended."""
        return replace(self, min_job_age=2)
