"""One partition of the product's reconciliation as a model is asked: a record in, what comes out.

The judge of matches foretells nothing, so a small bank has its reconciliation from the product itself.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.reconciliation.desk import stream as desk
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import TABLE, Expected
from tests.chaos.side_by_side import NAMES, WrittenRows, builtins


class DeskInMemory:
    """The desk of one partition."""

    def __init__(self, number: int, partitions: int) -> None:
        self.number = number
        self._partitions = partitions
        self._rows = WrittenRows()

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Apply a record; return its dead-letter code or None, and all that comes out of it."""
        event = msgspec.convert(record.fields, EVENTS[f"ledgerflow.{record.event}"])
        out, source = Outbox(), record.offset
        self._rows.written.clear()
        try:
            at = Arrival(record.timestamp_ms * 1000, self.number, self._partitions, source)
            desk.apply(event, at, self._rows, out)
        except Reject as reject:
            return reject.code, []
        said = [
            Expected(topic, key.encode(), NAMES[type(one)], builtins(one), source)
            for topic, key, one in out.items
        ]
        rows = dict(self._rows.written)
        return None, [*said, *(Expected(TABLE, key, "row", {}, source, row) for key, row in rows.items())]
