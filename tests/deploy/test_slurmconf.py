from __future__ import annotations

from dataclasses import replace

import pytest

from aamic.deploy.desired import desired_hosts
from aamic.deploy.fetch import fetch_old
from aamic.deploy.lines import line_files
from aamic.deploy.observe import Asking
from aamic.deploy.slurmconf import HOOKS, Findings, judge, values_of, wanted_hooks
from aamic.deploy.slurmreach import of_nodes
from tests.deploy.controller import Controller
from tests.deploy.fakeapply import Fleet
from tests.deploy.fakehosts import FakeHost, Thing
from tests.deploy.slurmtrees import CONF, CTL, settings, tree

HELD = HOOKS
HOOKS_OF = wanted_hooks(tree(("n1",)), CTL, "/etc/slurm")


def found(conf: str, version: tuple[int, int] | None = (22, 5), **files: str) -> Findings:
    """What a slurm.conf means, with other files beside it."""
    assert HOOKS_OF
    contents = {CONF: conf.encode()} | {f"/etc/slurm/{name}.conf": text.encode() for name, text in files.items()}
    values = values_of(CONF, HOOKS_OF, lambda paths: {path: contents[path] for path in paths if path in contents})
    return judge(values, HOOKS_OF, replace(settings(("n1",)), version=version))


@pytest.mark.parametrize(
    "conf",
    [
        "ClusterName=x\n",
        "# Prolog=/x\nPrologSlurmctld=/x\nTaskProlog=/x\nNodeName=n1 CPUs=2 Reason=Prolog\n",
        "Include aamic.conf\nClusterName=x\n",
        "SchedulerParameters=defer,nohold_on_prolog_fail\n",
    ],
)
def test_a_site_without_hooks_of_its_own_needs_to_hear_nothing(conf: str) -> None:
    assert found(conf) == Findings()


def test_a_prolog_of_the_site_wins_and_that_is_a_conflict() -> None:
    conf = "ClusterName=x\n\nSlurmUser=slurm prolog = /usr/local/sbin/prolog.sh\n"

    assert found(conf) == Findings(
        (
            (
                "conflict: `/etc/slurm/slurm.conf:3` sets `Prolog=/usr/local/sbin/prolog.sh`, which wins over aamic's: "
                "the node check would not be asked; move `prolog.sh` into `/etc/slurm/prolog.d` and set "
                "`Prolog=/etc/slurm/prolog.d/*` there: both then run; nothing of slurm.conf is changed because of this"
            ),
        ),
        HELD,
    )


def test_the_last_line_counts_wherever_it_stands() -> None:
    conf = "Include site/%c-\\\nhooks.conf\nEpilog=/etc/slurm/epilog.d/*\nClusterName=Fleet\n"
    files = {"site/fleet-hooks": "Epilog=/x\nInclude more.conf\n", "more": "Prolog=/y\n"}

    told = found(conf, (22, 5), **files)

    assert told.held == HELD
    assert [note.split(",")[0] for note in told.notes] == [
        "conflict: `/etc/slurm/more.conf:1` sets `Prolog=/y`",
        "`/etc/slurm/slurm.conf:3` sets `Epilog=/etc/slurm/epilog.d/*`: aamic's script is among these",
    ]


def test_a_glob_that_has_our_script_runs_it() -> None:
    for glob in ("/etc/slurm/prolog.d/*", "/etc/slurm/prolog.d/[0-9]*", "prolog.d/*"):
        told = found(f"Prolog={glob}\n")
        assert (told.held, told.notes[0].rpartition(": ")[2]) == (frozenset(), "aamic's script is among these")
    assert found("Prolog=/etc/*\n").held == HELD


def test_lines_add_up_from_24_05_on() -> None:
    assert found("Prolog=/x\n", (24, 5)).notes == (
        (
            "`/etc/slurm/slurm.conf:1` sets `Prolog=/x`: it runs as well as `/etc/slurm/prolog.d/*-aamic`, as such "
            "lines add up"
        ),
    )
    assert "run twice" in found("Prolog=/etc/slurm/prolog.d/*\n", (24, 11)).notes[0]
    assert found("Prolog=/x\n", (23, 11)).held == found("Prolog=/x\n", None).held == HELD


def test_ours_must_not_win_over_the_site() -> None:
    told = found("Prolog=/x\nSchedulerParameters=defer\nInclude /etc/slurm/aamic.conf\n")

    assert told.held == HELD
    assert [note.count("move that to the top") for note in told.notes] == [1, 1]


def test_refused_jobs_that_would_be_held_are_warned_of() -> None:
    assert found('SchedulerParameters="defer,bf_max_time=5"\n') == Findings(
        (
            (
                "warning: `/etc/slurm/slurm.conf:1` sets `SchedulerParameters=defer,bf_max_time=5`: a job that a "
                "prolog refuses will be held; add `nohold_on_prolog_fail` to it"
            ),
        )
    )


def test_what_a_file_says_is_shown_without_control_characters() -> None:
    assert "\x1b" not in found("Prolog=/x\x1b[31m\n").notes[0]


def test_includes_without_end_end() -> None:
    assert found("Include a.conf\n", a="Include slurm.conf\nInclude a.conf\nProlog=/x\n").held == HELD


def test_a_tree_without_hooks_asks_nothing() -> None:
    assert wanted_hooks(tree(("n1",), hooks=False), CTL, "/etc/slurm") is None
    assert judge(None, HOOKS_OF, settings(("n1",))) == Findings()  # type: ignore[arg-type]


def test_a_prolog_of_a_nodes_own_slurm_conf_is_told_with_its_nodes() -> None:
    own = b"Prolog=/opt/own.sh\nEpilog=/etc/slurm/epilog.d/*\n"
    hosts = {
        name: FakeHost({CONF: Thing("file", own if name in {"n1", "n2"} else b"A=1\n")})
        for name in ("n1", "n2", "n3", CTL)
    }
    made = Controller(Fleet(hosts), tree(("n1", "n2", "n3")))
    seen = made.look()
    whole = desired_hosts(made.tree, hosts)
    contents = fetch_old(made.fleet.client(), line_files(whole, seen), Asking(30.0, 9))
    assert HOOKS_OF

    notes = tuple(of_nodes(HOOKS_OF, settings(("n1", "n2", "n3")), seen, contents))

    assert notes == (
        (
            "conflict: `/etc/slurm/slurm.conf:1` sets `Prolog=/opt/own.sh`, which wins over aamic's: the node check "
            "would not be asked; move `own.sh` into `/etc/slurm/prolog.d` and set `Prolog=/etc/slurm/prolog.d/*` "
            "there: both then run: n[1-2]"
        ),
    )
