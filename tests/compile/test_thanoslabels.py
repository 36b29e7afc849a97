"""Labels that series have of their own, and that Thanos would replace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aamic import catalog
from aamic.compile.thanoslabels import SERVER_LABELS
from tests.sites import problems

SITE = """
version: 1
cluster: {name: test, labels: {room: north}}
racks:
  r1: {nodes: "gpu-[1-2]", addresses: "10.0.1.[1-2]", labels: {room: south}}
nodes:
  mon: {address: 10.0.0.1}
federation: {type: thanos, central_node: mon, shards: 1, shard_nodes: mon}
exporters:
  custom:
    - {name: store, port: 9555, metrics: {lag_seconds: {labels: [replica]}}}
thanos: {version: "0.42.5"}
"""
TABLES = sorted(Path(catalog.__file__).parent.rglob("emits.yaml"))


def test_what_thanos_would_merge_is_an_error_and_prometheus_keeps_it_apart() -> None:
    assert [each.message for each in problems(SITE)] == [
        "label `room` is one of `cluster.labels` as well",
        "label `replica` of metric `lag_seconds` is lost in Thanos",
    ]
    assert problems(SITE.replace("type: thanos", "type: prometheus")) == ()


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.parent.name)
def test_no_exporter_of_the_catalog_has_a_label_that_is_lost(table: Path) -> None:
    labels = set(_labels(yaml.safe_load(table.read_text())))

    assert labels
    assert labels & set(SERVER_LABELS) == set()


def _labels(spec: Any) -> Iterator[str]:
    """Every label that stands in a table, however deep."""
    if isinstance(spec, dict):
        yield from spec.get("labels") or ()
        for value in spec.values():
            yield from _labels(value)
