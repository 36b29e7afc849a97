from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from aamic.deploy.desired import Desired, union
from aamic.deploy.diff import Outcome, Policy, diff, reference_key
from aamic.model.host import Entry, UnitState
from aamic.model.plan import Change, Impact
from aamic.model.tree import Bundle
from tests.deploy.fakehosts import DOWN, UP, FakeHost, Thing, synced
from tests.deploy.samples import (
    CONFIG,
    DESIRED,
    EXPORTER,
    EXPORTER_FILE,
    EXPORTERS,
    FLAGS,
    MASK,
    PROGRAM,
    REFERENCE,
    RULES,
    SECRET,
    SERVER,
    SERVER_FILE,
    SERVERS,
    TARGETS,
    USERS,
    WANTS,
    look,
    with_file,
    without,
)

NOTHING = union(())


def salted(value: bytes) -> dict[str, str]:
    return {reference_key(REFERENCE): hashlib.sha256(b"s" + value).hexdigest()}


def compare(host: FakeHost, desired: Desired = DESIRED, **policy: object) -> Outcome:
    return diff(desired, look(host, desired), replace(Policy(secrets=salted(b"hush")), **policy))  # type: ignore[arg-type]


def only(outcome: Outcome) -> Change:
    (change,) = outcome.changes
    return change


def has(bundle: Bundle, path: str) -> bool:
    return path in {file.path for file in bundle.files}


def told(outcome: Outcome) -> list[tuple[str, str, str, list[str]]]:
    return [
        (each.action, each.what, each.name, [f"{impact.effect} {impact.unit}".strip() for impact in each.impacts])
        for each in outcome.changes
    ]


def test_a_host_that_has_everything_needs_nothing() -> None:
    assert compare(synced(DESIRED)) == Outcome(())


def test_an_empty_host_gets_everything_stage_by_stage() -> None:
    outcome = compare(FakeHost())

    assert told(outcome) == [
        ("add", "file", FLAGS, ["start aami-exporter.service"]),
        ("add", "file", EXPORTER_FILE, ["daemon-reload", "start aami-exporter.service"]),
        ("add", "link", f"{WANTS}/{EXPORTER}", ["daemon-reload"]),
        ("add", "file", USERS, ["sysusers"]),
        ("add", "program", PROGRAM, ["start aami-exporter.service"]),
        ("add", "file", CONFIG, ["start aami-prometheus-a.service"]),
        ("add", "file", RULES, ["start aami-prometheus-a.service"]),
        ("add", "secret", SECRET, ["start aami-prometheus-a.service"]),
        ("add", "file", SERVER_FILE, ["daemon-reload", "start aami-prometheus-a.service"]),
        ("add", "link", f"{WANTS}/{SERVER}", ["daemon-reload"]),
        ("add", "link", MASK, ["daemon-reload"]),
        ("add", "file", TARGETS, []),
        ("add", "package", "prometheus", ["start aami-prometheus-a.service"]),
    ]
    assert not any(change.foreign or change.edited for change in outcome.changes)


@pytest.mark.parametrize(
    ("path", "impacts"),
    [
        (FLAGS, (Impact("restart", EXPORTER),)),
        (EXPORTER_FILE, (Impact("daemon-reload"), Impact("restart", EXPORTER))),
        (CONFIG, (Impact("reload", SERVER),)),
        (RULES, (Impact("reload", SERVER),)),
        (USERS, (Impact("sysusers"),)),
        (TARGETS, ()),
    ],
)
def test_a_changed_file_does_to_a_running_host_what_it_is_for(path: str, impacts: tuple[Impact, ...]) -> None:
    bundles = [
        with_file(bundle, path, b"new [Install]\nWantedBy=multi-user.target\n") if has(bundle, path) else bundle
        for bundle in (EXPORTERS, SERVERS)
    ]

    outcome = compare(synced(DESIRED), union(bundles))

    change = only(outcome)
    assert (change.name, change.impacts) == (path, impacts)
    assert (change.action, change.edited, change.foreign) == ("change", False, False)
    assert outcome.writes == {path: 41}


def test_a_file_of_one_folder_is_told_apart_from_an_edit() -> None:
    host = synced(DESIRED)
    host.things[CONFIG] = Thing("file", b"edited")

    change = only(compare(host))

    assert (change.action, change.name, change.edited, change.foreign) == ("change", CONFIG, True, False)
    assert change.before == Entry("file", hashlib.sha256(b"edited").hexdigest(), "0644", "root", "root")


def test_rights_alone_are_a_change() -> None:
    host = synced(DESIRED)
    host.things[CONFIG] = replace(host.things[CONFIG], mode="0666", owner="kim")

    change = only(compare(host))

    assert change.before == Entry("file", hashlib.sha256(b"a: 1\n").hexdigest(), "0666", "kim", "root")
    assert (change.impacts, change.edited) == ((Impact("reload", SERVER),), True)


def test_a_file_that_was_removed_by_hand_comes_back() -> None:
    host = synced(DESIRED)
    del host.things[RULES]

    change = only(compare(host))

    assert (change.action, change.name, change.before, change.edited) == ("add", RULES, None, True)


def test_a_link_that_leads_elsewhere_is_set_right() -> None:
    host = synced(DESIRED)
    host.things[MASK] = Thing("link", b"/dev/zero", "0777")

    change = only(compare(host))

    assert (change.action, change.what, change.before) == ("change", "link", Entry("link", "/dev/zero"))


def test_what_somebody_else_put_there_is_foreign() -> None:
    host = FakeHost(things={CONFIG: Thing("file", b"theirs"), MASK: Thing("link", b"/lib/systemd/system/x", "0777")})

    foreign = {change.name for change in compare(host).changes if change.foreign}

    assert foreign == {CONFIG, MASK}


def test_what_is_right_already_is_nobodys_business() -> None:
    host = synced(DESIRED)
    host.record = b""

    assert compare(host, replace(DESIRED, programs={})).changes == ()


def test_a_program_that_nobody_recorded_is_foreign() -> None:
    host = synced(DESIRED)
    host.record = b""

    change = only(compare(host))

    assert (change.what, change.foreign) == ("program", True)


def test_a_program_changes_with_its_tarball_or_by_hand() -> None:
    other = replace(DESIRED, programs={PROGRAM: replace(DESIRED.programs[PROGRAM], sha256="b" * 64)})
    host = synced(DESIRED)
    host.things[PROGRAM] = Thing("file", b"patched", "0755")

    assert told(compare(synced(DESIRED), other)) == [("change", "program", PROGRAM, [f"restart {EXPORTER}"])]
    assert only(compare(synced(DESIRED), other)).detail == "e-1.tar.gz"
    assert only(compare(host)).edited


def test_a_program_changes_with_its_place_in_the_tarball() -> None:
    other = replace(DESIRED, programs={PROGRAM: replace(DESIRED.programs[PROGRAM], inner="another")})

    assert told(compare(synced(DESIRED), other)) == [("change", "program", PROGRAM, [f"restart {EXPORTER}"])]


@pytest.mark.parametrize("kind", ["folder", "fifo", "block special file"])
@pytest.mark.parametrize("path", [CONFIG, PROGRAM, SECRET, MASK])
def test_what_is_no_file_is_in_the_way_and_never_changed(path: str, kind: str) -> None:
    host = synced(DESIRED)
    host.things[path] = Thing(kind, b"", "0755")

    outcome = compare(host, adopt=True)

    assert outcome == Outcome((), obstacles=(path,))


def test_packages_are_compared_by_exact_version_where_one_is_given() -> None:
    host = synced(DESIRED)
    host.packages = {"prometheus": "2.40"}
    any_version = replace(DESIRED, packages={"prometheus": (None, "server")})

    assert told(compare(host)) == [("change", "package", "prometheus", [f"restart {SERVER}"])]
    assert only(compare(host)).detail == "2.42"
    assert compare(host, any_version).changes == ()
    host.packages = {}
    assert told(compare(host, any_version)) == [("add", "package", "prometheus", [f"restart {SERVER}"])]


def test_a_secret_is_compared_by_a_salted_digest_and_never_shown() -> None:
    host = synced(DESIRED)
    host.things[SECRET] = replace(host.things[SECRET], content=b"old value")

    change = only(compare(host))

    assert (change.action, change.what, change.impacts) == ("change", "secret", (Impact("reload", SERVER),))
    assert change.before == change.after == Entry("file", "", "0600", "aami", "root")
    assert not change.edited


def test_a_secret_that_all_can_read_is_set_right() -> None:
    host = synced(DESIRED)
    host.things[SECRET] = replace(host.things[SECRET], mode="0644")

    change = only(compare(host))

    assert (change.before, change.edited) == (Entry("file", "", "0644", "aami", "root"), True)


def test_a_secret_that_cannot_be_read_here_is_left_to_apply() -> None:
    absent = synced(DESIRED)
    del absent.things[SECRET]

    assert compare(synced(DESIRED), secrets={}) == Outcome((), undecided=(SECRET,))
    assert told(compare(absent, secrets={})) == [("add", "secret", SECRET, [f"reload {SERVER}"])]


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        (DOWN, "inactive"),
        (UnitState("loaded", "failed", "failed", needs_reload=False), "failed"),
        (UnitState("loaded", "activating", "auto-restart", needs_reload=False), "activating"),
        (UnitState("masked", "inactive", "dead", needs_reload=False), "masked"),
    ],
)
def test_a_unit_that_is_not_up_is_started(state: UnitState, detail: str) -> None:
    host = synced(DESIRED)
    host.units[EXPORTER] = state

    assert compare(host).changes == (
        Change("change", "unit", EXPORTER, "exporter", detail=detail, impacts=(Impact("start", EXPORTER),)),
    )


def test_a_unit_that_runs_with_an_older_file_is_restarted() -> None:
    host = synced(DESIRED)
    host.units[SERVER] = replace(UP, needs_reload=True)

    assert told(compare(host)) == [("change", "unit", SERVER, ["daemon-reload", f"restart {SERVER}"])]


def test_a_unit_that_is_down_starts_with_its_new_file_once() -> None:
    host = synced(DESIRED)
    host.units[SERVER] = DOWN
    desired = union((EXPORTERS, with_file(SERVERS, CONFIG, b"new")))

    assert told(compare(host, desired)) == [("change", "file", CONFIG, [f"start {SERVER}"])]


def test_a_masked_unit_that_still_runs_is_stopped() -> None:
    host = synced(DESIRED)
    host.units["prometheus.service"] = UP
    unmasked = synced(DESIRED)
    unmasked.units["prometheus.service"] = UP
    del unmasked.things[MASK]

    assert told(compare(host)) == [("change", "unit", "prometheus.service", ["stop prometheus.service"])]
    assert told(compare(unmasked)) == [("add", "link", MASK, ["daemon-reload", "stop prometheus.service"])]


def test_what_the_site_no_longer_wants_goes_and_its_units_stop() -> None:
    outcome = compare(synced(DESIRED), union((EXPORTERS,)))

    assert told(outcome) == [
        ("remove", "file", CONFIG, []),
        ("remove", "file", RULES, []),
        ("remove", "secret", SECRET, []),
        ("remove", "file", SERVER_FILE, ["daemon-reload", f"stop {SERVER}"]),
        ("remove", "link", f"{WANTS}/{SERVER}", ["daemon-reload"]),
        ("remove", "link", MASK, ["daemon-reload"]),
        ("remove", "file", TARGETS, []),
    ]
    assert {change.bundle for change in outcome.changes} == {"server"}
    assert not any(change.edited for change in outcome.changes)


def test_a_removed_file_is_read_again_by_those_that_read_its_neighbours() -> None:
    before = union((EXPORTERS, with_file(SERVERS, "/etc/aami/rules/x/b.yml", b"groups: []\n")))

    outcome = compare(synced(before), DESIRED)

    assert told(outcome) == [("remove", "file", "/etc/aami/rules/x/b.yml", [f"reload {SERVER}"])]


def test_what_is_gone_already_is_not_removed_again() -> None:
    host = synced(DESIRED)
    host.things = {path: thing for path, thing in host.things.items() if path == CONFIG}
    host.things[RULES] = Thing("folder", b"", "0755")
    host.units = {}

    assert told(compare(host, NOTHING)) == [("remove", "file", CONFIG, [])]


def test_a_unit_that_lost_its_file_and_still_runs_is_stopped() -> None:
    host = synced(DESIRED)
    del host.things[EXPORTER_FILE]

    outcome = compare(host, union((SERVERS,)))

    assert ("remove", "unit", EXPORTER, [f"stop {EXPORTER}"]) in told(outcome)


def test_one_bundle_alone_is_compared_where_that_is_asked_for() -> None:
    host = synced(DESIRED)
    for path in (CONFIG, FLAGS):
        host.things[path] = Thing("file", b"edited")
    host.units = dict.fromkeys(host.units, DOWN)
    desired = union((without(EXPORTERS, USERS), without(SERVERS, RULES)))

    outcome = compare(host, desired, bundle="server")

    assert [(change.action, change.name) for change in outcome.changes] == [("change", CONFIG), ("remove", RULES)]
