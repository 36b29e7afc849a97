from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from aamic.clients.base import Sample
from aamic.deploy.gate import Gate, Source, Verdict
from aamic.errors import OutsideError

JOBS = {"a.1": ("node", "gpu"), "b": ("node",), "c": ("node",)}
WANTED = {host: {(job, f"{host}:{job}") for job in jobs} for host, jobs in JOBS.items()}
_NODES = re.compile(r'node=~"([^"]*)"')


@dataclass
class Server:
    """A Prometheus in memory that scrapes everything every ten seconds; its clock is an hour ahead."""

    now: float = 0.0
    down: dict[tuple[str, str], float] = field(default_factory=dict)
    """Targets that are down, each from a time on."""
    dead: bool = False
    moved: frozenset[tuple[str, str]] = frozenset()
    """Targets that it still looks for where they were before."""
    stopped: float | None = None
    """When it stopped scraping."""
    asked: list[str] = field(default_factory=list)

    def query(self, expr: str) -> Sequence[Sample]:
        self.asked.append(expr)
        if self.dead:
            raise OutsideError("does not answer")
        if expr == "vector(time())":
            return (Sample({}, self.now + 3600),)
        pattern = _NODES.search(expr)
        known = re.compile(pattern[1].replace("\\\\", "\\") if pattern else ".*")
        targets = [(host, job) for host, jobs in JOBS.items() for job in (*jobs, "old") if known.fullmatch(host)]
        scraped = min(self.now, self.now if self.stopped is None else self.stopped) // 10 * 10
        if expr == "max(timestamp(up))":
            return [Sample({}, scraped + 3600)]
        if "timestamp" in expr:
            return [Sample(self.labels(host, job), scraped + 3600) for host, job in targets]
        return [
            Sample(self.labels(host, job), 0.0)
            for host, job in targets
            if self.down.get((host, job), scraped + 1) <= scraped
        ]

    def labels(self, host: str, job: str) -> dict[str, str]:
        place = "elsewhere" if (host, job) in self.moved else f"{host}:{job}"
        return {"node": host, "job": job, "instance": place}

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def judged(server: Server, *hosts: str, seconds: float = 30.0, since: float = 101.0) -> Verdict:
    nodes = frozenset({"a.1", "b"})
    gate = Gate([Source("shard-1", "mon", server, nodes)], WANTED, lambda: server.now, server.sleep)
    gate.baseline()
    server.now = since
    return gate.judge(hosts, seconds)


def test_a_wave_passes_once_every_target_was_scraped_after_it() -> None:
    server = Server()

    assert judged(server, "a.1", "b") == Verdict({}, "passed")
    assert 110.0 <= server.now < 113.0


def test_only_the_hosts_of_the_wave_are_asked_for() -> None:
    server = Server(down={("b", "node"): 105.0})

    assert judged(server, "a.1") == Verdict({}, "passed")
    assert 'timestamp(up{node=~"a\\\\.1"})' in server.asked


def test_a_target_that_is_newly_down_fails_its_host() -> None:
    server = Server(down={("a.1", "gpu"): 105.0})

    assert judged(server, "a.1", "b") == Verdict(
        {"a.1": "job `gpu` is down in Prometheus `shard-1` since the change"}, "failed: 1 of 2 hosts"
    )
    assert server.now >= 131.0


def test_what_was_down_before_or_is_no_longer_wanted_fails_nobody() -> None:
    server = Server(down={("a.1", "gpu"): -1.0, ("a.1", "old"): 105.0})

    assert judged(server, "a.1", "b") == Verdict({}, "passed")


def test_a_target_that_moves_to_another_port_is_not_missed_where_it_was() -> None:
    server = Server(down={("a.1", "gpu"): 105.0}, moved=frozenset({("a.1", "gpu")}))

    assert judged(server, "a.1", "b") == Verdict({}, "passed")


def test_a_target_that_is_not_scraped_any_more_is_not_taken_for_healthy() -> None:
    assert judged(Server(stopped=95.0), "b").failed == {
        "b": "Prometheus `shard-1` did not scrape job `node` within 30 seconds"
    }


def test_a_server_that_never_answered_is_told_of_and_holds_nobody_up() -> None:
    server = Server(dead=True)

    assert judged(server, "a.1") == Verdict(
        {}, "not checked: no Prometheus that scrapes these hosts answered before the apply"
    )
    assert server.now == 101.0


def test_a_host_that_nobody_scrapes_is_told_of() -> None:
    assert judged(Server(), "b", "c") == Verdict({}, "passed; not checked: c")


def test_a_server_that_answered_before_must_answer_again() -> None:
    server = Server()
    gate = Gate([Source("shard-1", "mon", server, frozenset({"b"}))], WANTED, lambda: server.now, server.sleep)
    gate.baseline()
    server.dead = True

    assert gate.judge(("b",), 30.0) == Verdict({"b": "Prometheus `shard-1` no longer answers"}, "failed: 1 of 1 hosts")


def test_a_server_that_was_changed_itself_must_scrape_again() -> None:
    assert judged(Server(), "mon").failed == {}
    assert judged(Server(stopped=95.0), "mon").failed == {
        "mon": "Prometheus `shard-1` scraped nothing within 30 seconds"
    }
