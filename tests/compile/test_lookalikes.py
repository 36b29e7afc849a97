from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.lookalikes import Lookalikes

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)


@pytest.mark.parametrize(
    "name", ["gpu-O17", "gpu-0l7", "gpu-17", "gpu-0017", "GPU-017", "gpu_017", "gppu-017", "gup-017"]
)
def test_slips(name: str) -> None:
    assert Lookalikes(["gpu-016", "gpu-017"]).of(name) == "gpu-017"


@pytest.mark.parametrize("name", ["gpu-018", "cpu-017", "gpu", "gpu-170", "gpu-0-17", "mon-017"])
def test_neighbours(name: str) -> None:
    assert Lookalikes(["gpu-016", "gpu-017"]).of(name) is None


@given(st.lists(NAMES, min_size=1, max_size=20), st.data())
def test_a_name_looks_like_itself(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    known = Lookalikes(names)

    assert known.of(name) is not None
    assert known.of(name.swapcase()) == known.of(name)
    assert known.of(name.replace("-", "_")) == known.of(name)
