"""Laws of a plan: what it says is enough, no more than is needed, and never about what is not aamic's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aamic.deploy.desired import Desired
from aamic.deploy.diff import Policy, diff, reference_key, same
from aamic.deploy.planner import Basis, make_plan
from aamic.deploy.record import new_record
from aamic.deploy.wire import write_release
from aamic.model.host import Entry, UnitState
from aamic.model.plan import Change, Plan
from tests.deploy.fakehosts import DOWN, UP, FakeHost, Thing, synced
from tests.deploy.samples import CONFIG, DESIRED, EXPORTER, MASK, PROGRAM, REFERENCE, SECRET, SERVER, look

OLD = "/etc/aami/rules/x/old.yml"
FOREIGN = "/etc/somebody/else"
PATHS = (*DESIRED.entries, PROGRAM, SECRET)
THINGS = st.sampled_from(
    [
        Thing("file", b"edited"),
        Thing("file", b"edited", "0600", "kim", "kim"),
        Thing("link", b"/somewhere", "0777"),
        Thing("folder", b"", "0755"),
        None,
    ]
)
STATES = st.sampled_from(
    [UP, DOWN, replace(UP, needs_reload=True), UnitState("loaded", "failed", "failed", needs_reload=False)]
)
PROGRAM_BYTES = b"\x7fELF"


def policy(*, adopt: bool) -> Policy:
    return Policy(adopt, "", {reference_key(REFERENCE): hashlib.sha256(b"s" + b"hush").hexdigest()})


@st.composite
def hosts(draw: st.DrawFn) -> FakeHost:
    """A host somewhere between empty and right, with things of its own."""
    host = synced(DESIRED)
    host.things |= {OLD: Thing("file", b"old"), FOREIGN: Thing("file", b"theirs")}
    lines = [f"file\t{OLD}\t{hashlib.sha256(b'old').hexdigest()}\t0644\troot\troot\tserver".encode()]
    host.record = draw(st.sampled_from([host.record + b"\n".join(lines) + b"\n", host.record, b""]))
    for path, thing in draw(st.dictionaries(st.sampled_from((*PATHS, OLD)), THINGS)).items():
        host.things.pop(path)
        if thing:
            host.things[path] = thing
    host.units |= draw(st.dictionaries(st.sampled_from((EXPORTER, SERVER, "prometheus.service")), STATES))
    host.packages = draw(st.sampled_from([{}, {"prometheus": "1"}, host.packages]))
    return host


def changed(host: FakeHost, changes: Sequence[Change], desired: Desired) -> FakeHost:
    """The host after an apply that does what the plan says, and nothing else."""
    things, units, packages = dict(host.things), dict(host.units), dict(host.packages)
    for change in changes:
        if change.what == "package":
            packages[change.name] = change.detail
        elif change.action == "remove":
            things.pop(change.name, None)
        elif change.what != "unit":
            assert change.after is not None
            things[change.name] = thing_of(change.name, change.after, desired)
        for impact in change.impacts:
            if impact.effect in {"start", "restart"}:
                units[impact.unit] = UP
            elif impact.effect == "stop":
                units[impact.unit] = DOWN
    digest = hashlib.sha256(PROGRAM_BYTES).hexdigest()
    record = new_record("r2", desired, {PROGRAM: digest}, look(host, desired).release, "")
    return replace(host, things=things, units=units, packages=packages, record=write_release(record))


def thing_of(path: str, entry: Entry, desired: Desired) -> Thing:
    if entry.kind == "link":
        return Thing("link", entry.content.encode(), "0777")
    contents = {PROGRAM: PROGRAM_BYTES, SECRET: b"hush"}
    content = contents[path] if path in contents else desired.entries[path].content
    return Thing("file", content, entry.mode, entry.owner, entry.group)


@given(hosts())
def test_doing_what_a_plan_says_leaves_nothing_to_do(host: FakeHost) -> None:
    outcome = diff(DESIRED, look(host), policy(adopt=True))
    after = diff(DESIRED, look(changed(host, outcome.changes, DESIRED)), policy(adopt=True))

    assert after.changes == ()
    assert after.obstacles == outcome.obstacles


@given(hosts())
def test_a_plan_names_what_differs_and_nothing_else(host: FakeHost) -> None:
    outcome = diff(DESIRED, look(host), policy(adopt=True))
    right = synced(DESIRED)
    different = {path for path in DESIRED.entries if host.things.get(path) != right.things[path]}

    told = {change.name for change in outcome.changes if change.name in DESIRED.entries}
    assert told == different - set(outcome.obstacles)
    assert all(path in PATHS for path in outcome.obstacles)


@given(hosts())
def test_only_recorded_paths_are_removed_and_nothing_of_others_is_touched(host: FakeHost) -> None:
    seen = look(host)
    outcome = diff(DESIRED, seen, policy(adopt=True))
    recorded = set(seen.release.entries) if seen.release else set()

    removed = {change.name for change in outcome.changes if change.action == "remove" and change.what != "unit"}
    assert removed <= recorded - set(PATHS)
    assert FOREIGN not in {change.name for change in outcome.changes}


@given(hosts())
def test_what_is_foreign_blocks_its_host_unless_it_is_adopted(host: FakeHost) -> None:
    seen = look(host)
    recorded = seen.release.entries if seen.release else {}
    plans = [plan([("h", host)], adopt=adopt) for adopt in (False, True)]
    foreign = {change.name for group in plans[0].groups for change in group.changes if change.foreign}

    assert foreign.isdisjoint(recorded)
    assert all(path in host.things for path in foreign)
    in_the_way = any(thing.kind == "folder" for path, thing in host.things.items() if path in PATHS)
    assert [bool(each.blocked) for each in plans] == [bool(foreign) or in_the_way, in_the_way]


def plan(named: Sequence[tuple[str, FakeHost]], *, adopt: bool) -> Plan:
    seen = {name: replace(look(host), host=name) for name, host in named}
    return make_plan(Basis("c", "t"), dict.fromkeys(seen, DESIRED), seen, policy(adopt=adopt))


@given(st.lists(hosts(), min_size=2, max_size=5), st.randoms())
def test_a_plan_does_not_depend_on_the_order_of_hosts(some: list[FakeHost], random: object) -> None:
    named = [(f"gpu-{number}", host) for number, host in enumerate(some)]
    shuffled = list(named)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert plan(shuffled, adopt=False) == plan(named, adopt=False)


def test_same_does_not_ask_for_what_a_folder_cannot_tell() -> None:
    wanted = DESIRED.entries[CONFIG].entry

    assert same(Entry("file", wanted.content, "0644"), wanted)
    assert not same(Entry("file", wanted.content, "0600"), wanted)
    assert same(Entry("link", "/dev/null"), DESIRED.entries[MASK].entry)
