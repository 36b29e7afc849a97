"""What Slurm's nodes and controller get, for which wishes of a site."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aamic import agent
from aamic.agent.health.nodepolicy import HARD, policy
from aamic.catalog import gpuerrors, knowledge
from aamic.catalog.artifacts.slurm.artifact import render
from aamic.catalog.artifacts.slurm.signals import signals
from aamic.catalog.base import Artifact, Ground
from aamic.catalog.limits import defaults, limits
from aamic.catalog.vendors import NAMES
from aamic.catalog.vendors.nvidia import exporter as nvidia
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.compile.render import render as tree
from aamic.model.fleet import AlertRule, Fleet, Gpu, GpuProbe, GpuThresholds, HealthPolicy, Limit
from aamic.model.site import HARD_SIGNALS
from aamic.model.tree import Line, OnChange, Part
from tests import fleets
from tests.catalog.artifacts.test_golden import read, write
from tests.catalog.rules.ground import FULL, measured

GPUS = ("gpu-001", "gpu-002", "gpu-003")
ALL: dict[str, Any] = {"pre_job_check": True, "post_job_check": True, "job_mapping": True, "nodes": GPUS}
GOLDEN = Path(__file__).with_name("golden") / "slurm"
FLEETS = {"single": fleets.single, "sharded": fleets.sharded, "paired": fleets.paired}


def of(base: Fleet, **wishes: Any) -> Fleet:
    """A fleet with Slurm; its NVIDIA nodes have the exporter that really is rendered, its AMD nodes have none."""
    ground = Ground(base.nodes, "15s", None)
    done = nvidia.contribute(DcgmOptions(), ground)
    endpoints = (*(each for each in base.endpoints if each.job != "dcgm"), *done.endpoints)
    settings = fleets.slurm(**{"controller": "mon-01", **wishes})
    return replace(base, endpoints=endpoints, probes=done.probes, slurm=settings)


def parts(**wishes: Any) -> dict[str, Part]:
    """The bundles of a site of 6 GPU nodes, the first 3 with NVIDIA's."""
    bundles = tree(of(fleets.sharded(), **wishes), [Artifact("slurm", render)]).bundles
    return {each.name: Part(each.name, each.hosts, each.files, each.services, stage=each.stage, lines=each.lines)
            for each in bundles}  # fmt: skip


PROLOG = ("/etc/slurm/prolog.d/00-aamic", "/etc/slurm/prolog.d/50-aamic")
EPILOG = ("/etc/slurm/epilog.d/00-aamic", "/etc/slurm/epilog.d/50-aamic")


def file(part: Part, path: str) -> str:
    return next(each.content.decode() for each in part.files if each.path == path)


def paths(part: Part) -> list[str]:
    return [each.path for each in part.files]


def test_a_site_without_slurm_gets_nothing() -> None:
    assert list(render(fleets.sharded())) == []


def test_each_wish_brings_its_bundles() -> None:
    assert {
        "all": sorted(parts(**ALL)),
        "off": sorted(parts(nodes=GPUS, auto_drain="off")),
        "shadow alone": sorted(parts(nodes=GPUS)),
        "mapping alone": sorted(parts(nodes=GPUS, auto_drain="off", job_mapping=True)),
        "no nodes": sorted(parts()),
    } == {
        "all": [
            "node-check", "node-check-nvidia-H100-8", "slurm-controller", "slurm-drain", "slurm-hooks",
            "slurm-programs",
        ],
        "off": [],
        "shadow alone": ["node-check", "node-check-nvidia-H100-8", "slurm-drain", "slurm-programs"],
        "mapping alone": ["slurm-controller", "slurm-hooks-unchecked"],
        "no nodes": [],
    }  # fmt: skip


def test_nodes_that_are_not_checked_have_hooks_that_read_no_verdict() -> None:
    found = parts(**ALL | {"nodes": (*GPUS, "gpu-004", "mon-02")})

    assert (found["slurm-hooks"].hosts, found["slurm-hooks-unchecked"].hosts) == (GPUS, ("gpu-004", "mon-02"))
    assert "\nCHECK=yes\n" in file(found["slurm-hooks"], "/etc/slurm/prolog.d/50-aamic")
    assert "\nCHECK=no\n" in file(found["slurm-hooks-unchecked"], "/etc/slurm/prolog.d/50-aamic")
    assert found["node-check"].hosts == GPUS


def test_hooks_and_slurm_conf_follow_the_wishes() -> None:
    assert {
        name: sorted(paths(parts(**{"nodes": GPUS, name: True})["slurm-hooks"]))
        for name in ("pre_job_check", "post_job_check", "job_mapping")
    } == {
        "pre_job_check": ["/etc/slurm/aamic.conf", *PROLOG, "/etc/tmpfiles.d/aamic-slurm.conf"],
        "post_job_check": ["/etc/slurm/aamic.conf", *EPILOG, "/etc/tmpfiles.d/aamic-slurm.conf"],
        "job_mapping": ["/etc/slurm/aamic.conf", *EPILOG, *PROLOG, "/etc/tmpfiles.d/aamic-slurm.conf"],
    }
    own = parts(**ALL, conf_dir="/opt/slurm/etc")["slurm-hooks"]
    assert file(own, "/opt/slurm/etc/aamic.conf").splitlines()[1:] == [
        "Prolog=/opt/slurm/etc/prolog.d/*-aamic",
        "Epilog=/opt/slurm/etc/epilog.d/*-aamic",
        "SchedulerParameters=nohold_on_prolog_fail",
    ]


def test_the_mode_decides_what_a_prolog_does() -> None:
    scripts = {
        mode: file(parts(**ALL, auto_drain=mode)["slurm-hooks"], "/etc/slurm/prolog.d/50-aamic")
        for mode in ("off", "shadow", "on")
    }

    heads = {mode: re.findall("^(?:CHECK|MAPPING|MODE)=(.*)$", text, re.MULTILINE) for mode, text in scripts.items()}
    assert heads == {
        "off": ["no", "yes", "off"],
        "shadow": ["yes", "yes", "shadow"],
        "on": ["yes", "yes", "on"],
    }
    jobs = {"nvidia": knowledge.script("nvidia", "jobs.sh")}
    asked = agent.Hooks(check=True, journal=True, mapping=True, mode="on", jobs=jobs)  # type: ignore[arg-type]
    assert scripts["on"].encode() == agent.prolog(asked)


def test_the_controller_reads_the_same_conf_after_every_node_has_its_scripts() -> None:
    found = parts(**ALL)
    controller, hooks = found["slurm-controller"], found["slurm-hooks"]

    assert (controller.hosts, controller.stage, hooks.stage) == (("mon-01",), "central", "exporters")
    assert file(controller, "/etc/slurm/aamic.conf") == file(hooks, "/etc/slurm/aamic.conf")
    for part, daemon, needed in ((controller, "slurmctld.service", True), (hooks, "slurmd.service", False)):
        change = OnChange("reconfigure", daemon)
        assert part.lines == (Line("/etc/slurm/slurm.conf", "Include aamic.conf", change, needed),)
        assert {each.path: each.on_change for each in part.files}["/etc/slurm/aamic.conf"] == change


def test_a_controller_that_runs_jobs_has_one_of_everything() -> None:
    found = parts(**ALL | {"nodes": (*GPUS, "mon-01")})
    twice = [path for part in found.values() if "mon-01" in part.hosts for path in paths(part)]

    assert len(set(twice)) == len(twice)
    assert {"/etc/slurm/prolog.d/50-aamic", "/etc/slurm/epilog.d/50-aamic", "/etc/slurm/aamic.conf"} <= set(twice)
    assert found["slurm-programs"].hosts == (*GPUS, "mon-01")


def test_a_controller_of_its_own_has_the_package_of_the_nodes() -> None:
    package = [f"/usr/local/lib/aami/aamic_health/{name}" for name in agent.health_files()]

    found = parts(**ALL)["slurm-programs"]
    assert (found.hosts, paths(found)) == ((*GPUS, "mon-01"), package)


def test_the_configuration_of_the_node_check() -> None:
    health = HealthPolicy(HARD_SIGNALS, {"nvidia": (79, 999)}, (), breaches=2, clears=4, interval=20)
    config = json.loads(
        file(parts(**ALL, health=health, max_drained=7)["node-check-nvidia-H100-8"], "/etc/aami/slurm/node-check.json")
    )

    signals_ = {each["name"]: each for each in config.pop("signals")}
    assert sorted(signals_) == [
        "ecc_corrected_total", "ecc_uncorrected_total", "error_window_count", "health_warning", "last_error_code",
        "memory_temperature_celsius", "row_remap_failure", "row_remap_pending", "temperature_celsius",
        "throttle_seconds_total", "unhealthy",
    ]  # fmt: skip
    names = config["code_names"]
    assert [names[code] for code in ("79", "94", "999")] == [
        "XID 79 (GPU has fallen off the bus)", "XID 94 (contained memory error)", "XID 999 (unknown)",
    ]  # fmt: skip
    assert not {"13", "31", "43", "45", "63", "92"} & set(names)
    assert config == {
        "version": 1,
        "cluster": "seoul-gpu-1",
        "interval": 20,
        "inventory": {"vendor": "nvidia", "model": "H100", "count": 8},
        "url": "http://127.0.0.1:9400/metrics",
        "fatal_codes": [79, 999],
        "quiet_codes": sorted(gpuerrors.quiet("nvidia")),
        "line_codes": [144, 145, 146, 147, 148, 149, 150],
        "code_kind": "XID",
        "code_names": names,
        "drain_on": list(HARD_SIGNALS),
        "limits": {
            name: {bound: value for bound in ("warn", "fail", "clear") if (value := getattr(limit, bound)) is not None}
            for name, limit in defaults("nvidia").items()
        },
        "hysteresis": {"breaches": 2, "clears": 4},
        # a check, a scrape, an evaluation and a federation
        "brake": {"urls": ["http://10.10.0.1:9092"], "cap": 7, "settle": 20 + 15 + 15 + 60},
        "textfiles": "/var/lib/aami/textfile",
    }
    assert policy({**config, "signals": list(signals_.values())}).required == {"temperature_celsius", "last_error_code"}


def test_a_site_may_say_that_no_code_is_fatal() -> None:
    def fatal(codes: dict[str, tuple[int, ...]]) -> list[int]:
        health = HealthPolicy(HARD_SIGNALS, codes, (), breaches=2, clears=4, interval=20)
        part = parts(**ALL, health=health)["node-check-nvidia-H100-8"]
        found: list[int] = json.loads(file(part, "/etc/aami/slurm/node-check.json"))["fatal_codes"]
        return found

    assert (fatal({"nvidia": ()}), 79 in fatal({})) == ([], True)


def test_a_single_server_is_asked_where_there_is_no_other() -> None:
    (part,) = [each for each in render(of(fleets.single(), **ALL)) if each.bundle == "node-check-nvidia-H100-8"]
    brake = json.loads(part.files[0].content)["brake"]

    assert (brake["urls"], brake["settle"]) == (["http://10.10.0.1:9090"], 30 + 15 + 15)


def test_kinds_of_nodes_have_their_own_configuration_whatever_a_model_is_called() -> None:
    base = fleets.sharded()
    odd = replace(base.nodes["gpu-003"], gpu=Gpu("nvidia", "../H 100\n", 4))
    fleet = of(replace(base, nodes={**base.nodes, "gpu-003": odd}), **ALL)

    kinds = [each for each in render(fleet) if each.bundle.startswith("node-check-")]
    assert [each.hosts for each in kinds] == [("gpu-001", "gpu-002"), ("gpu-003",)]
    assert re.fullmatch(r"node-check-nvidia-[A-Za-z0-9._-]+-4", kinds[1].bundle)
    assert "/" not in kinds[1].bundle
    assert json.loads(kinds[1].files[0].content)["inventory"]["model"] == "../H 100\n"


def test_the_last_threshold_of_the_site_that_fits_wins_for_each_value() -> None:
    site = (
        GpuThresholds(
            "nvidia", None, {"temperature_celsius": Limit(70, None, 60), "throttle_ratio": Limit(0.5, None, 0.1)}
        ),
        GpuThresholds("nvidia", "H100", {"temperature_celsius": Limit(75, 80, 70)}),
        GpuThresholds("nvidia", "H200", {"temperature_celsius": Limit(1, 2, 0)}),
        GpuThresholds("amd", None, {"temperature_celsius": Limit(3, 4, 2)}),
    )

    found = limits("nvidia", "H100", site)

    assert (found["temperature_celsius"], found["throttle_ratio"].warn) == (Limit(75, 80, 70), 0.5)
    assert found["memory_temperature_celsius"] == defaults("nvidia")["memory_temperature_celsius"]


def test_our_limits_are_those_of_the_alerts() -> None:
    alerts = {rule.name: rule.expr for group in measured(FULL).select("gpu").groups for rule in group.rules
              if isinstance(rule, AlertRule)}  # fmt: skip

    def bound(alert: str, pattern: str) -> float:
        (found,) = re.findall(pattern + r"\S* > ([0-9.]+)", alerts[alert])
        return float(found)

    for vendor in NAMES:
        ours, chosen = defaults(vendor), f'celsius{{vendor="{vendor}"}}'
        assert ours["temperature_celsius"].warn == bound("GpuHot", chosen)
        assert ours["temperature_celsius"].fail == bound("GpuTooHot", chosen)
        assert ours["memory_temperature_celsius"].warn == bound("GpuMemoryHot", chosen)
        assert ours["ecc_corrected_per_hour"].warn == bound("GpuEccCorrected", "corrected_total")
        assert ours["throttle_ratio"].warn == bound("GpuThrottledByHeat", "throttle_ratio")
        for limit in ours.values():
            assert limit.clear is not None
            assert limit.warn is not None
            assert limit.clear < limit.warn < (limit.fail or 1e9)


def test_hard_signals_are_the_same_on_hosts() -> None:
    assert set(HARD_SIGNALS) == HARD


@pytest.mark.parametrize("vendor", ["nvidia", "amd"])
def test_only_what_is_emitted_is_read(vendor: str) -> None:
    assert signals(vendor, "", ()) == []
    assert [each["name"] for each in signals("nvidia", "", {"DCGM_FI_DEV_GPU_TEMP"})] == ["temperature_celsius"]
    assert signals("amd", "x_", {"x_gpu_health"})[0]["sources"][0]["value"] == [["==", 0.0]]


def test_files_are_the_golden_ones() -> None:
    """But for what is shipped as it stands in the package: the programs of hosts."""
    rendered = tree(of(fleets.sharded(), **ALL), [Artifact("slurm", render)]).files()
    shipped = re.compile("/aamic_health/|/50-aamic$|/aamic-node-check$|/aamic-drain$|^manifest.json$")
    files = {path: content for path, content in rendered.items() if not shipped.search(path)}
    if os.environ.get("AAMIC_GOLDEN") == "update":
        write(GOLDEN, files)

    assert files == read(GOLDEN)


@pytest.mark.parametrize("name", FLEETS)
def test_the_same_fleet_gives_the_same_bytes(name: str) -> None:
    fleet = of(FLEETS[name](), **ALL | {"nodes": ("gpu-001",)})
    first, second = (tree(fleet, [Artifact("slurm", render)]) for _ in range(2))

    assert first == second
    assert GpuProbe in {type(probe) for probe in fleet.probes}


def test_the_dcgm_exporter_reads_the_mapping_where_it_is_wished() -> None:
    nodes = fleets.sharded().nodes
    units = [
        nvidia.contribute(DcgmOptions(), Ground(nodes, "15s", fleets.slurm(job_mapping=wish))).services[0].unit
        for wish in (True, False)
    ]

    wishes = ["--hpc-job-mapping-dir=/run/aamic/jobs/dcgm" in unit.command for unit in units if unit]
    assert wishes == [True, False]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_analyze_accepts_the_units(tmp_path: Path) -> None:
    units = [each for each in parts(**ALL)["node-check"].files if each.path.startswith("/etc/systemd/system/")]
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in units:
        content = unit.content.replace(b"/usr/local/lib/aami/aamic-node-check", str(program).encode())
        (tmp_path / Path(unit.path).name).write_bytes(content)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / Path(unit.path).name) for unit in units)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(units) == 2
