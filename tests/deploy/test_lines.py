"""Lines in files of others, from the tree to the host and out again, over hosts in memory."""

from __future__ import annotations

from dataclasses import replace

from aamic.deploy.desired import desired_hosts
from aamic.deploy.explain import explain, rewritten
from aamic.deploy.lines import edited, line_files, line_notes
from aamic.deploy.saved import dump, load
from aamic.deploy.wire import read_release, write_release
from aamic.model.host import KeptLine, Observation
from aamic.model.plan import Change, Impact
from aamic.views import plan_html, plan_markdown, plan_text
from tests.deploy.controller import Controller
from tests.deploy.fakeapply import Fleet
from tests.deploy.fakehosts import DOWN, UP, FakeHost, Thing
from tests.deploy.slurmtrees import CONF, CTL, FINE, FLOORS, INCLUDE, OURS, SETTINGS, tree

OLD = b"# ours\nClusterName=x\n"
NEW = b"# ours\nInclude aamic.conf\nClusterName=x\n"
NODES = ("n1", "n2", "n3")


def controller(**conf: Thing | None) -> Controller:
    """Hosts with a slurm.conf, or another thing in its place."""
    found = {name: conf.get(name, Thing("file", OLD, "0640", "slurm", "slurm")) for name in ("n1", "n2", "n3", "ctl")}
    hosts = {
        CTL if name == "ctl" else name: FakeHost({CONF: thing} if thing else {}, {"slurmd.service": UP})
        for name, thing in found.items()
    }
    for host in hosts.values():
        if CONF in host.things and host.things[CONF].kind == "file":
            host.things[CONF] = replace(host.things[CONF], mode="0644")
    return Controller(Fleet(hosts), tree(NODES))


def line_changes(made: Controller, host: str) -> list[Change]:
    return [
        change
        for group in made.plan().groups
        if host in group.hosts
        for change in group.changes
        if change.what == "line"
    ]


def lines_of(made: Controller, host: str) -> tuple[KeptLine, ...]:
    seen = made.look()[host]
    assert isinstance(seen, Observation)
    assert seen.release
    return seen.release.lines


def test_a_line_is_a_change_of_its_file_which_stays_somebody_elses() -> None:
    made = controller()
    (change,) = line_changes(made, "n1")

    assert made.apply().ok
    assert (change.action, change.name, change.detail) == ("change", CONF, "+ Include aamic.conf")
    assert (change.foreign, change.edited) == (False, False)
    assert change.impacts == (Impact("reconfigure", "slurmd.service"),)
    assert made.fleet.hosts["n1"].things[CONF] == Thing("file", NEW, "0644", "slurm", "slurm")
    assert lines_of(made, "n1") == (KeptLine(CONF, INCLUDE, "slurmd.service", "slurm-hooks"),)
    assert made.plan().groups == ()


def test_the_same_file_is_fetched_once() -> None:
    made = controller(n2=Thing("file", b"A=1\n", "0644"))
    seen = made.look()

    files = line_files(desired_hosts(made.tree, made.fleet.hosts), seen)

    assert [(each.name, each.host) for each in files] == [(CONF, "n1"), (CONF, "n2")]
    assert len({id(each) for each in made.desired(seen).values()}) == 3  # n1 with n3, n2, and the controller


def test_what_others_write_into_the_file_is_kept_when_the_line_goes() -> None:
    made = controller()
    assert made.apply().ok
    host = made.fleet.hosts["n1"]
    host.things[CONF] = replace(host.things[CONF], content=NEW + b"NodeName=n9\n")

    removing = replace(made, tree=tree(NODES, hooks=False), release="r2")

    assert line_changes(removing, "n1")[0].detail == "- Include aamic.conf"
    assert removing.apply().ok
    assert host.things == {
        "/etc/aami/note": Thing("file", b"x"),
        CONF: Thing("file", OLD + b"NodeName=n9\n", "0644", "slurm", "slurm"),
        OURS: Thing("file", SETTINGS),
        **dict.fromkeys(FLOORS, Thing("file", FINE, "0755")),
    }
    assert removing.plan().groups == ()
    assert lines_of(made, "n1") == ()


def test_a_line_that_is_there_already_is_recorded_so_that_it_can_go() -> None:
    made = controller()
    assert made.apply().ok
    host = made.fleet.hosts["n1"]
    host.record = b"".join(line for line in host.record.splitlines(keepends=True) if not line.startswith(b"line"))

    plan = made.plan()
    report = replace(made, release="r2").apply()

    assert [(change.what, change.detail) for group in plan.groups for change in group.changes] == [
        ("record", "it says which lines files of others hold")
    ]
    assert report.ok
    assert len(lines_of(made, "n1")) == 1
    assert made.plan().groups == ()


def test_an_include_in_other_words_is_the_line() -> None:
    for words in ("include ./aamic.conf", "Include /etc/slurm/aamic.conf # ours", "Include /etc/%c/aamic.conf"):
        conf = f"{words}\nClusterName=Slurm\n".encode()
        made = controller(
            n1=Thing("file", conf), n2=Thing("file", conf), n3=Thing("file", conf), ctl=Thing("file", conf)
        )

        assert made.apply().ok
        assert {host.things[CONF].content for host in made.fleet.hosts.values()} == {conf}
        assert len(lines_of(made, "n1")) == 1
        assert replace(made, tree=tree(NODES, hooks=False), release="r2").apply().ok
        assert {host.things[CONF].content for host in made.fleet.hosts.values()} == {conf}
        assert OURS in made.fleet.hosts["n1"].things


def test_a_line_that_somebody_took_out_comes_back() -> None:
    made = controller()
    assert made.apply().ok
    host = made.fleet.hosts["n2"]
    host.things[CONF] = replace(host.things[CONF], content=OLD)

    assert [change.name for change in line_changes(made, "n2")] == [CONF]
    assert replace(made, release="r2").apply().ok
    assert host.things[CONF].content == NEW


def test_hosts_without_such_a_file_are_told_of_once_and_get_the_rest() -> None:
    made = controller(n1=None, n2=Thing("link", b"/shared/slurm.conf"), n3=Thing("file", OLD, "0600"))

    plan = made.plan()
    report = made.apply()

    assert [note for note in plan.notes if CONF in note] == [
        "`/etc/slurm/slurm.conf` is left as it is, without `Include aamic.conf`: it does not exist: n1",
        (
            "`/etc/slurm/slurm.conf` is left as it is, without `Include aamic.conf`: "
            "it is a link to `/shared/slurm.conf`: n2"
        ),
    ]
    assert report.ok
    assert OURS in made.fleet.hosts["n1"].things
    assert (lines_of(made, "n1"), made.plan().groups) == ((), ())


def test_the_controller_needs_its_line() -> None:
    made = controller(ctl=None)
    plan = made.plan()

    assert (plan.blocked, plan.held) == ((), ("slurm-controller",))
    assert plan.notes == (
        (
            "`/etc/slurm/slurm.conf` is left as it is, without `Include aamic.conf`: it does not exist: slurm-ctl; "
            "`slurm.conf_dir` names the folder of a slurm.conf that is a file"
        ),
    )
    assert made.apply().ok


def test_a_link_on_the_controller_is_read_and_a_person_adds_the_line() -> None:
    made = controller(ctl=Thing("link", b"/shared/slurm.conf"))
    host = made.fleet.hosts[CTL]
    host.units = {"slurmctld.service": UP}
    host.things["/shared/slurm.conf"] = Thing("file", OLD)

    plan = made.plan()

    assert (plan.blocked, plan.held) == ((), ("slurm-controller",))
    assert [note for note in plan.notes if CONF in note] == [
        (
            "`/etc/slurm/slurm.conf` is left as it is, without `Include aamic.conf`: it is a link to "
            "`/shared/slurm.conf`: slurm-ctl; once this is applied, and every other host that reads it has "
            "`/etc/slurm/aamic.conf` too, add the line at its top by hand, and run `scontrol reconfigure`: until then "
            "no hook runs"
        )
    ]
    assert made.apply().ok
    assert (host.things["/shared/slurm.conf"].content, OURS in host.things) == (OLD, True)
    assert made.plan().held == ("slurm-controller",)

    host.things["/shared/slurm.conf"] = Thing("file", NEW)

    assert made.plan().held == ()
    assert replace(made, release="r2").apply().ok
    assert lines_of(made, CTL) == (KeptLine(CONF, INCLUDE, "slurmctld.service", "slurm-controller"),)
    assert made.plan() == replace(made.plan(), groups=(), blocked=(), held=(), notes=())


def test_a_line_behind_a_link_is_taken_out_by_a_person() -> None:
    made = controller(ctl=Thing("link", b"/shared/slurm.conf"))
    made.fleet.hosts[CTL].things["/shared/slurm.conf"] = Thing("file", NEW)
    assert made.apply().ok
    gone = replace(made, tree=tree(NODES, hooks=False), release="r2")

    plan, report = gone.plan(), gone.apply()
    after = gone.plan()

    note = (
        "`/etc/slurm/slurm.conf` is left as it is, with `Include aamic.conf`: it is a link to `/shared/slurm.conf`: "
        "slurm-ctl; take the line out by hand"
    )
    assert report.ok
    for each in (plan, after):
        assert (each.blocked, each.held, each.notes) == ((), ("slurm-controller",), (note,))
    assert OURS in made.fleet.hosts[CTL].things
    made.fleet.hosts[CTL].things["/shared/slurm.conf"] = Thing("file", OLD)
    assert (gone.plan().held, gone.plan().notes) == ((), ())
    assert replace(gone, release="r3").apply().ok
    assert lines_of(made, CTL) == ()


def test_a_slurm_conf_that_not_all_may_read_is_told_with_its_own_hint() -> None:
    made = controller()
    made.fleet.hosts[CTL].things[CONF] = Thing("file", OLD + b"A=1\n", "0600")

    plan = made.plan()

    assert (plan.blocked, plan.held) == ((), ("slurm-controller",))
    assert plan.notes[0].endswith("slurm-ctl; let every user of the host read it, as Slurm's own commands do")


def test_a_daemon_that_does_not_run_reads_nothing_again() -> None:
    made = controller()
    made.fleet.hosts["n1"].units["slurmd.service"] = DOWN

    assert line_changes(made, "n1")[0].impacts == ()


def test_bundles_that_are_held_stay_as_they_are() -> None:
    made = controller()
    assert made.apply().ok
    wanted = desired_hosts(tree(NODES, hooks=False), made.fleet.hosts)

    kept = edited(wanted, made.look(), {}, {"slurm-hooks"})

    assert kept["n1"].edits == {}
    assert kept["n1"].kept == lines_of(made, "n1")


def test_a_record_with_lines_comes_back_as_it_was() -> None:
    made = controller()
    assert made.apply().ok
    seen = made.look()["n1"]
    assert isinstance(seen, Observation)
    assert seen.release

    record = write_release(seen.release).decode()

    assert f"line\t{CONF}\t{INCLUDE}\tslurmd.service\tslurm-hooks\n" in record
    assert read_release([line.split("\t") for line in record.splitlines()]) == seen.release


def test_without_hosts_the_lines_that_change_are_told_in_a_note() -> None:
    before, after = (desired_hosts(tree(NODES, hooks=hooks), NODES) for hooks in (False, True))

    assert list(line_notes(before, after)) == [
        "`/etc/slurm/slurm.conf` gets the line `Include aamic.conf`, unless it is so already: n[1-3]"
    ]
    assert list(line_notes(after, before)) == [
        "`/etc/slurm/slurm.conf` loses the line `Include aamic.conf`, unless it is so already: n[1-3]"
    ]


def test_every_view_says_whose_file_it_is_and_what_slurm_does() -> None:
    made = controller()
    made.fleet.hosts[CTL].units = {"slurmctld.service": UP}
    desired = made.desired(made.look())
    old = {(each.name, each.before): OLD for each in rewritten(made.plan(), desired)}
    plan = load(dump(explain(made.plan(), desired, old)))

    text = plan_text.text(plan, ",".join, width=200, colour=False)

    assert "~ line of /etc/slurm/slurm.conf" in text
    assert "+ Include aamic.conf: a file of somebody else, of which nothing else changes" in text
    assert "slurmd reads its configuration again on 3 hosts" in text
    assert "scontrol reconfigure on 1 host" in " ".join(text.split())
    for shown in (plan_markdown.markdown(plan, ",".join), plan_html.html(plan, ",".join)):
        assert "a file of somebody else, of which nothing else changes" in shown
        assert "scontrol reconfigure" in shown
