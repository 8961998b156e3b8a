"""The whole description of the API, tried with made-up requests: every answer is one that it foretells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans, sampled_from
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.gateway.whole_api import POLICY, WholeApi, api, headers, principal

__all__ = ["api"]

EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
"""Not that whatever fits its schema is accepted: to JSON Schema 5.0 is an integer, and money is never read
from a float."""
TRIED: Any = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=True,
    database=None,
)


@pytest.mark.filterwarnings("ignore")
def test_every_answer_is_foretold_by_the_description(api: WholeApi) -> None:
    found, statuses = list[str](), set[int]()

    def try_one(operation: Any) -> None:
        @TRIED
        @given(operation.as_strategy(), sampled_from(sorted(POLICY.roles)), booleans())
        def tried(case: Any, role: str, is_named: bool) -> None:
            if "tenant" in (case.path_parameters or {}):
                case.path_parameters["tenant"] = "north"
            more = {"Idempotency-Key": "k"} if is_named else {}
            answer = case.call(headers=headers(principal(role)) | more)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        try:
            tried()
        except BaseException as error:  # it raises groups of failures
            found.append(f"{operation.method} {operation.path}: {error!r} {error}")

    for operation in operations(api):
        try_one(operation)
    assert found == []
    assert {200, 202, 400, 403, 422} <= statuses


def operations(of: WholeApi) -> Iterator[Any]:
    """Yield every operation of the description."""
    for operation in schemathesis.openapi.from_asgi("/openapi.json", of.app).get_all_operations():
        yield operation.ok()
