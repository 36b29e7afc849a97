from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aamic.catalog.exporters import custom
from aamic.model.fleet import Metric, Node, Package, Tarball
from aamic.model.site import CustomExporter, MetricSpec
from aamic.model.source import PackageSource, TarballSource

NODE = Node("n1", "10.0.0.1", None, None, {})
IPMI = CustomExporter(
    name="ipmi",
    port=9290,
    path="/m",
    command=["/usr/bin/ipmi", "--all"],
    metrics={
        "ipmi_up": MetricSpec(type="gauge", labels=["id"]),
        "ipmi_total": MetricSpec(type="counter"),
        "ipmi_seconds": MetricSpec(type="histogram", labels=[]),
    },
)


def test_everything_stands_in_the_site() -> None:
    contribution = custom.contribute(IPMI, ("n1", "n2"))
    (service,), (endpoint,) = contribution.services, contribution.endpoints

    assert (
        service.bundle,
        service.hosts,
        service.ports,
        service.install,
    ) == ("custom-ipmi", ("n1", "n2"), {"http": 9290}, None)
    assert service.unit is not None
    assert (
        service.unit.name,
        service.unit.command,
        service.unit.user,
    ) == ("aami-ipmi", ("/usr/bin/ipmi", "--all"), "aami-ipmi")
    assert ("ipmi", 9290, "/m", frozenset({"n1", "n2"})) == (endpoint.job, endpoint.port, endpoint.path, endpoint.hosts)
    assert Metric("ipmi_up", "gauge", frozenset({"id"}), "ipmi") == endpoint.metrics[0]
    assert Metric("ipmi_total", "counter", None, "ipmi") == endpoint.metrics[1]
    assert Metric("ipmi_seconds_bucket", "histogram", frozenset({"le"}), "ipmi") == endpoint.metrics[2]


def test_without_a_command_it_is_only_scraped() -> None:
    contribution = custom.contribute(IPMI.model_copy(update={"command": None}), ("n1",))

    assert contribution.services == ()
    assert [endpoint.job for endpoint in contribution.endpoints] == ["ipmi"]


def test_without_hosts_there_is_nothing_but_what_it_would_emit() -> None:
    contribution = custom.contribute(IPMI, ())

    assert contribution.services == ()
    assert [(endpoint.hosts, len(endpoint.metrics) > 0) for endpoint in contribution.endpoints] == [(frozenset(), True)]


def test_a_package_leaves_the_command_alone() -> None:
    (service,) = custom.contribute(IPMI.model_copy(update={"source": PackageSource(package="ipmi")}), ("n1",)).services

    assert service.unit is not None
    assert (Package("ipmi"), "/usr/bin/ipmi") == (service.install, service.unit.command[0])


def test_a_tarballs_program_is_run_from_where_it_is_installed() -> None:
    source = TarballSource(tarball="ipmi.tgz", sha256="0" * 64, binary="ipmi/ipmi")
    (service,) = custom.contribute(IPMI.model_copy(update={"source": source, "user": "root"}), ("n1",)).services

    assert Tarball("ipmi.tgz", "0" * 64, "ipmi/ipmi", "/opt/aami/bin/custom-ipmi") == service.install
    assert service.unit is not None
    assert (service.unit.command, service.unit.user) == (("/opt/aami/bin/custom-ipmi", "--all"), "root")


def test_a_sample_has_a_series_of_each_metric(read: Callable[[str], Any]) -> None:
    emitted = read(custom.sample(IPMI, NODE, 30.0))

    assert [(one.name, one.labels) for one in emitted.series] == [
        ("ipmi_up", {"id": "sample"}),
        ("ipmi_total", {}),
        ("ipmi_seconds", {}),
    ]
    assert [one.value for one in emitted.named("ipmi_total")] == [30.0]
