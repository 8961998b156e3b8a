"""Figures of a day: by hand, and for random days against a count of all items."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reconciliation.breaks import summary
from pipeline.domain.reconciliation.breaks.rows import Day, day_key, unpack_day
from pipeline.domain.reconciliation.breaks.summary import (
    CLEARED,
    STANDINGS,
    TIERS,
    arrived,
    closed,
    figures,
    moved,
    proved,
)
from pipeline.domain.reconciliation.breaks.views import show_day, show_open
from tests.breaks.teller import DAY, KEEP_DAYS, Bank, opening_of

EMPTY = figures(Day())
PAIR = (("line", 600, "SCORED"), ("posting", 600, "SCORED"))
BY_HAND = [
    # what happens: side, amount, standings in turn; statements: announced, sound
    ("nothing came", [], [], {}),
    (
        "a line and its posting are matched by reference",
        [("line", -100, "REFERENCE"), ("posting", -100, "REFERENCE")],
        [(1, True)],
        {"lines": 1, "postings": 1, "statements": 1, "announced_lines": 1, "completeness_ppm": 1_000_000,
         "match_rate_ppm": 1_000_000, "match_rate_by_tier_ppm": {"REFERENCE": 1_000_000},
         "value_minor": 200, "cleared_minor": 200, "clearing_ppm": 1_000_000,
         "explained_minor": 200, "explainability_ppm": 1_000_000},
    ),
    (
        "a fee is explained and not cleared, a missing line neither",
        [("line", -300, "EXPLAINED"), ("posting", -100, "UNEXPLAINED"), *PAIR],
        [],
        {"lines": 2, "postings": 2, "match_rate_ppm": 500_000, "match_rate_by_tier_ppm": {"SCORED": 500_000},
         "value_minor": 1600, "cleared_minor": 1200, "clearing_ppm": 750_000,
         "explained_minor": 1500, "explainability_ppm": 937_500,
         "open": {"explained": {"items": 1, "minor": 300}, "unexplained": {"items": 1, "minor": 100}}},
    ),
    (
        "what is suggested or waits is neither",
        [("line", 7, "SUGGESTED"), ("posting", 7, "SUGGESTED"), ("line", 1, "WAITING")],
        [(4, False)],
        {"lines": 2, "postings": 1, "statements": 1, "unsound_statements": 1, "announced_lines": 4,
         "completeness_ppm": 500_000, "match_rate_ppm": 0, "value_minor": 15,
         "clearing_ppm": 0, "explainability_ppm": 0,
         "open": {"waiting": {"items": 1, "minor": 1}, "suggested": {"items": 2, "minor": 14}}},
    ),
    (
        "a write-off clears and is no match",
        [("line", -3, "WRITTEN_OFF"), ("line", -9, "CORRECTION"), ("posting", -9, "CORRECTION")],
        [(1, True)],
        {"lines": 2, "postings": 1, "statements": 1, "announced_lines": 1,
         "completeness_ppm": 1_000_000, "match_rate_ppm": 666_666,
         "match_rate_by_tier_ppm": {"CORRECTION": 666_666}, "value_minor": 21,
         "cleared_minor": 21, "clearing_ppm": 1_000_000,
         "explained_minor": 21, "explainability_ppm": 1_000_000},
    ),
    (
        "an item of nothing is an item, and has no value to have a share of",
        [("line", 0, "GROUP")],
        [],
        {"lines": 1, "match_rate_ppm": 1_000_000, "match_rate_by_tier_ppm": {"GROUP": 1_000_000}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "items", "statements", "said"), BY_HAND, ids=[name for name, *_ in BY_HAND])
def test_figures_worked_out_by_hand(
    name: str, items: list[tuple[str, int, str]], statements: list[tuple[int, bool]], said: dict[str, Any]
) -> None:
    day = Day()
    for side, amount, standing in items:
        is_line = side == "line"
        day = moved(arrived(day, is_line, amount), is_line, amount, summary.WAITING, standing)
    for announced, is_sound in statements:
        day = closed(day, announced, is_sound)
    assert figures(day) == {**EMPTY, **said}


ITEMS = st.lists(
    st.tuples(st.booleans(), st.integers(-(2**61), 2**61), st.lists(st.sampled_from(STANDINGS), max_size=4)),
    max_size=30,
)


@given(ITEMS, st.randoms(use_true_random=False))
def test_a_day_is_the_sum_of_its_items_in_whatever_order_they_move(items: list[Any], chance: Any) -> None:
    steps = [(number, step) for number, (_, _, path) in enumerate(items) for step in range(len(path) + 1)]
    order = sorted(steps, key=lambda step: (step[1], chance.random()))
    day, now = Day(), {}
    for number, step in order:
        is_line, amount, path = items[number]
        if step == 0:
            day = arrived(day, is_line, amount)
            now[number] = summary.WAITING
        else:
            day = moved(day, is_line, amount, now[number], path[step - 1])
            now[number] = path[step - 1]
        assert set(day.lines) | set(day.postings) <= set(STANDINGS)
    counted = Counter((items[number][0], standing) for number, standing in now.items())
    assert counted == Counter(
        {(is_line, standing): tally.count for is_line in (True, False)
         for standing, tally in (day.lines if is_line else day.postings).items()}
    )  # fmt: skip
    said = figures(day)
    value = sum(abs(amount) for _, amount, _ in items)
    cleared = sum(abs(items[number][1]) for number, standing in now.items() if standing in CLEARED)
    assert (said["value_minor"], said["cleared_minor"]) == (value, cleared)
    assert said["cleared_minor"] <= said["explained_minor"] <= value
    matched = sum(standing in TIERS for standing in now.values())
    assert said["match_rate_ppm"] == (matched * 1_000_000 // len(items) if items else None)


def test_what_was_not_counted_cannot_move() -> None:
    day = arrived(Day(), True, 5)
    for wrong in (
        lambda: moved(day, False, 5, "WAITING", "GROUP"),
        lambda: moved(day, True, 6, "WAITING", "GROUP"),
        lambda: moved(day, True, 5, "GROUP", "WAITING"),
        lambda: moved(day, True, 5, "WAITING", "NOWHERE"),
        lambda: proved(day, True),
        lambda: proved(closed(Day(), 1, False), False),
    ):
        with pytest.raises(ValueError, match=r"counted|standing|closed"):
            wrong()
    assert proved(closed(Day(), 1, False), True).unsound == 0


def test_a_day_is_one_row_that_is_begun_by_what_comes_and_forgotten_with_its_windows() -> None:
    bank = Bank()
    bank.tell("open b1 FEE 1 line:S1/1")
    scope = bank.scope(cause())
    summary.note(scope, "EUR", 10, lambda day: moved(day, True, 5, "WAITING", "GROUP"))
    key = day_key("acme", "nostro", "EUR", 10)
    assert key not in bank.rows.data
    summary.note(scope, "EUR", 10, lambda day: arrived(day, True, 5), begins=True)
    summary.note(scope, "EUR", 10, lambda day: moved(day, True, 5, "WAITING", "GROUP"))
    assert bank.queue == [(10 * DAY, key)]
    row = show_day(tuple(key.decode().split("\0")[1:]), bank.rows.data[key])
    assert (row["day"], row["lines"], row["clearing_ppm"]) == ("1970-01-11", 1, 1_000_000)
    bank.now = (11 + KEEP_DAYS) * DAY
    later = bank.scope(cause())
    summary.note(later, "EUR", 10, lambda day: moved(day, True, 5, "GROUP", "WAITING"))
    assert unpack_day(bank.rows.data[key]).lines.keys() == {"GROUP"}, "what is over is counted no more"
    summary.note(later, "EUR", 10, lambda day: arrived(day, False, 7), begins=True)
    assert unpack_day(bank.rows.data[key]).lines.keys() == {"GROUP"}, "nor is its row begun again"
    del bank.rows.data[key]
    summary.note(later, "EUR", 10, lambda day: arrived(day, False, 7), begins=True)
    assert key not in bank.rows.data
    summary.note(later, "EUR", 11 + KEEP_DAYS, lambda day: arrived(day, False, 7), begins=True)
    assert day_key("acme", "nostro", "EUR", 11 + KEEP_DAYS) in bank.rows.data


def test_a_day_that_lies_ahead_is_kept_for_its_windows_from_then_on() -> None:
    bank = Bank()
    bank.tell("open b1 FEE 1 line:S1/1")
    scope = bank.scope(cause())
    summary.note(scope, "EUR", 500, lambda day: arrived(day, True, 5), begins=True)
    row = unpack_day(bank.rows.data[day_key("acme", "nostro", "EUR", 500)])
    assert row.ended_at == 500 * DAY and summary.sweep_day(row, scope)
    summary.note(scope, "EUR", 2**31 - 1, lambda day: arrived(day, True, 5), begins=True)  # a bank may say so
    assert day_key("acme", "nostro", "EUR", 2**31 - 1) in bank.rows.data
    bank.now = (501 + KEEP_DAYS) * DAY
    assert not summary.sweep_day(row, bank.scope(cause()))


def cause() -> Any:
    """Return an event of the account, as far as a row needs one."""

    class Cause:
        tenant_id, account_id = "acme", "nostro"

    return Cause()


def test_an_item_stands_as_its_break_says() -> None:
    bank = Bank()
    for line, standing in (
        ("open b1 MISSING_INTERNAL -650 line:S1/2", "UNEXPLAINED"),
        ("open b2 FEE 900 diff:-650 line:S1/3", "EXPLAINED"),
        ("anna write-off b2 as k1", "EXPLAINED"),
        ("bob approve b2 k1", "EXPLAINED"),
        ("ledger posts b2/1 -650", "WRITTEN_OFF"),
        ("match b1", None),
    ):
        bank.tell(line)
        life = bank.life("b1" if "b1" in line else "b2")
        assert life is not None and summary.standing_of(life) == standing, line


def test_open_breaks_are_shown_by_currency_age_and_kind() -> None:
    bank = Bank()
    for line in (
        "open b1 MISSING_INTERNAL -650 line:S1/2 since:8",
        "open b2 MISSING_INTERNAL 50 line:S1/3 since:5",
        "open b3 FEE 9000 diff:20 line:S1/4 since:10",
        "open b4 FEE 1 diff:1 line:S1/5",
        "match b4",
    ):
        bank.tell(line)
    found = [bank.life(name) for name in ("b1", "b2", "b3", "b4")]
    assert show_open([life for life in found if life is not None], bank.now) == [
        {"currency": "EUR", "age": "0-1", "kind": "FEE", "breaks": 1, "at_stake_minor": 20},
        {"currency": "EUR", "age": "2-5", "kind": "MISSING_INTERNAL", "breaks": 2, "at_stake_minor": 700},
    ]
    assert opening_of("FEE", "5", now=0).difference_minor == 0
