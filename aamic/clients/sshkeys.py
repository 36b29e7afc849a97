"""What users prove themselves with: private keys, each read once, and those of an agent."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from paramiko import Agent, AuthenticationException, BadAuthenticationType, PKey, SSHException, Transport
from paramiko.pkey import UnknownKeyType

from aamic.clients.sshfaults import Target, refused
from aamic.errors import OutsideError

_USUAL: Final = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_TOO_SLOW: Final = "Authentication timeout"
"""What paramiko says when a host does not judge a key in time."""
_PROTECTED: Final = "is protected by a passphrase"


class Keys:
    """The keys of a site.

    They are tried in this order: the site's `key`, the IdentityFile of the OpenSSH configuration, those of the agent,
    and only where neither of the first two is given, the usual files of ~/.ssh.

    Args:
        key: The site's private key, if it has one.
        agent: Whether an agent may be asked.

    Raises:
        OutsideError: The key cannot be read, or has a passphrase and there is no agent.
    """

    def __init__(self, key: Path | None, *, agent: bool) -> None:
        self._key = key
        self._agent = agent and bool(os.environ.get("SSH_AUTH_SOCK"))
        if key is not None and not (found := _load(key))[0] and not (self._agent and found[1] == _PROTECTED):
            hint = f"`ssh-add {key}` gives it to an agent" if found[1] == _PROTECTED else None
            raise OutsideError(f"the key `{key}` {found[1]}", hint)

    def login(self, transport: Transport, target: Target, configured: Sequence[str]) -> None:
        """Log in with the first key that the host takes; `configured` are files of the OpenSSH configuration.

        Raises:
            HostError: It takes none of them.
            SSHException: The connection broke before it had judged any.
            TimeoutError: It did not judge a key in time.
        """
        tried: list[str] = []
        accepted: Sequence[str] = ()
        for label, key in self._candidates(configured):
            tried.append(label)
            try:
                accepted = transport.auth_publickey(target.user, key)
            except BadAuthenticationType as error:
                accepted = error.allowed_types
                break
            except SSHException as error:
                if _TOO_SLOW in str(error):
                    raise TimeoutError from error
                if not transport.is_active() or not isinstance(error, AuthenticationException):
                    _raise_if_first(error, tried)
                    break
                continue
            if not accepted:
                return
            raise refused(target, tried, accepted, ", and wants more than a key")
        raise refused(target, tried, accepted or _accepted(transport, target.user), self._remark())

    def _candidates(self, configured: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Each key with what messages call it; the agent is asked only when its turn comes."""
        given = [self._key] if self._key is not None else []
        files = [*given, *(Path(file).expanduser() for file in configured)]
        yield from _from_files(files)
        if self._agent:
            yield from _from_agent(files)
        if not files:
            yield from _from_files([Path(file).expanduser() for file in _USUAL])

    def _remark(self) -> str:
        protected = self._key is not None and _load(self._key)[1] == _PROTECTED
        return f"; the key `{self._key}` {_PROTECTED}, and only the agent can use it" if protected else ""


def _raise_if_first(error: SSHException, tried: Sequence[str]) -> None:
    """Raise where the connection broke with the first key: then it was not the keys that were refused.

    A host that was shown too many keys breaks it too.
    """
    if len(tried) == 1:
        raise error


def _from_files(files: Sequence[Path]) -> Iterator[tuple[str, PKey]]:
    for file in files:
        key, _ = _load(file)
        if key is not None:
            yield f"key `{file}`", key


def _from_agent(files: Sequence[Path]) -> Iterator[tuple[str, Any]]:
    """The agent's keys, first those whose public parts lie beside `files`: hosts hear out only a few."""
    try:
        agent = Agent()
    except (SSHException, OSError):
        return
    try:
        wanted = [_public(file) for file in files]
        for key in sorted(agent.get_keys(), key=lambda key: key.asbytes() not in wanted):
            yield f"key `{key.comment or key.get_name()}` of the agent", key
    finally:
        agent.close()


def _public(file: Path) -> bytes | None:
    with suppress(OSError, IndexError, ValueError, binascii.Error):
        return base64.b64decode(file.with_name(f"{file.name}.pub").read_text().split()[1])
    return None


@lru_cache(maxsize=256)
def _load(path: Path) -> tuple[PKey | None, str]:
    """The key in a file, or None and why there is none."""
    try:
        return PKey.from_path(path), ""
    except OSError as error:
        return None, f"cannot be read: {(error.strerror or str(error)).lower()}"
    except TypeError:
        return None, _PROTECTED
    except (ValueError, UnsupportedAlgorithm, UnknownKeyType, SSHException):
        return None, "is not a private key of a type that is supported"


def _accepted(transport: Transport, user: str) -> Sequence[str]:
    """The ways to log in that the host offers, if it still tells."""
    try:
        transport.auth_none(user)
    except BadAuthenticationType as error:
        return tuple(error.allowed_types)
    except (SSHException, EOFError, OSError):
        return ()
    return ()
