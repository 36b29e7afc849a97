"""`aamic clusters` as a user runs it, against servers on loopback with real TLS."""

from __future__ import annotations

import json
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from typer.testing import CliRunner, Result

from aamic.cli import app
from aamic.clients.base import Remote
from aamic.commands.clusterread import ask_all, openers
from aamic.commands.options import checked
from aamic.errors import RemoteError
from tests.clients.peers import days_from_now, server_tls
from tests.commands.remotes import KEY, Far, Page, alert, answers, data, far, node, prometheus, status

HEAD = """\
version: 1
cluster: {name: seoul}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in a folder with a site."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "site.yaml").write_text(HEAD)
    return lambda *arguments: CliRunner().invoke(app, ["clusters", *arguments])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Ground:
    """Clusters that are there, and the site's registry of them."""

    def __init__(self, folder: Path, authority: trustme.CA, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._authority = authority
        self._tls = server_tls(authority.issue_cert("127.0.0.1"))
        self._other = server_tls(trustme.CA().issue_cert("127.0.0.1"))
        self.items: list[str] = []
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        (folder / "busan.key").write_text(f"{KEY}\n")

    def serve(
        self, documents: Mapping[str, Page], *, key: str | None = None, strange: bool = False, days: int | None = None
    ) -> Far:
        """A cluster over TLS; `strange`: with a certificate that nobody knows, or one that ends in so many days."""
        tls = self._other if strange else self._tls
        if days is not None:
            tls = server_tls(self._authority.issue_cert("127.0.0.1", not_after=days_from_now(days)))
        return self._stack.enter_context(far(documents, tls, key))

    def silent(self) -> str:
        """A port that takes connections and says nothing."""
        listening = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        return f"https://127.0.0.1:{listening.getsockname()[1]}"

    def closed(self) -> str:
        """A port at which nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            return f"https://127.0.0.1:{listening.getsockname()[1]}"

    def register(self, name: str, url: str, more: str = "") -> None:
        self.items.append(f"- {{name: {name}, endpoint: '{url}', tls_ca_cert: ca.pem, timeout: 1s{more}}}\n")
        (self._folder / "site.yaml").write_text(f"{HEAD}clusters:\n{''.join(self.items)}")


@pytest.fixture
def ground(run: Run, tmp_path: Path, authority: trustme.CA) -> Iterator[Ground]:  # noqa: ARG001  # makes the site
    with ExitStack() as stack:
        yield Ground(tmp_path, authority, stack)


@pytest.fixture
def many(ground: Ground) -> Ground:
    """Two clusters that answer, of which one is not well, and five that do not, each in its way."""
    busan = ground.serve(answers("busan", status("busan", 10), [alert("GpuLost", "warning", 50.0, "one is gone")]))
    daegu = ground.serve(
        answers(
            "daegu",
            status("daegu", 30, 3),
            [
                alert("NodeDown", "critical", 20.0, "mi-001 is down", node="mi-001"),
                alert("NodeDown", "critical", 30.0, "mi-002 is down", node="mi-002"),
                alert("Hot", "info", 60.0),
            ],
        )
    )
    ground.register("busan", busan.url, ", labels: {region: kr-2, tier: gold}")
    ground.register("slow", ground.silent(), ", labels: {region: kr-2}")
    ground.register("daegu", daegu.url, ", labels: {region: kr-3}")
    ground.register("closed", ground.closed())
    ground.register("locked", ground.serve({}, key="another").url)
    ground.register("keyless", busan.url, ", api_key: {env: AAMIC_TEST_NO_SUCH_KEY}")
    ground.register("stranger", ground.serve({}, strange=True).url)
    return ground


# status


@pytest.mark.usefixtures("many")
def test_only_connected_clusters_are_added_up_and_the_others_are_named(run: Run) -> None:
    done = run("status", "--no-own")
    lines = done.stdout.splitlines()

    assert done.exit_code == 0
    assert lines[:8] == [
        "cluster   verdict   score  nodes  GPUs     alerts  state",
        "busan     ok        100.0  10/10  80/80    0       connected",
        "slow      -         -      -      -        -       slow",
        "daegu     critical  90.0   27/30  216/240  3c      connected",
        "closed    -         -      -      -        -       refused",
        "locked    -         -      -      -        -       unauthorized",
        "keyless   -         -      -      -        -       no credentials",
        "stranger  -         -      -      -        -       bad certificate",
    ]
    assert lines[8:13] == [
        "  daegu: 3 nodes are down",
        "2 of 7 clusters connected: score 92.5, 37 of 40 nodes up, 296 of 320 GPUs,",
        "  alerts: 3 critical",
        "5 of 7 clusters are missing: slow (slow), closed (refused), locked",
        "  (unauthorized), keyless (no credentials), stranger (bad certificate)",
    ]
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("many")
def test_status_is_one_document_for_a_machine(run: Run) -> None:
    done = run("status", "--no-own", "--json", "--exit-code")
    found = json.loads(done.stdout)

    assert done.exit_code == 16
    assert [each["name"] for each in found["clusters"]] == [
        "busan", "slow", "daegu", "closed", "locked", "keyless", "stranger",
    ]  # fmt: skip
    assert [(each["name"], each["state"]) for each in found["missing"]] == [
        ("slow", "slow"),
        ("closed", "refused"),
        ("locked", "unauthorized"),
        ("keyless", "no credentials"),
        ("stranger", "bad certificate"),
    ]
    assert found["clusters"][1]["status"] is None
    assert found["clusters"][0]["status"]["nodes"] == {"total": 10, "up": 10, "down": 0}
    assert (found["version"], found["total"]["score"], found["total"]["verdict"]) == (1, 92.5, "critical")
    assert KEY not in done.output


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("daegu", "busan"), ["busan", "daegu"]),
        (("--label", "region=kr-2", "--label", "tier=gold"), ["busan"]),
        (("daegu", "--label", "region=kr-2"), []),
    ],
)
@pytest.mark.usefixtures("many")
def test_clusters_are_chosen_by_name_and_label(run: Run, arguments: tuple[str, ...], names: Any) -> None:
    done = run("status", "--no-own", "--json", *arguments)

    assert (names, 0) == ([each["name"] for each in json.loads(done.stdout)["clusters"]], done.exit_code)


@pytest.mark.usefixtures("many")
def test_a_name_that_is_not_known_is_told_with_the_nearest(run: Run) -> None:
    done = run("status", "--no-own", "busam", "xyz")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[:2] == [
        "error: the registry has no cluster `busam`",
        "hint: did you mean `busan`?",
    ]
    assert "error: the registry has no cluster `xyz`" in done.stderr


def test_all_are_well_where_all_answer_that_they_are(run: Run, ground: Ground) -> None:
    ground.register("busan", ground.serve(answers("busan", status("busan"), [])).url)
    done = run("status", "--no-own", "--exit-code")

    assert done.exit_code == 0
    assert "1 of 1 cluster connected: score 100.0, 10 of 10 nodes up, 80 of 80 GPUs," in done.stdout
    assert "missing" not in done.stdout


def test_what_is_not_known_is_no_number(run: Run, ground: Ground) -> None:
    unknown = status("busan", verdict="unknown", score=None, alerts=None, gpus=[], verdicts=None)
    ground.register("busan", ground.serve(answers("busan", unknown, [])).url)
    done = run("status", "--no-own")

    assert done.stdout.splitlines()[1] == "busan    unknown  -      10/10  -     -       connected"
    assert done.stdout.splitlines()[2:] == [
        "1 of 1 cluster connected: score -, 10 of 10 nodes up, GPUs unknown, alerts:",
        "  unknown",
        "not known of busan, so that sums lack it: score, alerts",
    ]


# alerts


@pytest.mark.usefixtures("many")
def test_alerts_of_all_clusters_come_the_most_severe_and_newest_first(run: Run) -> None:
    done = run("alerts", "--no-own")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "critical  daegu NodeDown · mi-002 · 1970-01-01 00:00:30Z: mi-002 is down",
        "critical  daegu NodeDown · mi-001 · 1970-01-01 00:00:20Z: mi-001 is down",
        "warning   busan GpuLost · 1970-01-01 00:00:50Z: one is gone",
        "info      daegu Hot · 1970-01-01 00:01:00Z",
    ]
    assert done.stderr.startswith("5 of 7 clusters are missing: slow (slow), closed (refused),")


@pytest.mark.usefixtures("many")
def test_more_alerts_than_are_listed_are_counted(run: Run) -> None:
    done = run("alerts", "--no-own", "--severity", "critical", "--limit", "1")
    found = json.loads(run("alerts", "--no-own", "--limit", "2", "--json").stdout)

    assert done.stdout.splitlines()[1:] == ["and 1 more; `--limit` shows more, `--severity` fewer"]
    assert ([each["cluster"] for each in found["alerts"]], found["total"]) == (["daegu", "daegu"], 4)
    assert len(found["missing"]) == 5


def test_no_answer_at_all_is_a_failure_and_no_alerts_are_none(run: Run, ground: Ground) -> None:
    ground.register("busan", ground.closed())
    failed = run("alerts", "--no-own")
    ground.items.clear()
    ground.register("busan", ground.serve(answers("busan", status("busan"), [])).url)

    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr.startswith("1 of 1 cluster is missing: busan (refused)\n")
    assert (run("alerts", "--no-own").exit_code, run("alerts", "--no-own").stdout) == (0, "no alerts\n")


@pytest.mark.parametrize("word", ["Critical", "page", ""])
@pytest.mark.usefixtures("many")
def test_a_severity_that_is_none_is_our_own_mistake(run: Run, word: str) -> None:
    done = run("alerts", "--severity", word)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "critical" in done.stderr


@pytest.mark.parametrize(
    ("severity", "names"), [("critical", ["Loud"]), ("warning", ["Mute", "Odd"]), ("info", ["Fine"])]
)
def test_alerts_of_a_prometheus_are_chosen_by_what_they_count_as(
    run: Run, ground: Ground, severity: str, names: list[str]
) -> None:
    words = {"Loud": "Critical", "Odd": "page", "Mute": None, "Fine": "notice"}
    found = [{"labels": {"alertname": name, **({"severity": word} if word else {})}} for name, word in words.items()]
    pages = {**prometheus({"up{": [(UP[0], 1)]}), "alerts": lambda _: data({"alerts": found})}
    ground.register("busan", ground.serve(pages).url, ", kind: prometheus")
    told = json.loads(run("alerts", "--no-own", "--severity", severity, "--json").stdout)

    assert sorted(each["name"] for each in told["alerts"]) == names


def test_with_nobody_to_ask_no_alerts_are_claimed(run: Run) -> None:
    assert run("alerts", "--no-own").stdout == "no clusters to ask\n"


# Twice the same


@pytest.fixture
def twice(ground: Ground) -> Ground:
    """A cluster that is registered under two names, and another one."""
    busan = ground.serve(answers("busan", status("busan", 10, 2), [alert("Down", "critical", 1.0)]))
    ground.register("busan", busan.url)
    ground.register("again", busan.url)
    ground.register("south", ground.serve(answers("daegu", status("daegu", 30), [])).url)
    return ground


@pytest.mark.usefixtures("twice")
def test_a_cluster_with_two_names_is_counted_once(run: Run) -> None:
    done, found = run("status", "--no-own"), json.loads(run("status", "--no-own", "--json").stdout)

    assert "  again: the same cluster as busan: not counted again\n" in done.stdout
    assert "3 of 3 clusters connected: score 95.0, 38 of 40 nodes up" in done.stdout
    assert [each["same_as"] for each in found["clusters"]] == [None, "busan", None]


@pytest.mark.usefixtures("twice")
def test_alerts_of_a_cluster_with_two_names_are_listed_once(run: Run) -> None:
    done, found = run("alerts", "--no-own"), json.loads(run("alerts", "--no-own", "--json").stdout)

    assert done.stdout.splitlines()[1:] == ["again: the same cluster as busan: not counted again"]
    assert (found["total"], found["same"]) == (1, [{"name": "again", "same_as": "busan"}])


# test


def test_every_step_of_a_first_contact_is_told(run: Run, ground: Ground) -> None:
    there = ground.serve(answers("busan", status("busan"), []), key=KEY)
    ground.register("busan", there.url, ", api_key: {file: busan.key}")
    done = run("test", "busan")

    assert done.exit_code == 0
    steps = json.loads(run("test", "busan", "--json").stdout)["steps"]
    told = {each["name"]: each["message"] for each in steps}

    assert [each["ok"] for each in steps] == [True] * 6
    assert done.stdout.endswith("busan is connected\n")
    assert told["credentials"] == "read: API key, authorities of its own"
    assert told["certificate"].startswith("verified, for `")
    assert re.search("from `.*trustme.*`, valid until [0-9]{4}-[0-9]{2}-[0-9]{2}$", told["certificate"])
    assert (told["answer"], told["name"]) == ("aamic 0.1.0, API v1", "it calls itself `busan`")
    assert KEY not in done.output


def test_a_certificate_that_ends_soon_is_a_warning(run: Run, ground: Ground) -> None:
    ending = ground.serve(answers("busan", status("busan"), []), days=3)
    ground.register("busan", ending.url)
    done = run("test", "busan", "--json")

    assert (done.exit_code, json.loads(done.stdout)["warnings"]) == (
        0,
        ["its certificate ends in 3 days: it is time for another"],
    )


@pytest.mark.parametrize(
    ("name", "marks", "step"),
    [
        ("slow", "ok - - - fail -", "answer"),
        ("closed", "ok fail - - - -", "connection"),
        ("locked", "ok ok ok fail - -", "key"),
        ("keyless", "fail - - - - -", "credentials"),
        ("stranger", "ok ok fail - - -", "certificate"),
    ],
)
@pytest.mark.usefixtures("many")
def test_the_step_that_fails_is_told(run: Run, name: str, marks: str, step: str) -> None:
    done = run("test", name, "--json")
    found = json.loads(done.stdout)
    shown = {True: "ok", False: "fail", None: "-"}

    assert done.exit_code == 1
    assert marks == " ".join(shown[each["ok"]] for each in found["steps"])
    assert [each["name"] for each in found["steps"] if each["ok"] is False] == [step]
    assert f"{name} is not connected" in run("test", name).stdout


def test_a_cluster_that_cannot_say_how_it_is_is_not_connected(run: Run, ground: Ground) -> None:
    documents: dict[str, Any] = answers("busan", status("busan"), [])
    ground.register("busan", ground.serve(documents | {"status": (503, "Prometheus hangs")}).url)
    done = run("test", "busan", "--json")

    assert (done.exit_code, json.loads(done.stdout)["state"]) == (1, "unavailable")


@pytest.mark.parametrize(
    ("key", "told"), [("", "it wants a key, and none is configured"), (", api_key: {file: busan.key}", "our key")]
)
def test_no_key_is_told_from_a_wrong_one(run: Run, ground: Ground, key: str, told: str) -> None:
    ground.register("busan", ground.serve({}, key="another").url, key)

    assert told in json.loads(run("test", "busan", "--json").stdout)["steps"][3]["message"]


@pytest.mark.parametrize(
    ("says", "warning"),
    [
        ("seoul", "it says that it is `seoul`, which is this cluster: does the endpoint lead back here?"),
        ("ulsan", "it calls itself `ulsan`, here it is `busan`: is it the one you mean?"),
    ],
)
def test_another_name_than_the_registrys_is_a_warning(run: Run, ground: Ground, says: str, warning: str) -> None:
    ground.register("busan", ground.serve(answers(says, status(says), [])).url)
    done = run("test", "busan", "--json")

    assert (done.exit_code, json.loads(done.stdout)["warnings"]) == (0, [warning])


# info


def test_everything_of_one_cluster_is_shown(run: Run, ground: Ground) -> None:
    nodes = [node("gpu-001"), node("gpu-002", "GPU 3 is lost"), *(node(f"gpu-{number}") for number in range(3, 1500))]
    there = ground.serve(answers("busan", status("busan", 1500, 1), [alert("GpuLost", "critical", 5.0)], nodes))
    ground.register("busan", there.url)
    done, found = run("info", "busan"), json.loads(run("info", "busan", "--json").stdout)

    assert done.exit_code == 0
    for part in ("aamic 0.1.0, API v1", "shard-1/a: up; 1,500 nodes", "gpu-002: critical: GPU 3 is lost", "GpuLost"):
        assert part in done.stdout
    assert (len(found["nodes"]), found["nodes_total"], found["missing"]) == (1499, 1499, [])


def test_what_a_cluster_does_not_tell_is_named(run: Run, ground: Ground) -> None:
    documents: dict[str, Any] = answers("busan", status("busan"), [])
    documents["nodes"] = (503, "Prometheus does not answer")
    ground.register("busan", ground.serve(documents).url)
    found = json.loads(run("info", "busan", "--json").stdout)

    assert (found["nodes"], found["alerts"]) == (None, [])
    assert ["Prometheus does not answer" in each for each in found["missing"]] == [True]


def test_a_cluster_that_is_away_has_no_details(run: Run, ground: Ground) -> None:
    ground.register("busan", ground.closed())
    done = run("info", "busan")

    assert (done.exit_code, done.stdout.splitlines()[0].split(" at ")[0]) == (1, "busan: refused")


# A Prometheus, and this cluster itself


UP = [{"node": "gpu-001", "instance": "gpu-001:9100"}, {"node": "gpu-002", "instance": "gpu-002:9100"}]


def test_a_plain_prometheus_is_a_cluster_too(run: Run, ground: Ground) -> None:
    there = ground.serve(prometheus({"up{": [(UP[0], 1), (UP[1], 0)]}), key=KEY)
    ground.register("busan", there.url, ", kind: prometheus, api_key: {file: busan.key}")
    found = json.loads(run("status", "--no-own", "--json").stdout)
    tested = json.loads(run("test", "busan", "--json").stdout)
    alerts = json.loads(run("alerts", "--no-own", "--json").stdout)

    assert [each["state"] for each in found["clusters"]] == ["connected"]
    assert found["total"]["nodes"] == {"total": None, "up": 1, "down": 1}
    assert (found["total"]["verdict"], found["total"]["score"]) == ("critical", None)
    assert (tested["state"], tested["program"]) == ("connected", "Prometheus 2.42.0")
    assert [(each["cluster"], each["name"], each["severity"]) for each in alerts["alerts"]] == [
        ("busan", "Full", "warning")
    ]


def test_this_cluster_comes_first_and_is_asked_through_its_own_prometheus(
    run: Run, ground: Ground, tmp_path: Path
) -> None:
    with far(prometheus({"up{": [({"node": "mon", "job": "node"}, 1)]})) as own:
        port = own.url.rpartition(":")[2]
        ground.register("busan", ground.serve(answers("busan", status("busan"), [])).url)
        site = tmp_path / "site.yaml"
        text = site.read_text().replace("198.18.0.1", "127.0.0.1")
        site.write_text(text.replace("{node: mon}", f"{{node: mon, port: {port}}}"))
        found = json.loads(run("status", "--json").stdout)
        away = json.loads(run("status", "--json", "busan").stdout)
        alerts = json.loads(run("alerts", "--json").stdout)

    assert [(each["name"], each["own"], each["state"]) for each in found["clusters"]] == [
        ("seoul", True, "connected"),
        ("busan", False, "connected"),
    ]
    assert found["total"]["nodes"]["total"] == 11
    assert [(each["cluster"], each["name"]) for each in alerts["alerts"]] == [("seoul", "Full")]
    assert [each["name"] for each in away["clusters"]] == ["busan"]


# What is not trusted


@pytest.mark.parametrize(
    "lie",
    [
        {"nodes": {"total": 10**400, "up": 1, "down": 0}},
        {"nodes": {"total": 10, "up": 500, "down": 0}},
        {"nodes": {"total": 10, "up": 6, "down": 6}},
        {"gpus": [{"vendor": "nvidia", "expected": 1, "present": 10**400, "unhealthy": 0, "utilization": 0.5}]},
        {"gpus": [{"vendor": "nvidia", "expected": 1, "present": 1, "unhealthy": 0, "utilization": 1e308}]},
        {"gpus": [{"vendor": "a", "expected": 1, "present": 1, "unhealthy": 0, "utilization": 1, "power_watts": -5}]},
        {"alerts": {"critical": 10**13}},
        {"at": 1e300},
    ],
)
def test_numbers_that_cannot_be_are_no_answer_and_cost_no_other_cluster(
    run: Run, ground: Ground, lie: dict[str, Any]
) -> None:
    told = json.dumps({**status("liar").model_dump(mode="json"), **lie})
    ground.register("liar", ground.serve({"status": lambda _: told}).url)
    ground.register("busan", ground.serve(answers("busan", status("busan"), [])).url)
    done = run("status", "--no-own")

    assert done.exit_code == 0
    assert [line.split()[-1] for line in done.stdout.splitlines()[1:3]] == ["foreign", "connected"]
    assert "1 of 2 clusters connected: score 100.0, 10 of 10 nodes up" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_bug_at_one_cluster_is_a_state_of_that_one(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ground.register("busan", ground.serve(answers("busan", status("busan"), [])).url)
    (cluster,) = checked(tmp_path / "site.yaml").fleet.clusters

    def work(remote: Remote) -> int:
        return int(remote.status().at * float("inf"))

    (found,) = [each for _, each in ask_all(openers([cluster], tmp_path), work)]

    assert isinstance(found, RemoteError)
    assert (found.state, str(found)) == ("foreign", "its answer was not understood: aamic has a bug (OverflowError)")
    (log,) = tmp_path.glob("aamic-bug-*.log")
    assert found.hint == f"please report it with {log}"
    assert "OverflowError" in log.read_text()


def test_blanks_that_a_cluster_sends_fill_no_window(run: Run, ground: Ground) -> None:
    told = status("busan", 10, 2, reasons=["a" + " " * 3000 + "b"])
    ground.register("busan", ground.serve(answers("busan", told, [alert("A", "critical", 1.0, " " * 3000)])).url)

    for command in ("status --no-own", "info busan", "alerts --no-own"):
        assert all(run(*command.split()).stdout.splitlines()), command


def test_nothing_that_a_cluster_says_steers_the_terminal(run: Run, ground: Ground) -> None:
    evil = "\x1b[2J\x1b]0;x\x07[red]\u202e\r\n"
    found = status(f"b{evil}", 10, 2, reasons=[evil] * 2, missing=[evil])
    alerts = [alert(evil, evil, 1e9, evil, node=evil)]
    documents: dict[str, Any] = answers(f"b{evil}", found, alerts, [node(f"n{evil}", evil)])
    ground.register("busan", ground.serve(documents).url)
    ground.register("down", ground.serve({"status": (503, evil), "ping": (503, evil)}).url)

    for command in ("status --no-own", "alerts --no-own", "info busan", "test busan", "test down", "info down"):
        done = run(*command.split())
        assert all(line.isprintable() for line in done.output.splitlines()), command
        assert "[2J" in done.output
        assert "\x1b" not in done.output


# list


@pytest.mark.usefixtures("many")
def test_the_registry_is_listed_without_asking(run: Run) -> None:
    done = run("list")
    found = json.loads(run("list", "--json").stdout)["clusters"]

    assert done.stdout.splitlines()[0].split() == ["cluster", "kind", "endpoint", "labels", "federated", "credentials"]
    assert "key (env), own authorities" in done.stdout
    assert [(each["name"], each["api_key"], each["tls_ca_cert"]) for each in found][5:6] == [
        ("keyless", "env", "ca.pem")
    ]
    assert "AAMIC_TEST_NO_SUCH_KEY" not in done.output


def test_an_empty_registry_says_what_to_do(run: Run) -> None:
    assert run("list").stdout == "no other clusters; `aamic clusters add` adds one\n"
    assert run("status", "--no-own").stdout == "no clusters to ask\n"
