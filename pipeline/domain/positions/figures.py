"""Arithmetic of positions in exact integers: how a trade changes a position, and figures derived from it.

Net positions at weighted average cost, one for each account and instrument. A trade on the same side
increases the position at its price. A trade on the opposite side closes a part of it at the average cost and
realises the difference. A trade beyond zero closes all of it and opens the rest at its own price.

Invariant: realised P&L = cash received - cash paid + cost of the quantity held, exactly, after every trade.

Cost and realised P&L are integers in units of 1e-32: quantity_e8 x price_e8 is in units of 1e-16, with
sixteen guard digits. Only a partial close is rounded (half to even at 1e-32), and what it subtracts from the
cost it adds to the P&L. Averages and the figures of events are rounded from them (half to even at 1e-8) and
never used for further arithmetic. Fees are minor units and not part of the P&L.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN, Overflow, add
from pipeline.domain.positions.rows import Position, Quote

_GUARD = 10**16
"""1e-16 in units of 1e-32."""
_E8 = 10**24
"""1e-8 in units of 1e-32."""


def divide_half_even(dividend: int, divisor: int) -> int:
    """Return dividend / divisor (divisor > 0) rounded to the nearest integer, half to even."""
    quotient, remainder = divmod(dividend, divisor)
    twice = 2 * remainder
    if twice < divisor:
        return quotient
    return quotient + (twice > divisor or quotient & 1)


def fill(position: Position, quantity_e8: int, price_e8: int) -> Position:
    """Return the position after a fill of a signed quantity (a sale is negative) at a price.

    Raises `Overflow` if the quantity does not fit into 64 bits.
    """
    held, cost, realised = position.quantity_e8, position.cost_e32, position.realised_e32
    opening = quantity_e8
    if held and (held > 0) != (quantity_e8 > 0):
        closing = min(abs(held), abs(quantity_e8)) * (1 if held > 0 else -1)
        released = divide_half_even(cost * abs(closing), abs(held))
        realised += closing * price_e8 * _GUARD - released
        cost -= released
        opening = quantity_e8 + closing
    return Position(
        position.currency,
        add(held, quantity_e8),
        cost + opening * price_e8 * _GUARD,
        realised,
        position.fees_minor,
        position.trades,
    )


def charge(position: Position, fee_minor: int) -> Position:
    """Return the position after a trade was filled, for its fee. Raises Overflow as `fill`."""
    held = position.currency, position.quantity_e8, position.cost_e32, position.realised_e32
    return Position(*held, add(position.fees_minor, fee_minor), position.trades + 1)


class Figures(NamedTuple):
    """Figures derived from a position and a quote, in units of 1e-8 of the currency, rounded half to even."""

    average_cost_e8: int
    cost_basis_e8: int
    realised_pnl_e8: int
    unrealised_pnl_e8: int | None


def figures(position: Position, quote: Quote | None) -> Figures:
    """Return the figures of a position. Raises Overflow if one does not fit into 64 bits.

    Without a quote the position is unpriced: the unrealised P&L is None, never zero.
    """
    quantity, cost = position.quantity_e8, position.cost_e32
    average = divide_half_even(abs(cost), abs(quantity) * _GUARD) if quantity else 0
    basis, realised = divide_half_even(cost, _E8), divide_half_even(position.realised_e32, _E8)
    unrealised = 0 if quote is None else divide_half_even(quantity * quote.price_e8 * _GUARD - cost, _E8)
    if not (
        average <= INT64_MAX
        and INT64_MIN <= basis <= INT64_MAX
        and INT64_MIN <= realised <= INT64_MAX
        and INT64_MIN <= unrealised <= INT64_MAX
    ):
        raise Overflow
    return Figures(average, basis, realised, None if quote is None else unrealised)
