"""The views of an account's past: two times, lines and statements, pages, what lies before the history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from multidict import MultiDict

from pipeline.domain.history import stream as history
from pipeline.domain.history.views import BALANCE_AT, HISTORY, STATEMENT
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.web.past import AccountAnswer, past, table_rows
from pipeline.web.problems import Problem
from pipeline.web.query import parameters_of, parse
from tests.cli.fake_worker import Worker, home, scope_of

HOUR = 3_600_000_000
"""Microseconds."""


def posting(number: int, amount: int, booked_at: int, occurred_at: int, balance: int, held: int = 0) -> Any:
    return ev.PostingRecorded(
        *(f"p{number}", "t", occurred_at, "correlation", None, f"p{number}", f"e{number}", None, "a"),
        *("checking", "CREDIT" if amount > 0 else "DEBIT", abs(amount), "EUR", number, balance, 0, "rent"),
        *(booked_at, held),
    )


def hold(amount: int, booked_at: int, held: int, balance: int) -> Any:
    return ev.HoldRecorded(
        *("h", "t", booked_at, "correlation", None, "pay", "a", "checking", "PLACED", amount, "EUR", held),
        *(balance, booked_at, 0),
    )


JOURNAL = [
    posting(1, 100, 10 * HOUR, 9 * HOUR, 100),
    posting(2, -30, 11 * HOUR, 11 * HOUR, 70),
    hold(20, 12 * HOUR, 20, 70),
    posting(3, 5, 14 * HOUR, 8 * HOUR, 75, held=20),  # known late: it had happened before all others
    posting(4, -20, 15 * HOUR, 15 * HOUR, 55),  # the hold is used up
]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    running, rows = Worker(tmp_path), MemoryRows()
    for event in JOURNAL:
        history.apply(event, Arrival(0, 0, 1), rows, Outbox())
    running.commit("history", rows.data, home("a"))
    yield running
    running.close()


def asked(worker: Any, view: Any, account: str = "a", **query: Any) -> AccountAnswer:
    return past(worker, scope_of(view, "t", account, **query), home(account))


@pytest.mark.parametrize(
    ("as_of", "known_at", "expected"),
    [
        (None, None, (55, 0, 55)),
        (None, 10, (100, 0, 100)),
        (None, 12, (70, 20, 50)),
        (None, 13, (70, 20, 50)),
        (None, 14, (75, 20, 55)),
        (8, None, (5, 0, 5)),
        (8, 14, (5, 0, 5)),
        (9, 13, (100, 0, 100)),
        (9, 14, (105, 0, 105)),
        (11, None, (75, 0, 75)),
        (12, 12, (70, 20, 50)),
        (99, 99, (55, 0, 55)),
    ],
)
def test_a_balance_has_two_times(
    worker: Any, as_of: int | None, known_at: int | None, expected: tuple[int, int, int]
) -> None:
    hours = {"as_of": as_of, "known_at": known_at}
    times = {name: hour * HOUR for name, hour in hours.items() if hour is not None}
    about = asked(worker, BALANCE_AT, times=times).about
    assert tuple(about[name] for name in ("balance_minor", "held_minor", "available_minor")) == expected
    assert about["history_starts_at"] == "1970-01-01T10:00:00Z"
    assert (about["tenant_id"], about["account_id"], about["currency"]) == ("t", "a", "EUR")


@pytest.mark.parametrize(
    ("view", "times", "said"),
    [
        (BALANCE_AT, {"known_at": 9}, "starts at 1970-01-01T10:00:00Z (time of booking)"),
        (BALANCE_AT, {"as_of": 7}, "starts at 1970-01-01T08:00:00Z (value time)"),
        (BALANCE_AT, {"as_of": 8, "known_at": 13}, "starts at 1970-01-01T09:00:00Z (value time)"),
        (STATEMENT, {"to": 10}, "starts at 1970-01-01T10:00:00Z (time of booking)"),
    ],
)
def test_before_its_beginning_the_history_says_when_it_starts(
    worker: Any, view: Any, times: dict[str, int], said: str
) -> None:
    with pytest.raises(Problem) as problem:
        asked(worker, view, times={name: hour * HOUR for name, hour in times.items()})
    assert problem.value.status == 404
    assert said in problem.value.detail


def test_an_account_without_bookings_is_not_known(worker: Any) -> None:
    with pytest.raises(Problem, match="no booking of t/nobody"):
        asked(worker, BALANCE_AT, "nobody")


def test_the_history_is_every_line_in_pages(worker: Any) -> None:
    whole = asked(worker, HISTORY)
    assert [line["kind"] for line in whole.lines] == ["CREDIT", "DEBIT", "PLACED", "CREDIT", "DEBIT"]
    assert whole.following is None
    first = whole.lines[0]
    assert (first["booked_at"], first["effective_at"]) == ("1970-01-01T10:00:00Z", "1970-01-01T09:00:00Z")
    assert (first["booked_minor"], first["entry_id"], first["reference"]) == (100, "e1", "rent")
    used = whole.lines[-1]
    assert (used["booked_minor"], used["held_change_minor"], used["available_minor"]) == (-20, -20, 55)
    pages, after = [], None
    while True:
        page = asked(worker, HISTORY, limit=2, after=after)
        pages.append([line["line"] for line in page.lines])
        after = page.following
        if after is None:
            break
    assert pages == [[0, 1], [2, 3], [4]]


def test_a_statement_is_opening_lines_closing(worker: Any) -> None:
    times = {"from": 11 * HOUR, "to": 15 * HOUR}
    found = asked(worker, STATEMENT, times=times)
    assert [line["line"] for line in found.lines] == [1, 2, 3]
    assert found.about["opening"] == {"balance_minor": 100, "held_minor": 0, "available_minor": 100}
    assert found.about["closing"] == {"balance_minor": 75, "held_minor": 20, "available_minor": 55}
    opening, closing = found.about["opening"]["balance_minor"], found.about["closing"]["balance_minor"]
    assert opening + sum(line["booked_minor"] for line in found.lines) == closing
    from_the_start = asked(worker, STATEMENT, times={"to": 11 * HOUR})
    assert from_the_start.about["opening"]["balance_minor"] == 0
    nothing = asked(worker, STATEMENT, times={"from": 16 * HOUR})
    assert (nothing.lines, nothing.about["opening"]) == ([], nothing.about["closing"])


def test_a_statement_as_a_table_begins_and_ends_with_balances_over_all_its_pages(worker: Any) -> None:
    kinds, after = [], None
    while True:
        scope = scope_of(STATEMENT, "t", "a", limit=2, after=after)
        page = past(worker, scope, home("a"))
        rows = table_rows(scope, page)
        assert all(set(row) == set(STATEMENT.columns) for row in rows)
        kinds += [row["kind"] for row in rows]
        after = page.following
        if after is None:
            break
    assert kinds == ["OPENING", "CREDIT", "DEBIT", "PLACED", "CREDIT", "DEBIT", "CLOSING"]


@pytest.mark.parametrize(
    ("times", "after"),
    [({"from": 5, "to": 5}, None), ({"from": 6, "to": 5}, None), ({}, "first"), ({}, "-1")],
)
def test_a_wrong_span_or_page_is_a_400(worker: Any, times: dict[str, int], after: str | None) -> None:
    with pytest.raises(Problem) as problem:
        asked(worker, STATEMENT, times=times, after=after)
    assert problem.value.status == 400


def test_an_answer_survives_the_way_from_a_peer(worker: Any) -> None:
    found = asked(worker, STATEMENT)
    assert msgspec.json.decode(msgspec.json.encode(found), type=AccountAnswer) == found


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T01:00:00Z", HOUR),
        ("1970-01-01T02:00:00+01:00", HOUR),
        ("1970-01-01T02:00:00 01:00", HOUR),  # a plus that was not escaped
        ("1970-01-01T00:00:00.000001Z", 1),
        ("3600000000", HOUR),
        ("-1", -1),
    ],
)
def test_a_time_is_iso_8601_or_microseconds(text: str, micros: int) -> None:
    assert parse(_parameters(as_of=text), "", parameters_of(BALANCE_AT, ("t", "a"))).times == {
        "as_of": micros
    }


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-21T15:00:00", "yesterday", "15:00Z", "9" * 19])
def test_a_time_without_its_zone_is_a_400(text: str) -> None:
    with pytest.raises(Problem, match="from: must be a time with its zone"):
        parse(_parameters(**{"from": text}), "", parameters_of(STATEMENT, ("t", "a")))


def test_the_link_of_a_page_keeps_its_times(worker: Any) -> None:
    scope = scope_of(STATEMENT, "t", "a", limit=2, times={"from": 1, "to": 2})
    assert scope.link("7") == "/statements/t/a?limit=2&after=7&from=1&to=2"
    assert scope_of(BALANCE_AT, "t", "a", times={"as_of": 5}).link(None) == "/balances/t/a?as_of=5"


def _parameters(**given: str) -> Any:
    return MultiDict(given)
