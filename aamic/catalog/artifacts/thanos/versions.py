"""What differs between releases of Thanos, as far as aamic's options are concerned.

Held against `--help` of 0.36.0 and 0.42.5, and against the options listed in docs/components of each release between
them (thanos-io/thanos, v0.36.0 to v0.42.4): all other options that are used here are the same in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

Version = tuple[int, int, int]

OLDEST: Final[Version] = (0, 36, 0)
NEWEST: Final[Version] = (0, 42, 5)
"""The newest release that was tried; one of a later minor number may lack an option."""
_ENDPOINT_FILE: Final[Version] = (0, 38, 0)
"""thanos-io/thanos#7890: `--endpoint.sd-config-file`, the first file in which endpoints can be strict."""
_STORE_WITHOUT_ADMIN: Final[Version] = (0, 39, 0)
"""thanos-io/thanos#8284."""
RELOAD: Final = "30s"
"""How often Query looks at its endpoints again: a new shard is seen without a restart."""


def has_endpoint_file(version: Version) -> bool:
    """Whether Query reads its endpoints from a file, again and again."""
    return version >= _ENDPOINT_FILE


def endpoint_options(version: Version, path: str, addresses: Iterable[str]) -> Iterator[str]:
    """The options by which Query knows whom to ask. All are strict: an answer without one of them says so.

    Older releases are strict with options alone, so a new shard restarts their Query.

    >>> list(endpoint_options((0, 37, 2), "/etc/x.yml", ["10.0.0.1:10901"]))
    ['--endpoint-strict=10.0.0.1:10901']
    """
    if has_endpoint_file(version):
        yield f"--endpoint.sd-config-file={path}"
        yield f"--endpoint.sd-config-reload-interval={RELOAD}"
    else:
        yield from (f"--endpoint-strict={address}" for address in addresses)


def store_options(version: Version) -> Iterator[str]:
    """The option by which nobody can mark blocks for deletion on the store's page, where there is one."""
    if version >= _STORE_WITHOUT_ADMIN:
        yield "--disable-admin-operations"
