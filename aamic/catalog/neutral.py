"""Vendor-neutral `gpu:*` series: from a vendor's `metrics.yaml` to a group of recording rules.

A `metrics.yaml` says how the exporter's labels become ours, which series count (`where`), which label names the Slurm
job that has a GPU where the exporter was told (`job`), and then, row by row, the series to record. A row's sources are
alternatives: the first that a GPU reports wins. A row that a GPU has only while something is wrong is `rare`. Keys of a
source:

    metric      a name, or several that are added up
    where       label matchers
    rate        range of a rate, for counters of nanoseconds
    across      labels whose parts are added up, such as the instances of a partitioned GPU
    keep        further labels to keep, ours: theirs
    multiply, divide, compare    what is done with the value: unit conversion, or a test
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from aamic.catalog import knowledge
from aamic.model.fleet import RecordingRule, RuleGroup

BASE: Final = ("cluster", "node", "rack", "gpu", "gpu_uuid")
"""Labels of every `gpu:*` series beside `vendor`. Jobs and pods are left out, so no series ends with a job."""
JOB: Final = "gpu:job"
"""The one series that does: it names the job (`slurm_job`) that has the GPU, and others are joined with it."""
_OF_EVERY_GPU: Final = "gpu:temperature_celsius"


@dataclass(frozen=True, slots=True)
class Source:
    """One way to read a row; `labels` are ours -> the exporter's."""

    metrics: tuple[str, ...]
    labels: Mapping[str, str]
    where: str = ""
    rate: str = ""
    across: tuple[str, ...] = ()
    value: str = ""
    """What follows the expression: ` / 100`, ` >= bool 20`."""

    def expr(self, prefix: str) -> str:
        """PromQL that gives one sample for each GPU."""
        terms = [self._labelled(prefix + metric) for metric in self.metrics]
        by = ", ".join(dict.fromkeys((*BASE, *self.labels)))
        if not self.across:
            # A rate or a sum of one series each is taken before duplicates fall away, as both need equal labels.
            return f"max by ({by}) ({' + '.join(terms)}){self.value}"
        parts = f"max by ({', '.join((by, *self.across))}) ({' + '.join(terms)})"
        return f"sum by ({by}) ({parts}){self.value}"

    def _labelled(self, metric: str) -> str:
        expr = f"{metric}{{{self.where}}}" if self.where else metric
        if self.rate:
            expr = f"rate({expr}[{self.rate}])"
        for ours, theirs in self.labels.items():
            if ours != theirs:
                expr = f'label_replace({expr}, "{ours}", "$1", "{theirs}", "(.+)")'
        return expr


@dataclass(frozen=True, slots=True)
class Row:
    """One neutral series of a vendor; rows of the same record differ in `labels`."""

    record: str
    help: str
    sources: tuple[Source, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    rare: bool = False

    def rule(self, vendor: str, emitted: frozenset[str], prefix: str) -> RecordingRule | None:
        """The rule from the sources that are emitted whole; None if there is none."""
        known = [source for source in self.sources if {prefix + metric for metric in source.metrics} <= emitted]
        if not known:
            return None
        expr = "\nor\n".join(source.expr(prefix) for source in known)
        return RecordingRule(self.record, expr, {"vendor": vendor, **self.labels}, self.rare)


def rule_group(
    vendor: str, rows: Iterable[Row], emitted: frozenset[str], prefix: str = "", *, jobs: bool = False
) -> RuleGroup:
    """The recording rules of a vendor, for the metric names that its exporter emits in this site.

    Rows whose source is not emitted are left out. `prefix` stands before every metric name, as an exporter can be
    told to do; `emitted` holds the names with it. With `jobs` it is told which job has which GPU, so `gpu:job` says so.

    >>> group = rule_group("nvidia", rows("nvidia"), frozenset({"DCGM_FI_DEV_MEM_COPY_UTIL"}))
    >>> [rule.record for rule in group.rules]
    ['gpu:memory_activity_ratio']
    >>> print(group.rules[0].expr)
    max by (cluster, node, rack, gpu, gpu_uuid) (label_replace(DCGM_FI_DEV_MEM_COPY_UTIL, "gpu_uuid", "$1", "UUID", "(.+)")) / 100
    """  # noqa: E501  # the expression is one line
    every = (*rows, *_job_rows(vendor)) if jobs else rows
    rules = (row.rule(vendor, emitted, prefix) for row in every)
    return RuleGroup(f"gpu-{vendor}", "shard", tuple(rule for rule in rules if rule is not None))


def _job_rows(vendor: str) -> Iterator[Row]:
    """One row, made from the temperature, which every GPU has, if the exporter can name jobs."""
    label = job_label(vendor)
    for row in rows(vendor) if label else ():
        if row.record == _OF_EVERY_GPU:
            sources = tuple(
                replace(
                    source,
                    labels={**source.labels, "slurm_job": str(label)},
                    where=",".join(filter(None, (source.where, f'{label}!=""'))),
                    value=" * 0 + 1",
                )
                for source in row.sources
            )
            yield Row(JOB, "1 for each job of Slurm that has the GPU.", sources)


@cache
def rows(vendor: str) -> tuple[Row, ...]:
    """The rows of a vendor's `metrics.yaml`, in its order."""
    table = _table(vendor)
    return tuple(
        Row(
            record=row["record"],
            help=row["help"],
            sources=tuple(_source(source, table) for source in row["sources"]),
            labels=row.get("labels", {}),
            rare=row.get("rare", False),
        )
        for row in table["rows"]
    )


def job_label(vendor: str) -> str | None:
    """The label in which a vendor's exporter names the Slurm job that has a GPU."""
    found: str | None = _table(vendor).get("job")
    return found


def _table(vendor: str) -> Mapping[str, Any]:
    return knowledge.table(vendor, "metrics.yaml")


def _source(source: Mapping[str, Any], table: Mapping[str, Any]) -> Source:
    metric = source["metric"]
    return Source(
        metrics=(metric,) if isinstance(metric, str) else tuple(metric),
        labels={**table["labels"], **source.get("keep", {})},
        where=",".join(filter(None, (source.get("where"), table.get("where")))),
        rate=source.get("rate", ""),
        across=tuple(source.get("across", ())),
        value="".join(
            f" {sign}{source[key]}"
            for key, sign in (("multiply", "* "), ("divide", "/ "), ("compare", ""))
            if key in source
        ),
    )
