from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aamic.deploy import wire
from aamic.deploy.archive import archive
from aamic.deploy.desired import Desired, desired_hosts
from aamic.deploy.diff import reference_key
from aamic.deploy.material import Material, blob
from aamic.deploy.record import new_record
from aamic.deploy.transaction import Sender
from aamic.deploy.units import unit_work
from aamic.model.fleet import Rollout
from aamic.model.host import ABSENT, Entry, Release
from aamic.model.plan import Change, Impact
from aamic.model.report import Origin
from tests.deploy.trees import PROGRAM, SLACK, TARBALL, tree

ORIGIN = Origin("r1", "kim\tmin\nsu", "", "p1")
MATERIAL = Material({(TARBALL, "am"): blob(b"program")}, {reference_key({"env": "SLACK"}): blob(b"value")})
NODE = "/etc/systemd/system/aami-node.service"


def mon() -> Desired:
    return desired_hosts(tree(("a",)), ["mon-1"])["mon-1"]


def sent(*changes: Change, timer: bool = True) -> tuple[list[str], dict[str, bytes]]:
    """The lines of the transaction, and the other files of the tar."""
    record = new_record("r1", mon(), {PROGRAM: "d"}, None, "")
    sender = Sender(ORIGIN, Rollout(settle=0.5), MATERIAL, timer=timer)
    program, *tar = sender.payload(changes, record, mon())
    assert program == wire.program("apply")
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as opened:
        files = {each.name: opened.extractfile(each).read() for each in opened}  # type: ignore[union-attr]
    return files.pop("transaction").decode().splitlines(), files


def lines(*changes: Change) -> list[str]:
    """The lines between those that every transaction begins and ends with."""
    return sent(*changes)[0][8:-3]


def write(path: str, what: str = "file", before: Entry | None = None, *impacts: Impact) -> Change:
    return Change("change" if before else "add", what, path, "b", before, impacts=impacts)  # type: ignore[arg-type]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_transaction_says_who_makes_it_and_how_long_it_may_take() -> None:
    whole, files = sent(timer=True)

    assert whole[:8] == [
        "release\tr1", "who\tkim min su", "revision\t-", "plan\tp1", "confirm\t120", "settle\t1", "ready\t60",
        "release-before\t-",
    ]  # fmt: skip
    assert whole[-3:] == [f"sum\tmanifest\t{digest(files['manifest'])}", f"sum\tagent\t{digest(files['agent'])}", "end"]
    assert sent(timer=False)[0][4] == "confirm\t0"


def test_a_changed_file_is_expected_put_and_checked() -> None:
    before = Entry("file", "d" * 64, "0600", "kim", "users")
    content = mon().entries[NODE].content

    assert lines(write(NODE, "file", before))[:3] == [
        f"expect\t{NODE}\tfile\t{'d' * 64}\t0600\tkim\tusers",
        f"put\t{NODE}\t{digest(content)}\t0644\troot\troot",
        f"check\tunit\t{NODE}",
    ]
    assert sent(write(NODE))[1][f"files{NODE}"] == content


def test_what_is_not_there_and_links_are_expected_as_the_host_says_it() -> None:
    link = "/etc/systemd/system/prometheus.service"

    assert lines(write(link, "link", Entry("link", "/x"), Impact("stop", "prometheus.service"))) == [
        f"expect\t{link}\tlink\t/x\t-\t-\t-",
        f"link\t{link}\t/dev/null",
        "stop\tprometheus.service",
        "daemon-reload\t-",
    ]
    assert lines(write(PROGRAM, "program")) == [
        f"expect\t{PROGRAM}\tabsent\t-\t-\t-\t-",
        f"put\t{PROGRAM}\t{digest(b'program')}\t0755\troot\troot",
    ]
    assert lines(Change("remove", "file", "/etc/x", "gone", Entry("file", "e", "0644", "root", "root"))) == [
        "expect\t/etc/x\tfile\te\t0644\troot\troot",
        "drop\t/etc/x",
    ]


def test_nothing_is_expected_of_a_secret_that_is_there() -> None:
    there = Entry("file", "", "0600", "aami-am", "root")

    assert lines(write(SLACK, "secret", there)) == [f"put\t{SLACK}\t{digest(b'value')}\t0600\taami-am\troot"]
    assert lines(write(SLACK, "secret", ABSENT))[0] == f"expect\t{SLACK}\tabsent\t-\t-\t-\t-"


def test_packages_keep_units_from_starting_that_are_masked_for_good() -> None:
    assert lines(Change("add", "package", "prometheus", "shard-1")) == [
        "package\tprometheus\t-",
        "mask\tprometheus.service",
    ]


def test_configurations_are_judged_by_their_own_tools() -> None:
    config, rules = "/etc/aami/prometheus-shard-1/prometheus.yml", "/etc/aami/rules/central/a.yml"
    said = lines(write(config), write(rules), write("/var/lib/aami/targets/shard-1.json"))

    assert [line for line in said if line.startswith("check")] == [
        f"check\tprometheus\t{config}",
        f"check\trules\t{rules}",
    ]


def test_units_start_in_the_order_of_their_stages_and_each_once() -> None:
    shard = Impact("restart", "aami-prometheus-shard-1.service")
    work = unit_work(
        [
            write("/a", "file", None, Impact("reload", "aami-*.service"), shard),
            write("/b", "file", None, Impact("restart", "aami-node.service"), Impact("start", "aami-node.service")),
        ],
        mon(),
    )

    assert (work.reload, work.restart, work.start) == (
        ("aami-am.service",),
        ("aami-node.service", "aami-prometheus-shard-1.service"),
        (),
    )
    assert list(work.watch.items()) == [
        ("aami-node.service", (9100,)),
        ("aami-prometheus-shard-1.service", (9090,)),
        ("aami-am.service", (9093, 9094)),
    ]


def test_a_unit_whose_file_changes_restarts_and_one_that_is_wanted_never_stops() -> None:
    work = unit_work(
        [write(NODE, "file", ABSENT, Impact("stop", "aami-am.service"), Impact("stop", "x.service"))], mon()
    )

    assert (work.restart, work.stop, work.daemon_reload) == (("aami-node.service",), ("x.service",), True)


def test_a_change_that_touches_no_unit_is_not_watched() -> None:
    assert unit_work([write("/var/lib/aami/targets/shard-1.json")], mon()).watch == {}


def test_users_and_folders_are_made_from_files_that_are_there_afterwards() -> None:
    gone = Change("remove", "file", "/etc/sysusers.d/old.conf", "b", ABSENT, impacts=(Impact("sysusers"),))
    work = unit_work([write("/etc/sysusers.d/new.conf", "file", None, Impact("sysusers")), gone], mon())

    assert (work.sysusers, work.tmpfiles) == (("/etc/sysusers.d/new.conf",), ())


def test_the_new_record_is_what_the_next_look_compares_with() -> None:
    record = new_record("r2", mon(), {PROGRAM: "d"}, None, "")
    read = wire.read_release(line.split("\t") for line in wire.write_release(record).decode().splitlines())

    assert read == record
    assert record.entries[SLACK].entry == Entry("file", "", "0600", "aami-am", "root")
    assert record.entries[PROGRAM].entry == Entry("file", "d", "0755", "root", "root")


def test_a_record_of_one_bundle_keeps_those_of_the_others() -> None:
    old = new_record("r1", mon(), {PROGRAM: "old"}, None, "")
    gone = {path: kept for path, kept in old.entries.items() if kept.bundle != "node"}
    before = Release("r1", {**gone, "/etc/old-node": old.entries[NODE]}, old.programs, {**old.units, "x": "node"})

    record = new_record("r2", mon(), {PROGRAM: "new"}, before, "node")

    assert set(record.entries) == set(old.entries)
    assert record.entries[PROGRAM].entry.content == "old"
    assert (record.programs, record.units) == (old.programs, old.units)


@given(
    st.dictionaries(st.text("abc/é-", min_size=1, max_size=180).map(lambda name: f"f{name}f"), st.binary(max_size=2000))
)
def test_an_archive_is_what_tar_reads(files: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive(files)))) as opened:
        members = opened.getmembers()
        found = {each.name: opened.extractfile(each).read() for each in members}  # type: ignore[union-attr]

    assert found == files
    assert all((each.mode, each.mtime, each.uid, each.pax_headers) == (0o600, 0, 0, {}) for each in members)


def test_gnu_tar_unpacks_long_paths_quietly(tmp_path: Path) -> None:
    files = {f"files/{'d' * 90}/{'e' * 90}/f": b"x" * 513, "transaction": b"end\n"}

    done = subprocess.run(
        ["tar", "-xf", "-", "-C", str(tmp_path)], input=b"".join(archive(files)), capture_output=True, check=True
    )

    assert done.stderr == b""
    assert {name: (tmp_path / name).read_bytes() for name in files} == files


def test_equal_programs_are_shared_not_copied() -> None:
    record = new_record("r1", mon(), {PROGRAM: "d"}, None, "")
    pieces = Sender(ORIGIN, Rollout(), MATERIAL).payload((write(PROGRAM, "program"),), record, mon())

    assert any(piece is MATERIAL.programs[TARBALL, "am"].content for piece in pieces)
    assert "value" not in repr(MATERIAL)
