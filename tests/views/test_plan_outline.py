"""What every view of a plan shows."""

from __future__ import annotations

from dataclasses import replace

from aamic.compile.hostlist import fold
from aamic.model.host import Entry, Unobserved
from aamic.model.plan import Blocked, Change, Difference, Group, Impact, Plan
from aamic.views import plan_html, plan_markdown, plan_text
from aamic.views.plan_census import Hosts
from aamic.views.plan_change import effect, facts, symbol, where
from aamic.views.plan_outline import Outline, Trouble, UnitEffect, outline
from aamic.views.plan_words import closing, places, summary
from tests.views.plans import COUNTERS, DCGM, GRES, HUNK, counters, dark, empty, file, gpus, key, offline, plan, small


def seen(value: Plan) -> Outline:
    return outline(value, fold)


def unit(name: str, effect: str = "restart") -> tuple[Impact, ...]:
    return (Impact(effect, name),)  # type: ignore[arg-type]


def added(name: str, bundle: str = "node", content: str = "1", **values: object) -> Change:
    return Change("add", "file", name, bundle, None, file(content), **values)  # type: ignore[arg-type]


def gres(*, adopt: bool = False, blocked: bool = False) -> Plan:
    """Something of somebody else's on one host, and one more change there."""
    foreign = Change("change", "file", GRES, "slurm", file("6"), file("7"), impacts=unit("slurmd"), foreign=True)
    obstacle = (Blocked("ctl", f"`{GRES}` is not put there by aamic"),) if blocked else ()
    return plan(Group(("ctl",), (foreign, added("/etc/a"))), adopt=adopt, blocked=obstacle)


def test_a_change_is_one_whatever_stood_there_before() -> None:
    (section,) = seen(small()).sections
    (item,) = section.items
    assert Hosts(3, "gpu-[001-003]") == item.hosts
    assert [Hosts(2, "gpu-[001-002]"), Hosts(1, "gpu-003")] == [each.hosts for each in item.variants]
    assert [where(each, item) for each in item.variants] == ["on", "edited by hand on"]


def test_where_is_not_said_twice() -> None:
    (section,) = seen(plan(Group(gpus(1, 2), (counters(file("a")),)))).sections
    assert where(section.items[0].variants[0], section.items[0]) == ""


def test_the_bundle_with_most_hosts_comes_first() -> None:
    a, b = added("/a", "a"), added("/b", "b")
    value = plan(Group(gpus(1), (a,)), Group(gpus(2, 3), (b,)))
    assert [(each.bundle, each.hosts.count) for each in seen(value).sections] == [("b", 2), ("a", 1)]


def test_a_change_on_some_hosts_of_its_bundle_says_on_which() -> None:
    a, b = added("/a"), added("/b")
    (section,) = seen(plan(Group(gpus(1), (a, b)), Group(gpus(2, 3), (a,)))).sections
    assert {each.change.name: where(each.variants[0], each) for each in section.items} == {"/a": "", "/b": "on"}


def test_a_difference_is_shown_once() -> None:
    changes = [
        Change("change", "file", name, bundle, file("a"), file("b")) for name, bundle in (("/x", "p"), ("/y", "q"))
    ]
    known = {key(each.name, each.before, each.after): HUNK for each in changes}
    value = plan(Group(gpus(1), tuple(changes)), differences=known)
    said = [variant.same_as for item in seen(value).items() for variant in item.variants]
    assert said == ["", "in `/x` of p"]


def test_a_difference_is_found_for_a_file_that_comes_or_goes() -> None:
    new, old = added("/x"), Change("remove", "file", "/y", "node", file("2"), None)
    lines = {each.name: Difference((each.name,)) for each in (new, old)}
    known = {key(each.name, each.before, each.after): lines[each.name] for each in (new, old)}
    items = seen(plan(Group(gpus(1), (new, old)), differences=known)).items()
    assert lines == {item.change.name: item.variants[0].difference for item in items}


def test_a_unit_restarts_once_on_each_host() -> None:
    a, b = added("/a", impacts=unit("x")), added("/b", impacts=unit("x"))
    value = plan(Group(gpus(1, 2), (a, b)), Group(gpus(3), (a,)))
    assert (UnitEffect("restart", "x", Hosts(3, "gpu-[001-003]")),) == seen(value).effects


def test_a_restart_covers_a_reload() -> None:
    a, b = added("/a", impacts=unit("x", "reload")), added("/b", impacts=(*unit("x"), Impact("daemon-reload")))
    value = plan(Group(gpus(1), (a, b)), Group(gpus(2), (a,)))
    expected = (UnitEffect("restart", "x", Hosts(1, "gpu-001")), UnitEffect("reload", "x", Hosts(1, "gpu-002")))
    assert expected == seen(value).effects


def test_what_blocked_hosts_need_is_shown_and_not_counted() -> None:
    value = plan(Group(gpus(1, 2), (counters(file("a")),)), blocked=(Blocked("gpu-002", "a change waits"),))
    (section,) = seen(value).sections
    assert [("", Hosts(1, "gpu-001")), ("held back on ", Hosts(1, "gpu-002"))] == places(section)
    assert summary(seen(value)) == "1 to change on 1 of 2 hosts; 1 blocked"
    assert (UnitEffect("restart", DCGM, Hosts(1, "gpu-001")),) == seen(value).effects


def test_a_change_of_blocked_hosts_only_is_held_back() -> None:
    value = plan(Group(gpus(1), (counters(file("a")),)), blocked=(Blocked("gpu-001", "a change waits"),))
    (item,) = seen(value).items()
    assert (symbol(item), effect(item)) == ("!", "held back: blocked")
    assert summary(seen(value)) == "nothing can change on 1 host; 1 blocked"
    assert closing(seen(value)) == "an apply would do nothing"


def test_what_is_somebody_elses_is_a_conflict() -> None:
    value = seen(gres())
    conflict = Trouble("conflict", f"`{GRES}` was not put there by aamic", "`--adopt` takes it over", Hosts(1, "ctl"))
    assert (conflict,) == value.troubles
    assert summary(value) == "1 to add on 1 of 1 host; 1 conflict"
    assert value.effects == ()


def test_adopting_makes_a_conflict_a_change() -> None:
    value = seen(gres(adopt=True))
    assert value.troubles == ()
    assert summary(value) == "1 to add, 1 to change on 1 of 1 host"
    told = [fact for item in value.items() for each in item.variants for fact in facts(each, item)]
    assert "taken over: aamic did not put it there" in told


def test_a_conflict_that_blocks_its_host_is_told_once() -> None:
    assert [each.kind for each in seen(gres(blocked=True)).troubles] == ["blocked"]


def test_messages_that_name_their_host_are_told_once() -> None:
    lost = [Unobserved(host, "lost", f"`{host}` went away", f"see {host}:/var/log") for host in ("n1", "n11")]
    (trouble,) = seen(plan(hosts=2, unobserved=tuple(lost))).troubles
    assert Trouble("lost", "`HOST` went away", "see HOST:/var/log", Hosts(2, "n[1,11]")) == trouble


def test_one_host_keeps_its_name() -> None:
    (trouble,) = seen(plan(hosts=1, unobserved=(Unobserved("n1", "lost", "`n1` went away"),))).troubles
    assert trouble.message == "`n1` went away"


def test_summaries() -> None:
    two = tuple(Unobserved(host, "unreachable", "no answer") for host in gpus(1, 2))
    assert summary(seen(empty())) == "no changes on 640 hosts"
    assert summary(seen(replace(empty(), unobserved=two))) == "no changes on 638 of 640 hosts; 2 unreachable"
    assert summary(seen(dark())) == "nothing is known of 3 hosts; 3 too slow"
    assert summary(seen(offline())) == "1 to change on 3 of 3 hosts; no host was looked at"
    assert summary(seen(plan(undecided=("/a",), hosts=0))) == "no changes on 0 hosts; 1 secret not decided"


def test_closing_sentences() -> None:
    restart = "3 restarts of aami-dcgm-exporter"
    assert closing(seen(small())) == f"1 file changes on 3 hosts; nothing is added or removed; {restart}"
    assert closing(seen(dark())) == "an apply would do nothing; nothing is known of 3 hosts"
    assert closing(seen(plan(undecided=("/a",)))) == "1 secret may change"
    many = plan(*(Group((f"h{n}",), tuple(added(f"/{m}") for m in range(n, 9))) for n in range(5)))
    assert closing(seen(many)).startswith("9 files are added, each on 1 to 5 hosts; nothing is removed; no service is")


def test_what_a_change_is_beside_its_lines() -> None:
    after = Entry("link", "/b")
    cases = {
        "to /a → to /b": Change("change", "link", "/l", "n", Entry("link", "/a"), after),
        "file → link": Change("change", "link", "/l", "n", file("a"), after),
        "mode 0600 → 0644": Change("change", "file", "/f", "n", file("a", "0600"), file("a")),
        "owner jun:users → root:root": Change(
            "change", "file", "/f", "n", file("a", "0644", "jun", "users"), file("a")
        ),
        "mode 0640, root:x": Change("add", "file", "/f", "n", None, file("a", "0640", "root", "x")),
        "its content differs": Change("change", "file", "/f", "n", file("a"), file("b")),
        "changed": Change("change", "secret", "/s", "n", file("", "0600"), file("", "0600")),
        "inactive → start": Change("change", "unit", "x", "n", detail="inactive", impacts=unit("x", "start")),
        "1.tar.gz": Change("change", "program", "/p", "n", file("a"), file("b"), "1.tar.gz"),
    }
    for expected, change in cases.items():
        (item,) = seen(plan(Group(gpus(1), (change,)))).items()
        assert expected in facts(item.variants[0], item)


def test_a_file_that_only_changes_its_mode_keeps_its_content() -> None:
    change = Change("change", "file", COUNTERS, "n", file("a", "0600"), file("a"))
    (item,) = seen(plan(Group(gpus(1), (change,)))).items()
    assert facts(item.variants[0], item) == ("mode 0600 → 0644",)


def edited(hosts: int) -> Plan:
    """One file that differs on every host."""
    changes = (Change("change", "file", GRES, "slurm", file(str(n)), file("7"), edited=True) for n in range(hosts))
    told = {f"{GRES}\0{file(str(n)).content}\0{file('7').content}": Difference(note=f"note {n}") for n in range(hosts)}
    groups = (Group(gpus(n + 1), (change,)) for n, change in enumerate(changes))
    return replace(plan(*groups, hosts=hosts), differences=told)


def test_versions_beyond_the_twentieth_are_one_line() -> None:
    for view in (plan_text.text, plan_markdown.markdown):
        told = view(edited(103), fold).replace("`", "")
        line = next(line for line in told.splitlines() if "more version" in line)

        assert "83 more versions on 83 hosts: gpu-[021-103]" in line
        assert sum("edited by hand" in line and "gpu-" in line for line in told.splitlines()) <= 33
    assert "more version" not in plan_text.text(edited(20), fold)
    assert "1 more version on 1 host: gpu-021" in plan_text.text(edited(21), fold)


def test_one_line_is_one_line() -> None:
    value = replace(edited(1), differences={})
    name = f"{GRES}\0{file('0').content}\0{file('7').content}"
    page = plan_html.html(replace(value, differences={name: Difference(lines=("-a",))}), fold)

    assert '<span class="del">-1</span> line<' in page
