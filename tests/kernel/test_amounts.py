"""Amounts for people: the decimal number beside minor units, in rows of any depth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel.amounts import amount_columns, amount_text, with_amounts
from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (-100, "JPY", "-100"),
        (1, "KWD", "0.001"),
        (5, "ABC", None),
        (5, None, None),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int, currency: str | None, text: str) -> None:
    assert amount_text(minor, currency) == text


@given(st.integers(INT64_MIN, INT64_MAX), st.sampled_from(sorted(EXPONENTS)))
def test_no_digit_is_lost(minor: int, currency: str) -> None:
    text = amount_text(minor, currency)
    assert text is not None
    whole, _, part = text.partition(".")
    assert len(part) == EXPONENTS[currency]
    assert int(whole + part) == minor


def test_a_row_is_completed_to_its_depth_and_keeps_its_minor_units() -> None:
    legs = [{"amount_minor": 5, "currency": "JPY"}, {"amount_minor": 7}]
    row = {"currency": "EUR", "balance_minor": 1250, "limit_minor": None, "ends": {"held_minor": 1}}
    assert with_amounts({**row, "legs": legs, "rate_e8": 3}) == {
        **row,
        "balance": "12.50",
        "limit": None,
        "ends": {"held_minor": 1, "held": "0.01"},
        "legs": [
            {"amount_minor": 5, "amount": "5", "currency": "JPY"},
            {"amount_minor": 7, "amount": "0.07"},
        ],
        "rate_e8": 3,
    }


def test_columns_are_those_of_completed_rows_and_take_no_ones_name() -> None:
    assert amount_columns(("a", "b_minor", "c")) == ("a", "b_minor", "b", "c")
