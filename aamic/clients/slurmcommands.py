"""Running Slurm's own programs on a host, with nothing of anybody's environment in the way."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from aamic.clients.base import Hosts
from aamic.errors import OutsideError

_CLEAN: Final = """
for name in ACCOUNT ALL ARRAY CLUSTERS FEDERATION FORMAT FORMAT2 LICENSES LOCAL NAMES PARTITION PRIORITY QOS \\
    REVERSE SIBLING SORT STATES USERS; do unset "SQUEUE_$name" "SACCT_$name"; done
unset SLURM_CLUSTERS SCONTROL_ALL SCONTROL_FEDERATION SCONTROL_FUTURE SCONTROL_LOCAL SCONTROL_SIBLING
export LC_ALL=C TZ=UTC SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0
PATH=$PATH:/usr/local/bin:/usr/local/slurm/bin:/opt/slurm/bin:/opt/slurm/current/bin
if [ -z "${SLURM_CONF-}" ] && [ -r "$1" ]; then export SLURM_CONF="$1"; fi
shift
exec "$@" </dev/null
"""
"""Times are seconds since 1970, whatever the zone of the controller; long lists of array tasks are not cut."""
_NOT_THERE: Final = 127
_HINTS: Final = (
    ("Unable to contact slurm controller", "is slurmctld running there? `systemctl status slurmctld` tells"),
    ("Unable to contact slurm", "is slurmctld running there? `systemctl status slurmctld` tells"),
    ("Access/permission denied", "Slurm lets only root, SlurmUser and its operators do that"),
    ("Protocol authentication error", "is munge running there, with the key and the clock of the cluster?"),
    ("accounting storage is disabled", "the cluster keeps no accounting, so finished jobs are soon forgotten"),
    ("Connection refused", "is slurmdbd running? `systemctl status slurmdbd` on its host tells"),
)


class SlurmError(OutsideError):
    """A program of Slurm failed; `said` is what it wrote on standard error."""

    def __init__(self, message: str, said: str, hint: str | None = None) -> None:
        self.said = said
        super().__init__(message, hint)


@dataclass(frozen=True, slots=True)
class Commands:
    """Slurm's programs on one host; `conf` is the slurm.conf that counts where the environment names none."""

    hosts: Hosts
    host: str
    conf: str = "/etc/slurm/slurm.conf"
    timeout: float = 60.0

    def run(self, *command: str) -> str:
        """What a program printed.

        Raises:
            SlurmError: It failed, or is not there.
            HostError: The host was not reached.
        """
        answer = self.hosts.run(self.host, ("sh", "-c", _CLEAN, "aamic", self.conf, *command), (), self.timeout)
        if answer.status:
            raise self._failure(command[0], answer.status, answer.errors.decode(errors="replace"))
        return answer.output.decode(errors="replace")

    def _failure(self, program: str, status: int, errors: str) -> SlurmError:
        if status == _NOT_THERE:
            there = "`slurm.controller` of the site names the host that runs slurmctld and has Slurm's programs"
            return SlurmError(f"`{self.host}`: there is no `{program}` on its PATH", errors, there)
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        said = lines[-1] if lines else "it said nothing"
        hint = next((hint for mark, hint in _HINTS if mark in errors), None)
        return SlurmError(f"`{self.host}`: `{program}` failed (status {status}): {said}", errors, hint)


def separator() -> str:
    """A text that stands in no name or reason of Slurm, as nobody could know it: jobs name themselves."""
    return f"|{secrets.token_hex(8)}|"


def records(text: str, mark: str, width: int) -> list[list[str]]:
    r"""The records of a text whose fields all end with `mark`, `width` to a record, one after the other.

    >>> records("1|a\nb|\n2|c|\n", "|", 2)
    [['1', 'a\nb'], ['2', 'c']]

    Raises:
        OutsideError: The fields do not come out even.
    """
    fields = text.split(mark)
    rest = fields.pop()
    if len(fields) % width or rest.strip():
        raise OutsideError("what Slurm printed makes no sense: fields are missing", "is its release known to aamic?")
    rows = [fields[start : start + width] for start in range(0, len(fields), width)]
    return [[row[0].lstrip("\n"), *row[1:]] for row in rows]
