"""A whole statement in one request: its events, their numbers and ids."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline import events
from pipeline.domain.kernel.events import Actor
from pipeline.gateway.commands.statements import LINES_MAX, Statement, asked

ACTOR = Actor("idp", "anna", None, "key-1", "v1")
LINE: dict[str, Any] = {
    "amount_minor": -500,
    "booked_at": "2026-03-02T09:00:00Z",
    "value_date": "2026-03-02",
    "description": "rent",
}
STATEMENT: dict[str, Any] = {
    "statement_id": "s-1",
    "account_id": "nostro",
    "currency": "EUR",
    "opening_balance_minor": 1_000,
    "closing_balance_minor": 300,
    "closed_at": "2026-03-02T23:00:00Z",
    "lines": [LINE, {**LINE, "amount_minor": -200}],
}


def made(body: dict[str, Any], request: str = "r-1") -> list[Any]:
    return list(asked("north", {}, Statement.model_validate(body)).events(request, ACTOR))


def test_lines_are_numbered_in_their_order_and_the_end_counts_them() -> None:
    first, second, end = made(STATEMENT)
    assert [type(one) for one in (first, second)] == [events.StatementLine] * 2
    assert type(end) is events.StatementClosed
    assert [(one.line_no, one.amount_minor) for one in (first, second)] == [(1, -500), (2, -200)]
    assert (end.line_count, end.opening_balance_minor, end.closing_balance_minor) == (2, 1_000, 300)
    shared = {(one.statement_id, one.account_id, one.currency) for one in (first, second, end)}
    assert shared == {("s-1", "nostro", "EUR")}


def test_ids_follow_from_the_request_and_differ() -> None:
    first, again, other = made(STATEMENT), made(STATEMENT), made(STATEMENT, "r-2")
    ids = [one.event_id for one in first]
    assert ids == [one.event_id for one in again] and len(set(ids)) == 3
    assert set(ids).isdisjoint(one.event_id for one in other)
    assert ids[-1] == "r-1" and {one.correlation_id for one in first} == {"r-1"}


def test_a_statement_without_lines_is_one_event() -> None:
    (end,) = made({**STATEMENT, "lines": []})
    assert end.line_count == 0


@pytest.mark.parametrize(
    "change",
    [
        {"line_count": 2},
        {"lines": [{**LINE, "line_no": 7}]},
        {"lines": [{**LINE, "account_id": "other"}]},
        {"lines": [LINE] * (LINES_MAX + 1)},
        {"lines": None},
    ],
)
def test_what_the_gateway_decides_and_what_is_too_much_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Statement.model_validate({**STATEMENT, **change})


def test_what_was_said_is_hashed_with_its_lines() -> None:
    one = asked("north", {}, Statement.model_validate(STATEMENT)).said
    other = asked("north", {}, Statement.model_validate({**STATEMENT, "lines": [LINE]})).said
    assert one["lines"][1]["amount_minor"] == -200 and one != other
