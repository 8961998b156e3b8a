"""A stream as the runtime knows it: what it reads, its rules, its table; and its state on one partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pipeline.domain.kernel.columns import BatchPath
from pipeline.domain.kernel.layouts import UnreadableRow
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.runtime.faults import Fault, WorkerFault
from pipeline.runtime.slices import SLICE_RECORDS
from pipeline.runtime.store.database import SOURCE_OFFSET_KEY
from pipeline.runtime.store.partition_store import PartitionStore

KEY_SHOWN_MAX = 300
"""Bytes of a row's key that a message shows."""
LINGER_S = 0.25
"""For streams that tolerate delay: an analyst sees their outputs some tenths of a second later."""


class Rules(Protocol):
    """The pure function of a stream; see pipeline.domain."""

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        """Apply one event. Raises `Reject` where it belongs in dead letters."""

    def keys(self, event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` will read."""


COLUMNS_FROM = 256
"""Records; smaller batches go one by one: a run of columns costs milliseconds before its first command."""


class StreamSpec(NamedTuple):
    """A stream: one log in, one pure function, one table (or none), outputs."""

    name: str
    source: str
    rules: Rules
    table: str | None
    batch: BatchPath | None = None
    """The rules in columns, for large batches; rows and outputs are those of `rules`."""
    linger_s: float = 0.0
    """How long its log may gather records between two fetches. Each batch takes part in a transaction, and
    every partition written to makes that longer, for all: delay-tolerant streams commit less often."""
    columns_from: int = COLUMNS_FROM
    """Of how many records on a batch goes by `batch`. Of several streams of a log the most counts."""
    slice_records: int = SLICE_RECORDS
    """How many records of a backlog are applied before others have their turn, at least, and at most
    `slices.SLICE_RECORDS_MAX`. Of several streams of a log the most counts."""
    earlier_source: str | None = None
    """The log that it read in an earlier version. Then its changelog names the log that its offset is of."""


class Counted(NamedTuple):
    """How many records a task has applied up to an offset of its log, since it was started."""

    end: int
    applied: int
    """Dead letters among them, but not those of batches that were not read."""
    dead_letters: int
    unread: int = 0
    """How many batches were not read."""


@dataclass(slots=True)
class Machine:
    """The state of one stream on a partition of its log."""

    spec: StreamSpec
    store: PartitionStore | None
    changelog: str | None
    """Where its rows and its source offset are written; of a stream without a table the offset alone."""
    start: int = 0
    """The next offset it has to apply: records from here on are new to it."""

    def unread(self, records: list[Any]) -> list[Any]:
        """Return the records that it has not applied yet."""
        if records[0].offset >= self.start:
            return records
        return [record for record in records if record.offset >= self.start]

    def take(self, end: int) -> Mapping[bytes, bytes | None]:
        """Take the rows that are changed, with the offset up to which it has applied its log then."""
        if self.changelog is None:
            return {} if self.store is None else self.store.take()
        offset = b"%d" % end
        if self.store is None:
            return {SOURCE_OFFSET_KEY: offset}
        log = None if self.spec.earlier_source is None else self.spec.source.encode()
        return self.store.take(offset, log)

    def fault_of(self, error: UnreadableRow, partition: int) -> WorkerFault:
        """Return what ends a worker that has read a row that cannot be decoded; it names the row's key."""
        key = None if self.store is None else self.store.key_of(error.row)
        shown = "unknown" if key is None else repr(key[:KEY_SHOWN_MAX])[2:-1]
        found = f"{self.changelog}[{partition}], key {shown}: {error}"
        return WorkerFault(
            Fault("row_unreadable", f"table {self.spec.table}", found, self.changelog, partition)
        )
