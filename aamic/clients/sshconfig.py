"""What the OpenSSH configuration says of hosts, and the files that a site names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from paramiko import ConfigParseError, SSHConfig

from aamic.errors import OutsideError
from aamic.model.fleet import USER_SSH_CONFIG

USUAL_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_IGNORE: Final = "with `ssh.config: false` it is ignored"
_TAKE_OUT: Final = "take the `exec` out of it; ~/.ssh/config may have it, which is your own"


def beside_hostname(said: Any) -> dict[str, Any]:
    """What is said of a host beside its HostName, which is its own name where the configuration gives none."""
    return {key: value for key, value in said.items() if key != "hostname"}


def read_ssh_config(text: str | None, folder: Path) -> SSHConfig:
    """The configuration that a site honours; empty if it is none, or the usual one and not there.

    Raises:
        OutsideError: It cannot be read, or is one of the site's own and would run programs.
    """
    if text is None:
        return SSHConfig()
    path = located(text, folder)
    config = _read(path, text)
    if text != USER_SSH_CONFIG and _runs_programs(config):
        # A site may come from a pull request or from a host, and to look at one must not run what it says.
        told = f"the OpenSSH configuration `{path}` has `Match exec`, and a site may not run programs here"
        raise OutsideError(told, _TAKE_OUT)
    return config


def _read(path: Path, text: str) -> SSHConfig:
    try:
        _expect_file(path)
        return SSHConfig.from_path(path)
    except OSError as error:
        if text == USER_SSH_CONFIG and isinstance(error, FileNotFoundError):
            return SSHConfig()
        reason = (error.strerror or str(error)).lower()
        raise OutsideError(f"the OpenSSH configuration `{path}` cannot be read: {reason}", _IGNORE) from error
    except (ConfigParseError, ValueError) as error:
        raise OutsideError(f"the OpenSSH configuration `{path}` cannot be read: {error}", _IGNORE) from error


def _expect_file(path: Path) -> None:
    """Raise where a read would wait for ever, or never end, as with a pipe or a device."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")


def _runs_programs(config: SSHConfig) -> bool:
    """Whether a lookup would run something: as paramiko understood the lines, and as OpenSSH writes the word."""
    matches = (match for block in config._config for match in block.get("matches", ()))  # noqa: SLF001  # not told otherwise
    return any(str(match["type"]).lower().startswith("exec") for match in matches)


def located(text: str, folder: Path) -> Path:
    """The file that a path of the site means.

    Raises:
        OutsideError: It is in the home folder of nobody.
    """
    try:
        return folder.absolute() / Path(text).expanduser()
    except RuntimeError as error:
        raise OutsideError(f"`{text}` names the home folder of a user that does not exist") from error
