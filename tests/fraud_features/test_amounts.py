"""Amounts in EUR by integer rates: exact, and unknown without a rate."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.fraud.features.amounts import CURRENCIES, NUMBER, RATE_MAX, Rate, Rates, rate
from pipeline.domain.fraud.features.bounds import AMOUNT_MAX
from pipeline.domain.fraud.features.by_column import root


def test_rates_have_the_exponents_in_them() -> None:
    rates = Rates(
        [
            rate("VND", 0, 37_000),
            rate("JPY", 0, 6_000_000),
            rate("KWD", 0, 3_000_000_000),
            rate("USD", 0, 9 * 10**8),
        ]
    )
    assert rates.one(NUMBER["VND"], 950_000, 1) == 35_15
    assert rates.one(NUMBER["JPY"], 4_000, 1) == 24_00
    assert rates.one(NUMBER["KWD"], 1_000, 1) == 3_00
    assert rates.one(NUMBER["USD"], 10_00, 1) == 9_00
    assert rates.one(NUMBER["EUR"], 12_34, 1) == 12_34


def test_a_rate_holds_from_its_time_on() -> None:
    rates = Rates([Rate("USD", 100, 900_000_000), Rate("USD", 200, 800_000_000)])
    said = [rates.one(NUMBER["USD"], 1_000, at_s) for at_s in (99, 100, 199, 200, 10**9)]
    assert said == [None, 900, 900, 800, 800]


def test_columns_say_what_rows_say() -> None:
    chance = np.random.default_rng(1)
    rates = Rates([Rate("USD", 100, RATE_MAX), Rate("USD", 200, 1), Rate("VND", 150, 3_700_000)])
    currency = np.array([NUMBER[name] for name in chance.choice(["USD", "VND", "EUR", "JPY"], 500)], np.int64)
    minor = chance.choice([0, 1, 999_999_999, 10**9, 10**12, 10**15, 2**62], 500).astype(np.int64)
    at_s = chance.integers(90, 210, 500)
    amounts, known = rates.many(currency, minor, at_s)
    expected = [rates.one(*of) for of in zip(currency.tolist(), minor.tolist(), at_s.tolist(), strict=True)]
    assert [a if k else None for a, k in zip(amounts.tolist(), known.tolist(), strict=True)] == expected
    assert max(amounts) == AMOUNT_MAX


@pytest.mark.parametrize("wrong", [Rate("XXX", 0, 1), Rate("USD", 0, 0), Rate("USD", 0, RATE_MAX + 1)])
def test_wrong_rates_are_refused(wrong: Rate) -> None:
    with pytest.raises(ValueError, match=wrong.currency):
        Rates([wrong])


def test_every_currency_has_a_number_of_its_own() -> None:
    assert [NUMBER[name] for name in CURRENCIES] == list(range(len(CURRENCIES)))


def test_roots_are_exact_near_squares() -> None:
    around = [n * n + off for n in (1, 7, 94_906_266, 2**31 - 1, 10**9) for off in (-1, 0, 1)]
    said = root(np.array(around, np.int64))
    for x, found in zip(around, said.tolist(), strict=True):
        assert found * found <= x < (found + 1) * (found + 1)
