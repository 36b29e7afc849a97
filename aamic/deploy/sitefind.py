"""Look for a copy of the site on hosts, and choose one. What hosts say is not trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.clients.base import Answer, Hosts
from aamic.compile.hostlist import fold
from aamic.compile.sitecopy import LARGEST, read_copy
from aamic.deploy import wire
from aamic.deploy.fanout import Progress, fan_out
from aamic.errors import HostError, OutsideError
from aamic.model.sitecopy import SiteCopy

_CENTRAL: Final = frozenset({"central", "prometheus"})
"""Bundles of the central server, and of the single one."""
_END: Final = b"\nend\n"
_LONGEST_HEAD: Final = 1 << 20
_SHOWN: Final = 3
_TIMED: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z\b.*")
"""Names of releases, which tell by their beginning which of two is newer."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a host keeps of aamic: its release and bundles, and the copy of the site.

    `release` is '' where it has none; `trouble` says why a copy that is there is of no use, ''.
    """

    release: str = ""
    bundles: frozenset[str] = frozenset()
    copy: SiteCopy | None = None
    trouble: str = ""


Found = Mapping[str, Carried | HostError]


@dataclass(frozen=True, slots=True)
class Choice:
    """The copy that is taken, from which host, and what is to be told; None where no host keeps one.

    `warnings` are what makes it doubtful that it is the site that was applied last.
    """

    copy: SiteCopy | None
    host: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def find(hosts: Hosts, names: Sequence[str], timeout: float, parallel: int, on_done: Progress | None = None) -> Found:
    """What each host keeps, in the order of `names`; no host that fails keeps another from being asked."""

    def ask(host: str) -> Carried:
        answer = hosts.run(host, wire.command("site_show"), (wire.program("site_show"),), timeout)
        return carried(host, answer)

    return fan_out(names, ask, parallel, on_done)


def carried(host: str, answer: Answer) -> Carried:
    """Read what one host answered.

    Raises:
        HostError: The program did not run there, or its answer is cut short.
    """
    end = answer.output.find(_END, 0, _LONGEST_HEAD)
    head, data = (answer.output[:end], answer.output[end + len(_END) :]) if end >= 0 else (answer.output[:200], b"")
    lines = wire.rest(host, Answer(answer.status, head, answer.errors), "site_show")
    if end < 0:
        raise HostError("broken", f"`{host}`: its answer ended early")
    said = [line.split("\t", 1) for line in lines if "\t" in line]
    release = next((wire.printable(rest) for kind, rest in said if kind == "release"), "")
    bundles = frozenset(wire.printable(rest) for kind, rest in said if kind == "bundle")
    sizes = [rest for kind, rest in said if kind == "copy"]
    if not sizes:
        return Carried(release, bundles)
    try:
        return Carried(release, bundles, _copy(sizes[0], data))
    except ValueError as error:
        return Carried(release, bundles, trouble=str(error))


def _copy(size: str, data: bytes) -> SiteCopy:
    if size == "unreadable":
        raise ValueError("only root may read it: log in as root, or as somebody who may use sudo")
    if not (size.isascii() and size.isdigit()):
        raise ValueError("it is no file")
    if len(size) > len(str(LARGEST)) or int(size) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1024**2} MiB")
    if int(size) != len(data):
        raise ValueError("it changed while it was read, or did not come whole")
    return read_copy(data)


def choose(found: Found) -> Choice:
    """The copy of the central hosts, which no other host can replace; or that of the only host that is asked.

    Raises:
        OutsideError: No host was reached, no copy is of use, or it is not clear which site was applied last.
    """
    answers = {host: each for host, each in found.items() if isinstance(each, Carried)}
    if not answers:
        raise _nobody(found)
    alone = len(found) == 1
    copies = {host: each.copy for host, each in answers.items() if each.copy is not None}
    trusted = {host: copy for host, copy in copies.items() if alone or answers[host].bundles & _CENTRAL}
    broken = {host: each.trouble for host, each in answers.items() if each.trouble}
    if broken and not trusted:
        raise _of_no_use(broken)
    passed = tuple(_not_trusted(host) for host in copies if host not in trusted)
    if not trusted:
        return Choice(None, "", (*passed, *_bare(answers)))
    host, copy = _one(trusted)
    if not alone and _is_behind(answers[host], copy):
        raise _outdated(host, answers[host], copy)
    notes = (*_missed(found), *(_useless(each, why) for each, why in broken.items()), *passed, *_undone(copy))
    return Choice(copy, host, notes, (*_stale(answers, copy), *_not_central(host, answers[host])))


def _one(copies: Mapping[str, SiteCopy]) -> tuple[str, SiteCopy]:
    """The newest of copies that are of the same site: names of releases begin with their time."""
    clusters = {copy.cluster: host for host, copy in copies.items()}
    if len(clusters) > 1:
        told = ", ".join(f"`{cluster}` ({host})" for cluster, host in sorted(clusters.items()))
        raise OutsideError(f"the hosts keep sites of different clusters: {told}", "name hosts of one cluster")
    host, copy = max(copies.items(), key=lambda pair: pair[1].release)
    if any(each.files != copy.files for each in copies.values()):
        # What a host says of its release is no proof that its site is the newer one.
        told = ", ".join(f"that of release {each.release} ({name})" for name, each in copies.items())
        raise OutsideError(f"the central hosts keep different sites: {told}", "name one of them alone with `--hosts`")
    return host, copy


def _is_behind(each: Carried, copy: SiteCopy) -> bool:
    """Whether a host carries a newer release than a copy is of."""
    timed = _TIMED.fullmatch(each.release) and _TIMED.fullmatch(copy.release)
    return bool(timed) and each.release > copy.release


def _outdated(host: str, each: Carried, copy: SiteCopy) -> OutsideError:
    return OutsideError(
        f"`{host}` carries release {each.release}, which is newer than the site it keeps, of release {copy.release}",
        "name the host that is central now; or, if there is none, this one alone: its site is taken with a warning",
    )


def _nobody(found: Found) -> OutsideError:
    errors = [each for each in found.values() if isinstance(each, HostError)]
    return OutsideError("no host could be asked: " + "; ".join(map(str, errors[:_SHOWN])), errors[0].hint)


def _of_no_use(broken: Mapping[str, str]) -> OutsideError:
    told = "; ".join(_useless(host, why) for host, why in broken.items())
    return OutsideError(
        told, "nothing is written; name other central hosts, or leave these out to begin from what hosts have"
    )


def _useless(host: str, why: str) -> str:
    return f"the copy of the site on `{host}` is of no use: {why}"


def _missed(found: Found) -> Iterator[str]:
    for each in found.values():
        if isinstance(each, HostError):
            yield f"not asked: {each}"


def _stale(answers: Mapping[str, Carried], copy: SiteCopy) -> Iterator[str]:
    """That hosts carry a newer release than the copy is of."""
    newer = {host: each.release for host, each in answers.items() if _is_behind(each, copy)}
    if newer:
        carry = "carry" if len(newer) > 1 else "carries"
        yield (
            f"{fold(newer)} {carry} release {max(newer.values())}, which is newer than this site, of release "
            f"{copy.release}: to apply it takes back what came since (hint: name the host that is central now, or find "
            "the site of that release; read what `aamic plan` says before an apply)"
        )


def _not_trusted(host: str) -> str:
    told = f"the site that `{host}` keeps is not trusted: it has no central Prometheus"
    return f"{told} (hint: if it is yours, name it alone)"


def _not_central(host: str, each: Carried) -> Iterator[str]:
    if not each.bundles & _CENTRAL:
        yield f"`{host}` keeps this site, and has no central Prometheus: ask the central host, or be sure it is yours"


def _undone(copy: SiteCopy) -> Iterator[str]:
    if copy.rolled_back:
        yield f"release {copy.rolled_back} was rolled back since, so hosts may have less than this site says"


def _bare(answers: Mapping[str, Carried]) -> Iterator[str]:
    """That hosts carry files of aamic, whose site could not be found."""
    ours = [host for host, each in answers.items() if each.release]
    central = [host for host in ours if answers[host].bundles & _CENTRAL]
    if central:
        yield (
            f"{fold(central)} has the central Prometheus of an aamic that left no copy of the site: "
            "with the site's folder, an apply leaves one"
        )
    elif ours:
        yield (
            f"{fold(ours)} carries files of aamic; the site is kept on the central host once an apply has reached it, "
            "and none of the hosts that answered is that: name it, too"
        )
