from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest

from aamic.deploy.desired import Desired
from aamic.deploy.diff import Policy, reference_key
from aamic.deploy.limit import Limit, limit
from aamic.deploy.observe import Seen
from aamic.deploy.planner import Basis, make_plan
from aamic.errors import InputError
from aamic.model.host import Pending, Unobserved
from aamic.model.plan import Blocked, Plan
from aamic.model.tree import Tree
from tests.deploy.fakehosts import DOWN, FakeHost, Thing, synced
from tests.deploy.samples import CONFIG, DESIRED, EXPORTERS, FLAGS, MASK, REFERENCE, RULES, SERVER, SERVERS, look

SECRETS = {reference_key(REFERENCE): hashlib.sha256(b"s" + b"hush").hexdigest()}
BASIS = Basis("c", "t" * 64, "abc", dirty=True, limit="gpu-1")


def plan(hosts: Mapping[str, Seen | FakeHost], *, adopt: bool = False, desired: Desired = DESIRED) -> Plan:
    seen = {
        name: replace(look(host, desired), host=name) if isinstance(host, FakeHost) else host
        for name, host in hosts.items()
    }
    return make_plan(BASIS, dict.fromkeys(seen, desired), seen, Policy(adopt, "", SECRETS), ("first",))


def edited(path: str, content: bytes = b"edited") -> FakeHost:
    host = synced(DESIRED)
    host.things[path] = Thing("file", content)
    return host


def pending(state: str, seconds: int, who: str = "kim") -> FakeHost:
    host = edited(CONFIG)
    host.pending = f"pending\tr2\t{who}\t{state}\t{seconds}"
    return host


def test_hosts_with_equal_changes_are_one_group_in_natural_order() -> None:
    hosts = {f"gpu-{number}": edited(CONFIG) for number in (10, 9, 2)}
    made = plan(hosts | {"gpu-1": edited(FLAGS), "gpu-3": synced(DESIRED), "gpu-4": edited(CONFIG, b"other")})

    assert [group.hosts for group in made.groups] == [("gpu-1",), ("gpu-2", "gpu-9", "gpu-10"), ("gpu-4",)]
    assert [[change.name for change in group.changes] for group in made.groups] == [[FLAGS], [CONFIG], [CONFIG]]
    assert (made.hosts, len(made.digests)) == (6, 6)
    assert (made.cluster, made.revision, made.dirty, made.tree, made.limit) == ("c", "abc", True, "t" * 64, "gpu-1")
    assert made.notes == ("first",)


def test_hosts_that_were_not_seen_are_told_and_have_no_digest() -> None:
    gone = Unobserved("b", "timeout", "no answer")
    made = plan({"b": gone, "a": synced(DESIRED)})

    assert (made.unobserved, list(made.digests), made.hosts) == ((gone,), ["a"], 2)


@pytest.mark.parametrize(
    ("state", "seconds", "message", "hint"),
    [
        ("changing", 40, "a change of `kim` was cut off before its end", "the host restores itself in 40 seconds"),
        (
            "changing",
            0,
            "a change of `kim` was cut off before its end",
            "the next apply lets the host restore itself",
        ),
        (
            "unconfirmed",
            40,
            "a change of `kim` is not confirmed yet; it is undone in 40 seconds",
            "wait until it is confirmed or undone",
        ),
        (
            "restoring",
            0,
            "the state before a change of `kim` is being restored",
            "the next apply lets the host restore itself",
        ),
    ],
)
def test_a_host_with_an_unsettled_change_is_left_alone(state: str, seconds: int, message: str, hint: str) -> None:
    made = plan({"a": pending(state, seconds), "b": synced(DESIRED)})

    assert made.blocked == (Blocked("a", message, hint),)
    assert made.groups == ()
    assert set(made.digests) == {"a", "b"}


def test_a_change_that_is_being_made_right_now_is_told_as_such() -> None:
    seen = replace(look(synced(DESIRED)), host="a", pending=Pending("", "", "running", 0))

    assert plan({"a": seen}).blocked == (
        Blocked("a", "a change is being made right now", "wait until it is done, and plan again"),
    )


def test_what_is_foreign_blocks_its_host_alone_and_is_shown() -> None:
    foreign = FakeHost(things={CONFIG: Thing("file", b"theirs"), MASK: Thing("link", b"x", "0777")})
    made = plan({"a": foreign, "b": edited(CONFIG)})

    assert made.blocked == (
        Blocked("a", f"`{CONFIG}` and 1 more are not put there by aamic", "`--adopt` takes over what stands there"),
    )
    assert [group.hosts for group in made.groups] == [("a",), ("b",)]
    assert plan({"a": foreign, "b": edited(CONFIG)}, adopt=True).blocked == ()


def test_what_is_in_the_way_blocks_even_with_adopt() -> None:
    host = synced(DESIRED)
    host.things[RULES] = Thing("folder", b"", "0755")

    assert plan({"a": host}, adopt=True).blocked == (
        Blocked("a", f"`{RULES}` is neither a file nor a link", "move away what stands there"),
    )


def test_a_host_without_room_is_left_alone() -> None:
    full = edited(CONFIG)
    full.free = 0
    made = plan({"a": full})

    (blocked,) = made.blocked
    assert blocked.message.startswith("10 bytes are to be written to `/etc/aami/prometheus-a` and 1 more")
    assert (blocked.message[-20:], blocked.hint) == ("and 0 are free there", "make room on the host")
    assert plan({"a": edited(CONFIG)}).blocked == ()


def test_a_full_host_that_needs_nothing_is_not_blocked() -> None:
    full = synced(DESIRED)
    full.free = 0

    assert plan({"a": full}).blocked == ()


def test_a_port_that_somebody_listens_on_is_told_once_for_all_hosts() -> None:
    hosts = {f"gpu-{number}": synced(DESIRED) for number in (1, 2)}
    for host in hosts.values():
        host.units[SERVER] = DOWN
        host.ports = {9090, 9100}

    assert plan(hosts).notes == (
        "first",
        f"`{SERVER}` needs port 9090, which somebody listens on already: gpu-[1-2]",
    )


def test_a_port_that_a_stopped_unit_sets_free_is_not_told() -> None:
    host = FakeHost(ports={9090}, units={"prometheus.service": replace(DOWN, active="active")})

    assert plan({"a": host}).notes == ("first",)


def test_undecided_secrets_are_told_without_their_hosts() -> None:
    seen = {name: replace(look(synced(DESIRED)), host=name) for name in ("a", "b")}
    made = make_plan(BASIS, dict.fromkeys(seen, DESIRED), seen, Policy())

    assert made.undecided == ("/etc/aami/secrets/slack",)
    assert made.groups == ()


# Limits

TREE = Tree((EXPORTERS, replace(SERVERS, hosts=("mon-1",))), b"")
HOSTS = ("gpu-1", "gpu-2", "mon-1")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", Limit(HOSTS)),
        ("mon-1,gpu-[1-2]", Limit(HOSTS)),
        ("gpu-2,gpu-2", Limit(("gpu-2",))),
        ("bundle:server", Limit(("mon-1",), "server")),
    ],
)
def test_a_limit_is_a_host_list_or_a_bundle(text: str, chosen: Limit) -> None:
    assert limit(text, TREE, HOSTS) == chosen


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("gpu-3", "--limit: unknown host `gpu-3`", "did you mean `gpu-2`?"),
        ("bundle:servers", "--limit: unknown bundle `servers`", "did you mean `server`?"),
        ("bundle:", "--limit: unknown bundle ``", "write `bundle:NAME`"),
        ("gpu-[1-", "--limit: bracket in `gpu-[1-` is not closed", "add `]`"),
        ("zzz", "--limit: unknown host `zzz`", "write `bundle:NAME` or a host list"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        limit(text, TREE, HOSTS)

    (problem,) = caught.value.problems
    assert problem.message == message
    assert hint in (problem.hint or "")


def test_a_plan_for_one_bundle_does_not_wait_for_others() -> None:
    seen: dict[str, Seen] = {"a": replace(look(synced(DESIRED), DESIRED), host="a")}
    names = sorted(DESIRED.bundles)[:2]
    held = {
        bundle: make_plan(BASIS, {"a": DESIRED}, seen, Policy(bundle=bundle, held=frozenset(names))).held
        for bundle in ("", names[0], "another")
    }

    assert held == {"": tuple(names), names[0]: (names[0],), "another": ()}
