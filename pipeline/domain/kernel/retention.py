"""Retention: a queue of row keys in the order of event time, so that rows are deleted once nobody needs them.

    a row has ended -> its key is added to the open bucket -> full: it is closed, and the oldest are looked at
    a bucket whose window is over -> its keys are returned -> the stream deletes those rows that are over

    state   the newest time, the numbers of the oldest and of the open bucket, the keys of the open bucket
    bucket  the newest time in it, and up to BUCKET_KEYS row keys; one row for all of them

A bucket is found by its number: nothing is scanned, so rows that RocksDB has deleted cost nothing. Work is
bounded: each closed bucket lets at most SWEPT_MAX older ones go, so a table that is in balance stays as it is
and a backlog gets smaller. All of it follows from the order of the log.

What never changes: whether a row still counts is decided by its own time and the event time that its stream
has reached. A row that is over counts as absent, deleted or not: when it is deleted decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.times import LONG_AGO

BUCKET_KEYS = 32
SWEPT_MAX = 4
"""Buckets that one event lets go at most."""


class State(msgspec.Struct, array_like=True, gc=False):
    """Where a queue stands."""

    newest_at: int = LONG_AGO
    """The newest time that was added, microseconds UTC."""
    head: int = 0
    """The number of the oldest bucket."""
    tail: int = 0
    """The number of the open bucket."""
    keys: list[bytes] = []
    """The keys in the open bucket."""


class Bucket(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A closed bucket."""

    newest_at: int
    keys: list[bytes]


class QueueKind:
    """The two kinds of row of one queue of a table."""

    def __init__(self, table: str, name: str, families: str) -> None:
        """`families`: the family letters of the state and of the buckets."""
        self.state = RowKind(table, f"{name} queue", families[0])
        self.bucket = RowKind(table, f"{name} bucket", families[1])
        self.read_state = unpacker(self.state, State)
        self.read_bucket = unpacker(self.bucket, Bucket)

    def key(self, *owner: str) -> bytes:
        """Return the row key of the state of a queue."""
        return row_key(self.state.family, *owner)


class Queue:
    """The queue of a partition, or of an owner within it, while events are applied."""

    def __init__(self, kind: QueueKind, rows: Rows, keep_us: int, *owner: str) -> None:
        """`keep_us`: how long a row is kept after the time with which its key is added."""
        self._kind, self._rows, self._keep_us, self._owner = kind, rows, keep_us, owner
        self._key = kind.key(*owner)
        row = rows.get(self._key)
        self._state = State() if row is None else kind.read_state(row)
        self._changed = False

    @property
    def newest_at(self) -> int:
        """The newest time that was added, microseconds UTC; `LONG_AGO` for none."""
        return self._state.newest_at

    def add(self, at: int, key: bytes) -> list[bytes]:
        """Add a row that has ended at a time; return the keys of rows whose window may be over by now."""
        return self.sweep() if self.enqueue(at, key) else []

    def enqueue(self, at: int, key: bytes) -> bool:
        """Add a row that has ended at a time; return whether that has closed a bucket: `sweep` is due."""
        state = self._state
        keys = state.keys
        keys.append(key)
        self._changed = True
        if at > state.newest_at:
            state.newest_at = at
        if len(keys) < BUCKET_KEYS:
            return False
        closed = Bucket(state.newest_at, keys)
        self._rows.put(self._bucket_key(state.tail), self._kind.bucket.pack(closed))
        state.tail += 1
        state.keys = []
        return True

    def add_many(self, times: Sequence[int], keys: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """Add rows as if one by one; yield the keys of rows whose window may be over, as often as there are,
        and which of the rows, by its place, has let them go.

        What is yielded must be looked at, by `newest_at`, before the next keys are asked for.
        """
        state, start = self._state, 0
        while start < len(keys):
            last = min(start + max(1, BUCKET_KEYS - len(state.keys)), len(keys)) - 1
            state.keys += keys[start:last]
            state.newest_at = max(state.newest_at, *times[start : last + 1])
            if self.enqueue(times[last], keys[last]):
                over = self.sweep()
                if over:
                    yield last, over
            start = last + 1

    def again(self, key: bytes) -> None:
        """Add a row that was looked at and must be kept for another window."""
        self._state.keys.append(key)
        self._changed = True

    @property
    def closed(self) -> int:
        """How many buckets were ever closed."""
        return self._state.tail

    def sweep(self, closed: int = 1) -> list[bytes]:
        """Return the keys of rows whose window may be over. `closed`: the buckets closed since the last."""
        state, keys = self._state, list[bytes]()
        for number in range(state.head, min(state.head + SWEPT_MAX * closed, state.tail)):
            bucket_key = self._bucket_key(number)
            row = self._rows.get(bucket_key)
            assert row is not None, "a bucket is there until the head has passed it"
            bucket = self._kind.read_bucket(row)
            if state.newest_at - bucket.newest_at <= self._keep_us:
                break
            self._rows.delete(bucket_key)
            state.head = number + 1
            self._changed = True
            keys += bucket.keys
        return keys

    def write(self) -> None:
        """Write where the queue stands, if that has changed."""
        if self._changed:
            self._rows.put(self._key, self._kind.state.pack(self._state))
            self._changed = False

    def _bucket_key(self, number: int) -> bytes:
        return row_key(self._kind.bucket.family, *self._owner, f"{number:016x}")


class Queues:
    """The queues of the tenants of a partition while events are applied; each is read when it is needed."""

    def __init__(self, kind: QueueKind, rows: Rows, keep_us: int) -> None:
        self._made_of = kind, rows, keep_us
        self._queues: dict[str, Queue] = {}

    def of(self, tenant_id: str) -> Queue:
        """Return the queue of a tenant."""
        queue = self._queues.get(tenant_id)
        if queue is None:
            queue = self._queues[tenant_id] = Queue(*self._made_of, tenant_id)
        return queue

    def write(self) -> None:
        """Write where the queues stand."""
        for queue in self._queues.values():
            queue.write()


class Windows(NamedTuple):
    """How long ids of what has ended are remembered, in days of event time."""

    duplicates_days: int = 90
    """An id that comes again within it is recognised; what is older is too old."""
    reversals_days: int = 400
    """What has ended may be reversed, charged back or asked about within it."""

    @property
    def both_days(self) -> int:
        """Until both are over, and a day more than the one for duplicates.

        Rows go by the time at which something ended, events by their own, and an event may be ahead of its
        record: by a day at most (`LEDGERFLOW_CLOCK_AHEAD_SECONDS`). A repeat must be too old before its id is
        new.
        """
        return max(self.reversals_days, self.duplicates_days + 1)
