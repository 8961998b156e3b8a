"""The vector path of the positions stream: a run of events at once, with the results of `positions.apply`.

    Run -> columns, row keys -> rows, in one read -> _Book -> rows, in one write
                                                       |
                                                 the last update of every position, as a block

What a fill makes of a position depends on all fills before it, so the events are applied in order, by the
same `fill` and `figures`. What a run saves is everything around them: no Struct is made of an event, a
position is read and written once, and described once, because its topic is compacted. An event that the row
path would reject ends the run: it is left to the row path. A property test holds both against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined, numpy_of
from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.positions.batch_events import Said, updates_block
from pipeline.domain.positions.rows import (
    LAYOUT,
    Position,
    Quote,
    open_position_key,
    pack_position,
    pack_quote,
    pack_trade,
    position_key,
    unpack_position,
    unpack_quote,
    unpack_trade,
)
from pipeline.domain.positions.stream import charge, figures, fill, replaces

CLASSES = (ev.TradeExecuted, ev.PriceQuoted, ev.TradeSettled)
FILL, QUOTE, SETTLE = range(len(CLASSES))
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "trade_id"), pa.string()),
    **dict.fromkeys(("account_id", "instrument_id", "side", "currency"), pa.string()),
    **dict.fromkeys(("occurred_at", "quantity_e8", "price_e8", "fee_minor", "settled_at"), pa.int64()),
}
_CHECKED = ("tenant_id", "account_id", "instrument_id", "trade_id", "currency")


class PositionBatch:
    """The vector path over the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the events up to the first irregular one; return how many, and what they say."""
        length = int(np.argmax(np.append(_irregular(run), True)))
        if not length:
            return 0, []
        run = run.slice(0, length)
        book = _Book(run, rows)
        count = book.apply()
        book.write()
        return count, [updates_block(run, book.said.values())] if book.said else []


def _irregular(run: Run) -> np.ndarray:
    """Return which events are of another class, or malformed: empty ids, NUL in ids, negative numbers."""
    found: np.ndarray = run.kinds == OTHER
    for name in _CHECKED:
        column = run.columns[name]
        wrong = pc.or_(pc.equal(column, ""), pc.match_substring(column, "\0"))
        found |= numpy_of(wrong, False)
    found |= (run.kinds == FILL) & (numpy_of(run.columns["quantity_e8"], 0) <= 0)
    found |= numpy_of(run.columns["price_e8"], 0) < 0
    return found


class _Book:
    """What the events of a run find and leave."""

    def __init__(self, run: Run, rows: PrefetchingRows) -> None:
        self.said: dict[bytes, Said] = {}
        """By row key of the position."""
        self._run = run
        self._rows = rows
        self._fresh: dict[bytes, bytes] = {}
        """Rows of trades and quotes to be written."""
        self._changed: dict[bytes, Position] = {}
        columns = run.columns
        tenant, account, currency = (columns[name] for name in ("tenant_id", "account_id", "currency"))
        keys: list[list[Any]] = [
            joined("\0", *parts).cast(pa.binary()).to_pylist()
            for parts in (
                ("t", tenant, columns["trade_id"]),
                ("p", tenant, account, columns["instrument_id"]),
                ("q", tenant, columns["instrument_id"], currency),
            )
        ]
        wanted = [[key for key in dict.fromkeys(family) if key is not None] for family in keys]
        found = iter(rows.get_many([key for family in wanted for key in family]))
        trades, positions, quotes = (dict(zip(family, found, strict=False)) for family in wanted)
        self._trades = trades
        """Rows, None where there is none; by key, as positions and quotes."""
        self._positions = {
            key: None if row is None else unpack_position(row) for key, row in positions.items()
        }
        self._quotes = {key: None if row is None else unpack_quote(row) for key, row in quotes.items()}
        self._events = list(zip(*keys, *self._cells(), strict=True))

    def _cells(self) -> list[list[Any]]:
        """Return what a fill needs: quantity (signed), price, fee, account, currency, row of the trade."""
        columns = self._run.columns
        quantity, price, fee = (
            numpy_of(columns[name], 0) for name in ("quantity_e8", "price_e8", "fee_minor")
        )
        signed = np.where(pc.fill_null(pc.equal(columns["side"], "BUY"), True), quantity, -quantity)
        account, instrument, side, currency = (
            columns[name].to_pylist() for name in ("account_id", "instrument_id", "side", "currency")
        )
        numbers = (quantity.tolist(), price.tolist(), fee.tolist())
        content = zip(account, instrument, side, *numbers, currency, [None] * len(side), strict=True)
        return [signed.tolist(), *numbers[1:], account, currency, list(map(pack_trade, content))]

    def apply(self) -> int:
        """Apply the events in order, up to one that must be left; return how many."""
        for at, (kind, event) in enumerate(zip(self._run.kinds.tolist(), self._events, strict=True)):
            if kind == FILL:
                applied = self._fill(at, event)
            elif kind == QUOTE:
                applied = self._quote(at)
            else:
                applied = self._settle(at)
            if not applied:
                return at
        return len(self._run)

    def _fill(self, at: int, event: tuple[Any, ...]) -> bool:
        trade_key, key, quote_key, quantity_e8, price_e8, fee_minor, account_id, currency, trade = event
        known = self._trades[trade_key]
        if known is not None:
            return bool(known == trade) or _as_executed(known) == trade
        before = self._positions[key]
        if before is None:
            before = Position(currency)
        elif before.currency != currency:
            return False
        quote = self._quotes[quote_key]
        try:
            after = charge(fill(before, quantity_e8, price_e8), fee_minor)
            self.said[key] = at, account_id, after, quote, figures(after, quote)
        except Overflow:
            return False
        self._fresh[trade_key] = self._trades[trade_key] = trade
        self._changed[key] = self._positions[key] = after
        if not before.quantity_e8 or not after.quantity_e8:
            self._index(at, after)
        return True

    def _index(self, at: int, position: Position) -> None:
        """Keep the index of open positions, which quotes read."""
        tenant, instrument, account = self._ids(at, "tenant_id", "instrument_id", "account_id")
        key = open_position_key(tenant, instrument, position.currency, account)
        if position.quantity_e8:
            self._rows.put(key, LAYOUT)
        else:
            self._rows.delete(key)

    def _quote(self, at: int) -> bool:
        key: bytes = self._events[at][2]
        occurred_at, price_e8 = self._ids(at, "occurred_at", "price_e8")
        event_id, tenant, instrument, currency = self._ids(
            at, "event_id", "tenant_id", "instrument_id", "currency"
        )
        quote = Quote(min(occurred_at, int(self._run.recorded_at[at])), event_id, price_e8)
        if not replaces(quote, self._quotes[key]):
            return True
        prefix = open_position_key(tenant, instrument, currency, "")
        accounts = [row_key[len(prefix) :].decode() for row_key, _ in self._rows.scan(prefix)]
        keys = [position_key(tenant, account, instrument) for account in accounts]
        self._read(keys)
        said: dict[bytes, Said] = {}
        try:
            for account, place in zip(accounts, keys, strict=True):
                position = self._positions[place]
                assert position is not None  # the index row is written with the position
                said[place] = at, account, position, quote, figures(position, quote)
        except Overflow:
            return False
        self.said |= said
        self._quotes[key] = quote
        self._fresh[key] = pack_quote(quote)
        return True

    def _read(self, keys: list[bytes]) -> None:
        missing = [key for key in keys if key not in self._positions]
        for key, row in zip(missing, self._rows.get_many(missing), strict=True):
            self._positions[key] = None if row is None else unpack_position(row)

    def _settle(self, at: int) -> bool:
        key: bytes = self._events[at][0]
        known = self._trades[key]
        account, settled_at = self._ids(at, "account_id", "settled_at")
        if known is None:
            return False
        trade = unpack_trade(known)
        if trade.account_id != account or trade.settled_at not in (None, settled_at):
            return False
        if trade.settled_at is None:
            settled = replace(trade, settled_at=settled_at)
            self._fresh[key] = self._trades[key] = pack_trade(settled)
        return True

    def _ids(self, at: int, *names: str) -> list[Any]:
        return [self._run.columns[name][at].as_py() for name in names]

    def write(self) -> None:
        """Write the rows that have changed; the index is already."""
        self._rows.put_many(self._fresh.items())
        self._rows.put_many((key, pack_position(position)) for key, position in self._changed.items())


def _as_executed(row: bytes) -> bytes:
    """Return the row of a trade as it was before the trade was settled."""
    return pack_trade(replace(unpack_trade(row), settled_at=None))
