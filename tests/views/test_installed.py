from __future__ import annotations

from aamic.compile.hostlist import fold
from aamic.model.installed import Installed
from aamic.views.installed import text, to_json

FOUND = (
    Installed("gpu-1", "http://198.18.1.1:9400/metrics", 1, 32, 32),
    Installed("gpu-2", "http://198.18.1.2:9400/metrics", faults=("no metric", "and\x1b[2J more"), notes=("x is lost",)),
    Installed("gpu-3", "http://198.18.1.3:9400/metrics", faults=("no metric", "and\x1b[2J more"), notes=("x is lost",)),
)


def test_what_is_the_same_is_told_once_and_steers_no_terminal() -> None:
    assert text(FOUND, fold).splitlines() == [
        "answers · gpu-1 · 1 GPU, 32 of 32 metrics at http://198.18.1.1:9400/metrics",
        "not as promised · gpu-[2-3]",
        "  no metric",
        r"  and\x1b[2J more",
        "note: x is lost (gpu-[2-3])",
    ]
    assert text((), fold) == ""


def test_json_is_by_host() -> None:
    document = to_json(FOUND)

    assert list(document) == ["gpu-1", "gpu-2", "gpu-3"]
    assert document["gpu-1"] == {
        "ok": True,
        "url": "http://198.18.1.1:9400/metrics",
        "gpus": 1,
        "metrics": 32,
        "promised": 32,
        "faults": (),
        "notes": (),
    }
    assert document["gpu-2"]["ok"] is False
