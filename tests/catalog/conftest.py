from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import exposition


@pytest.fixture
def read() -> Callable[[str], exposition.Exposition]:
    """Reads exposition text strictly."""
    return exposition.read
