"""This machine in the place of a managed host: programs run here, as who runs aamic."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from aamic.clients.base import Answer
from aamic.errors import HostError


class LocalHost:
    """Runs programs here, whatever the host is called."""

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run one program to its end, with `payload` on its standard input.

        Raises:
            HostError: It cannot be started, or `timeout` seconds passed.
        """
        try:
            done = subprocess.run(command, input=b"".join(payload), capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise HostError(
                "timeout", f"`{host}`, this machine: `{command[0]}` took longer than {timeout:g} s"
            ) from None
        except OSError as error:
            raise HostError("broken", f"`{host}`, this machine: cannot run `{command[0]}`: {error.strerror}") from error
        return Answer(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        """There is nothing to close."""
