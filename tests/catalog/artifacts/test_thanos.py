"""Thanos' units and files: who runs what, and what differs by release, bucket and host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from aamic.catalog.artifacts.prometheus import artifact as prometheus
from aamic.catalog.artifacts.rules import artifact as rules
from aamic.catalog.artifacts.thanos.artifact import render, unit_of
from aamic.catalog.artifacts.thanos.metrics import metrics
from aamic.model.fleet import THANOS_JOBS, Fleet, Thanos, Unit
from aamic.model.tree import OnChange, Part
from tests import fleets


def fleet(**changes: Any) -> Fleet:
    made = fleets.thanos()
    return replace(made, thanos=fleets.thanos_of(made.servers, **changes))


def used(made: Fleet) -> Thanos:
    assert made.thanos is not None
    return made.thanos


def parts(made: Fleet) -> dict[str, Part]:
    return {part.bundle: part for part in render(made)}


def units(made: Fleet) -> dict[str, Unit]:
    found = used(made)
    return {each.name: unit_of(made, found, each) for each in found.components}


def options(made: Fleet, name: str) -> list[str]:
    return [argument for argument in units(made)[name].command if argument.startswith("--")]


def file(made: Fleet, bundle: str, path: str) -> Any:
    (content,) = [each.content for each in parts(made)[bundle].files if each.path == path]
    return yaml.safe_load(content)


def test_each_process_is_a_bundle_on_its_host_and_all_share_one() -> None:
    found = {name: (part.hosts, part.stage) for name, part in parts(fleet()).items()}

    assert found == {
        "thanos-base": (("mon-01", "mon-02"), "shards"),
        "thanos-query-mon-01": (("mon-01",), "central"),
        "thanos-query-mon-02": (("mon-02",), "central"),
        "thanos-store": (("mon-01",), "central"),
        "thanos-compact": (("mon-01",), "central"),
        "thanos-rule": (("mon-01",), "central"),
        "thanos-sidecar-shard-1-a": (("mon-01",), "shards"),
        "thanos-sidecar-shard-1-b": (("mon-02",), "shards"),
        "thanos-sidecar-central": (("mon-01",), "central"),
    }


def test_nothing_is_rendered_without_thanos() -> None:
    assert list(render(replace(fleet(), thanos=None))) == []


def test_a_sidecar_is_the_user_of_its_server_and_others_have_their_own() -> None:
    found = {name: (unit.user, unit.writable) for name, unit in units(fleet()).items()}

    assert found["sidecar-shard-1"] == ("aami-prometheus", (fleet().servers[0].storage_path,))
    assert found["query"] == ("aami-thanos", ())
    assert found["store"] == ("aami-thanos", ("/var/lib/aami/thanos/store",))


def test_a_sidecar_whose_server_is_away_is_not_waited_for() -> None:
    texts = {each.path: each.content for part in parts(fleet()).values() for each in part.files}

    assert [path for path, text in sorted(texts.items()) if b"\nTimeoutStopSec=15s\n" in text] == [
        "/etc/systemd/system/aami-thanos-sidecar-central.service",
        "/etc/systemd/system/aami-thanos-sidecar-shard-1.service",
    ]


def test_the_secret_of_the_bucket_is_a_file_for_each_that_reads_it() -> None:
    owners = {path: ref["owner"] for part in parts(fleet()).values() for path, ref in (part.secrets or {}).items()}

    assert owners == {
        "/etc/aami/secrets/thanos-store": "aami-thanos",
        "/etc/aami/secrets/thanos-compact": "aami-thanos",
        "/etc/aami/secrets/thanos-rule": "aami-thanos",
        "/etc/aami/secrets/thanos-sidecar-shard-1": "aami-prometheus",
        "/etc/aami/secrets/thanos-sidecar-central": "aami-prometheus",
    }


def test_a_folder_is_a_file_without_secrets_and_belongs_to_a_group_that_all_are_in() -> None:
    made = fleet(bucket="/srv/bucket")
    sidecar = units(made)["sidecar-shard-1"]
    folders = {
        each.path: each.content for part in parts(made).values() for each in part.files if "tmpfiles" in each.path
    }

    assert not [part for part in parts(made).values() if part.secrets]
    assert file(made, "thanos-store", "/etc/aami/thanos/store/objstore.yml") == {
        "type": "FILESYSTEM",
        "config": {"directory": "/srv/bucket"},
    }
    assert (sidecar.supplementary_groups, sidecar.umask) == (("aami-thanos",), "0002")
    assert (units(made)["compact"].user, units(made)["compact"].umask) == ("aami-thanos", "0002")
    assert b"d /srv/bucket 2775 aami-thanos aami-thanos -\n" in folders["/etc/tmpfiles.d/aami-thanos-compact.conf"]
    assert "/etc/tmpfiles.d/aami-thanos-query.conf" not in folders


@pytest.mark.parametrize("version", [(0, 38, 0), (0, 42, 5)])
def test_query_reads_whom_to_ask_from_a_file_that_needs_no_restart(version: tuple[int, int, int]) -> None:
    made = fleet(version=version)
    path = "/etc/aami/thanos/query/endpoints.yml"
    (written,) = [each for each in parts(made)["thanos-query-mon-01"].files if each.path == path]

    assert f"--endpoint.sd-config-file={path}" in options(made, "query")
    assert written.on_change == OnChange("none")
    assert yaml.safe_load(written.content) == {
        "endpoints": [
            {"address": address, "strict": True}
            for address in (
                "10.10.0.1:10932",
                "10.10.0.1:10934",
                "10.10.0.1:10950",
                "[fd00::2]:10951",
                "10.10.0.1:10952",
            )
        ]
    }


def test_an_older_query_is_told_by_options() -> None:
    made = fleet(version=(0, 37, 2))

    assert [option for option in options(made, "query") if option.startswith("--endpoint")] == [
        "--endpoint-strict=10.10.0.1:10932",
        "--endpoint-strict=10.10.0.1:10934",
        "--endpoint-strict=10.10.0.1:10950",
        "--endpoint-strict=[fd00::2]:10951",
        "--endpoint-strict=10.10.0.1:10952",
    ]
    assert [each.path for each in parts(made)["thanos-query-mon-01"].files] == [
        "/etc/systemd/system/aami-thanos-query.service"
    ]


@pytest.mark.parametrize(("version", "expected"), [((0, 38, 0), False), ((0, 39, 0), True)])
def test_nobody_marks_blocks_for_deletion_on_a_page(version: tuple[int, int, int], expected: bool) -> None:  # noqa: FBT001  # a case
    assert ("--disable-admin-operations" in options(fleet(version=version), "store")) is expected
    assert "--disable-admin-operations" in options(fleet(version=version), "compact")


def test_the_compactor_has_what_the_site_keeps() -> None:
    found = options(fleet(retention_downsampled="0d"), "compact")

    assert [option for option in found if "retention" in option] == [
        "--retention.resolution-raw=30d",
        "--retention.resolution-5m=0d",
        "--retention.resolution-1h=0d",
    ]


def test_without_a_bucket_nothing_asks_for_one_and_blocks_are_joined_as_ever() -> None:
    made = fleet(bucket=None)
    (server, *_) = made.servers

    assert not [option for unit in units(made).values() for option in unit.command if "objstore" in option]
    assert not [option for option in prometheus.unit_of(made, server).command if "block-duration" in option]
    assert [option for option in prometheus.unit_of(fleet(), server).command if "block-duration" in option] == [
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
    ]


def test_global_rules_are_files_of_the_ruler_alone() -> None:
    found = {part.bundle: [each.path for each in part.files] for part in rules.render(fleet())}

    assert found["thanos-rules"] == ["/etc/aami/rules/global/custom.yml"]
    assert not [
        path for bundle, paths in found.items() for path in paths if "global" in path and bundle != "thanos-rules"
    ]


@pytest.mark.parametrize(("replica", "expected"), [("a", "warn"), (None, None)])
def test_global_rules_go_on_without_one_of_a_pair_and_never_without_a_shard(
    replica: str | None, expected: str | None
) -> None:
    made = fleet()
    servers = tuple(replace(each, replica=each.replica and replica) for each in made.servers)
    (part,) = [each for each in rules.render(replace(made, servers=servers)) if each.bundle == "thanos-rules"]
    (group,) = yaml.safe_load(part.files[0].content)["groups"]

    assert group.get("partial_response_strategy") == expected


def test_central_reads_every_process_of_thanos() -> None:
    made = fleet()
    bundles = {part.bundle: part for part in prometheus.render(made)}
    (content,) = [each.content for each in bundles["central"].files if each.path.endswith("prometheus.yml")]
    jobs = {job["job_name"]: job["static_configs"] for job in yaml.safe_load(content)["scrape_configs"]}

    assert {name for name in jobs if name.startswith("thanos-")} == set(THANOS_JOBS.values())
    assert jobs["thanos-sidecar"][1] == {
        "targets": ["[fd00::2]:10941"],
        "labels": {"cluster": "seoul-gpu-1", "shard": "shard-1", "replica": "b", "host": "mon-02"},
    }
    assert not [target for job in THANOS_JOBS.values() for target in jobs[job] if "node" in target["labels"]]


def test_alerts_of_central_have_the_labels_that_its_external_labels_no_longer_give() -> None:
    made = fleet()
    bundles = {part.bundle: part for part in prometheus.render(made)}
    (content,) = [each.content for each in bundles["central"].files if each.path.endswith("prometheus.yml")]
    config = yaml.safe_load(content)

    assert config["global"]["external_labels"] == {"replica": "central"}
    assert config["alerting"]["alert_relabel_configs"] == [
        {"source_labels": ["replica"], "regex": "central", "target_label": "replica", "replacement": ""},
        {"source_labels": ["cluster"], "regex": "", "target_label": "cluster", "replacement": "seoul-gpu-1"},
        {
            "source_labels": ["quirk"],
            "regex": "",
            "target_label": "quirk",
            "replacement": fleets.HOSTILE.replace("$", "$$"),
        },
    ]


def test_what_is_recorded_of_each_process_is_what_central_may_ask() -> None:
    of = {job: {metric.name for metric in metrics() if metric.emitted_by == job} for job in THANOS_JOBS.values()}

    assert "thanos_compact_halted" in of["thanos-compact"]
    assert "thanos_compact_halted" not in of["thanos-store"]
    assert "thanos_sidecar_prometheus_up" in of["thanos-sidecar"]
    assert "prometheus_rule_evaluation_failures_total" in of["thanos-rule"]
