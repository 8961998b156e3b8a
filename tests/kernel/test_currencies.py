"""Currencies: the table is whole, and the model's own one is the same."""

from __future__ import annotations

from itertools import product
from string import ascii_uppercase

import pytest

from pipeline.domain.kernel.currencies import EXPONENTS, flaw_of
from pipeline.verify.model.currencies import CURRENCIES


def test_rules_and_model_know_the_same_currencies_among_all_codes() -> None:
    codes = ["".join(letters) for letters in product(ascii_uppercase, repeat=3)]
    assert [code for code in codes if flaw_of(code) is None] == sorted(CURRENCIES)
    assert len(EXPONENTS) == 165, "ISO's list one of 2026-01-01 less the 13 codes without a minor unit"


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("EUR", 2),
        ("JPY", 0),
        ("ISK", 0),
        ("XOF", 0),
        ("KWD", 3),
        ("TND", 3),
        ("CLF", 4),
        ("UYW", 4),
        ("MRU", 2),
    ],
)
def test_a_currency_has_the_decimals_of_iso_4217(code: str, digits: int) -> None:
    assert EXPONENTS[code] == digits


@pytest.mark.parametrize(
    "code", ["XXX", "XTS", "XAU", "XDR", "ABC", "DEM", "HRK", "BGN", "ANG", "ZWL", "SLL"]
)
def test_a_code_without_a_minor_unit_or_that_is_not_active_is_no_currency(code: str) -> None:
    assert flaw_of(code) == "no active ISO 4217 code with a minor unit"


@pytest.mark.parametrize("unit", ["US0378331005", "DE0007164600"])
def test_units_of_securities_are_reserved(unit: str) -> None:
    assert flaw_of(unit) == "units of securities and other assets are reserved, and cannot be used yet"


@pytest.mark.parametrize("unit", ["", "EU", "EURO", "eur", "E/R", "EÜR", "EUR\n", "US0378331005\n"])
def test_what_has_neither_form_is_no_unit(unit: str) -> None:
    assert flaw_of(unit) == "not three capital letters"
