"""What is asked of Prometheus names one node exactly, whatever its name and its cluster's are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aamic.catalog import promql
from aamic.model.fleet import Endpoint, Fleet, GpuProbe
from aamic.ops import selectors
from tests.fleets import HOSTILE, nodes
from tests.ops.test_jobs import fleet

__all__ = ["fleet"]

NAMES = ["gpu-01", 'a"b', "a\\", "a\nb", "a|b.*", HOSTILE]


@pytest.mark.parametrize("name", NAMES)
def test_matchers_are_exact_and_quoted(fleet: Fleet, name: str) -> None:
    hostile = replace(fleet, cluster=name)
    source = selectors.CodeSource("X", 'p=~"0|"', {"gpu": "gpu"})
    asked = [
        selectors.up(hostile, name, "dcgm"),
        selectors.records(hostile, name, ["gpu:present", "gpu:unhealthy"]),
        selectors.codes(hostile, name, source),
        selectors.sieve(hostile, name, (0.0, 60.0), {"gpu:temperature_celsius": 92.5}),
    ]
    exact = f"cluster={selectors.quoted(name)},node={selectors.quoted(name)}"

    assert [promql.parse(text) is not None for text in asked] == [True] * 4
    assert all(exact in text for text in asked)


def test_every_record_is_told_by_its_own_name(fleet: Fleet) -> None:
    asked = selectors.sieve(fleet, "gpu-01", (0.0, 60.0), {"gpu:temperature_celsius": 92.5})
    read = {promql.exact_name(each) for each in promql.selectors(promql.parse(asked))}

    assert read == {
        *selectors.COUNTERS, *selectors.FLAGS, selectors.THROTTLE, selectors.COUNTED, selectors.PRESENT,
        "gpu:temperature_celsius",
    }  # fmt: skip


def test_a_probe_is_that_of_the_nodes_vendor_and_scraped_where_it_answers(fleet: Fleet) -> None:
    probe = GpuProbe("nvidia", 9400, "/metrics", frozenset({"gpu-001"}))
    other = GpuProbe("amd", 5000, "/metrics", frozenset({"gpu-001"}))
    scraped = Endpoint("dcgm", 9400, "/metrics", frozenset({"gpu-001"}), ())
    small = replace(fleet, nodes=nodes(2), probes=(other, probe), endpoints=(replace(scraped, port=1), scraped))

    assert selectors.probe_of(small, "gpu-001") == probe
    assert selectors.probe_of(small, "mon-01") is None
    assert selectors.endpoint_of(small, probe, "gpu-001") == scraped
