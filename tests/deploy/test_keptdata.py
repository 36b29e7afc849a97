from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from aamic.deploy.desired import Desired, union
from aamic.deploy.diff import Policy
from aamic.deploy.explain import Contents
from aamic.deploy.keptdata import left_files, with_kept
from aamic.deploy.planner import Basis, make_plan
from aamic.model.host import Pending
from aamic.model.plan import KeptFolder, Plan
from aamic.model.tree import File, OnChange
from tests.deploy.fakehosts import Thing, synced
from tests.deploy.samples import EXPORTERS, SERVERS, look

MADE = "/etc/tmpfiles.d/aami-prometheus-a.conf"
FOLDER = "/var/lib/aami/prometheus-a"
LINE = f"d {FOLDER} 0750 aami-prometheus - -\n".encode()
SERVICE = "aami-prometheus-a"


def having(content: bytes) -> Desired:
    made = File(MADE, content, on_change=OnChange("tmpfiles"))
    return union((EXPORTERS, replace(SERVERS, files=(*SERVERS.files, made))))


BEFORE, GONE = having(LINE), union((EXPORTERS,))


def old(*contents: bytes) -> dict[tuple[str, str], bytes | str]:
    return {(MADE, hashlib.sha256(content).hexdigest()): content for content in contents}


def plan(desired: Mapping[str, Desired], contents: Contents, before: Desired = BEFORE) -> Plan:
    seen = {name: replace(look(synced(before), wanted), host=name) for name, wanted in desired.items()}
    return with_kept(make_plan(Basis("c", "t"), desired, seen, Policy(adopt=False)), desired, contents)


def test_the_data_of_a_removed_server_is_named_once_for_all_its_hosts() -> None:
    desired = {"mon-10": GONE, "mon-2": GONE, "mon-3": BEFORE}

    assert plan(desired, old(LINE)).kept == (KeptFolder(FOLDER, SERVICE, "removed", ("mon-2", "mon-10")),)


def test_a_server_that_stores_elsewhere_leaves_its_old_folder() -> None:
    made = plan({"mon-1": having(b"d /srv/prom 0750 aami-prometheus - -\n")}, old(LINE))

    assert made.kept == (KeptFolder(FOLDER, SERVICE, "moved", ("mon-1",)),)


def test_a_folder_that_something_else_on_the_host_writes_is_in_use() -> None:
    other = File("/etc/tmpfiles.d/aami-other.conf", LINE)
    desired = union((replace(EXPORTERS, files=(*EXPORTERS.files, other)),))

    assert plan({"mon-1": desired}, old(LINE)).kept == ()
    assert plan({"mon-1": BEFORE}, old(LINE)).kept == ()


def test_hosts_on_which_nothing_is_done_keep_a_server_and_not_its_remains() -> None:
    desired = {"mon-1": GONE, "mon-2": GONE}
    seen = {name: replace(look(synced(BEFORE), GONE), host=name) for name in desired}
    seen["mon-2"] = replace(seen["mon-2"], pending=Pending("r", "kim", "unconfirmed", 9))
    made = make_plan(Basis("c", "t"), desired, seen, Policy(adopt=False))

    (folder,) = with_kept(made, desired, old(LINE)).kept
    assert folder.hosts == ("mon-1",)


def test_a_file_that_cannot_be_read_is_said_and_not_taken_for_no_folder() -> None:
    digest = hashlib.sha256(LINE).hexdigest()
    made = plan({"mon-1": GONE}, {(MADE, digest): "not every user of the host may read what stands there"})

    assert made.kept == ()
    (note,) = made.notes
    assert note.startswith(f"data folders of `{SERVICE}` stay on mon-1; which they are is not known: not every user")


def test_what_hands_wrote_into_the_file_counts_as_it_stands_there() -> None:
    by_hand = b'd "/srv/prom \\"a\\" 100%%" 0750 x - -\nL /etc/x - - - - /y\nd relative 0750\n'
    host = synced(BEFORE)
    host.things[MADE] = Thing("file", by_hand)
    seen = {"mon-1": replace(look(host, GONE), host="mon-1")}
    made = make_plan(Basis("c", "t"), {"mon-1": GONE}, seen, Policy(adopt=False))
    (asked,) = [each for each in left_files(made) if each.name == MADE]

    assert (asked.before, asked.host) == (hashlib.sha256(by_hand).hexdigest(), "mon-1")
    (folder,) = with_kept(made, {"mon-1": GONE}, old(by_hand)).kept
    assert folder.path == '/srv/prom "a" 100%'
