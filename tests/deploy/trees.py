"""A small rendered tree: exporters on many hosts, two shards, central with a secret and a program."""

from __future__ import annotations

import hashlib

from aamic.model.tree import Bundle, File, OnChange, Tree

UNIT = "[Service]\nExecStart={}\n[Install]\nWantedBy=multi-user.target\n"
SLACK = "/etc/aami/secrets/slack"
PROGRAM = "/opt/aami/bin/am"
TARBALL = "0" * 64


def unit_file(name: str, program: str) -> File:
    path = f"/etc/systemd/system/{name}"
    return File(path, UNIT.format(program).encode(), on_change=OnChange("restart", name))


def bundle(name: str, hosts: tuple[str, ...], *files: File, **values: object) -> Bundle:
    given: dict[str, object] = {"services": {}, "installs": (), "secrets": {}, "ports": {}, "stage": "exporters"}
    return Bundle(name=name, hosts=hosts, files=files, **(given | values))  # type: ignore[arg-type]


def tree(hosts: tuple[str, ...], *, flags: str = "", targets: str = "[]", rules: str = "a", slack: bool = True) -> Tree:
    """The tree; `flags` are of the exporter, `targets` of both shards, `rules` of central."""
    shards = [
        bundle(
            f"shard-{number}",
            (f"mon-{number}",),
            File(f"/etc/aami/prometheus-shard-{number}/prometheus.yml", b"global: {}\n"),
            File(f"/var/lib/aami/targets/shard-{number}.json", targets.encode()),
            unit_file(f"aami-prometheus-shard-{number}.service", "/usr/bin/prometheus"),
            services={f"aami-prometheus-shard-{number}.service": "started", "prometheus.service": "masked"},
            ports={f"aami-prometheus-shard-{number}.service": (9090,)},
            installs=({"package": "prometheus", "version": None},),
            stage="shards",
        )
        for number in (1, 2)
    ]
    central = bundle(
        "central",
        ("mon-1",),
        File("/etc/aami/rules/central/a.yml", rules.encode(), on_change=OnChange("reload", "aami-am*.service")),
        unit_file("aami-am.service", PROGRAM),
        services={"aami-am.service": "started"},
        ports={"aami-am.service": (9093, 9094)},
        installs=(
            {"tarball": "https://example.com/am.tgz", "sha256": TARBALL, "binary": "am", "installs_to": PROGRAM},
        ),
        secrets={SLACK: {"env": "SLACK", "owner": "aami-am"}} if slack else {},
        stage="central",
    )
    node = bundle(
        "node",
        (*hosts, "mon-1", "mon-2"),
        unit_file("aami-node.service", f"/usr/bin/node_exporter {flags}"),
        File("/etc/sysusers.d/aami-node.conf", b"u aami-node -\n", on_change=OnChange("sysusers")),
        services={"aami-node.service": "started"},
        ports={"aami-node.service": (9100,)},
    )
    bundles = (central, node, *shards)
    text = repr([(each.name, each.hosts, each.files) for each in bundles])
    return Tree(bundles, hashlib.sha256(text.encode()).hexdigest().encode())
