"""Which copy of the site is taken, and what is told; hosts' answers as they print them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aamic.clients.base import Answer
from aamic.compile.sitecopy import write_copy
from aamic.deploy.sitefind import Carried, Choice, carried, choose
from aamic.errors import HostError, OutsideError
from aamic.model.sitecopy import SiteCopy

OLD = SiteCopy("c1", {"site.yaml": "old"}, "20261124T120000Z-a", "", "1")
NEW = SiteCopy("c1", {"site.yaml": "new"}, "20261125T120000Z-a", "", "1")
DOWN = HostError("unreachable", "`gpu-1` cannot be reached", "is it up?")


def answer(*lines: str, data: bytes = b"") -> Answer:
    return Answer(0, "\n".join(["aamic\t1\tsite_show", *lines, "end", ""]).encode() + data, b"")


CENTRAL = frozenset({"node", "central"})


def central(copy: SiteCopy | None = None, release: str = "r") -> Carried:
    return Carried(release, CENTRAL, copy)


def refused(**hosts: Carried | HostError) -> str:
    with pytest.raises(OutsideError) as error:
        choose(hosts)
    return f"{error.value} ({error.value.hint})"


def test_a_host_tells_its_release_its_bundles_and_its_copy() -> None:
    data = write_copy(NEW)

    found = carried("h", answer("release\tr1", "bundle\tnode", "bundle\tcentral", f"copy\t{len(data)}", data=data))

    assert found == Carried("r1", frozenset({"node", "central"}), NEW)
    assert carried("h", answer()) == Carried()


@pytest.mark.parametrize(
    ("size", "data", "trouble"),
    [
        ("none", b"", "it is no file"),
        ("-1", b"", "it is no file"),
        ("unreadable", b"", "only root may read it: log in as root, or as somebody who may use sudo"),
        ("104857600", b"", "it is larger than 32 MiB"),
        ("9" * 5000, b"", "it is larger than 32 MiB"),
        ("5", b"{}", "it changed while it was read, or did not come whole"),
        ("2", b"{}", "it does not say its version"),
        ("2", b"{]", "it is no whole JSON"),
    ],
)
def test_a_copy_that_is_of_no_use_says_why(size: str, data: bytes, trouble: str) -> None:
    assert carried("h", answer(f"copy\t{size}", data=data)) == Carried(trouble=trouble)


@pytest.mark.parametrize("output", [b"", b"Welcome!\n", b"aamic\t1\tsite_show\nrelease\tr1\n"])
def test_an_answer_that_is_none_is_the_hosts_fault(output: bytes) -> None:
    with pytest.raises(HostError, match=r"did not run there|ended early"):
        carried("h", Answer(0, output, b""))


def test_central_hosts_that_keep_different_sites_are_refused() -> None:
    assert refused(a=central(OLD), b=central(NEW), c=DOWN) == (
        "the central hosts keep different sites: that of release 20261124T120000Z-a (a), that of release "
        "20261125T120000Z-a (b) (name one of them alone with `--hosts`)"
    )


def test_equal_copies_are_nothing_to_tell() -> None:
    again = replace(NEW, release="20261126T120000Z-a")

    assert choose({"mon-1": central(NEW), "mon-2": central(again), "gpu-1": DOWN}) == Choice(
        again, "mon-2", ("not asked: `gpu-1` cannot be reached",)
    )


def test_hosts_that_carry_a_newer_release_than_the_copy_are_told() -> None:
    alone = choose({"mon": central(OLD, NEW.release)})
    some = choose({"mon": central(OLD, OLD.release), "gpu-1": Carried(NEW.release), "gpu-2": Carried(NEW.release)})
    even = choose({"mon": central(NEW, OLD.release), "gpu-1": Carried(NEW.release), "gpu-2": Carried("zzz")})
    hint = (
        "to apply it takes back what came since (hint: name the host that is central now, or find the site of that "
        "release; read what `aamic plan` says before an apply)"
    )
    than = f"release {NEW.release}, which is newer than this site, of release {OLD.release}: {hint}"

    assert [each.warnings for each in (alone, some, even)] == [
        (f"mon carries {than}",),
        (f"gpu-[1-2] carry {than}",),
        (),
    ]


def test_a_host_that_carries_more_than_its_own_copy_is_refused_beside_others() -> None:
    assert refused(a=central(OLD, NEW.release), b=Carried()) == (
        "`a` carries release 20261125T120000Z-a, which is newer than the site it keeps, of release 20261124T120000Z-a "
        "(name the host that is central now; or, if there is none, this one alone: its site is taken with a warning)"
    )


def test_a_host_that_is_not_central_cannot_say_what_the_site_is() -> None:
    claimed = Carried("r", frozenset({"node"}), replace(NEW, release="99990101T000000Z-x"))
    told = (
        "the site that `gpu-1` keeps is not trusted: it has no central Prometheus (hint: if it is yours, name it alone)"
    )

    assert choose({"mon": central(OLD), "gpu-1": claimed}) == Choice(OLD, "mon", (told,))
    assert choose({"gpu-1": claimed, "gpu-2": Carried()}).copy is None
    assert choose({"gpu-1": claimed, "gpu-2": Carried()}).notes[0] == told
    assert choose({"gpu-1": claimed}) == Choice(
        claimed.copy,
        "gpu-1",
        (),
        ("`gpu-1` keeps this site, and has no central Prometheus: ask the central host, or be sure it is yours",),
    )


def test_a_rollback_is_told() -> None:
    undone = replace(NEW, rolled_back="r9")

    assert choose({"mon": central(undone)}).notes == (
        "release r9 was rolled back since, so hosts may have less than this site says",
    )


def test_a_broken_copy_beside_a_good_one_is_told() -> None:
    choice = choose({"mon-1": Carried(trouble="it is no whole JSON"), "mon-2": central(OLD)})

    assert choice == Choice(OLD, "mon-2", ("the copy of the site on `mon-1` is of no use: it is no whole JSON",))


def test_where_no_copy_is_of_use_nothing_is_taken() -> None:
    hint = "nothing is written; name other central hosts, or leave these out to begin from what hosts have"

    assert refused(mon=Carried(trouble="it is no file"), gpu=Carried()) == (
        f"the copy of the site on `mon` is of no use: it is no file ({hint})"
    )


def test_copies_of_different_clusters_are_refused() -> None:
    assert refused(a=central(OLD), b=central(replace(NEW, cluster="c2"))) == (
        "the hosts keep sites of different clusters: `c1` (a), `c2` (b) (name hosts of one cluster)"
    )


def test_nobody_answers() -> None:
    other = HostError("timeout", "`gpu-2` did not answer")

    assert refused(a=DOWN, b=other) == (
        "no host could be asked: `gpu-1` cannot be reached; `gpu-2` did not answer (is it up?)"
    )


def test_hosts_with_files_of_aamic_and_without_a_copy() -> None:
    node = Carried("r1", frozenset({"node"}))

    assert choose({"gpu-1": node, "gpu-2": node, "new": Carried()}) == Choice(
        None,
        "",
        (
            (
                "gpu-[1-2] carries files of aamic; the site is kept on the central host once an apply has reached it, "
                "and none of the hosts that answered is that: name it, too"
            ),
        ),
    )
    assert choose({"gpu-1": node, "mon": central()}).notes == (
        (
            "mon has the central Prometheus of an aamic that left no copy of the site: with the site's folder, an "
            "apply leaves one"
        ),
    )
    assert choose({"new": Carried()}) == Choice(None, "", ())
