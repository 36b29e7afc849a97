"""A policy and readings of healthy GPUs, and ways to make them worse."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from aamic.agent.health.nodepolicy import HARD, Policy, policy

GPUS = 4


def config(**changes: Any) -> dict[str, Any]:
    """A configuration as it is rendered, but for the changes."""
    labels = {"gpu": "gpu", "gpu_uuid": "UUID"}

    def signal(name: str, metric: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "sources": [{"metrics": [metric], "labels": labels}], **more}

    return {
        "version": 1,
        "cluster": "c1",
        "interval": 30,
        "inventory": {"vendor": "nvidia", "model": "H100", "count": GPUS},
        "url": "http://127.0.0.1:9400/metrics",
        "signals": [
            signal("temperature_celsius", "DCGM_FI_DEV_GPU_TEMP", required=True),
            signal("last_error_code", "DCGM_FI_DEV_XID_ERRORS", required=True),
            signal("unhealthy", "DCGM_UNHEALTHY"),
        ],
        "fatal_codes": [48, 79],
        "quiet_codes": [8, 13, 31, 43, 45, 63, 92],
        "line_codes": [145],
        "code_kind": "XID",
        "code_names": {"94": "XID 94 (contained memory error)", "79": "XID 79 (GPU has fallen off the bus)"},
        "drain_on": sorted(HARD | {"temperature"}),
        "limits": {
            "temperature_celsius": {"warn": 85, "fail": 92, "clear": 82},
            "ecc_corrected_per_hour": {"warn": 100, "clear": 50},
            "throttle_ratio": {"warn": 0.1, "clear": 0.05},
        },
        "hysteresis": {"breaches": 3, "clears": 5},
        "brake": {"urls": [], "cap": 2, "settle": 60},
        "textfiles": None,
        **changes,
    }


def rules(**changes: Any) -> Policy:
    return policy(config(**changes))


def healthy(gpus: int = GPUS) -> dict[str, dict[str, Any]]:
    return {
        str(gpu): {
            "uuid": f"GPU-{gpu}",
            "temperature_celsius": 50.0,
            "last_error_code": 0.0,
            "ecc_uncorrected_total": 0.0,
            "ecc_corrected_total": 0.0,
            "unhealthy": 0.0,
            "row_remap_failure": 0.0,
            "codes": [],
            "fatal": [],
        }
        for gpu in range(gpus)
    }


def having(gpu: int, **values: Any) -> dict[str, dict[str, Any]]:
    """Readings in which one GPU has these values."""
    readings = healthy()
    readings[str(gpu)].update(values)
    if values.get("last_error_code"):
        readings[str(gpu)]["codes"] = [int(values["last_error_code"])]
    return readings


def code(gpu: int, value: int) -> dict[str, dict[str, Any]]:
    return having(gpu, last_error_code=float(value))


MISSED = {
    "temperature_celsius",
    "last_error_code",
    "ecc_uncorrected_total",
    "ecc_corrected_total",
    "unhealthy",
    "row_remap_failure",
}
"""What every GPU reports."""

FAULTS = st.one_of(
    st.tuples(st.just("temperature_celsius"), st.floats(85, 120)),
    st.tuples(st.just("ecc_uncorrected_total"), st.floats(1, 9)),
    st.tuples(st.just("unhealthy"), st.just(1.0)),
    st.tuples(st.just("row_remap_failure"), st.just(1.0)),
    st.tuples(st.just("codes"), st.just([79])),
    st.tuples(st.just("codes"), st.just([13])),
    st.tuples(st.just("codes"), st.just([999])),
    st.tuples(st.just("missing"), st.sampled_from(sorted(MISSED))),
    st.tuples(st.just("lost"), st.none()),
)


def worse(readings: dict[str, dict[str, Any]], gpu: int, fault: tuple[str, Any]) -> dict[str, dict[str, Any]]:
    """The readings with one more fault; it never takes one away."""
    changed = copy.deepcopy(readings)
    name, value = fault
    own = changed.get(str(gpu))
    if own is None:
        return changed
    if name == "lost":
        del changed[str(gpu)]
    elif name == "missing":
        own.pop(value, None)
    elif name == "codes":
        own["codes"] = sorted({*own["codes"], *value})
    elif name in own or name not in healthy()[str(gpu)]:  # what is missing stays so
        own[name] = max(own.get(name, value), value)
    return changed
