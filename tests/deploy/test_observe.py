from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

import pytest

from aamic.clients.base import Answer
from aamic.deploy import wire
from aamic.deploy.desired import union
from aamic.deploy.observe import Asking, area, observe, request_for
from aamic.errors import HostError
from aamic.model.host import ABSENT, Entry, LastApply, Observation, Pending, Release, Unobserved
from tests.deploy.fakehosts import FakeHost, FakeHosts, Thing, synced
from tests.deploy.fakehosts import observe as answer_of
from tests.deploy.samples import CONFIG, DESIRED, EXPORTER, EXPORTERS, MASK, PROGRAM, SECRET, SERVER, look

ASKING = Asking(5, 4, "s")


def read(output: bytes) -> Observation:
    return wire.observation("h", Answer(0, output, b""), request_for(DESIRED, "s"))


def answer(host: FakeHost) -> bytes:
    return answer_of(host, (), request_for(DESIRED, "s").encode())


def test_every_host_is_asked_once_and_comes_back_in_order() -> None:
    exporters = union((EXPORTERS,))
    hosts = FakeHosts({"b": synced(DESIRED), "a": synced(exporters), "c": synced(DESIRED)})
    told: list[str] = []

    seen = observe(hosts, {"b": DESIRED, "a": exporters, "c": DESIRED}, ASKING, lambda host, _: told.append(host))

    assert list(seen) == ["b", "a", "c"]
    assert sorted(hosts.calls) == [("a", "observe"), ("b", "observe"), ("c", "observe")]
    assert sorted(told) == ["a", "b", "c"]
    assert [type(each) for each in seen.values()] == [Observation] * 3
    assert [each.host for each in seen.values()] == ["b", "a", "c"]


def test_a_host_that_fails_is_a_result_and_stops_no_other() -> None:
    down = FakeHost(fault=HostError("unreachable", "`a`: no route", "is it up?"))
    hosts = FakeHosts({"a": down, "b": synced(DESIRED)})

    seen = observe(hosts, {"a": DESIRED, "b": DESIRED}, ASKING)

    assert seen["a"] == Unobserved("a", "unreachable", "`a`: no route", "is it up?")
    assert isinstance(seen["b"], Observation)
    assert hosts.calls.count(("a", "observe")) == 1


def make_fakes() -> FakeHosts:
    return FakeHosts({name: synced(DESIRED) for name in "abcd"} | {"d": FakeHost(fault=HostError("refused", "no"))})


def test_processes_share_the_hosts_and_give_the_same() -> None:
    desired = dict.fromkeys("abcd", DESIRED)
    alone = observe(make_fakes(), desired, ASKING)

    spread = observe(make_fakes(), desired, Asking(5, 4, "s", 2, partial(make_fakes)))

    assert spread == alone


def test_what_stands_there_is_read() -> None:
    host = synced(DESIRED)
    host.things[CONFIG] = Thing("file", b"x", "0640", "kim", "staff")
    del host.things[MASK]
    host.ports = {9090}
    seen = look(host)

    assert seen.entries[CONFIG] == Entry("file", hashlib.sha256(b"x").hexdigest(), "0640", "kim", "staff")
    assert seen.entries[MASK] == ABSENT
    assert (seen.units[SERVER].active, seen.packages) == ("active", {"prometheus": "2.42"})
    assert seen.ports == frozenset({9090})
    assert seen.free["/opt/aami/bin"] == 10**9 // 1024 * 1024
    assert seen.release is not None
    assert (seen.release.name, seen.release.units) == ("r1", {EXPORTER: "exporter", SERVER: "server"})
    assert seen.release.programs == {PROGRAM: DESIRED.programs[PROGRAM].origin}


def test_the_plain_digest_of_a_secret_goes_nowhere() -> None:
    seen = look(synced(DESIRED))

    assert seen.entries[SECRET] == Entry("file", "", "0600", "aami", "root")
    assert seen.secrets == {SECRET: hashlib.sha256(b"shush").hexdigest()}
    assert hashlib.sha256(b"hush").hexdigest() not in repr(seen)
    assert look(synced(DESIRED, secret=b"other")).digest == seen.digest


def test_a_secret_that_only_the_record_names_is_hidden_too() -> None:
    host = synced(DESIRED)
    seen = look(host, union((EXPORTERS,)))

    assert seen.entries[SECRET].content == ""


def test_the_digest_follows_what_a_plan_rests_on_and_nothing_else() -> None:
    host, same, other, down = (synced(DESIRED) for _ in range(4))
    same.clock, same.free, same.ports, same.last = 5, 10**6, {1}, "last\t5\tapply\tr\tkim\tabc\tdef\tdone"
    other.things[CONFIG] = Thing("file", b"x")
    down.units = {}
    digests = [look(each).digest for each in (host, same, other, down)]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_pending_and_last_are_read_without_control_characters() -> None:
    host = synced(DESIRED)
    host.pending = "pending\tr2\tkim\x1b[31m\tunconfirmed\t55"
    host.last = "last\t1700000000\trollback\tr1\tkim\tabc\tdef\tdone"
    seen = look(host)

    assert seen.pending == Pending("r2", "kim?[31m", "unconfirmed", 55)
    assert seen.last == LastApply("r1", 1_700_000_000, "kim", "abc", "rollback: done")


def test_equal_hosts_share_what_was_read() -> None:
    reader = wire.Observations(request_for(DESIRED, "s"))
    first, second = synced(DESIRED), synced(DESIRED)
    second.clock, second.free = 9, 10**6
    seen = [reader.read(name, Answer(0, answer(host), b"")) for name, host in (("a", first), ("b", second))]

    assert seen[0].entries is seen[1].entries
    assert [each.clock for each in seen] == [first.clock, 9]
    assert [each.host for each in seen] == ["a", "b"]


GOOD = answer(synced(DESIRED))


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (b"", "did not run"),
        (b"Welcome!\n" + GOOD, "did not run"),
        (GOOD.removesuffix(b"end\n"), "ended early"),
        (GOOD[:200], "ended early"),
        (GOOD.replace(b"entry\tregular file", b"entry\tregular file\tx", 1), "makes no sense"),
        (GOOD.replace(b"free\t/opt/aami/bin\t", b"free\t/opt/aami/bin\tx", 1), "makes no sense"),
        (GOOD.replace(b"clock\t", b"clock\tx", 1), "makes no sense"),
        (GOOD.replace(b"LoadState=loaded\n", b"", 1), "makes no sense"),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_observation(output: bytes, told: str) -> None:
    with pytest.raises(HostError, match=told) as caught:
        read(output)

    assert caught.value.kind == "broken"
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("clock", ["-1", str(2**33 + 1), "9" * 40, "x", ""])
def test_a_clock_that_no_calendar_has_is_told_in_words_of_our_own(clock: str) -> None:
    with pytest.raises(HostError) as caught:
        read(GOOD.replace(b"clock\t1700000000", f"clock\t{clock}".encode(), 1))

    assert str(caught.value) == "`h`: its answer makes no sense: a line of `clock` is malformed"
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "last", ["", "1700000000\tapp", f"{2**33 + 1}\tapply\tr\tkim\ta\tb\tdone", "x\tapply\tr\tkim\ta\tb\tdone", "\t" * 9]
)
def test_a_torn_last_line_of_a_journal_stands_in_nobodys_way(last: str) -> None:
    host = synced(DESIRED)
    host.last = f"last\t{last}"

    assert (look(host).last, look(host).lost) == (None, False)


def test_a_record_that_is_gone_is_missed_where_the_journal_tells_of_a_release() -> None:
    ends = ("apply\tr1\tkim\ta\tb\tdone", "confirm\tr1\tkim\ta\tb\tdone", "rollback\tr1\tkim\ta\tb\tdone")
    found = []
    for end in ends:
        host = replace(synced(DESIRED), record=b"", last=f"last\t5\t{end}")
        found.append((look(host).release, look(host).lost))

    assert found == [(None, True), (None, True), (None, False)]
    assert not look(FakeHost()).lost


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b"record\tfile\t/etc/", b"record\tfile\tetc/", "r1"),
        (b"record\tfile\t/etc/", b"record\tfile\t/etc/../", "r1"),
        (b"record\tfile\t/etc/", b"record\tfile\t/e\x1btc/", "r1"),
        (b"record\tfile\t/etc/", b"record\tfile\t" + b"/a" * 60_000 + b"\n/", "r1"),
        (b"record\taamic-manifest\t1\n", b"", "r1"),
        (b"record\taamic-manifest\t1\n", b"record\taamic-manifest\t2\t\n", "r1"),
        (b"record\trelease\tr1\n", b"record\trelease\n", None),
        (b"record\trelease\tr1\n", b"", None),
    ],
)
def test_a_broken_record_is_lost_and_hides_nothing_else(old: bytes, new: bytes, name: str | None) -> None:
    assert old in GOOD

    seen = read(GOOD.replace(old, new, 1))

    assert seen.lost
    assert seen.release == (Release(name, {}, {}, {}) if name else None)
    assert seen.entries[CONFIG].kind == "file"


def test_what_the_request_asks_for() -> None:
    request = request_for(DESIRED, "s")

    assert set(request.paths) == {*DESIRED.entries, PROGRAM, SECRET}
    assert request.units == (EXPORTER, SERVER, "prometheus.service")
    assert {"/etc/systemd/system", "/opt/aami/bin", "/var/lib/aami", "/var/lib/aamic"} < set(request.folders)
    assert (request.packages, request.secrets, request.salt) == (("prometheus",), (SECRET,), "s")
    assert [area("/etc/a"), area("/var/lib/a/b/c"), area("/x")] == ["/etc", "/var/lib/a", "/"]
