"""Whether an exporter answers as promised, with what real exporters answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.base import Ground
from aamic.catalog.table import VENDORS
from aamic.errors import OutsideError
from aamic.model.fleet import Gpu, Node
from aamic.model.installed import Installed
from aamic.ops.installed import Promise, judged, promise, verified
from tests.fleets import fleet

RECORDED = Path(__file__).parents[1] / "recorded"
NODES = {
    "n": Node("n", "198.18.1.1", None, Gpu("nvidia", "H100", 2), {}),
    "a": Node("a", "fd00::9", None, Gpu("amd", "MI300X", 2), {}),
    "b": Node("b", "198.18.1.8", None, Gpu("amd", "MI250", 2), {}),
}


def promised(host: str) -> Promise:
    """What is promised of a node of a site that changes no option."""
    node = NODES[host]
    assert node.gpu is not None
    gpu = node.gpu
    exporter = next(each.exporter for each in VENDORS if each.name == gpu.vendor)
    made = exporter.contribute(exporter.options(), Ground(NODES, "15s", None))
    known = fleet(NODES, [], endpoints=made.endpoints, probes=made.probes)
    return promise(known, gpu.vendor, host, exporter.sample(exporter.options(), node, (), 0.0))


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.prom").read_bytes()


def without(text: bytes, *names: str) -> bytes:
    """The exposition without all lines that have one of these words."""
    return b"\n".join(line for line in text.split(b"\n") if not any(name.encode() in line for name in names))


@pytest.mark.parametrize(
    ("host", "page"), [("n", "dcgm"), ("n", "dcgm_lower_hostname"), ("a", "amd_mi300x"), ("b", "amd_mi2xx")]
)
def test_real_exporters_answer_as_promised(host: str, page: str) -> None:
    what = promised(host)
    found = judged(what, host, recorded(page))

    assert Installed(host, what.url, 2, len(what.names), len(what.names)) == found
    assert len(what.names) > 30
    assert found.ok


def test_urls() -> None:
    assert (promised("n").url, promised("a").url) == (
        "http://198.18.1.1:9400/metrics",
        "http://[fd00::9]:5000/metrics",
    )
    assert promised("a").local == "http://127.0.0.1:5000/metrics"


def test_what_other_models_and_events_show_is_not_missed() -> None:
    assert {"amd_gpu_afid_errors", "amd_gpu_edge_temperature"} <= promised("a").emitted - promised("a").names
    assert {"amd_gpu_afid_errors", "amd_gpu_junction_temperature"} <= promised("b").emitted - promised("b").names


def test_a_missing_metric_is_told_by_what_it_costs() -> None:
    text = without(recorded("dcgm"), "ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_GPU_UTIL", "NVLINK_REPLAY", "MEM_CLOCK")
    found = judged(promised("n"), "n", text)

    assert found.ok
    assert found.metrics == found.promised - 4
    assert found.notes == (
        "`gpu:ecc_uncorrected_total` has no source: `DCGM_FI_DEV_ECC_DBE_VOL_TOTAL` is missing",
        (
            '`gpu:fabric_errors_total{kind="replay"}` has no source: '
            "`DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL` is missing"
        ),
        "`DCGM_FI_DEV_GPU_UTIL`, `DCGM_FI_DEV_MEM_CLOCK` are missing, and no `gpu:*` series is lost by it",
    )


@pytest.mark.parametrize(
    ("gone", "fault"),
    [
        (
            ("DCGM_FI_DEV_GPU_TEMP",),
            "no `gpu:temperature_celsius` of GPU 0, 1: it is read from `DCGM_FI_DEV_GPU_TEMP`",
        ),
        (
            ('DCGM_FI_DEV_XID_ERRORS{gpu="1"',),
            "no `gpu:last_error_code` of GPU 1: it is read from `DCGM_FI_DEV_XID_ERRORS`",
        ),
        (('{gpu="1"',), "1 of 2 GPUs are there"),
    ],
)
def test_what_decides_about_a_node_must_be_there(gone: tuple[str, ...], fault: str) -> None:
    found = judged(promised("n"), "n", without(recorded("dcgm"), *gone))

    assert (found.faults, found.ok) == ((fault,), False)


def test_of_amd_one_of_two_temperatures_is_enough() -> None:
    gone = judged(promised("b"), "b", without(recorded("amd_mi2xx"), "amd_gpu_edge_temperature"))

    assert gone.faults == (
        (
            "no `gpu:temperature_celsius` of GPU 0, 1: "
            "it is read from `amd_gpu_junction_temperature` or `amd_gpu_edge_temperature`"
        ),
    )


def test_more_gpus_than_the_site_has() -> None:
    found = judged(replace(promised("n"), gpus=1), "n", recorded("dcgm"))

    assert found.faults == ("2 GPUs are there, and the site has 1",)


@pytest.mark.parametrize(
    ("host", "text", "fault"),
    [
        ("n", b"", "it answers, and shows no metric"),
        ("n", b"<html>\n<body>", "it answers, and shows no metric: 2 lines cannot be read"),
        (
            "n",
            b"go_threads 7\npromhttp_metric_handler_errors_total 0\n",
            (
                "no metric of a GPU: another program answers on port 9400, with `go_threads`, "
                "`promhttp_metric_handler_errors_total`"
            ),
        ),
        (
            "a",
            b'go_threads 7\npromhttp_metric_handler_errors_total{cause="encoding"} 0\n',
            (
                "no metric of a GPU: another program answers on port 5000, with `go_threads`, "
                "`promhttp_metric_handler_errors_total`"
            ),
        ),
        (
            "a",
            recorded("amd_mi300x").replace(b"amd_", b""),
            "its metrics lack the prefix `amd_`, so it does not read the configuration that aamic wrote",
        ),
    ],
)
def test_an_answer_of_another_program(host: str, text: bytes, fault: str) -> None:
    what = promised(host)
    found = judged(what, host, text)

    assert (found.faults, found.notes, found.gpus) == ((fault,), (), 0)


@given(st.binary(max_size=200), st.integers(0, 5000))
def test_no_answer_breaks_it(noise: bytes, place: int) -> None:
    text = recorded("dcgm")

    assert judged(promised("n"), "n", text[:place] + noise + text[place:]).promised == len(promised("n").names)


def test_lines_that_are_no_samples_are_told() -> None:
    found = judged(promised("n"), "n", recorded("dcgm") + b"\n!\n?\n")

    assert (found.ok, found.notes) == (True, ("2 lines of its answer cannot be read",))


# Waiting


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def answering(*answers: bytes | str) -> Callable[[], tuple[bytes, str]]:
    """One answer after the other, and then the last again; a text is an error."""
    left = list(answers)

    def read() -> tuple[bytes, str]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, str):
            raise OutsideError(answer, "is it up?")
        return answer, ""

    return read


def waited(*answers: bytes | str) -> tuple[Installed, float]:
    clock = Clock()
    found = verified(promised("n"), "n", answering(*answers), 9.0, clock=clock, sleep=clock.sleep)
    return found, clock.now - 100.0


def test_it_waits_for_the_first_collection() -> None:
    found, seconds = waited("refused", b"", recorded("dcgm"))

    assert (found.ok, seconds) == (True, 4.0)


def test_it_does_not_wait_for_ever() -> None:
    found, seconds = waited("refused")

    assert (found.faults, seconds) == (("refused (hint: is it up?)",), 9.0)


def test_how_it_was_asked_is_told() -> None:
    clock = Clock()
    found = verified(
        promised("n"), "n", lambda: (recorded("dcgm"), "through the host"), 9.0, clock=clock, sleep=clock.sleep
    )

    assert (found.notes, found.ok) == (("through the host",), True)
