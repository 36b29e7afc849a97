"""Which alert tells of which error code: by lists that were copied from the vendors' tables, not from the rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aamic.catalog.artifacts.rules import presets, terms
from aamic.model.fleet import AlertRule, RuleGroup
from aamic.model.gpuerror import POLICIES
from tests.catalog.rules.ground import FULL, measured
from tests.catalog.rules.prom import evaluates

# The immediate actions of NVIDIA's XID catalog.
RESTART_APP = {8, 11, 13, 25, 31, 32, 39, 40, 41, 60, 68, 69, 80, 94}
IGNORE = {37, 38, 43, 44, 63, 66, 67, 92, 93, 106, 107, 121, 137, 141, 157, 160, 161}
# This project's policy: the codes that take a node out of service, and codes that alone never do.
DRAIN = {46, 48, 62, 64, 74, 79, 95, 109, 119, 120, 136, 140, 143, 156, 158}
NEVER_DRAIN = {13, 31, 43, 45, 63, 92, 94}
# AMD's decoder table v0.7.
FAIL_TO_INIT = set(range(1, 13))
FATAL = {14, 16, 18, 19, 20, 21, 25, 26, 27, 30}
CORRECTED = {13, 15, 17, 24, 29}
UNCORRECTED = {22, 23, 28}
DECODE = {31, 32, 33, 34}

XIDS = range(1, 173)
AFIDS = range(1, 60)
TOLD = ("GpuFatalError", "GpuError", "GpuApplicationError")


LISTS = {own["vendor"]: own for own in terms.of_vendors()}


def listed(vendor: str, policy: str) -> set[int]:
    return set(map(int, LISTS[vendor][policy].split("|")))


def test_the_lists_are_those_of_the_vendors() -> None:
    assert listed("nvidia", "fatal") == DRAIN
    assert listed("nvidia", "application") == RESTART_APP | {43}
    assert listed("nvidia", "ignored") == IGNORE - {43} | {154}
    assert listed("amd", "fatal") == FAIL_TO_INIT | FATAL
    assert listed("amd", "uncorrected") == UNCORRECTED | DECODE
    assert listed("amd", "corrected") == CORRECTED
    assert DRAIN.isdisjoint(NEVER_DRAIN)


def test_no_code_stands_in_two_lists() -> None:
    for vendor, own in LISTS.items():
        codes = [code for policy in POLICIES if policy in own for code in listed(vendor, policy)]
        assert sorted(codes) == sorted(set(codes))


def test_an_alternative_that_no_vendor_can_fill_is_a_fault_of_the_catalog() -> None:
    spec = {"name": "Odd", "expr": 'gpu:errors_recent{vendor="$vendor", code=~"$fatl"}'}

    with pytest.raises(KeyError, match="fatl"):
        _ = presets._Candidate("gpu", "shard", spec).alternatives  # noqa: SLF001  # no preset is so wrong


def of_xid(code: int) -> str | None:
    if code in DRAIN:
        return "GpuFatalError"
    if code in RESTART_APP | {43}:
        return "GpuApplicationError"
    return None if code in IGNORE | {154} else "GpuError"


def of_afid(code: int) -> str | None:
    if code in FAIL_TO_INIT | FATAL:
        return "GpuFatalError"
    return None if code in CORRECTED else "GpuError"


def rules() -> list[RuleGroup]:
    """The three alerts alone, which read `gpu:errors_recent`."""
    gpu = next(group for group in measured(FULL).select().groups if group.name == "gpu")
    return [RuleGroup("gpu", "shard", tuple(r for r in gpu.rules if isinstance(r, AlertRule) and r.name in TOLD))]


def test_every_code_is_told_of_once_and_by_the_alert_of_its_list(tmp_path: Path) -> None:
    base = 'cluster="c",node="n",rack="r",gpu="0",gpu_uuid="u",'
    of = {f'{base}vendor="nvidia",code="{code}"': of_xid(code) for code in XIDS}
    of |= {f'{base}vendor="amd",error_severity="non_fatal_x",code="{code}"': of_afid(code) for code in AFIDS}
    of |= {f'{base}vendor="amd",error_severity="fatal",code="{code}"': "GpuFatalError" for code in AFIDS}
    series = {f"gpu:errors_recent{{{labels}}}": "1+0x10" for labels in of}
    severities = dict(zip(TOLD, ("critical", "warning", "info"), strict=True))
    expected = {
        f'ALERTS{{alertname="{name}"}}': {
            f'ALERTS{{{labels},alertname="{name}",alertstate="firing",severity="{severities[name]}"}}': 1.0
            for labels, told in of.items()
            if told == name
        }
        for name in TOLD
    }
    evaluates(tmp_path, rules(), series, expected)


def test_no_rule_lists_codes_of_its_own() -> None:
    folder = Path(terms.__file__).parent
    texts = [path.read_text() for path in (*folder.glob("presets/*.yaml"), folder / "aggregates.yaml")]
    assert [found for text in texts for found in re.findall(r'code[=!]~?"[^"$]+"', text)] == []
