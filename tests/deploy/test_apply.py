from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from aamic.compile.hostlist import fold
from aamic.deploy.desired import desired_hosts
from aamic.deploy.saved import dump, load
from aamic.deploy.status import statuses
from aamic.errors import InputError
from aamic.model.fleet import Rollout
from aamic.model.plan import Plan
from aamic.model.report import HostReport, Report
from aamic.views import report as view
from tests.deploy.controller import BINARY, VALUE, Controller, Judge, fleet
from tests.deploy.fakehosts import DOWN, FakeHost, Thing
from tests.deploy.trees import PROGRAM, SLACK, tree

GPUS = tuple(f"gpu-{number:04d}" for number in range(2000))
FEW = GPUS[:6]
NODE_UNIT = "/etc/systemd/system/aami-node.service"


def states(report: Report) -> dict[str, str]:
    return {each.host: each.state for each in report.hosts}


def message(report: Report, host: str) -> str:
    return next(each.message for each in report.hosts if each.host == host)


def applied(*hosts: str, **changes: str) -> Controller:
    """A controller whose hosts have the tree, and that wants another one now."""
    controller = Controller(fleet(*hosts), tree(hosts))
    assert controller.apply().ok
    return replace(controller, tree=tree(hosts, **changes), release="r2", judge=Judge())  # type: ignore[arg-type]


def test_a_first_apply_gives_every_host_everything_and_a_second_changes_nothing() -> None:
    controller = Controller(fleet(*FEW), tree(FEW))

    report = controller.apply()
    mon = controller.fleet.hosts["mon-1"]

    assert report.ok
    assert set(states(report).values()) == {"done"}
    assert mon.things[SLACK] == Thing("file", VALUE, "0600", "aami-am", "root")
    assert mon.things[PROGRAM] == Thing("file", BINARY, "0755", "root", "root")
    assert all(host.pending == "" for host in controller.fleet.hosts.values())
    assert controller.plan().groups == ()
    assert replace(controller, release="r2").apply().hosts == ()


def test_a_lost_record_is_told_and_written_anew() -> None:
    controller = applied(*FEW)
    missing, broken = (controller.fleet.hosts[name] for name in FEW[:2])
    missing.record, broken.record = b"", broken.record.replace(b"file\t/", b"file\t", 1)
    seen = controller.look()
    found = {each.host: each.state for each in statuses(controller.plan(seen), seen, {})}

    plan = replace(controller, bundle="node").plan()
    report = controller.apply()

    assert {host for host, state in found.items() if state == "record lost"} == set(FEW[:2])
    assert [each.host for each in plan.blocked] == list(FEW[:2])
    assert states(report) == dict.fromkeys(FEW[:2], "done")
    assert [line for line in controller.fleet.transactions[FEW[1]] if line[0] in {"put", "link", "release-before"}] == [
        ["release-before", "r1"]
    ]
    assert missing.record == broken.record == controller.fleet.hosts[FEW[2]].record.replace(b"r1", b"r2", 1)
    assert controller.plan().groups == ()


def test_a_host_that_lost_its_record_gets_its_programs_again() -> None:
    controller = applied(*FEW)
    controller.fleet.hosts["mon-1"].record = b"garbage\n"

    assert states(controller.apply()) == {"mon-1": "done"}
    assert controller.plan().groups == ()


def test_a_release_of_another_controller_in_between_is_not_forgotten() -> None:
    controller = applied(*FEW, flags="--fast")
    here = controller.fleet.hosts[FEW[0]]

    def meanwhile() -> bool:
        here.record = here.record.replace(b"release\tr1\n", b"release\tr1b\n")
        return False

    report = controller.apply(stopped=meanwhile)

    assert states(report)[FEW[0]] == "refused"
    assert message(report, FEW[0]) == "it has release r1b by now"
    assert b"--fast" not in here.things[NODE_UNIT].content


def test_hosts_are_changed_in_stages_with_canaries_first() -> None:
    controller = Controller(fleet(*FEW), tree(FEW))

    controller.apply()

    assert [(wave.stage, wave.canary, wave.hosts) for wave in controller.watcher.waves] == [
        ("exporters", True, (FEW[0],)),
        *(("exporters", False, (host,)) for host in FEW[1:]),
        ("shards", True, ("mon-2",)),
        ("central", True, ("mon-1",)),
    ]


def test_only_what_changed_is_sent() -> None:
    controller = applied(*FEW, flags="--fast")

    controller.apply()

    assert {line[1] for line in controller.fleet.transactions[FEW[0]] if line[0] == "put"} == {NODE_UNIT}
    assert VALUE not in controller.fleet.sent["mon-1"]
    assert BINARY not in controller.fleet.sent["mon-1"]


def test_a_secret_is_sent_to_its_host_alone_and_told_nowhere() -> None:
    controller = Controller(fleet(*FEW), tree(FEW))
    plan = controller.plan()

    report = controller.apply()
    told = [
        dump(plan).decode(),
        json.dumps(view.to_json(report)),
        view.text(report, fold),
        repr(report),
        repr(controller.watcher),
        repr([host.record + host.last.encode() for host in controller.fleet.hosts.values()]),
        repr(controller.fleet.transactions),
    ]

    assert [text for text in told if VALUE.decode() in text] == []
    assert [host for host, payload in controller.fleet.sent.items() if VALUE in payload] == ["mon-1"]


def test_where_many_may_fail_all_others_are_done() -> None:
    controller = replace(applied(*GPUS, flags="--fast"), rollout=Rollout(max_failures=200))
    broken = GPUS[::20]
    controller.fleet.breaks = dict.fromkeys(broken, "aami-node.service did not listen on port 9100 within 60 seconds")

    report = controller.apply()

    assert Counter(states(report).values()) == {"done": 1902, "restored": 100}
    assert view.text(report, fold).endswith(": 1,902 of 2,002 hosts done, 100 restored\n")
    assert {host for host, state in states(report).items() if state == "restored"} == set(broken)
    assert not report.ok
    assert all(b"--fast" not in controller.fleet.hosts[host].things[NODE_UNIT].content for host in broken)
    assert view.text(report, fold).startswith("restored · 100 hosts · gpu-[0000,0020,0040,0060,")


def test_where_none_may_fail_nothing_is_started_after_the_wave_that_failed() -> None:
    controller = applied(*GPUS, flags="--fast")
    controller.fleet.breaks = {GPUS[30]: "it died"}

    report = controller.apply()
    counts = Counter(states(report).values())

    assert counts == {"done": 50, "restored": 1, "not started": 1951}
    assert report.stopped == "1 failed, and `max_failures` is 0: nothing further was started"
    assert view.text(report, fold).splitlines()[-1].endswith("nothing further was started")


def test_the_next_apply_goes_on_where_one_was_stopped() -> None:
    controller = applied(*FEW, flags="--fast")
    controller.fleet.breaks = {FEW[2]: "it died"}
    assert not controller.apply().ok
    controller.fleet.breaks = {}

    report = replace(controller, release="r3").apply()

    assert report.ok
    assert FEW[0] not in states(report)
    assert controller.plan().groups == ()


def test_an_interrupt_ends_the_apply_between_two_waves() -> None:
    controller = applied(*FEW, flags="--fast")

    report = controller.apply(stopped=lambda: len(controller.watcher.ends) > 12)

    assert report.interrupted
    assert 0 < Counter(states(report).values())["not started"] < len(states(report))
    assert all(host.pending == "" for host in controller.fleet.hosts.values())


def test_a_lost_host_is_unknown_and_goes_back_by_itself() -> None:
    controller = replace(applied(*FEW, flags="--fast"), rollout=Rollout(max_failures=9))
    controller.fleet.cuts = {FEW[0]: "after", FEW[1]: "before", FEW[2]: "confirm"}
    before = dict(controller.fleet.hosts[FEW[0]].things)

    report = controller.apply()

    assert Counter(states(report).values()) == {"unknown": 3, "done": 5}
    assert message(report, FEW[0]) == (
        f"`{FEW[0]}`: the connection broke; it goes back by itself within 120 s unless confirmed"
    )
    assert message(report, FEW[2]) == (
        f"changed, but not confirmed: `{FEW[2]}`: no route to host; "
        "it goes back by itself within 120 s unless confirmed"
    )
    controller.fleet.expire(FEW[0])
    assert controller.fleet.hosts[FEW[0]].things == before


def test_without_a_timer_nothing_is_confirmed() -> None:
    controller = replace(applied(*FEW, flags="--fast"), timer=False)
    controller.fleet.cuts = {FEW[1]: "after"}

    report = controller.apply()

    assert states(report)[FEW[0]] == "done"
    assert message(report, FEW[1]).endswith("no timer is armed: look at it with `aamic status`")
    assert all(host.pending == "" for host in controller.fleet.hosts.values())


def test_a_killed_controller_leaves_hosts_that_the_next_apply_brings_to_an_end() -> None:
    controller = applied(*FEW, flags="--fast")
    controller.fleet.cuts = {FEW[0]: "after"}
    controller.apply()
    cut = controller.fleet.hosts[FEW[0]]
    assert cut.pending
    controller.fleet.cuts = {}

    waiting = replace(controller, release="r3").apply()
    cut.pending = cut.pending.replace("\t120", "\t0")
    ended = replace(controller, release="r4").apply()

    assert states(waiting)[FEW[0]] == "refused"
    assert "is not confirmed yet" in message(waiting, FEW[0])
    assert states(ended) == {FEW[0]: "done"}
    assert controller.plan().groups == ()


def test_a_host_that_was_edited_after_it_was_looked_at_is_refused() -> None:
    controller = applied(*FEW, flags="--fast")
    host = controller.fleet.hosts[FEW[0]]
    client = controller.fleet.client()
    real = client.verbs["apply"]

    def edited(target: FakeHost, words: tuple[str, ...], payload: bytes) -> bytes:
        host.things[NODE_UNIT] = replace(host.things[NODE_UNIT], content=b"edited")
        return real(target, words, payload)

    client.verbs["apply"] = edited  # type: ignore[assignment]
    controller.fleet.client = lambda: client  # type: ignore[method-assign]
    report = controller.apply()

    assert states(report)[FEW[0]] == "refused"
    assert message(report, FEW[0]) == f"{NODE_UNIT} is no longer what was planned for"


def test_a_wave_that_does_not_pass_the_gate_goes_back_as_a_whole() -> None:
    judge = Judge({FEW[2]: "job `node` is down"})
    rollout = Rollout(canary=0, batch=3, max_failures=9)
    controller = replace(applied(*FEW, flags="--fast"), judge=judge, rollout=rollout)

    report = controller.apply()

    assert {host: state for host, state in states(report).items() if state == "restored"} == dict.fromkeys(
        FEW[:3], "restored"
    )
    assert message(report, FEW[0]) == "another host of its wave did not pass the gate"
    assert message(report, FEW[2]) == "job `node` is down"
    assert report.waves[0].gate == "failed: 1 of 3 hosts"
    assert b"--fast" not in controller.fleet.hosts[FEW[0]].things[NODE_UNIT].content
    assert b"--fast" in controller.fleet.hosts[FEW[3]].things[NODE_UNIT].content


def test_targets_alone_need_no_gate() -> None:
    controller = applied(*FEW, targets='["a"]')

    report = controller.apply()

    assert states(report) == {"mon-2": "done", "mon-1": "done"}
    assert controller.judge.asked == []
    assert [line for line in controller.fleet.transactions["mon-1"] if line[0] == "watch"] == []


def test_a_slow_host_does_not_let_the_timers_of_others_run_out() -> None:
    controller = replace(applied(*FEW, flags="--fast"), rollout=Rollout(canary=0, batch=6, confirm_timeout=111.0))
    client = controller.fleet.client()
    real = client.verbs["apply"]
    order: list[str] = []

    def slow(target: FakeHost, words: tuple[str, ...], payload: bytes) -> bytes:
        name = controller.fleet.name(target)
        if name == FEW[0]:
            while order.count("confirmed") < len(FEW) - 1:
                time.sleep(0.01)
        return real(target, words, payload)

    def confirm(target: FakeHost, words: tuple[str, ...], payload: bytes) -> bytes:
        order.append("confirmed")
        return confirm_really(target, words, payload)

    confirm_really = client.verbs["confirm"]
    client.verbs |= {"apply": slow, "confirm": confirm}  # type: ignore[dict-item]
    controller.fleet.client = lambda: client  # type: ignore[method-assign]

    assert controller.apply().ok
    first_wave = [hosts for hosts in controller.judge.asked if set(hosts) <= set(FEW)]
    assert first_wave[-1] == (FEW[0],)
    assert sorted(host for hosts in first_wave for host in hosts) == list(FEW)


def test_a_report_is_kept_however_an_apply_ends() -> None:
    controller = applied(*FEW, flags="--fast")
    kept: list[Report] = []
    controller.judge.judge = lambda *_: 1 / 0  # type: ignore[method-assign,assignment]

    with pytest.raises(ZeroDivisionError):
        controller.apply(keep=kept.append)

    assert [(each.ok, each.interrupted) for each in kept] == [(False, True)]
    assert Counter(states(kept[0]).values()) == {"unknown": 1, "not started": 7}


def test_a_plan_that_was_made_without_hosts_is_refused() -> None:
    controller = applied(*FEW, flags="--fast")

    with pytest.raises(InputError, match="made with `--offline`: no host was looked at"):
        controller.apply(replace(controller.plan(), digests={}))


def saved_for(controller: Controller) -> Plan:
    return load(dump(controller.plan()))


def test_a_saved_plan_is_applied_and_then_has_nothing_left_to_do() -> None:
    controller = applied(*FEW, flags="--fast")
    saved = saved_for(controller)

    first = controller.apply(saved)
    second = replace(controller, release="r3").apply(saved)

    assert set(states(first).values()) == {"done"}
    assert set(states(second).values()) == {"already"}
    assert second.ok


def test_a_host_that_has_changed_since_the_plan_is_refused_and_the_report_says_how() -> None:
    controller = applied(*FEW, flags="--fast")
    saved = saved_for(controller)
    edited = controller.fleet.hosts[FEW[0]]
    edited.things["/etc/sysusers.d/aami-node.conf"] = Thing(content=b"edited")
    controller.fleet.hosts[FEW[1]].units["aami-node.service"] = DOWN
    controller.fleet.hosts[FEW[2]].things[NODE_UNIT] = Thing(content=b"edited")

    report = controller.apply(saved)

    assert Counter(states(report).values()) == {"refused": 3, "done": 5}
    assert message(report, FEW[0]).startswith(
        "it has changed since the plan was made: `/etc/sysusers.d/aami-node.conf`: planned no change, now change of "
    )
    assert f"`{NODE_UNIT}`: planned change of " in message(report, FEW[2])
    assert message(report, FEW[1]).startswith("it has changed since the plan was made: `")


def test_a_plan_for_other_files_is_refused_before_anything_is_done() -> None:
    controller = applied(*FEW, flags="--fast")
    saved = replace(saved_for(controller), revision="0123456789abcdef")

    with pytest.raises(InputError, match=r"made from other files than this site compiles to"):
        replace(controller, tree=tree(FEW, flags="--slow")).apply(saved)
    with pytest.raises(InputError, match="for cluster `other`"):
        controller.apply(replace(saved, cluster="other"))


def test_a_saved_plan_changes_no_host_that_it_does_not_name() -> None:
    controller = applied(*FEW, flags="--fast")
    saved = saved_for(controller)
    only = replace(saved, groups=(replace(saved.groups[0], hosts=(FEW[0],)),))

    report = controller.apply(only)

    assert states(report) == {FEW[0]: "done"}
    assert report.notes == (
        f"not in the plan, and left alone although they differ: {fold([*FEW[1:], 'mon-1', 'mon-2'])}",
    )


def test_only_undecided_secrets_may_change_beyond_a_saved_plan() -> None:
    controller = applied(*FEW, flags="--fast")
    saved = saved_for(controller)
    mon = controller.fleet.hosts["mon-1"]
    mon.things[SLACK] = replace(mon.things[SLACK], content=b"older")

    refused = replace(controller, rollout=Rollout(max_failures=9)).apply(saved)
    allowed = replace(controller, release="r3").apply(replace(saved, undecided=(SLACK,)))

    assert states(refused)["mon-1"] == "refused"
    assert f"`{SLACK}`: planned no change, now change" in message(refused, "mon-1")
    assert states(allowed)["mon-1"] == "done"
    assert mon.things[SLACK].content == VALUE


def test_a_host_of_which_the_plan_knew_no_difference_gets_its_undecided_secrets() -> None:
    controller = applied(*FEW)
    saved = saved_for(controller)
    mon = controller.fleet.hosts["mon-1"]
    mon.things[SLACK] = replace(mon.things[SLACK], content=b"older")

    left = controller.apply(saved)
    changed = replace(controller, release="r3").apply(replace(saved, undecided=(SLACK,)))

    assert (states(left), left.notes) == ({}, ("not in the plan, and left alone although they differ: mon-1",))
    assert states(changed) == {"mon-1": "done"}
    assert mon.things[SLACK].content == VALUE


def test_a_host_that_could_not_be_seen_when_the_plan_was_made_needs_a_new_plan() -> None:
    controller = applied(*FEW, flags="--fast")
    host = controller.fleet.hosts[FEW[0]]
    host.pending = "pending\tr9\tkim\tunconfirmed\t50"
    saved = saved_for(controller)
    host.pending = ""

    report = controller.apply(saved)

    assert states(report)[FEW[0]] == "refused"
    assert message(report, FEW[0]).startswith("it could not be planned for: a change of `kim` is not confirmed yet")


def test_a_bundle_alone_leaves_the_record_of_all_others_as_it_was() -> None:
    controller = replace(applied(*FEW, flags="--fast", rules="b"), bundle="central")

    assert states(controller.apply()) == {"mon-1": "done"}
    rest = replace(controller, bundle="").plan()
    assert {change.bundle for group in rest.groups for change in group.changes} == {"node"}
    assert [each.host for each in rest.blocked] == []


def origin(controller: Controller) -> str:
    return desired_hosts(controller.tree, ["mon-1"])["mon-1"].programs[PROGRAM].origin


def test_a_program_that_is_no_longer_sent_keeps_its_digest_in_the_record() -> None:
    controller = applied(*FEW, rules="b")

    assert states(controller.apply()) == {"mon-1": "done"}
    mon = controller.fleet.hosts["mon-1"]
    assert f"program\t{PROGRAM}\t{origin(controller)}".encode() in mon.record
    mon.things[PROGRAM] = replace(mon.things[PROGRAM], content=b"another")
    assert [change.name for group in controller.plan().groups for change in group.changes] == [PROGRAM]


def test_a_secret_that_nobody_wants_any_more_is_removed() -> None:
    controller = applied(*FEW)
    controller = replace(controller, tree=tree(FEW, slack=False))

    assert controller.apply().ok
    assert SLACK not in controller.fleet.hosts["mon-1"].things


def test_a_report_names_each_message_once() -> None:
    controller = replace(applied(*FEW, flags="--fast"), rollout=Rollout(canary=0, batch=6, max_failures=9))
    controller.fleet.breaks = {host: f"{host}: aami-node.service did not become active" for host in FEW[:2]}

    report = controller.apply()
    text = view.text(report, fold)

    assert text.count("did not become active") == 1
    assert "restored · 2 hosts · gpu-[0000-0001]\n  HOST: aami-node.service did not become active\n" in text
    assert HostReport("mon-1", "done") in report.hosts
