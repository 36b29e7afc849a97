"""What the OpenSSH configuration says of hosts, and the files that a site names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from paramiko import ConfigParseError, SSHConfig

from aamic.errors import OutsideError
from aamic.model.fleet import USER_SSH_CONFIG

USUAL_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_IGNORE: Final = "with `ssh.config: false` it is ignored"


def beside_hostname(said: Any) -> dict[str, Any]:
    """What is said of a host beside its HostName, which is its own name where the configuration gives none."""
    return {key: value for key, value in said.items() if key != "hostname"}


def read_ssh_config(text: str | None, folder: Path) -> SSHConfig:
    """The configuration that a site honours; empty if it is none, or the usual one and not there.

    Raises:
        OutsideError: It cannot be read.
    """
    if text is None:
        return SSHConfig()
    path = located(text, folder)
    try:
        return SSHConfig.from_path(path)
    except OSError as error:
        if text == USER_SSH_CONFIG and isinstance(error, FileNotFoundError):
            return SSHConfig()
        reason = (error.strerror or str(error)).lower()
        raise OutsideError(f"the OpenSSH configuration `{path}` cannot be read: {reason}", _IGNORE) from error
    except (ConfigParseError, ValueError) as error:
        raise OutsideError(f"the OpenSSH configuration `{path}` cannot be read: {error}", _IGNORE) from error


def located(text: str, folder: Path) -> Path:
    """The file that a path of the site means.

    Raises:
        OutsideError: It is in the home folder of nobody.
    """
    try:
        return folder.absolute() / Path(text).expanduser()
    except RuntimeError as error:
        raise OutsideError(f"`{text}` names the home folder of a user that does not exist") from error
