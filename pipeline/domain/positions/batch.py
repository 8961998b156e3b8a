"""The batch path of the positions stream: one `PositionBook` for all events of a run.

Each position is emitted once a run, as it is after the last of its events, because its topic is compacted.
Validation, row keys and rows of trades are computed for all events together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import RuleBatch
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined, numpy_of
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.positions.batch_events import updates_block
from pipeline.domain.positions.book import PositionBook
from pipeline.domain.positions.rows import trade_content
from pipeline.domain.positions.stream import WINDOWS, quote_of

CLASSES = (ev.TradeExecuted, ev.PriceQuoted, ev.TradeSettled)
EXECUTED, QUOTED, _ = range(len(CLASSES))
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "trade_id"), pa.string()),
    **dict.fromkeys(("account_id", "instrument_id", "side", "currency"), pa.string()),
    **dict.fromkeys(("occurred_at", "quantity_e8", "price_e8", "fee_minor", "settled_at"), pa.int64()),
}
_CHECKED = ("tenant_id", "account_id", "instrument_id", "trade_id", "currency")


class PositionBatch(RuleBatch):
    """Applies runs of trades and quotes to the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, windows: Windows = WINDOWS) -> None:
        self._windows = windows

    def _irregular(self, run: Run) -> np.ndarray:
        """Return which events are of another class, or malformed: empty ids, NUL in ids, negative numbers."""
        found: np.ndarray = run.kinds == OTHER
        for name in _CHECKED:
            column = run.columns[name]
            wrong = pc.or_(pc.equal(column, ""), pc.match_substring(column, "\0"))
            found |= numpy_of(wrong, False)
        found |= (run.kinds == EXECUTED) & (numpy_of(run.columns["quantity_e8"], 0) <= 0)
        found |= numpy_of(run.columns["price_e8"], 0) < 0
        return found

    def _events(self, run: Run) -> Sequence[Any]:
        """Return (kind, arguments of `PositionBook.execute`) of each event."""
        columns = run.columns
        tenant, instrument = columns["tenant_id"], columns["instrument_id"]
        keys = [
            joined("\0", *parts).cast(pa.binary()).to_pylist()
            for parts in (
                ("t", tenant, columns["trade_id"]),
                ("p", tenant, columns["account_id"], instrument),
                ("q", tenant, instrument, columns["currency"]),
            )
        ]
        numbers = [numpy_of(columns[name], 0) for name in ("quantity_e8", "price_e8", "fee_minor")]
        signed = np.where(pc.fill_null(pc.equal(columns["side"], "BUY"), True), numbers[0], -numbers[0])
        quantity, price, fee = (column.tolist() for column in numbers)
        account, instruments, side, currency = (
            columns[name].to_pylist() for name in ("account_id", "instrument_id", "side", "currency")
        )
        trades = zip(
            account, instruments, side, quantity, price, fee, currency, [None] * len(side), strict=True
        )
        executed_at = np.minimum(numpy_of(columns["occurred_at"], 0), run.recorded_at).tolist()
        fills = (
            executed_at,
            tenant.to_pylist(),
            *keys,
            map(trade_content, trades),
            account,
            currency,
            signed.tolist(),
            price,
            fee,
        )
        return list(zip(run.kinds.tolist(), zip(range(len(run)), *fills, strict=True), strict=True))

    def _open(self, run: Run, events: Sequence[Any], rows: PrefetchingRows) -> _RunOfPositions:
        return _RunOfPositions(run, events, rows, self._windows)


class _RunOfPositions:
    """The book of a run."""

    def __init__(self, run: Run, events: Sequence[Any], rows: PrefetchingRows, windows: Windows) -> None:
        self._run = run
        self._book = PositionBook(rows, windows)
        _, _, _, trades, positions, quotes, *_ = zip(*[fill for _, fill in events], strict=True)
        self._book.load(trades, positions, quotes)

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event; see `OpenRun`."""
        kind, fill = event
        if kind == EXECUTED:
            return self._book.execute(*fill)
        place, _, tenant, trade_key, _, quote_key, *_ = fill
        if kind == QUOTED:
            event_id, instrument, occurred_at, price_e8 = self._cells(
                place, "event_id", "instrument_id", "occurred_at", "price_e8"
            )
            quote = quote_of(event_id, occurred_at, recorded_at, price_e8)
            self._book.quote(place, quote_key, tenant, instrument, quote)
        else:
            self._book.settle(tenant, trade_key, *self._cells(place, "account_id", "settled_at"))

    def _cells(self, place: int, *names: str) -> list[Any]:
        return [self._run.columns[name][place].as_py() for name in names]

    def close(self) -> Sequence[Block]:
        """Write the changed rows and return the outputs; see `OpenRun`."""
        self._book.write()
        updates = self._book.updates
        return [updates_block(self._run, updates.values())] if updates else []
