"""Positions of one partition: what an account holds of an instrument, what it cost, what it has earned.

    trade_executed -> fill the position at its average cost -> position_updated
    trade_settled  -> mark the trade as settled
    price_quoted   -> position_updated for every open position of the instrument on this partition

Netting, one position per account and instrument: a trade on the same side joins at its price (weighted
average), one on the opposite side closes at the average and realises the difference, one that crosses zero
closes all and restarts at its own price. The order of arrival rules; the times of trades do not matter.

What never changes: realised P&L = cash received - cash paid + cost of what is still held, exactly, after
every trade. The cost and the realised P&L are integers in units of 1e-32 (quantity_e8 x price_e8 is 1e-16;
sixteen guard digits follow), so the only rounding is that of a partial close, half to even at the 32nd
digit, and what it takes from the cost it adds to the P&L. Averages and figures of an event are derived from
them, half to even at 1e-8, and never fed back. Fees are minor units and not part of the P&L.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN, Overflow, add
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.positions.rows import (
    OPEN_ROW,
    Position,
    Quote,
    Trade,
    open_position_key,
    pack_position,
    position_key,
    quote_key,
    read_position,
    read_quote,
    read_trade,
    trade_key,
    write_quote,
    write_trade,
)

TOPIC = "positions"
_GUARD = 10**16
"""1e-16 in units of 1e-32."""
_E8 = 10**24
"""1e-8 in units of 1e-32."""


def divide_half_even(dividend: int, divisor: int) -> int:
    """Return dividend / divisor (divisor > 0) rounded to the nearest integer, a half to the even one."""
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
    """Return the position after a trade was filled, for its fee; raise `Overflow` as `fill`."""
    held = position.currency, position.quantity_e8, position.cost_e32, position.realised_e32
    return Position(*held, add(position.fees_minor, fee_minor), position.trades + 1)


class Figures(NamedTuple):
    """What is derived from a position and its quote, 1e-8 units of the currency, rounded half to even."""

    average_cost_e8: int
    cost_basis_e8: int
    realised_pnl_e8: int
    unrealised_pnl_e8: int | None


def figures(position: Position, quote: Quote | None) -> Figures:
    """Return the figures of a position; raise `Overflow` if one exceeds 64 bits.

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


def _describe(
    cause: ev.TradeExecuted | ev.PriceQuoted, account_id: str, position: Position, quote: Quote | None
) -> ev.PositionUpdated:
    """Return the event that says how a position stands; raise `Overflow` if a figure exceeds 64 bits."""
    shown = figures(position, quote)
    return ev.PositionUpdated(
        event_id=derived_id(cause_name(cause), f"position_updated/{account_id}"),
        tenant_id=cause.tenant_id,
        occurred_at=cause.occurred_at,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        account_id=account_id,
        instrument_id=cause.instrument_id,
        quantity_e8=position.quantity_e8,
        average_cost_e8=shown.average_cost_e8,
        cost_basis_e8=shown.cost_basis_e8,
        realised_pnl_e8=shown.realised_pnl_e8,
        unrealised_pnl_e8=shown.unrealised_pnl_e8,
        last_price_e8=quote.price_e8 if quote is not None else None,
        last_price_at=quote.quoted_at if quote is not None else None,
        currency=position.currency,
        fees_minor=position.fees_minor,
        trades=position.trades,
    )


def _emit(out: Outbox, update: ev.PositionUpdated) -> None:
    """Emit under account and instrument: the topic is compacted, and an account has many positions."""
    out.emit(TOPIC, f"{update.tenant_id}/{update.account_id}/{update.instrument_id}", update)


def _check_ids(*ids: str) -> None:
    for value in ids:
        if not value or "\0" in value:
            raise Reject("malformed_id", "an id or currency is empty or holds a NUL character")


def _trade_executed(event: ev.TradeExecuted, rows: Rows, out: Outbox) -> None:
    tenant, account, instrument = event.tenant_id, event.account_id, event.instrument_id
    _check_ids(tenant, account, instrument, event.trade_id, event.currency)
    if event.quantity_e8 <= 0:
        raise Reject("quantity_must_be_positive")
    if event.price_e8 < 0:
        raise Reject("price_must_not_be_negative")
    trade = Trade(
        account, instrument, event.side, event.quantity_e8, event.price_e8, event.fee_minor, event.currency
    )
    known = read_trade(rows, event.tenant_id, event.trade_id)
    if known is not None:
        if msgspec.structs.replace(known, settled_at=None) != trade:
            raise Reject("trade_exists_with_different_content")
        return
    before = read_position(rows, tenant, account, instrument) or Position(event.currency)
    if before.currency != event.currency:
        raise Reject("currency_mismatch", "the trade's currency is not the position's")
    quantity = event.quantity_e8 if event.side == "BUY" else -event.quantity_e8
    try:
        after = charge(fill(before, quantity, event.price_e8), event.fee_minor)
        update = _describe(event, account, after, read_quote(rows, tenant, instrument, event.currency))
    except Overflow:
        raise Reject("overflow", "a figure of the position does not fit into 64 bits") from None
    write_trade(rows, tenant, event.trade_id, trade)
    rows.put(position_key(tenant, account, instrument), pack_position(after))
    if bool(before.quantity_e8) != bool(after.quantity_e8):
        index = open_position_key(tenant, instrument, event.currency, account)
        if after.quantity_e8:
            rows.put(index, OPEN_ROW.head)
        else:
            rows.delete(index)
    _emit(out, update)


def _trade_settled(event: ev.TradeSettled, rows: Rows) -> None:
    _check_ids(event.tenant_id, event.account_id, event.trade_id)
    trade = read_trade(rows, event.tenant_id, event.trade_id)
    if trade is None or trade.account_id != event.account_id:
        raise Reject("trade_not_found")
    if trade.settled_at == event.settled_at:
        return
    if trade.settled_at is not None:
        raise Reject("already_settled", "the trade was settled at another time")
    settled = msgspec.structs.replace(trade, settled_at=event.settled_at)
    write_trade(rows, event.tenant_id, event.trade_id, settled)


def _price_quoted(event: ev.PriceQuoted, at: Arrival, rows: Rows, out: Outbox) -> None:
    tenant, instrument = event.tenant_id, event.instrument_id
    _check_ids(tenant, instrument, event.currency)
    if event.price_e8 < 0:
        raise Reject("price_must_not_be_negative")
    # A clock that runs ahead must not shut out every later price, so Kafka's time caps the price time.
    quote = Quote(min(event.occurred_at, at.recorded_at), event.event_id, event.price_e8)
    if not replaces(quote, read_quote(rows, tenant, instrument, event.currency)):
        return
    # Positions in another currency are not in this index: they keep their own quote, or stay unpriced.
    prefix = open_position_key(tenant, instrument, event.currency, "")
    updates = []
    try:
        for key, _ in rows.scan(prefix):
            account = key[len(prefix) :].decode()
            position = read_position(rows, tenant, account, instrument)
            assert position is not None  # the index row is written with the position, in one batch
            updates.append(_describe(event, account, position, quote))
    except Overflow:
        raise Reject("overflow", "an unrealised P&L at this price does not fit into 64 bits") from None
    write_quote(rows, tenant, instrument, event.currency, quote)
    for update in updates:
        _emit(out, update)


def replaces(quote: Quote, known: Quote | None) -> bool:
    """Whether a quote takes the place of the last one: it is newer, and no repeat."""
    if known is None:
        return True
    newer = (quote.quoted_at, quote.event_id) >= (known.quoted_at, known.event_id)
    return newer and quote.event_id != known.event_id


def apply(event: object, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Apply one event of `position-commands` to the rows of its partition.

    Raise `Reject`, with nothing written: malformed_id, quantity_must_be_positive, price_must_not_be_negative,
    trade_exists_with_different_content, currency_mismatch, overflow, trade_not_found, already_settled,
    unexpected_event.
    """
    if isinstance(event, ev.TradeExecuted):
        _trade_executed(event, rows, out)
    elif isinstance(event, ev.PriceQuoted):
        _price_quoted(event, at, rows, out)
    elif isinstance(event, ev.TradeSettled):
        _trade_settled(event, rows)
    else:
        raise Reject("unexpected_event", type(event).__name__)


def keys(event: object) -> Iterable[bytes]:
    """Return the row keys that `apply` will surely read for an event."""
    if isinstance(event, ev.TradeExecuted):
        return (
            trade_key(event.tenant_id, event.trade_id),
            position_key(event.tenant_id, event.account_id, event.instrument_id),
            quote_key(event.tenant_id, event.instrument_id, event.currency),
        )
    if isinstance(event, ev.PriceQuoted):
        return (quote_key(event.tenant_id, event.instrument_id, event.currency),)
    if isinstance(event, ev.TradeSettled):
        return (trade_key(event.tenant_id, event.trade_id),)
    return ()
