"""What Thanos asks of a site: a release that aamic knows, retentions that leave time for it, a bucket in its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aamic.catalog.artifacts.thanos.versions import NEWEST, OLDEST
from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import fold
from aamic.compile.storage import folder_fault
from aamic.compile.text import shown
from aamic.compile.topology import Plan, central_retention
from aamic.model.quantities import duration_seconds
from aamic.model.site import Central, Site
from aamic.model.thanos import BucketFolder, Thanos
from aamic.model.types import FOREVER

SERVER_FLOOR: Final = "6h"
"""Three blocks of two hours: as long as the bucket may be away (thanos-io/thanos docs/components/sidecar.md)."""
BUCKET_FLOOR: Final = "10d"
"""Samples are downsampled to one an hour once they are so old (docs/components/compact.md)."""
SERVER_MOST: Final = "60d"
"""Our policy: 720 blocks, which all stay open, with two files each (measured with Prometheus 2.42)."""
_BLOCK: Final = "2h"
_EXAMPLE: Final = 'add `thanos: {version: "0.42.5", source: ...}`, and `objstore` for a bucket'


def check_thanos(site: Site, plans: Sequence[Plan], findings: Findings) -> None:
    """Report what is wrong with `thanos` and what it needs elsewhere; nothing of it where it waits."""
    federation = site.federation
    if federation is None or not federation.enabled:
        return
    if federation.type == "thanos" and site.thanos is None and not findings.may_lack_part("thanos"):
        findings.error("`type: thanos` needs the key `thanos`", findings.place("federation", "type"), _EXAMPLE)
    spec = site.thanos if federation.type == "thanos" else None
    _check_forever(federation.central, spec, findings)
    if spec is None:
        return
    _check_version(spec, findings)
    _check_ruler(site, spec, findings)
    if spec.objstore is None:
        _check_without_bucket(federation.central, spec, findings)
        return
    _check_servers(site, plans, findings)
    _check_blocks(site, plans, findings)
    _check_bucket_retention(site, findings)
    if isinstance(spec.objstore, BucketFolder):
        _check_folder(spec.objstore.directory, plans, findings)


def kept(site: Site) -> tuple[str, str]:
    """How long the bucket keeps raw and downsampled samples; one that is not said is as the other, and both for ever.

    Nothing is deleted from a bucket that the site did not ask for.
    """
    central = site.federation.central if site.federation is not None else Central()
    raw, downsampled = central.retention_raw, central.retention_downsampled
    return raw or downsampled or FOREVER, downsampled or raw or FOREVER


def _check_forever(central: Central, spec: Thanos | None, findings: Findings) -> None:
    if central.retention_raw == FOREVER and (spec is None or spec.objstore is None):
        findings.error(
            "`retention_raw: 0d` keeps samples for ever, which only a bucket of Thanos can",
            findings.place("federation", "central", "retention_raw"),
            "write how long central keeps them, such as `90d`",
        )


def _check_version(spec: Thanos, findings: Findings) -> None:
    version = tuple(int(number) for number in spec.version.split("."))
    place = findings.place("thanos", "version")
    if version < OLDEST:
        findings.error(
            f"Thanos {spec.version} is older than {_numbers(OLDEST)}, the oldest release that aamic knows",
            place,
            f"use one from {_numbers(OLDEST)} to {_numbers(NEWEST)}",
        )
    elif version[:2] > NEWEST[:2]:
        findings.warn(
            f"Thanos {spec.version} is newer than {_numbers(NEWEST)}, the newest release that aamic knows",
            place,
            "its options may have changed: try it on one host first",
        )


def _numbers(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def _check_ruler(site: Site, spec: Thanos, findings: Findings) -> None:
    if spec.ruler is None:
        return
    if duration_seconds(spec.ruler.retention) < duration_seconds(SERVER_FLOOR):
        findings.error(
            f"`ruler.retention` is {spec.ruler.retention}, shorter than {SERVER_FLOOR}",
            findings.place("thanos", "ruler", "retention"),
            "three blocks of two hours leave time for the bucket to come back",
        )
    scoped = any(alert.scope == "global" for alert in site.alerts.custom)
    if not scoped and not findings.may_lack_part("alerts"):
        findings.warn(
            "`thanos.ruler` has no rule to run",
            findings.key("thanos", "ruler"),
            "give an alert of `alerts.custom` the `scope: global`, or take it out",
        )


def _check_without_bucket(central: Central, spec: Thanos, findings: Findings) -> None:
    if findings.may_lack_part("thanos", "objstore"):
        return
    if central.retention_downsampled is not None:
        findings.warn(
            "`retention_downsampled` has no effect: without a bucket, nothing is downsampled",
            findings.place("federation", "central", "retention_downsampled"),
            "set `thanos.objstore`, or take it out",
        )
    for key in ("store_node", "compact_node"):
        if getattr(spec, key) is not None:
            findings.warn(
                f"`thanos.{key}` has no effect without a bucket",
                findings.place("thanos", key),
                "set `thanos.objstore`, or take it out",
            )


def _check_servers(site: Site, plans: Sequence[Plan], findings: Findings) -> None:
    """Report retentions with which samples may be gone before they are in the bucket, each key once."""
    short = {
        _origin(site, plan): plan for plan in plans if duration_seconds(plan.retention) < duration_seconds(SERVER_FLOOR)
    }
    for origin, plan in short.items():
        findings.error(
            f"Prometheus `{plan.name}` keeps samples for {plan.retention}; with a bucket it needs {SERVER_FLOOR}",
            findings.place(*origin),
            "a block is uploaded when it is two hours old, and the bucket may be away for some",
        )


def _check_blocks(site: Site, plans: Sequence[Plan], findings: Findings) -> None:
    """Warn of retentions that are many blocks, as none are joined beside a bucket, each key once."""
    long = {
        _origin(site, plan): plan for plan in plans if duration_seconds(plan.retention) > duration_seconds(SERVER_MOST)
    }
    for origin, plan in long.items():
        blocks = duration_seconds(plan.retention) / duration_seconds(_BLOCK)
        hint = "set `prometheus.retention`, for what is older is in the bucket"
        if origin[-1] == "retention_raw":
            hint = f"central keeps as long as the bucket does: `{SERVER_MOST}`, and years in `retention_downsampled`"
        findings.warn(
            f"Prometheus `{plan.name}` keeps {plan.retention} of samples in {blocks:,.0f} blocks, which all stay open",
            findings.place(*origin),
            hint,
        )


def _origin(site: Site, plan: Plan) -> Path:
    """The key that says how long a server keeps samples."""
    if plan.role == "central" and central_retention(site) != site.prometheus.retention:
        return ("federation", "central", "retention_raw")
    own: Path = (*plan.origin, "prometheus", "retention")
    shards = site.federation.shards if site.federation is not None else 1
    index = plan.origin[-1]
    if isinstance(shards, list) and isinstance(index, int) and shards[index].prometheus.retention is not None:
        return own
    return ("prometheus", "retention")


def _check_bucket_retention(site: Site, findings: Findings) -> None:
    central = site.federation.central if site.federation is not None else Central()
    path: Path = ("federation", "central")
    floor = duration_seconds(BUCKET_FLOOR)
    for key in ("retention_raw", "retention_downsampled"):
        asked = getattr(central, key)
        if asked is not None and 0 < duration_seconds(asked) < floor:
            findings.error(
                f"`{key}` is {asked}; with a bucket it must be {BUCKET_FLOOR} or more, or `{FOREVER}` for ever",
                findings.place(*path, key),
                "Thanos downsamples what is 10 days old, and would find it deleted",
            )
    raw, downsampled = kept(site)
    shown_raw = "`retention_raw: 0d`, which is for ever" if raw == FOREVER else f"`retention_raw` of {raw}"
    if 0 < duration_seconds(downsampled) < (duration_seconds(raw) or float("inf")):
        findings.error(
            f"`retention_downsampled` is {downsampled}, shorter than {shown_raw}",
            findings.place(*path, "retention_downsampled"),
            "downsampled samples are for the time when the raw ones are gone",
        )
    if central.retention_raw is None and central.retention_downsampled is None and not findings.may_lack_part(*path):
        findings.warn(
            "the bucket keeps everything for ever: nothing says for how long",
            findings.place("thanos", "objstore"),
            "set `federation.central.retention_raw` and `retention_downsampled`; `0d` means for ever",
        )


def _check_folder(folder: str, plans: Sequence[Plan], findings: Findings) -> None:
    """Report a folder that is no bucket's alone."""
    if fault := folder_fault(folder):
        findings.error(
            f"`{folder}` cannot be a bucket: {fault}", findings.place("thanos", "objstore", "directory"), "name another"
        )
        return
    for plan in plans:
        if f"{plan.storage_path}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{plan.storage_path}/"):
            findings.error(
                f"bucket `{folder}` and the data of Prometheus `{plan.name}` in `{plan.storage_path}` hold each other",
                findings.place("thanos", "objstore", "directory"),
                "name another",
                (findings.place(*plan.storage_origin),),
            )
            return


def check_placed(spec: Thanos, hosts: Iterable[str], findings: Findings) -> None:
    """Warn of a folder that several hosts must mount."""
    several = tuple(dict.fromkeys(hosts))
    if isinstance(spec.objstore, BucketFolder) and len(several) > 1:
        findings.warn(
            f"bucket `{spec.objstore.directory}` is a folder that {shown(fold(several))} must all mount",
            findings.place("thanos", "objstore", "directory"),
            "a folder of each host's own is no bucket; use an object store, or one host for trials",
        )
