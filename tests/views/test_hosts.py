"""Faults of SSH that many hosts have are told once, whatever their addresses, ports and keys are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aamic.clients.base import Answer
from aamic.clients.sshfaults import Target, lost, no_right, refused, timed_out, unknown_key, unreachable, wrong_key
from aamic.compile.hostlist import fold
from aamic.errors import HostError
from aamic.model.host import Unobserved
from aamic.model.report import HostReport, Origin, Report
from aamic.views import plan_html, plan_markdown, plan_text, report
from aamic.views.hosts import collapsed
from aamic.views.plan_outline import outline
from tests.views.plans import plan

KNOWN = Path("known_hosts")
FAULTS: dict[str, Callable[[Target], HostError | None]] = {
    "unreachable": lambda target: unreachable(target, ConnectionRefusedError(111, "Connection refused"), 3),
    "unknown-key": lambda target: unknown_key(target, "ssh-ed25519", target.name.encode(), KNOWN),
    "wrong-key": lambda target: wrong_key(target, "ssh-ed25519", target.name.encode(), revoked=False),
    "refused": lambda target: refused(target, ["key `a`"], ["publickey"]),
    "no-right": lambda target: no_right(target, Answer(1, b"", b"sudo: a password is required")),
    "timeout": lambda target: timed_out(target, 10),
    "lost": lambda target: lost(target, "the connection broke"),
}


def targets(port: int, step: int, *, named: bool = False) -> list[Target]:
    """Three hosts, each with its own address and, where `step` is not 0, its own port."""
    found = []
    for number in range(1, 4):
        name = f"gpu-{number}"
        host = name if named else f"10.0.0.{number}"
        found.append(Target(name, host, port + step * number, "ops", (host, name)))
    return found


def faults(kind: str, those: list[Target]) -> list[Unobserved]:
    made = [(target.name, FAULTS[kind](target)) for target in those]
    return [Unobserved(name, error.kind, str(error), error.hint) for name, error in made if error is not None]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(
    "those", [targets(22, 0), targets(2222, 0), targets(2000, 1), targets(2000, 1, named=True)], ids=str
)
def test_one_fault_of_many_hosts_is_one(kind: str, those: list[Target]) -> None:
    unobserved = faults(kind, those)
    (trouble,) = outline(plan(hosts=3, unobserved=tuple(unobserved)), fold).troubles
    (told,) = collapsed((each.host, f"{each.message} ({each.hint})") for each in unobserved)

    assert len(unobserved) == 3
    assert (trouble.hosts.count, trouble.hosts.folded) == (3, "gpu-[1-3]")
    assert told[1] == ("gpu-1", "gpu-2", "gpu-3")
    assert "10.0.0." not in trouble.message + trouble.hint + told[0]


def test_unknown_keys_have_one_hint() -> None:
    (trouble,) = outline(plan(hosts=3, unobserved=tuple(faults("unknown-key", targets(22, 0)))), fold).troubles

    assert trouble.message == "the host key of `HOST` is not known: it shows ssh-ed25519 FINGERPRINT"
    assert trouble.hint.startswith("`ssh-keyscan -t ed25519 -p 22 ADDRESS >> known_hosts`, and compare")


def test_a_single_host_keeps_its_address() -> None:
    (trouble,) = outline(plan(hosts=1, unobserved=tuple(faults("unreachable", targets(2222, 0)[:1]))), fold).troubles

    assert trouble.message == "`gpu-1` (10.0.0.1 port 2222) is unreachable: connection refused, 3 tries"


def test_different_faults_stay_apart() -> None:
    unobserved = faults("unreachable", targets(22, 0)[:2]) + faults("unreachable", targets(2222, 0)[2:])
    unobserved += faults("timeout", targets(22, 0)[:1])

    assert len(outline(plan(hosts=3, unobserved=tuple(unobserved)), fold).troubles) == 2


def test_every_view_of_a_thousand_closed_ports_is_short() -> None:
    hosts = [(f"gpu-{number:04}", f"10.0.{number // 250}.{number % 250}") for number in range(1, 1002)]
    errors = [unreachable(Target(name, at, 22, "u", (at,)), ConnectionRefusedError(111, "no"), 1) for name, at in hosts]
    value = plan(
        hosts=1001,
        unobserved=tuple(
            Unobserved(name, error.kind, str(error)) for (name, _), error in zip(hosts, errors, strict=True)
        ),
    )
    reports = tuple(HostReport(name, "not reached", str(error)) for (name, _), error in zip(hosts, errors, strict=True))
    applied = Report("apply", Origin("r", "kim", "", "", ""), reports)
    views = [
        plan_text.text(value, fold),
        plan_markdown.markdown(value, fold),
        plan_html.html(value, fold).partition("<body>")[2],
        report.text(applied, fold),
    ]

    assert [text.count("unreachable: no") for text in views] == [1, 1, 1, 1]
    assert all("gpu-[0001-1001]" in text for text in views)
