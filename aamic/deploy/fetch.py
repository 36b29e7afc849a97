"""Contents of files that a plan changes, fetched once from one host of those that have them.

What a host sends is not trusted: names, sizes and digests are checked. Files that only some users may read are never
sent, as they may hold somebody's secrets.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from aamic.clients.base import Hosts
from aamic.deploy import wire
from aamic.deploy.explain import LARGEST, Contents, Rewritten
from aamic.deploy.fanout import fan_out
from aamic.deploy.observe import Asking
from aamic.errors import HostError

_MOST_VERSIONS: Final = 20
"""Different contents of one path that are fetched; files that were edited by hand may differ on every host."""
_TOO_MANY: Final = "more than {} versions of this file stand on hosts; this one was not fetched"
_NOT_SENT: Final = "not every user of the host may read what stands there, or it is too large to be fetched"


def fetch_old(
    hosts: Hosts, rewritten: Iterable[Rewritten], asking: Asking, most: int = _MOST_VERSIONS, *, follow: bool = False
) -> Contents:
    """The old contents, or for each why there is none; at most so many versions of one path are fetched.

    With `follow`, a link stands for what it leads to.
    """
    asked: defaultdict[str, dict[str, str]] = defaultdict(dict)
    versions: defaultdict[str, set[str]] = defaultdict(set)
    found: dict[tuple[str, str], bytes | str] = {}
    for each in rewritten:
        if each.before in versions[each.name]:
            continue
        if len(versions[each.name]) < most:
            versions[each.name].add(each.before)
            asked[each.host][each.name] = each.before
        else:
            found[each.name, each.before] = _TOO_MANY.format(most)

    def fetch(host: str) -> dict[str, bytes]:
        return fetch_files(hosts, host, tuple(asked[host]), asking.timeout, follow=follow)

    for host, answer in fan_out(tuple(asked), fetch, asking.parallel).items():
        for name, digest in asked[host].items():
            found[name, digest] = str(answer) if isinstance(answer, HostError) else _checked(answer.get(name), digest)
    return found


def fetch_files(
    hosts: Hosts, host: str, paths: tuple[str, ...], timeout: float, *, follow: bool = False
) -> dict[str, bytes]:
    """The contents of those of these files that every user of the host may read, and that are not too large.

    Raises:
        HostError: The host did not answer, or with something that is no tar.
    """
    payload = (wire.program("fetch"), "".join(f"{path}\n" for path in (*paths, "end")).encode())
    answer = hosts.run(host, wire.command("fetch", *(["follow"] if follow else [])), payload, timeout)
    archive = wire.fetched(host, answer)
    try:
        return dict(_members(archive, frozenset(paths))) if archive else {}
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise HostError("broken", f"`{host}`: what it sent is no tar of its files") from error


def _members(archive: bytes, asked: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() and member.size <= LARGEST else None
            if f"/{member.name}" in asked and stream is not None:
                yield f"/{member.name}", stream.read()


def _checked(content: bytes | None, digest: str) -> bytes | str:
    if content is None:
        return _NOT_SENT
    if hashlib.sha256(content).hexdigest() != digest:
        return "it changed while it was looked at"
    return content
