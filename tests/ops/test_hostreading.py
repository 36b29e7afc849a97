from __future__ import annotations

from aamic.compile.imports.merge import merge
from aamic.compile.imports.sighting import Wishes
from aamic.model.detected import Detected, Device, Found
from aamic.model.draft import DraftNode
from aamic.model.fleet import Gpu
from aamic.model.host import Unobserved
from aamic.ops.hostreading import Outcome, read_hosts

GIB = 2**30


def gpus(count: int = 8, vendor: str = "nvidia", model: str | None = "H100", **more: tuple[str, ...]) -> Found:
    devices = tuple(Device(f"0000:{number:02x}:00.0", "0x2330", "nvidia") for number in range(count))
    return Found(vendor, devices, model, "550.1", **more)


def host(name: str, *found: Found, memory: int = 64 * GIB + 12_345, called: str | None = None) -> Detected:
    return Detected(name, called or name, found, 128, memory)


def notes(*found: Outcome) -> tuple[str, ...]:
    return read_hosts({each.host: each for each in found}, {}).notes


def test_hosts_become_nodes_of_a_draft() -> None:
    found = {"gpu-1": host("gpu-1", gpus()), "mon": host("mon", memory=16 * GIB), "old": host("old", memory=5)}

    draft = merge([read_hosts(found, {"gpu-1": "198.18.1.1", "mon": "mon"}, "deploy")], Wishes())

    assert draft.nodes == (
        DraftNode("gpu-1", "198.18.1.1", gpu=Gpu("nvidia", "H100", 8), threads=128, memory=64 * GIB, ssh_user="deploy"),
        DraftNode("mon", threads=128, memory=16 * GIB, ssh_user="deploy"),
        DraftNode("old", threads=128, memory=5, ssh_user="deploy"),
    )
    assert draft.notes == ()


def test_what_a_site_cannot_say_is_told_once_for_all_hosts() -> None:
    both = (gpus(4), gpus(4, "amd", "MI300X"))
    fault = gpus(troubles=("no driver has 8 of 8 GPUs",))

    assert notes(
        host("gpu-1", *both),
        host("gpu-2", *both),
        host("gpu-3", fault),
        host("gpu-4", gpus(65)),
        host("gpu-5", gpus(model=None, perhaps=("H100", "H800"))),
        Unobserved("gpu-6", "unreachable", "`gpu-6` cannot be reached"),
        host("gpu-7", called="login-1.example.com"),
        host("gpu-8", called="GPU-8.example.com"),
    ) == (
        "gpu-6 is left out: `gpu-6` cannot be reached",
        "gpu-[1-2]: it has GPUs of several vendors, and a node of a site has those of one",
        "gpu-3: no driver has 8 of 8 GPUs",
        "gpu-4: it has 65 GPUs, and a node of a site has at most 64",
        "gpu-5: its GPUs are H100 or H800",
        "gpu-7 calls itself `login-1.example.com`",
    )


def test_gpus_that_a_site_cannot_say_are_none_of_a_node() -> None:
    found = {"a": host("a", gpus(4), gpus(4, "amd", "MI300X")), "b": host("b", gpus(65))}

    draft = merge([read_hosts(found, {})], Wishes())

    assert [node.gpu for node in draft.nodes] == [None, None]
