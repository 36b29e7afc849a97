import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.base import Fault
from aamic.errors import InputError
from aamic.twin.faults import Injection, parse_injections
from tests.twin.fleets import fleet, node

FLEET = fleet(node("gpu-001", "nvidia"), node("mi-001", "amd", count=1), node("mon-01"), alertmanagers=["mon-01"])


@pytest.mark.parametrize(
    ("text", "on", "fault"),
    [
        ("xid:79@gpu-001/0", "gpu-001", Fault("xid", "79", 0)),
        ("xid:79@gpu-001", "gpu-001", Fault("xid", "79", None)),
        ("afid:18@mi-001/0", "mi-001", Fault("afid", "18", 0)),
        ("ecc@gpu-001/7", "gpu-001", Fault("ecc", "1", 7)),
        ("temperature:95@mi-001/0", "mi-001", Fault("temperature", "95", 0)),
        ("lost@gpu-001/3", "gpu-001", Fault("lost", "", 3)),
        ("down@mon-01", "mon-01", Fault("down", "", None)),
    ],
)
def test_what_can_be_injected(text: str, on: str, fault: Fault) -> None:
    assert parse_injections([text], FLEET) == (Injection(text, on, fault),)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "xid:79",
            "`--inject xid:79` names no node",
            "write `KIND[:VALUE]@NODE[/GPU]`, such as `xid:79@gpu-001/0`",
        ),
        ("down@mon-1", "`--inject down@mon-1`: unknown node `mon-1`", "did you mean `mon-01`?"),
        (
            "boom@mi-001/0",
            "`--inject boom@mi-001/0`: unknown kind of fault `boom`",
            "node `mi-001` can have `afid`, `ecc`, `temperature`, `lost`, `down`",
        ),
        (
            "afid:18@gpu-001/0",
            "`--inject afid:18@gpu-001/0`: GPUs of vendor `nvidia` have no fault of kind `afid`",
            "node `gpu-001` can have `xid`, `ecc`, `temperature`, `lost`, `down`",
        ),
        (
            "xid:79@gpu-001/8",
            "`--inject xid:79@gpu-001/8`: node `gpu-001` has no GPU `8`",
            "its 8 GPUs are 0 to 7",
        ),
        ("ecc@mi-001/x", "`--inject ecc@mi-001/x`: node `mi-001` has no GPU `x`", "its one GPU is 0"),
        ("ecc@mon-01/0", "`--inject ecc@mon-01/0`: node `mon-01` has no GPUs", "node `mon-01` can have `down`"),
        (
            "xid@gpu-001/0",
            "`--inject xid@gpu-001/0`: there is no value",
            "give the XID code: `xid:NUMBER`",
        ),
        (
            "temperature:hot@gpu-001/0",
            "`--inject temperature:hot@gpu-001/0`: `hot` is not a whole number",
            "give the temperature in °C: `temperature:NUMBER`",
        ),
        ("lost:1@gpu-001/0", "`--inject lost:1@gpu-001/0`: a fault of kind `lost` takes no value", "remove `:1`"),
        (
            "down@gpu-001/0",
            "`--inject down@gpu-001/0`: a fault of kind `down` is one of the whole node",
            "remove `/0`",
        ),
    ],
)
def test_what_cannot(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_injections([text], FLEET)

    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [(message, hint)]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_injections(["boom@nowhere", "down@mon-01", "ecc:x@gpu-001/9"], FLEET)

    assert [problem.message for problem in caught.value.problems] == [
        "`--inject boom@nowhere`: unknown node `nowhere`",
        "`--inject boom@nowhere`: unknown kind of fault `boom`",
        "`--inject ecc:x@gpu-001/9`: `x` is not a whole number",
        "`--inject ecc:x@gpu-001/9`: node `gpu-001` has no GPU `9`",
    ]
    assert caught.value.problems[1].hint == (
        "amd: `afid`, `ecc`, `temperature`, `lost`; nvidia: `xid`, `ecc`, `temperature`, `lost`; every node: `down`"
    )


@given(st.text())
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputError):
        parse_injections([f"x{text}"], FLEET)


def test_without_alertmanager_nothing_can_be_seen() -> None:
    with pytest.raises(InputError) as caught:
        parse_injections(["down@mon-01"], fleet(node("mon-01")))

    assert str(caught.value) == "`--inject` is seen in Alertmanager, and this site has none"
    assert parse_injections([], fleet(node("mon-01"))) == ()
