"""How many rows a question about the past reads: as many as the logarithm of the account's lines."""

from __future__ import annotations

from math import ceil, log, log2
from random import Random

import pytest

from pipeline.domain.history.rows import ZONE
from pipeline.domain.history.views import BALANCE_AT, STATEMENT
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.past import STATEMENT_LINES, CountedRows, ask_once, book, bookings, check_answers

ACCOUNT = "a"
SIZES = (ZONE, ZONE**2, ZONE**3)
ASKED = 150
ROWS_BESIDES = 4
"""The head, the first line, the last line that counts, and one to spare."""


@pytest.fixture(scope="module", params=SIZES)
def account(request: pytest.FixtureRequest) -> tuple[int, dict[bytes, bytes]]:
    lines: int = request.param
    return lines, rows_of(lines, late=False)


def rows_of(lines: int, late: bool) -> dict[bytes, bytes]:
    rows: dict[bytes, bytes] = {}
    for chunk in book(ACCOUNT, bookings(lines, late)):
        rows.update(chunk)
    return rows


def most(lines: int, data: dict[bytes, bytes], kind: str) -> int:
    rows, rng = CountedRows(data.get), Random(kind)
    view = STATEMENT if kind == "statement" else BALANCE_AT
    return max(ask_once(rows, ACCOUNT, view, kind, lines, rng) for _ in range(ASKED))


def test_a_time_of_booking_is_found_in_a_binary_search(account: tuple[int, dict[bytes, bytes]]) -> None:
    lines, data = account
    assert log2(lines) <= most(lines, data, "known_at") <= ceil(log2(lines + 1)) + ROWS_BESIDES


def test_a_value_time_is_found_in_a_few_zones_of_each_level(account: tuple[int, dict[bytes, bytes]]) -> None:
    lines, data = account
    levels = ceil(log(lines, ZONE))
    assert levels * ZONE / 2 < most(lines, data, "as_of") <= levels * ZONE + 1 + ROWS_BESIDES
    searched = ceil(log2(lines + 1))
    assert most(lines, data, "both") <= searched + 2 * levels * ZONE + ROWS_BESIDES


def test_a_page_of_a_statement_reads_its_lines_and_searches_twice(
    account: tuple[int, dict[bytes, bytes]],
) -> None:
    lines, data = account
    searched = 2 * ceil(log2(lines + 1))
    assert most(lines, data, "statement") <= min(lines, STATEMENT_LINES) + searched + 2 * ROWS_BESIDES


def test_late_bookings_cost_a_look_into_the_zones_that_they_reach_back_from() -> None:
    lines = 8 * ZONE**2
    found = {late: most(lines, rows_of(lines, late), "as_of") for late in (False, True)}
    assert found[False] < found[True] < lines / 4


def test_a_question_whose_answer_is_wrong_is_found() -> None:
    made = bookings(ZONE, late=True)
    rows = rows_of(ZONE, late=True)
    check_answers(CountedRows(rows.get), ACCOUNT, made)
    with pytest.raises(Inexact, match="balance at a time"):
        check_answers(CountedRows(rows.get), ACCOUNT, [(at, amount + 1) for at, amount in made])
