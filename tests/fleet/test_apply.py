"""The controller's whole path, from a tree to a report, on real systemd hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from aamic.deploy.rollback import choose, roll_back
from aamic.model.fleet import Rollout
from aamic.model.report import Report
from aamic.model.tree import Bundle, File, OnChange, Tree
from tests.deploy.controller import VALUE, Controller, Judge
from tests.fleet.console import ConsoleHosts
from tests.fleet.host import Host

UNIT = "aami-node-exporter.service"
PATH = f"/etc/systemd/system/{UNIT}"
SLACK = "/etc/aami/secrets/slack"
EXPORTER = "/usr/bin/prometheus-node-exporter --collector.disable-defaults --web.listen-address=:9100"
QUICK = Rollout(canary=1, batch=2, confirm_timeout=60.0, settle=1.0, ready_timeout=10.0, gate_timeout=5.0)


@dataclass
class Real:
    """Running hosts, as a controller wants them."""

    hosts: Mapping[str, Host]

    def client(self) -> ConsoleHosts:
        return ConsoleHosts(self.hosts)


def tree(hosts: Mapping[str, Host], command: str = EXPORTER, note: str = "one") -> Tree:
    """An exporter with a user of its own, a secret of that user, and a file that nothing reads."""
    text = f"[Service]\nUser=aami-node\nExecStart={command}\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
    user = File("/etc/sysusers.d/aami-node.conf", b'u aami-node - "x"\n', on_change=OnChange("sysusers"))
    folder = File("/etc/tmpfiles.d/aami-node.conf", b"d /var/lib/aami/node 0750 aami-node - - -\n",
                  on_change=OnChange("tmpfiles"))  # fmt: skip
    unit = File(PATH, text.encode(), on_change=OnChange("restart", UNIT))
    bundle = Bundle(
        name="node",
        hosts=tuple(hosts),
        files=(user, folder, unit, File("/etc/aami/note", note.encode())),
        services={UNIT: "started", "prometheus-node-exporter.service": "masked"},
        installs=({"package": "prometheus-node-exporter", "version": None},),
        secrets={SLACK: {"env": "SLACK", "owner": "aami-node"}},
        ports={UNIT: (9100,)},
        stage="exporters",
    )
    return Tree((bundle,), repr(bundle.files).encode())


@pytest.fixture
def controller(fresh_hosts: Mapping[str, Host]) -> Controller:
    return Controller(Real(fresh_hosts), tree(fresh_hosts), QUICK)  # type: ignore[arg-type]


def then(controller: Controller, release: str, **changes: str) -> Controller:
    """The controller, wanting something else."""
    return replace(controller, tree=tree(controller.fleet.hosts, **changes), release=release, judge=Judge())  # type: ignore[arg-type]


def states(report: Report) -> dict[str, str]:
    return {each.host: f"{each.state} {each.message}".strip() for each in report.hosts}


def test_hosts_are_installed_changed_restored_and_rolled_back(controller: Controller) -> None:
    hosts: Mapping[str, Host] = controller.fleet.hosts  # type: ignore[assignment]
    mon = hosts["mon-01"]

    first = controller.apply()
    assert states(first) == dict.fromkeys(hosts, "done")
    assert mon.do("systemctl", "is-active", UNIT) == "active\n"
    assert mon.do("stat", "-c", "%a %U", SLACK) == "600 aami-node\n"
    assert mon.do("cat", SLACK) == VALUE.decode()
    assert mon.do("stat", "-c", "%U", "/var/lib/aami/node") == "aami-node\n"
    assert mon.run("ls", "/var/lib/aamic/pending").returncode != 0
    assert then(controller, "r2").apply().hosts == ()

    broken = replace(then(controller, "r3", command="/bin/false"), rollout=replace(QUICK, max_failures=9)).apply()
    assert {state.split()[0] for state in states(broken).values()} == {"restored"}
    assert all(f"{UNIT} did not" in state for state in states(broken).values()), states(broken)
    assert mon.do("systemctl", "is-active", UNIT) == "active\n"

    second = then(controller, "r4", note="two")
    assert states(second.apply()) == dict.fromkeys(hosts, "done")
    assert second.judge.asked == []
    third = then(controller, "r5", note="two", command=f"{EXPORTER} --log.level=warn")
    assert states(third.apply()) == dict.fromkeys(hosts, "done")

    back = roll_back(choose(third.look()), third.means(), third.watcher, lambda: False)
    assert states(back) == dict.fromkeys(hosts, "done")
    assert "log.level" not in mon.do("cat", PATH)
    assert second.plan().groups == ()


def test_a_wave_that_harms_goes_back_on_every_host(controller: Controller) -> None:
    hosts: Mapping[str, Host] = controller.fleet.hosts  # type: ignore[assignment]
    assert controller.apply().ok
    harmful = then(controller, "r2", command=f"{EXPORTER} --log.level=warn")
    harmful = replace(harmful, rollout=replace(QUICK, canary=0, batch=3), judge=Judge({"gpu-01": "it is down"}))

    report = harmful.apply()

    assert states(report)["gpu-01"] == "restored it is down"
    assert {state.split()[0] for state in states(report).values()} == {"restored"}
    assert all("log.level" not in host.do("cat", PATH) for host in hosts.values())
    assert controller.plan().groups == ()
