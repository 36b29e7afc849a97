"""Every answer is one that the OpenAPI description tells of, and every hostile request gets one of those."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings

from aamic.serve.description import describe
from tests.serve.server import KEY, Setup, app_of, running

SCHEMA = schemathesis.openapi.from_dict(json.loads(describe(app_of(Setup()))))
SCHEMA.config.checks.negative_data_rejection.expected_statuses.append("414")  # what is too long is not looked at


@SCHEMA.auth()
class Key:
    def get(self, case: Any, context: Any) -> str:  # noqa: ARG002  # the form that schemathesis wants
        return KEY

    def set(self, case: Any, data: str, context: Any) -> None:  # noqa: ARG002  # as above
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(Setup(wrong=1_000_000)) as found:
        yield found


@SCHEMA.parametrize()
@settings(max_examples=20)
def test_description_tells_of_every_answer(case: schemathesis.Case[Any], port: int) -> None:
    case.call_and_validate(base_url=f"http://127.0.0.1:{port}", timeout=20)
