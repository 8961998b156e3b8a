"""The rows of the positions table: positions, trade ids, last quotes, and the index of open positions.

p tenant account instrument
t tenant trade
q tenant instrument currency
i tenant instrument currency account
e, f number                    the queue of trades, and its buckets (`kernel.retention`)
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from pipeline.domain.kernel.layouts import DAMAGE, RowKind, unpacker
from pipeline.domain.kernel.retention import QueueKind
from pipeline.domain.kernel.rows import Rows, row_key

POSITION_ROW = RowKind("positions", "position", "p")
UNKNOWN_TIME = 2**63 - 1
"""Of a trade that an earlier version executed."""
_TIME = struct.Struct(">q")
TRADE_ROW = RowKind("positions", "trade", "t", [lambda content: _TIME.pack(UNKNOWN_TIME) + content])
QUOTE_ROW = RowKind("positions", "quote", "q")
OPEN_ROW = RowKind("positions", "open position", "i")
EXECUTED = QueueKind("positions", "executed", "ef")
EXECUTED_ROW, EXECUTED_BUCKET_ROW = EXECUTED.state, EXECUTED.bucket


class Position(msgspec.Struct, frozen=True, gc=False):
    """A position of an account in an instrument; quantity and cost of a short position are negative."""

    currency: str
    quantity_e8: int = 0
    cost_e32: int = 0
    """The cost of the quantity held, at average cost; zero when nothing is held."""
    realised_e32: int = 0
    fees_minor: int = 0
    trades: int = 0


class Trade(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trade as it was executed, stored to recognise a repeated trade id."""

    account_id: str
    instrument_id: str
    side: str
    quantity_e8: int
    price_e8: int
    fee_minor: int
    currency: str
    settled_at: int | None = None


class Quote(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last price of an instrument in a currency."""

    quoted_at: int
    """The time of the price, microseconds UTC; never later than Kafka's timestamp of the event."""
    event_id: str
    """Decides which of two quotes of the same time is the last one, whatever their order."""
    price_e8: int


_unpack_position = unpacker(POSITION_ROW, tuple[str, int, bytes, bytes, int, int])


def position_key(tenant_id: str, account_id: str, instrument_id: str) -> bytes:
    """Return the row key of a position."""
    return row_key(POSITION_ROW.family, tenant_id, account_id, instrument_id)


def quote_key(tenant_id: str, instrument_id: str, currency: str) -> bytes:
    """Return the row key of the last quote of an instrument in a currency."""
    return row_key(QUOTE_ROW.family, tenant_id, instrument_id, currency)


def trade_key(tenant_id: str, trade_id: str) -> bytes:
    """Return the row key of a trade's id."""
    return row_key(TRADE_ROW.family, tenant_id, trade_id)


def _signed_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _signed(octets: bytes) -> int:
    return int.from_bytes(octets, "big", signed=True)


def pack_position(position: Position) -> bytes:
    """Return the row of a position. Costs are byte strings: MessagePack integers have only 64 bits."""
    cost, realised = _signed_bytes(position.cost_e32), _signed_bytes(position.realised_e32)
    fields = (position.currency, position.quantity_e8, cost, realised, position.fees_minor, position.trades)
    return POSITION_ROW.pack(fields)


def unpack_position(row: bytes) -> Position:
    """Return the position of a row. Raises UnreadableRow."""
    currency, quantity, cost, realised, fees, trades = _unpack_position(row)
    return Position(currency, quantity, _signed(cost), _signed(realised), fees, trades)


def read_position(rows: Rows, tenant_id: str, account_id: str, instrument_id: str) -> Position | None:
    """Return a position, or None where the account has never traded the instrument."""
    row = rows.get(position_key(tenant_id, account_id, instrument_id))
    return None if row is None else unpack_position(row)


def pack_quote(quote: Quote) -> bytes:
    """Return the row of a quote."""
    return QUOTE_ROW.pack(quote)


unpack_quote = unpacker(QUOTE_ROW, Quote)
"""Return the quote of a row. Raises UnreadableRow."""


def read_quote(rows: Rows, tenant_id: str, instrument_id: str, currency: str) -> Quote | None:
    """Return the last quote in a currency, or None where there is none: the positions are unpriced."""
    row = rows.get(quote_key(tenant_id, instrument_id, currency))
    return None if row is None else unpack_quote(row)


_TRADE = struct.Struct(">Bq")
_encode_trade = msgspec.msgpack.Encoder().encode
_decode_trade = msgspec.msgpack.Decoder(Trade).decode


def trade_content(trade: Trade | tuple[Any, ...]) -> bytes:
    """Return what the row of a trade, or of its fields in order, has behind the time."""
    return _encode_trade(trade)


def pack_trade(executed_at: int, content: bytes) -> bytes:
    """Return the row of a trade; `executed_at` is event time, microseconds UTC."""
    return _TRADE.pack(TRADE_ROW.layout, executed_at) + content


def trade_parts(row: bytes) -> tuple[int, bytes]:
    """Return the time and the content of the row of a trade. Raises UnreadableRow."""
    try:
        if row[0] != TRADE_ROW.layout:
            row = TRADE_ROW.current(row)
        return _TRADE.unpack_from(row)[1], row[_TRADE.size :]
    except DAMAGE as error:
        raise TRADE_ROW.unreadable(row, error) from None


def read_content(content: bytes) -> Trade:
    """Return the trade of what a row has behind the time. Raises UnreadableRow."""
    try:
        return _decode_trade(content)
    except DAMAGE as error:
        raise TRADE_ROW.unreadable(content, error) from None


def unpack_trade(row: bytes) -> Trade:
    """Return the trade of a row. Raises UnreadableRow."""
    return read_content(trade_parts(row)[1])


def read_trade(rows: Rows, tenant_id: str, trade_id: str) -> Trade | None:
    """Return a trade by its id, or None where the id is not known."""
    row = rows.get(trade_key(tenant_id, trade_id))
    return None if row is None else unpack_trade(row)
