from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace

import pytest

from aamic.deploy.desired import union
from aamic.deploy.diff import Policy
from aamic.deploy.explain import LARGEST, contents, difference, explain, rewritten
from aamic.deploy.fetch import fetch_files, fetch_old
from aamic.deploy.meaning import meaning
from aamic.deploy.observe import Asking, observe
from aamic.deploy.planner import Basis, make_plan
from aamic.errors import HostError
from aamic.model.plan import Difference, Plan
from tests.deploy.fakehosts import FakeHost, FakeHosts, Thing, synced, tar
from tests.deploy.samples import CONFIG, DESIRED, EXPORTERS, FLAGS, SECRET, SERVERS, with_file

ASKING = Asking(5, 4, "s")


def edited(content: bytes, path: str = CONFIG, mode: str = "0644") -> FakeHost:
    host = synced(DESIRED)
    host.things[path] = Thing("file", content, mode)
    return host


def planned(hosts: FakeHosts) -> Plan:
    desired = dict.fromkeys(hosts.hosts, DESIRED)
    seen = observe(hosts, desired, ASKING)
    hosts.calls.clear()
    return make_plan(Basis("c", "t"), desired, seen, Policy())


def explained(hosts: FakeHosts) -> Plan:
    plan, desired = planned(hosts), dict.fromkeys(hosts.hosts, DESIRED)
    return explain(plan, desired, fetch_old(hosts, rewritten(plan, desired), ASKING))


def key(path: str, before: bytes, after: bytes) -> str:
    return "\0".join((path, hashlib.sha256(before).hexdigest(), hashlib.sha256(after).hexdigest()))


def test_a_content_is_fetched_from_one_host_only() -> None:
    hosts = FakeHosts({name: edited(b"a: 2\n") for name in "abc"} | {"d": edited(b"a: 3\n"), "e": synced(DESIRED)})

    plan = explained(hosts)

    assert sorted(hosts.calls) == [("a", "fetch"), ("d", "fetch")]
    assert plan.differences == {
        key(CONFIG, b"a: 2\n", b"a: 1\n"): Difference(("@@ -1 +1 @@", "-a: 2", "+a: 1"), ("~ a: 2 -> 1",)),
        key(CONFIG, b"a: 3\n", b"a: 1\n"): Difference(("@@ -1 +1 @@", "-a: 3", "+a: 1"), ("~ a: 3 -> 1",)),
    }


def test_secrets_and_programs_are_never_fetched() -> None:
    host = edited(b"other", SECRET)
    hosts = FakeHosts({"a": host})
    plan = explained(hosts)

    assert (plan.differences, hosts.calls) == ({}, [])


def test_what_not_everybody_may_read_is_not_sent() -> None:
    plan = explained(FakeHosts({"a": edited(b"private", mode="0600")}))

    assert [each.note for each in plan.differences.values()] == [
        "not every user of the host may read what stands there, or it is too large to be fetched"
    ]


def test_a_host_that_does_not_answer_again_is_told() -> None:
    hosts = FakeHosts({"a": edited(b"x")})
    plan = planned(hosts)
    hosts.hosts["a"].fault = HostError("timeout", "`a`: no answer\x1b")
    desired = {"a": DESIRED}

    told = explain(plan, desired, fetch_old(hosts, rewritten(plan, desired), ASKING))

    assert [each.note for each in told.differences.values()] == ["`a`: no answer\\u001b"]


def test_what_changed_since_it_was_observed_is_not_shown() -> None:
    hosts = FakeHosts({"a": edited(b"x")})
    plan = planned(hosts)
    hosts.hosts["a"].things[CONFIG] = Thing("file", b"y")

    assert fetch_old(hosts, rewritten(plan, {"a": DESIRED}), ASKING) == {
        (CONFIG, hashlib.sha256(b"x").hexdigest()): "it changed while it was looked at"
    }


def test_many_versions_of_a_file_are_not_all_fetched() -> None:
    hosts = FakeHosts({f"h{number}": edited(b"a: %d\n" % (number + 5)) for number in range(25)})

    plan = explained(hosts)

    assert len(hosts.calls) == 20
    assert sorted(bool(each.note) for each in plan.differences.values()) == [False] * 20 + [True] * 5


def fetch_with(output: bytes) -> dict[str, bytes]:
    def say(_host: FakeHost, _words: Sequence[str], _payload: bytes) -> bytes:
        return b"aamic\t1\tfetch\n" + output

    return fetch_files(FakeHosts({"a": FakeHost()}, {"fetch": say}), "a", (CONFIG, FLAGS), 5)


def hostile() -> bytes:
    """A tar with everything that nobody asked for."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind, target in (
            ("../../etc/passwd", tarfile.REGTYPE, ""),
            (CONFIG[1:], tarfile.SYMTYPE, "/etc/shadow"),
            (FLAGS[1:], tarfile.LNKTYPE, "etc/shadow"),
            ("etc/other", tarfile.REGTYPE, ""),
            (CONFIG[1:], tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return stream.getvalue()


def test_only_what_was_asked_for_is_taken_from_a_tar() -> None:
    assert fetch_with(tar({CONFIG: b"x", "/etc/other": b"y"})) == {CONFIG: b"x"}
    assert fetch_with(tar({CONFIG: b"x" * (LARGEST + 1)})) == {}
    assert fetch_with(b"") == {}
    assert fetch_with(hostile()) == {}


@pytest.mark.parametrize("output", [b"no tar", tar({CONFIG: b"x" * 5000})[:700]])
def test_what_is_no_tar_is_a_failure_of_the_host(output: bytes) -> None:
    with pytest.raises(HostError, match="no tar") as caught:
        fetch_with(output)

    assert caught.value.kind == "broken"


def test_known_contents_need_no_host() -> None:
    before = union((EXPORTERS, with_file(SERVERS, CONFIG, b"a: 9\n")))
    plan = planned(FakeHosts({"a": edited(b"a: 9\n")}))

    told = explain(plan, {"a": DESIRED}, contents([before, before]))

    assert told.differences[key(CONFIG, b"a: 9\n", b"a: 1\n")].meaning == ("~ a: 9 -> 1",)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (b"a\nb\n", b"a\nc\n", ("@@ -1,2 +1,2 @@", " a", "-b", "+c")),
        (b"a", b"a\n", ("@@ -1 +1 @@", "-a\\ no line end", "+a")),
        (b"", b"a\n", ("@@ -0,0 +1 @@", "+a")),
        (b"\x1b[2J\r\n", b"ok\n", ("@@ -1 +1 @@", "-\\u001b[2J\\u000d", "+ok")),
        ("a\u202eb\n".encode(), b"\xff\n", ("@@ -1 +1 @@", "-a\\u202eb", "+\ufffd")),
    ],
)
def test_lines_of_a_difference(before: bytes, after: bytes, lines: tuple[str, ...]) -> None:
    assert difference("/f", before, after) == Difference(lines)


def test_a_difference_that_is_too_long_is_cut_and_says_so() -> None:
    many = difference("/f", b"", b"".join(b"%d\n" % number for number in range(1000)))
    wide = difference("/f", b"", b"x" * 5000 + b"\n")

    assert (len(many.lines), many.note) == (400, "601 more lines are not shown")
    assert wide.lines[1] == f"+{'x' * 999}…"


@pytest.mark.parametrize(
    ("before", "note"),
    [
        (b"\0\1", "binary: 2 bytes before, 2 after"),
        (b"x" * (LARGEST + 1), "too large to show: 1,048,577 bytes before, 2 after"),
        (b"\n" * 20_001, "too large to show: 20,001 bytes before, 2 after"),
        ("no answer\n\x1b", "no answer\n\\u001b"),
    ],
)
def test_why_there_are_no_lines(before: bytes | str, note: str) -> None:
    assert difference("/f", before, b"a\n") == Difference(note=note)


# Meaning


def group(number: int, **labels: str) -> dict[str, object]:
    target = f"10.10.17.{number}"
    return {
        "targets": [f"{target}:9100", f"{target}:9400"],
        "labels": {"node": f"gpu-{number}", "rack": "r17", **labels},
    }


def test_targets_are_a_set_told_by_node() -> None:
    before = json.dumps([group(1), group(2), group(3, row="a")]).encode()
    after = json.dumps([group(3, row="b"), group(1), group(4)]).encode()

    assert meaning("/var/lib/aami/targets/a.json", before, after) == (
        "- gpu-2  10.10.17.2  rack r17",
        "~ gpu-3 labels.row: a -> b",
        "+ gpu-4  10.10.17.4  rack r17",
    )
    assert meaning("/t.json", b'[{"targets": ["a:1"]}]', b'[{"targets": ["b:1"]}]') == ("- a:1  a", "+ b:1  b")


def rules(*names: str, expr: str = "up") -> bytes:
    items = [{"alert": name, "expr": expr} for name in names]
    return json.dumps({"groups": [{"name": "g", "rules": items}]}).encode()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (rules("A", "B"), rules("C", "A", "B"), ('+ groups[g].rules[C]: {"alert": "C", "expr": "up"}',)),
        (rules("A", "B"), rules("B"), ('- groups[g].rules[A]: {"alert": "A", "expr": "up"}',)),
        (rules("A", "B"), rules("B", "A"), ("~ groups[g].rules: in another order",)),
        (rules("A"), rules("A", expr="up == 0"), ("~ groups[g].rules[A].expr: up -> up == 0",)),
        (b"a: [1, 2, 3]", b"a: [1, 3, 4]", ("- a[1]: 2", "+ a[2]: 4")),
        (b"a: 1", b"a: '1'", ('~ a: 1 -> "1"',)),
        (b"a: 1", b"[1]", ('~ all of it: {"a": 1} -> [1]',)),
        (b"a: 1 # x", b"a: 1", ()),
        (b"a: [", b"a: 1", ()),
        (b"a: &x [1]\nb: [*x, *x]", b"a: 1", ("~ a: [1] -> 1", "- b: [[1], [1]]")),
    ],
)
def test_documents_are_compared_by_value_and_order(before: bytes, after: bytes, told: tuple[str, ...]) -> None:
    assert meaning("/f.yml", before, after) == told


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("/f.conf", b"a: 2"),
        ("/f.yml", b"a: " + b"x" * 300_000),
        ("/f.yml", b"a: [" + b"1," * 600 + b"]"),
        ("/f.yml", b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
            b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 10)) for c in range(97, 110))),
        ("/f.yml", b"[" * 5000),
    ],
)  # fmt: skip
def test_what_is_no_document_or_too_much_of_one_has_no_meaning(name: str, before: bytes) -> None:
    assert meaning(name, before, b"a: 1") == ()


def _dashboard(*panels: dict[str, str]) -> bytes:
    placed = [{**panel, "gridPos": {"x": 0, "y": 8 * number}} for number, panel in enumerate(panels)]
    return json.dumps({"schemaVersion": 41, "panels": placed}).encode()


def test_panels_are_told_by_title_and_not_by_where_they_stand() -> None:
    power, memory, heat = ({"title": title, "type": "timeseries"} for title in ("Power", "Memory", "Heat"))

    told = meaning("/d.json", _dashboard(power, memory, heat), _dashboard(memory, {**heat, "type": "stat"}))

    assert told == (
        "~ panels[Heat].type: timeseries -> stat",
        '- panels[Power]: {"title": "Power", "type": "timeseries"}',
    )
    assert meaning("/d.json", _dashboard(power), _dashboard({}, power)) != ()  # something came
    assert meaning("/d.json", _dashboard(power), b'{"schemaVersion": 41, "panels": 3}') != ()


def test_a_long_list_of_changes_is_cut() -> None:
    document = {f"k{number:02}": 1 for number in range(60)}
    told = meaning("/f.json", json.dumps(document).encode(), b"{}")

    assert (len(told), told[-1]) == (41, "and 20 more")


def test_a_change_of_rights_alone_has_no_difference() -> None:
    host = synced(DESIRED)
    host.things[CONFIG] = replace(host.things[CONFIG], mode="0600")

    assert explained(FakeHosts({"a": host})).differences == {}
