"""Plans built by hand, for the tests of their views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aamic.model.host import Entry, Unobserved
from aamic.model.plan import Blocked, Change, Difference, Group, Impact, KeptFolder, Plan

COUNTERS = "/etc/aami/dcgm/counters.csv"
PROMETHEUS = "/etc/aami/prometheus-shard-2/prometheus.yml"
TARGETS = "/var/lib/aami/targets/shard-2-nodes.json"
GRES = "/etc/slurm/gres.conf"
DCGM = "aami-dcgm-exporter.service"


def file(content: str, mode: str = "0644", owner: str = "root", group: str = "root") -> Entry:
    return Entry("file", content * 8, mode, owner, group)


def gpus(*numbers: int) -> tuple[str, ...]:
    return tuple(f"gpu-{number:03d}" for number in numbers)


def key(name: str, before: Entry | None, after: Entry | None) -> str:
    return "\0".join((name, before.content if before else "", after.content if after else ""))


def plan(*groups: Group, **values: object) -> Plan:
    """A plan whose hosts are those of the groups, all observed, unless `values` say otherwise."""
    names = [host for group in groups for host in group.hosts]
    base: dict[str, object] = {
        "cluster": "seoul-gpu-1",
        "revision": "3f2c1ab9d5e84f7c9b0a1d2e3f4a5b6c7d8e9f00",
        "dirty": False,
        "tree": "7" * 64,
        "limit": "",
        "adopt": False,
        "hosts": len(names),
        "digests": dict.fromkeys(names, "d" * 64),
        "groups": groups,
    }
    return Plan(**{**base, **values})  # type: ignore[arg-type]


def counters(before: Entry, *, edited: bool = False) -> Change:
    impacts = (Impact("restart", DCGM),)
    return Change("change", "file", COUNTERS, "gpu-nvidia", before, file("cccc"), impacts=impacts, edited=edited)


HUNK = Difference(
    (
        "@@ -14,3 +14,4 @@",
        " DCGM_FI_DEV_XID_ERRORS, gauge, last XID error",
        "-DCGM_FI_DEV_ECC_SBE_VOL_TOTAL, counter, single-bit ECC errors",
        '+DCGM_FI_DEV_ECC_SBE_VOL_TOTAL, counter, "single-bit ECC errors"',
        '+DCGM_FI_DEV_ECC_DBE_VOL_TOTAL, counter, "double-bit ECC errors"',
    )
)
BY_HAND = Difference(
    ("@@ -1 +1,2 @@", "-# switched off by Jun, 2026-11-02", '+DCGM_FI_DEV_GPU_TEMP, gauge, "°C"', "+#")
)
MEANING = Difference(
    ("@@ -2,2 +2,2 @@", " global:", "-  scrape_interval: 30s", "+  scrape_interval: 15s"),
    ("`global.scrape_interval`: 30s → 15s",),
)


def small() -> Plan:
    """One file on three hosts, one of which was edited by hand."""
    hand = file("eeee")
    return plan(
        Group(gpus(1, 2), (counters(file("aaaa")),)),
        Group(gpus(3), (counters(hand, edited=True),)),
        differences={
            key(COUNTERS, file("aaaa"), file("cccc")): HUNK,
            key(COUNTERS, hand, file("cccc")): BY_HAND,
        },
    )


def everything() -> Plan:
    """Each kind of change and of trouble, once."""
    long = Difference(("@@ -0,0 +1,352 @@", *(f'+{{"targets": ["10.10.17.{n}:9400"]}},' for n in range(352))))
    node = (
        Change("add", "package", "prometheus-node-exporter", "node", detail="1.7.0-1"),
        Change("add", "file", "/etc/sysusers.d/aami.conf", "node", None, file("1111"), impacts=(Impact("sysusers"),)),
        Change(
            "add",
            "link",
            "/etc/systemd/system/prometheus-node-exporter.service",
            "node",
            None,
            Entry("link", "/dev/null"),
            impacts=(Impact("daemon-reload"), Impact("stop", "prometheus-node-exporter.service")),
        ),
        Change(
            "change",
            "unit",
            "aami-node-exporter.service",
            "node",
            detail="inactive",
            impacts=(Impact("start", "aami-node-exporter.service"),),
        ),
    )
    shard = (
        Change(
            "change",
            "program",
            "/opt/aami/bin/prometheus",
            "prometheus",
            file("0123", "0755"),
            file("89ab", "0755"),
            impacts=(Impact("restart", "aami-prometheus-shard-2.service"),),
        ),
        Change(
            "change",
            "file",
            PROMETHEUS,
            "shard-2",
            file("2222", "0600", "jun", "users"),
            file("3333", "0640", "root", "aami-prometheus"),
            impacts=(Impact("reload", "aami-prometheus-shard-2.service"),),
            edited=True,
        ),
        Change("add", "file", TARGETS, "shard-2", None, file("4444")),
        Change(
            "change",
            "secret",
            "/etc/aami/secrets/alertmanager-slack",
            "alertmanager",
            Entry("file", "", "0600", "aami-alertmanager", "aami-alertmanager"),
            Entry("file", "", "0600", "aami-alertmanager", "aami-alertmanager"),
            impacts=(Impact("reload", "aami-alertmanager.service"),),
        ),
    )
    old = (
        Change(
            "remove",
            "unit",
            "aami-ipmi.service",
            "custom-ipmi",
            detail="active",
            impacts=(Impact("stop", "aami-ipmi.service"),),
        ),
        Change("remove", "file", "/etc/systemd/system/aami-ipmi.service", "custom-ipmi", file("5555"), None),
    )
    gres = Change("change", "file", GRES, "slurm", file("6666"), file("7777"), foreign=True)
    differences: Mapping[str, Difference] = {
        key(COUNTERS, file("aaaa"), file("cccc")): HUNK,
        key(PROMETHEUS, file("2222"), file("3333")): MEANING,
        key(TARGETS, None, file("4444")): long,
        key(GRES, file("6666"), file("7777")): Difference(note="not readable by all"),
    }
    return plan(
        Group(gpus(*range(1, 17), *range(18, 44), *range(45, 391), *range(392, 513)), (*node, counters(file("aaaa")))),
        Group(gpus(17), (*node, counters(file("eeee"), edited=True))),
        Group(("mon-03",), (*node, *shard)),
        Group(("slurm-ctl",), (*old, gres)),
        Group(("slurm-old",), (gres,)),
        hosts=640,
        dirty=True,
        differences=differences,
        unobserved=(
            *(
                Unobserved(host, "unreachable", f"`{host}` was not reached in 10 s, 3 tries", "is it switched on?")
                for host in gpus(44, 391)
            ),
            Unobserved("mon-04", "unknown-key", "the host key of `mon-04` is not known", "ssh-keyscan mon-04 >> known"),
            Unobserved("mi-001", "no-right", "sudo asks for a password", "allow `aamic` to use sudo without one"),
        ),
        blocked=(
            Blocked("mon-02", "a change of `jun` is not confirmed yet", "wait until it is confirmed or undone"),
            Blocked("slurm-old", f"`{GRES}` is not put there by aamic", "`--adopt` takes over what stands there"),
            *(Blocked(host, "9 bytes are to be written to `/etc`, and 4 are free there") for host in gpus(2, 3)),
        ),
        undecided=("/etc/aami/secrets/alertmanager-pagerduty",),
        notes=("shard-2: predicted 812,400 series (806,100 before), 6.2 of 64 GiB",),
        kept=(
            KeptFolder("/srv/prom", "aami-prometheus-central", "moved", ("mon-04",)),
            KeptFolder("/var/lib/aami/prometheus-shard-1", "aami-prometheus-shard-1", "removed", ("mon-01", "mon-02")),
        ),
    )


def empty() -> Plan:
    return plan(hosts=640, digests={f"gpu-{n:03d}": "d" for n in range(640)})


def dark() -> Plan:
    """No host was reached."""
    return plan(hosts=3, unobserved=tuple(Unobserved(host, "timeout", "no answer in 300 s") for host in gpus(1, 2, 3)))


def offline() -> Plan:
    """Two revisions compared, with no host."""
    return replace(small(), digests={}, revision="", notes=("compared with outputs/ of 3f2c1ab",))


def _edit(number: int) -> Difference:
    lines = [f" line {each}" for each in range(number % 50)]
    return Difference((f"@@ -{number},60 +{number},60 @@", *lines, f"-old {number}", f"+new {number}"))


def large() -> Plan:
    """Ten thousand hosts: thirty files of every second host, forty edited by hand, two hundred not reached."""
    hosts = [f"gpu-{number:05d}" for number in range(10_000)]
    old = [file(f"{number:04d}") for number in range(30)]
    new = [file(f"{number:04x}" * 2) for number in range(30)]
    paths = [f"/etc/aami/exporter-{number:02d}.conf" for number in range(30)]
    unit = (Impact("restart", DCGM),)
    changes = [
        Change("change", "file", path, f"bundle-{number % 5}", old[number], new[number], impacts=unit)
        for number, path in enumerate(paths)
    ]
    edited = [
        replace(changes[0], before=file(f"{number:04d}", "0600"), edited=True, impacts=unit)
        for number in range(100, 140)
    ]
    groups = [
        Group(tuple(hosts[200:5000]), tuple(changes)),
        Group(tuple(hosts[5000:9900:2]), tuple(changes[::2])),
        *(Group((hosts[9900 + number],), (change, *changes[1:])) for number, change in enumerate(edited)),
    ]
    entries = [*zip(paths, old, new, strict=True), *((paths[0], each.before, each.after) for each in edited)]
    return plan(
        *groups,
        hosts=10_000,
        differences={key(*each): _edit(number) for number, each in enumerate(entries)},
        unobserved=tuple(
            Unobserved(host, "unreachable", f"`{host}` was not reached in 10 s, 3 tries") for host in hosts[:200]
        ),
    )


ALL = {
    "small": small,
    "everything": everything,
    "empty": empty,
    "dark": dark,
    "offline": offline,
    "large": large,
}
