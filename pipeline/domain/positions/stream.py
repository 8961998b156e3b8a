"""The positions stream: quantity, cost and profit of each account in each instrument.

    trade_executed -> fill the position at its average cost -> position_updated
    trade_settled  -> mark the trade as settled
    price_quoted   -> position_updated for every open position of the instrument on this partition

Trades are applied in the order of the log, whatever their times. The arithmetic is in `figures`, the rules
are in `book`; this module validates events and builds the outputs.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.positions.book import PositionBook, Update
from pipeline.domain.positions.rows import Quote, Trade, position_key, quote_key, trade_content, trade_key

TOPIC = "positions"
WINDOWS = Windows()


def _check_ids(*ids: str) -> None:
    for value in ids:
        if not value or "\0" in value:
            raise Reject("malformed_id", "an id or currency is empty or holds a NUL character")


def _trade_executed(event: ev.TradeExecuted, at: Arrival, book: PositionBook) -> None:
    tenant, account, instrument = event.tenant_id, event.account_id, event.instrument_id
    quantity, price, fee, currency = event.quantity_e8, event.price_e8, event.fee_minor, event.currency
    _check_ids(tenant, account, instrument, event.trade_id, currency)
    if quantity <= 0:
        raise Reject("quantity_must_be_positive")
    if price < 0:
        raise Reject("price_must_not_be_negative")
    trade = Trade(account, instrument, event.side, quantity, price, fee, currency)
    keys = (
        trade_key(tenant, event.trade_id),
        position_key(tenant, account, instrument),
        quote_key(tenant, instrument, currency),
    )
    book.load(*[(key,) for key in keys])
    signed = quantity if event.side == "BUY" else -quantity
    executed_at = min(event.occurred_at, at.recorded_at)
    book.execute(0, executed_at, tenant, *keys, trade_content(trade), account, currency, signed, price, fee)


def _trade_settled(event: ev.TradeSettled, book: PositionBook) -> None:
    _check_ids(event.tenant_id, event.account_id, event.trade_id)
    key = trade_key(event.tenant_id, event.trade_id)
    book.load([key], (), ())
    book.settle(event.tenant_id, key, event.account_id, event.settled_at)


def _price_quoted(event: ev.PriceQuoted, at: Arrival, book: PositionBook) -> None:
    tenant, instrument = event.tenant_id, event.instrument_id
    _check_ids(tenant, instrument, event.currency)
    if event.price_e8 < 0:
        raise Reject("price_must_not_be_negative")
    key = quote_key(tenant, instrument, event.currency)
    book.load((), (), [key])
    quote = quote_of(event.event_id, event.occurred_at, at.recorded_at, event.price_e8)
    book.quote(0, key, tenant, instrument, quote)


def quote_of(event_id: str, occurred_at: int, recorded_at: int, price_e8: int) -> Quote:
    """Return the quote of a price event; times are microseconds UTC.

    The time is never later than Kafka's timestamp, so that a clock that is ahead cannot block later prices.
    """
    return Quote(min(occurred_at, recorded_at), event_id, price_e8)


def _describe(cause: ev.TradeExecuted | ev.PriceQuoted, update: Update) -> ev.PositionUpdated:
    """Return the event that states a position after an update."""
    _, account_id, position, quote, shown = update
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


def keys(event: object) -> Iterable[bytes]:
    """Return the row keys that `apply` always reads for an event."""
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


class Positions:
    """The rules of the stream; holds no state of its own."""

    keys = staticmethod(keys)

    def __init__(self, windows: Windows = WINDOWS) -> None:
        self.windows = windows
        """How long the ids of trades are known."""

    def apply(self, event: object, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply one event of `position-commands` to the rows of its partition.

        Raises `Reject`, with nothing written: malformed_id, quantity_must_be_positive,
        price_must_not_be_negative, too_old, trade_exists_with_different_content, currency_mismatch, overflow,
        trade_not_found, already_settled, unexpected_event.
        """
        book = PositionBook(rows, self.windows)
        if isinstance(event, ev.TradeExecuted):
            _trade_executed(event, at, book)
        elif isinstance(event, ev.PriceQuoted):
            _price_quoted(event, at, book)
        elif isinstance(event, ev.TradeSettled):
            _trade_settled(event, book)
        else:
            raise Reject("unexpected_event", type(event).__name__)
        book.write()
        for update in book.updates.values():
            assert not isinstance(event, ev.TradeSettled)  # it updates no position
            described = _describe(event, update)
            # The topic is compacted, and an account has many positions.
            out.emit(TOPIC, f"{described.tenant_id}/{update[1]}/{described.instrument_id}", described)


apply = Positions().apply
