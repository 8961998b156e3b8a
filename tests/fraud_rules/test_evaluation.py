"""Expressions of payments: rows and columns say what the judge says, and what was worked out by hand."""

from __future__ import annotations

import tracemalloc
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions.by_column import Batch, ColumnProgram, Values, texts
from pipeline.domain.fraud.expressions.by_row import row_function
from pipeline.domain.fraud.expressions.checking import check
from pipeline.domain.fraud.expressions.parsing import parse
from tests.fraud_rules import differences, trees
from tests.fraud_rules.interpreter import answer
from tests.fraud_rules.sample import SAMPLE

MOST = 2**63 - 1


@given(st.integers(0, 2**63))
def test_rows_and_columns_say_what_the_judge_says(seed: int) -> None:
    random = Random(seed)
    nodes = [trees.boolean(random) for _ in range(4)]
    assert list(differences.of(nodes, random, payments=8)) == []


def test_many_expressions_share_a_program_and_keep_their_answers() -> None:
    assert differences.seeded(1) == []


BY_HAND: list[tuple[str, dict[str, Any], bool | None]] = [
    # Comparisons, at the bound and beside it.
    ("payments_1h > 10", {"payments_1h": 10}, False),
    ("payments_1h > 10", {"payments_1h": 11}, True),
    ("payments_1h < 10", {"payments_1h": 10}, False),
    ("payments_1h <= 10", {"payments_1h": 10}, True),
    ("amount >= 9.50 EUR", {"amount": 950}, True),
    ("since_probe <= 1 h", {"since_probe": 3_600}, True),
    ("share_passed_on >= 35 %", {"share_passed_on": 3_499}, False),
    ("amount_deviations > 6.25 sd", {"amount_deviations": 626}, True),
    # Unknown: an answer of its own, which lets nothing fire.
    ("silence > 1 d", {"silence": None}, None),
    ("not silence > 1 d", {"silence": None}, None),
    ("silence > 1 d and payments_1h > 5", {"silence": None, "payments_1h": 1}, False),
    ("silence > 1 d and payments_1h > 5", {"silence": None, "payments_1h": 9}, None),
    ("silence > 1 d or payments_1h > 5", {"silence": None, "payments_1h": 9}, True),
    ("silence > 1 d or payments_1h > 5", {"silence": None, "payments_1h": 1}, None),
    ("known(silence)", {"silence": None}, False),
    ("not known(silence)", {"silence": None}, True),
    ("known(silence)", {"silence": 0}, True),
    ("known(is_new_device)", {"is_new_device": False}, True),
    ("silence == 0 s", {"silence": None}, None),
    ("max(silence, since_probe) > 1 d", {"silence": 90_000, "since_probe": None}, None),
    ('country in ["DE"]', {"country": None}, None),
    ('country not in ["DE"]', {"country": None}, None),
    ('country != "DE"', {"country": None}, None),
    # Arithmetic: rounded down, and unknown where it does not fit.
    ("amount / 3 == 3.33 EUR", {"amount": 1_000}, True),
    ("amount_deviations / 2 == -0.03 sd", {"amount_deviations": -5}, True),
    ("amount / amount_24h >= 0", {"amount": 5, "amount_24h": 0}, None),
    ("payments_1h / 0 == 0 or true", {"payments_1h": 5}, True),
    ("amount * 2 > 0 EUR", {"amount": MOST}, None),
    ("amount + 0.01 EUR > 0 EUR", {"amount": MOST}, None),
    ("amount + 0.01 EUR > 0 EUR", {"amount": MOST - 1}, True),
    ("-amount - 0.02 EUR < 0 EUR", {"amount": MOST}, None),
    ("amount_24h >= 80 % * amount_in_24h", {"amount_24h": 799, "amount_in_24h": 999}, True),
    ("amount_24h >= 80 % * amount_in_24h", {"amount_24h": 798, "amount_in_24h": 999}, False),
    ("80 % * amount > 0 EUR", {"amount": MOST // 100}, None),
    ("2 * amount == 0.10 EUR", {"amount": 5}, True),
    ("abs(amount - amount_24h) == 0.05 EUR", {"amount": 1, "amount_24h": 6}, True),
    ("min(payments_1h, payments_24h, 3) == 3", {"payments_1h": 4, "payments_24h": 5}, True),
    ("abs(amount) >= 0 EUR", {"amount": -MOST - 1}, None),
    ("abs(amount) >= 0 EUR", {"amount": -MOST}, True),
    ("-amount != 0 EUR", {"amount": -MOST - 1}, None),
    ("-1 * amount != 0 EUR", {"amount": -MOST - 1}, None),
    ("amount * payments_1h != 0 EUR", {"amount": -MOST - 1, "payments_1h": -1}, None),
    ("payments_1h * amount != 0 EUR", {"amount": -MOST - 1, "payments_1h": -1}, None),
    ("payments_1h * amount < 0 EUR", {"amount": -MOST - 1, "payments_1h": 1}, True),
    ("amount / payments_1h != 0 EUR", {"amount": -MOST - 1, "payments_1h": -1}, None),
    # Sets and lists.
    ("hour_of_day in [0, 1, 2]", {"hour_of_day": 2}, True),
    ("hour_of_day not in [0, 1, 2]", {"hour_of_day": 3}, True),
    ('payee in list("watch")', {"payee": "acc-1"}, True),
    ('payee in list("watch")', {"payee": "acc-9"}, False),
    ('payee in list("watch")', {"payee": "acc-2"}, False),  # it expired at 1,000, which is now
    ("payee == debtor", {"payee": "a", "debtor": "a"}, True),
    ("payee == debtor", {"payee": "a", "debtor": "b"}, False),
    # Numbers that no event could carry.
    ("amount > 0 EUR", {"amount": MOST + 1}, None),
]


@pytest.mark.parametrize(("text", "row", "expected"), BY_HAND)
def test_what_was_worked_out_by_hand(text: str, row: dict[str, Any], expected: bool | None) -> None:
    node = parse(text)
    check(node, text, SAMPLE, trees.OF_LISTS)
    assert row_function(node, SAMPLE, differences.ENTRIES)(row, 1_000) is expected
    assert answer(node, row, 1_000, trees.LISTS, SAMPLE) is expected, "the judge"
    if all(not isinstance(value, int) or value <= MOST for value in row.values()):
        whole = {one.name: None for one in SAMPLE} | row
        program = ColumnProgram(SAMPLE, differences.ENTRIES)
        program.add(node)
        assert program.fired(trees.batch_of([whole, whole], [1_000, 1_000])).tolist() == [
            [expected is True] * 2
        ]


def test_a_feature_that_is_missing_is_unknown_in_rows_and_in_columns() -> None:
    node = parse("not known(silence) and not known(country) and not known(is_new_device)")
    program = ColumnProgram(SAMPLE, {})
    program.add(node)
    assert row_function(node, SAMPLE, {})({}, 0) is True
    assert program.fired(Batch({}, np.zeros(3, np.int64))).all()


def test_no_payments_are_a_batch_too() -> None:
    program = ColumnProgram(SAMPLE, differences.ENTRIES)
    for text in ("amount * 3 + 1 EUR > -amount", 'payee in list("watch")', "true", 'country == "DE"'):
        program.add(parse(text))
    nothing: dict[str, Values] = {
        "amount": Values(np.array([], np.int64)),
        "payee": texts([]),
        "country": texts([]),
    }
    assert program.fired(Batch(nothing, np.array([], np.int64))).shape == (4, 0)


def test_a_program_holds_on_to_what_is_still_needed_and_to_nothing_else() -> None:
    """200 rules of 256 parts would else be gigabytes for a large batch."""
    program, payments = ColumnProgram(SAMPLE, {}), 10_000
    for number in range(100):
        program.add(parse(" and ".join(f"amount * {number} + {part} EUR > amount_24h" for part in range(20))))
    values = Values(np.arange(payments, dtype=np.int64))
    batch = Batch({"amount": values, "amount_24h": values}, np.zeros(payments, np.int64))
    tracemalloc.start()
    program.fired(batch)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40 * 8 * payments + 100 * payments + 2_000_000


def test_what_a_batch_says_of_a_value_that_is_unknown_does_not_matter() -> None:
    program = ColumnProgram(SAMPLE, {})
    program.add(parse("silence > 1 d"))
    known, at_us = np.array([False, True]), np.zeros(2, np.int64)
    assert program.fired(Batch({"silence": Values(np.array([MOST, MOST]), known)}, at_us)).tolist() == [
        [False, True]
    ]
