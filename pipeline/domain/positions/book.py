"""The position book: trades, positions and quotes in memory while events are applied to them.

    load the rows -> execute, settle, quote -> write the changed rows

A trade is known until its tenant's newest trade on the partition is later by more than both windows. Then it
counts as unknown, and its row is deleted with a bucket of others (`kernel.retention`). A trade that is older
than the newest one by more than the window for duplicates is too old, whatever is known: it may have been
executed before.

The row path opens one book for one event, the batch path one for all events of a run. Both store the same
rows. The rules take plain values, so that the batch path needs no object for each event.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.retention import Queues, Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.positions.figures import Figures, charge, figures, fill
from pipeline.domain.positions.rows import (
    EXECUTED,
    OPEN_ROW,
    Position,
    Quote,
    pack_position,
    pack_quote,
    pack_trade,
    position_key,
    read_content,
    trade_content,
    trade_parts,
    unpack_position,
    unpack_quote,
)

Update = tuple[int, str, Position, Quote | None, Figures]
"""The last update of a position: position of its cause in the run, account, position, quote, figures."""


class PositionBook:
    """The current trades, positions and quotes by row key; None where there is no row."""

    def __init__(self, rows: PrefetchingRows, windows: Windows) -> None:
        self.updates: dict[bytes, Update] = {}
        """By row key of the position."""
        self._rows = rows
        self._duplicates_us = windows.duplicates_days * MICROSECONDS_PER_DAY
        self._keep_us = windows.both_days * MICROSECONDS_PER_DAY
        self._executed = Queues(EXECUTED, rows, self._keep_us)
        self._trades: dict[bytes, bytes | None] = {}
        """Encoded rows: most trades are only compared with a repeat."""
        self._positions: dict[bytes, Position | None] = {}
        self._quotes: dict[bytes, Quote | None] = {}
        self._fresh: dict[bytes, bytes] = {}
        """Rows of trades and quotes to be written."""
        self._changed: dict[bytes, Position] = {}
        """Positions to be written."""

    def load(
        self,
        trades: Iterable[bytes | None],
        positions: Iterable[bytes | None],
        quotes: Iterable[bytes | None],
    ) -> None:
        """Read the rows that the events need, in one call; a key that an event does not have is None."""
        wanted = [
            [key for key in dict.fromkeys(keys) if key is not None] for keys in (trades, positions, quotes)
        ]
        found = iter(self._rows.get_many([key for keys in wanted for key in keys]))
        self._trades.update(zip(wanted[0], found, strict=False))
        for key, row in zip(wanted[1], found, strict=False):
            self._positions[key] = None if row is None else unpack_position(row)
        for key, row in zip(wanted[2], found, strict=False):
            self._quotes[key] = None if row is None else unpack_quote(row)

    def execute(
        self,
        place: int,
        executed_at: int,
        tenant_id: str,
        trade_key: bytes,
        key: bytes,
        quote_key: bytes,
        trade: bytes,
        account_id: str,
        currency: str,
        quantity_e8: int,
        price_e8: int,
        fee_minor: int,
    ) -> None:
        """Fill a position with a trade, at its average cost; a repeat of a trade has no effect.

        `place`: position of the event in the run; `executed_at`: its event time, microseconds UTC;
        `trade_key`, `key`, `quote_key`: row keys of the trade, the position and the quote; `trade`: the
        content of the trade's row; `quantity_e8`: negative for a sale. Raises `Reject` (too_old,
        trade_exists_with_different_content, currency_mismatch, overflow), with nothing changed.
        """
        executed = self._executed.of(tenant_id)
        newest_at = max(executed.newest_at, executed_at)
        if newest_at - executed_at > self._duplicates_us:
            raise Reject(
                "too_old", "another trade of the tenant is later by more than the window for duplicates"
            )
        known = self._known(trade_key, newest_at)
        if known is not None:
            if known != trade and _as_executed(known) != trade:
                raise Reject("trade_exists_with_different_content")
            return
        before = self._positions[key]
        if before is None:
            before = Position(currency)
        elif before.currency != currency:
            raise Reject("currency_mismatch", "the trade's currency is not the position's")
        quote = self._quotes[quote_key]
        try:
            after = charge(fill(before, quantity_e8, price_e8), fee_minor)
            self.updates[key] = place, account_id, after, quote, figures(after, quote)
        except Overflow:
            raise Reject("overflow", "a figure of the position does not fit into 64 bits") from None
        self._fresh[trade_key] = self._trades[trade_key] = pack_trade(executed_at, trade)
        keys = executed.add(executed_at, trade_key)
        if keys:
            self._forget(keys, newest_at)
        self._changed[key] = self._positions[key] = after
        if not after.quantity_e8:
            self._rows.delete(_open_prefix(quote_key) + account_id.encode())
        elif not before.quantity_e8:
            self._rows.put(_open_prefix(quote_key) + account_id.encode(), OPEN_ROW.head)

    def settle(self, tenant_id: str, trade_key: bytes, account_id: str, settled_at: int) -> None:
        """Mark a trade as settled.

        Raises `Reject` (trade_not_found, already_settled), with nothing changed.
        """
        row = self._trades[trade_key]
        if row is None:
            raise Reject("trade_not_found")
        executed_at, content = trade_parts(row)
        trade = read_content(content)
        over = self._executed.of(tenant_id).newest_at - executed_at > self._keep_us
        if over or trade.account_id != account_id:
            raise Reject("trade_not_found")
        if trade.settled_at == settled_at:
            return
        if trade.settled_at is not None:
            raise Reject("already_settled", "the trade was settled at another time")
        settled = trade_content(msgspec.structs.replace(trade, settled_at=settled_at))
        self._fresh[trade_key] = self._trades[trade_key] = pack_trade(executed_at, settled)

    def _known(self, trade_key: bytes, newest_at: int) -> bytes | None:
        """Return the content of a trade's row, None where there is none or it is over."""
        row = self._trades[trade_key]
        if row is None:
            return None
        executed_at, content = trade_parts(row)
        return None if newest_at - executed_at > self._keep_us else content

    def _forget(self, trade_keys: list[bytes], newest_at: int) -> None:
        """Delete those trades that are over."""
        unread = [key for key in trade_keys if key not in self._trades]
        self.load(unread, (), ())
        for key in trade_keys:
            if self._trades[key] is not None and self._known(key, newest_at) is None:
                self._rows.delete(key)
                self._trades[key] = None
                self._fresh.pop(key, None)

    def quote(self, place: int, quote_key: bytes, tenant_id: str, instrument_id: str, quote: Quote) -> None:
        """Apply a quote to every open position in its currency, unless a newer quote is known.

        Positions in another currency keep their own quote, or stay unpriced. Raises `Reject` (overflow), with
        nothing changed.
        """
        if not replaces(quote, self._quotes[quote_key]):
            return
        prefix = _open_prefix(quote_key)
        accounts = [key[len(prefix) :].decode() for key, _ in self._rows.scan(prefix)]
        keys = [position_key(tenant_id, account, instrument_id) for account in accounts]
        self.load((), [key for key in keys if key not in self._positions], ())
        updates: dict[bytes, Update] = {}
        try:
            for account, key in zip(accounts, keys, strict=True):
                position = self._positions[key]
                assert position is not None  # the index row is written with the position
                updates[key] = place, account, position, quote, figures(position, quote)
        except Overflow:
            raise Reject("overflow", "an unrealised P&L at this price does not fit into 64 bits") from None
        self.updates |= updates
        self._quotes[quote_key] = quote
        self._fresh[quote_key] = pack_quote(quote)

    def write(self) -> None:
        """Write the changed rows; the index of open positions is written by `execute`."""
        self._rows.put_many(self._fresh.items())
        self._rows.put_many((key, pack_position(position)) for key, position in self._changed.items())
        self._executed.write()


def replaces(quote: Quote, known: Quote | None) -> bool:
    """Whether a quote replaces the last one: it is newer, and not a repeat."""
    if known is None:
        return True
    newer = (quote.quoted_at, quote.event_id) >= (known.quoted_at, known.event_id)
    return newer and quote.event_id != known.event_id


def _open_prefix(quote_key: bytes) -> bytes:
    """Return the prefix of the index rows (OPEN_ROW) of a quote's positions; the account id follows it."""
    return b"i%s\0" % quote_key[1:]


def _as_executed(content: bytes) -> bytes:
    """Return the content of a trade's row as it was before the trade was settled."""
    return trade_content(msgspec.structs.replace(read_content(content), settled_at=None))
