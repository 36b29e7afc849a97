"""Which GPUs nodes are to have."""

from __future__ import annotations

import pytest

from aamic.errors import InputError
from aamic.model.detected import Detected, Device, Found
from aamic.model.fleet import Gpu, Node
from aamic.model.host import Unobserved
from aamic.ops.gpuwanted import Given, expect_no_others, not_in_site, unknown_gpus, wanted_gpus
from aamic.ops.nodenames import known_nodes
from tests.fleets import fleet

H100 = Gpu("nvidia", "H100", 8)


NODES = {
    "bare": Node("bare", "198.18.1.1", None, None, {}),
    "h100": Node("h100", "198.18.1.2", None, H100, {}),
    "mi": Node("mi", "198.18.1.3", None, Gpu("amd", "MI300X", 4), {}),
}
FLEET = fleet(NODES, [])


def seen(*gpus: Found) -> Detected:
    return Detected("bare", "bare", gpus, None, None)


def found(vendor: str, count: int, model: str | None, *perhaps: str) -> Found:
    devices = tuple(Device(f"0000:{number:02x}:00.0", "0x2330", vendor) for number in range(count))
    return Found(vendor, devices, model, None, (), perhaps)


def refusal(caught: pytest.ExceptionInfo[InputError]) -> list[tuple[str, str | None]]:
    return [(problem.message, problem.hint) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("given", "name", "gpu"),
    [
        (Given("nvidia"), "h100", H100),
        (Given("nvidia", "H200"), "h100", Gpu("nvidia", "H200", 8)),
        (Given("nvidia", None, 4), "h100", Gpu("nvidia", "H100", 4)),
        (Given("nvidia", "H200", 4), "bare", Gpu("nvidia", "H200", 4)),
        (Given("nvidia", "H200", 4), "mi", Gpu("nvidia", "H200", 4)),
    ],
)
def test_what_is_given_wins_over_the_site(given: Given, name: str, gpu: Gpu) -> None:
    assert unknown_gpus(FLEET, given, NODES) == tuple(
        each for each in ("bare", "mi") if not (given.model and given.count)
    )
    assert wanted_gpus(FLEET, given, [name], {}) == {name: gpu}


@pytest.mark.parametrize(
    ("given", "sight", "gpu"),
    [
        (Given("nvidia"), seen(found("nvidia", 2, "H100"), found("amd", 1, "MI300X")), Gpu("nvidia", "H100", 2)),
        (Given("nvidia", "H200"), seen(found("nvidia", 2, None)), Gpu("nvidia", "H200", 2)),
        (Given("nvidia", None, 4), seen(found("nvidia", 2, "H100")), Gpu("nvidia", "H100", 4)),
    ],
)
def test_what_neither_says_is_taken_from_the_host(given: Given, sight: Detected, gpu: Gpu) -> None:
    assert wanted_gpus(FLEET, given, ["bare"], {"bare": sight}) == {"bare": gpu}


@pytest.mark.parametrize(
    ("sight", "why"),
    [
        (None, ""),
        (Unobserved("bare", "timeout", "no answer"), ", and it was not seen: no answer"),
        (seen(), ", and none is there"),
        (seen(found("amd", 2, "MI300X")), ", and none is there, but 2 of amd"),
        (seen(found("nvidia", 2, None)), ", and of the 2 that are there the model is not known"),
        (
            seen(found("nvidia", 2, None, "H100", "H200")),
            ", and of the 2 that are there the model is not known: H100 or H200",
        ),
    ],
)
def test_what_is_not_known_is_asked_for(sight: Detected | Unobserved | None, why: str) -> None:
    with pytest.raises(InputError) as caught:
        wanted_gpus(FLEET, Given("nvidia"), ["bare"], {"bare": sight} if sight else {})

    hint = "add `--model` and `--count`, such as `--model H100 --count 8`"
    assert refusal(caught) == [(f"the site does not say which GPUs of nvidia `bare` has{why}", hint)]


def test_other_vendors_are_not_replaced_unasked() -> None:
    expect_no_others(FLEET, "nvidia", ["bare", "h100"])
    with pytest.raises(InputError) as caught:
        expect_no_others(FLEET, "nvidia", NODES)

    message = "the site says that `mi` has 4 MI300X of amd, not of nvidia"
    assert refusal(caught) == [(message, "`--replace` edits the site all the same")]


def test_names_of_nodes() -> None:
    assert known_nodes(FLEET, "mi,bare,mi", not_in_site) == ("mi", "bare")
    with pytest.raises(InputError) as caught:
        known_nodes(FLEET, "h10[0-1],xyz", not_in_site)

    assert refusal(caught) == [
        ("this site has no node `h101`", "did you mean `h100`?"),
        ("this site has no node `xyz`", "add it to `nodes:` or to a rack first"),
    ]
    with pytest.raises(InputError, match="bracket"):
        known_nodes(FLEET, "h[1-", not_in_site)
