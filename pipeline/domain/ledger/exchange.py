"""Amounts in another currency: integers only, each rounded once, half to even.

    amount in minor units of one currency * rate -> minor units of the other, each with its own decimals

Half to even, so that over many payments neither the customers nor the bank gain by rounding. What is rounded
away stays in the bank's position accounts: each currency has its own entry, so nothing is lost.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.rates import UNIT_E8


class Exchange(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a payment between currencies is converted to, and by which rate."""

    creditor_minor: int
    """What the creditor gets for all of the payment, minor units."""
    currency: str
    """That of the creditor."""
    rate_e8: int
    rate_currency: str
    """The currency that the rate is for one unit of."""
    rate_event_id: str | None
    """The rate_quoted that the rate comes from; None: the payment named it."""


def half_even(numerator: int, denominator: int) -> int:
    """Return the quotient of two integers that are not negative, rounded; a half goes to the even one."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def converted(amount: int, pay: str, get: str, rate_e8: int, rate_currency: str) -> int:
    """Return an amount of `pay` in minor units of `get`; it may be 0, or not fit into 64 bits.

    `rate_e8`: units of the other currency for one of `rate_currency`. Raises: KeyError for a currency that
    has no minor unit.
    """
    numerator, denominator = amount * 10 ** EXPONENTS[get], 10 ** EXPONENTS[pay]
    if rate_currency == pay:
        return half_even(numerator * rate_e8, denominator * UNIT_E8)
    return half_even(numerator * UNIT_E8, denominator * rate_e8)


def told(exchange: Exchange | None, amount: int, pay: str, credited: int) -> ev.Exchange | None:
    """Return what events say of a conversion, or of a part of it: `amount` of `pay` for `credited`."""
    if exchange is None:
        return None
    by = (exchange.rate_e8, exchange.rate_currency, exchange.rate_event_id)
    return ev.Exchange(amount, pay, credited, exchange.currency, *by)
