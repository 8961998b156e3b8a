"""One partition of a table: RocksDB under an overlay of rows that are not committed yet.

    get -> recently used rows (committed or not) -> rows of the transaction under way -> RocksDB
    put -> overlay -> [Kafka transaction commits] -> one WriteBatch: rows + source offset + changelog offset

RocksDB is never ahead of Kafka: rows reach it only after their transaction has committed, and with them the
offset up to which the database contains the changelog. After a crash it is therefore a consistent earlier
state, and recovery reads the rest of the changelog.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rocksdict import Checkpoint, WriteBatch
from sortedcontainers import SortedSet

from pipeline.runtime.store.database import (
    OFFSET_KEY,
    RUNTIME_KEYS,
    SOURCE_LOG_KEY,
    SOURCE_OFFSET_KEY,
    empty_database,
    open_database,
    reading,
)
from pipeline.runtime.store.scans import behind, merged, stored_down, stored_up

ROW_CACHE_ROWS = 50_000
"""Recently used rows per partition, in two generations of at most so many each."""


class PartitionStore:
    """The rows of one table partition (`pipeline.domain.kernel.rows.Rows`), owned by one event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = open_database(path)
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}
        self._pending: dict[bytes, bytes | None] = {}
        self._in_flight: dict[bytes, bytes | None] = {}
        self._ordered: dict[int, SortedSet] = {}
        """The overlay's keys in order, for each family (first byte) that is scanned."""
        self._scanned = set[int]()
        """The families that were scanned since the last transaction: the others are kept in order no more."""

    def close(self) -> None:
        """Close the database; what is not committed is forgotten."""
        self._db.close()

    def forget(self) -> None:
        """Drop all that is only in memory: before a recovery, since another owner may have written."""
        self._young, self._old, self._pending, self._in_flight = {}, {}, {}, {}
        self._ordered = {}

    # --- rows

    def get(self, key: bytes) -> bytes | None:
        """Return a row as the last event left it, or None."""
        young = self._young
        if key in young:
            return young[key]
        value: bytes | None
        for layer in (self._old, self._pending, self._in_flight):
            if key in layer:
                value = layer[key]
                break
        else:
            value = self._db.get(key)
        young[key] = value
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Set a row in the overlay."""
        self._set(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a row in the overlay."""
        self._set(key, None)

    def _set(self, key: bytes, value: bytes | None) -> None:
        self._pending[key] = value
        self._young[key] = value
        ordered = self._ordered.get(key[0])
        if ordered is not None:
            ordered.add(key)

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Read what is not in memory yet in one multi-get."""
        young = self._young
        wanted = [key for key in dict.fromkeys(keys) if key not in young]
        missing = []
        for key in wanted:
            for layer in (self._old, self._pending, self._in_flight):
                if key in layer:
                    young[key] = layer[key]
                    break
            else:
                missing.append(key)
        if missing:
            young.update(zip(missing, self._db.get(missing), strict=True))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return `get` of each key, with one read of what is not in memory yet."""
        self.prefetch(keys)
        return list(map(self._young.__getitem__, keys))

    def put_many(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Set rows (key, value) in the overlay."""
        fresh = dict(rows)
        self._pending.update(fresh)
        self._young.update(fresh)
        for family, ordered in self._ordered.items():
            ordered.update(key for key in fresh if key[0] == family)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows whose key starts with `prefix` and is above `after`, in key order, as of now."""
        fresh = {key: self._overlaid(key) for key in self._overlay_keys(prefix, after, None)}
        return merged(stored_up(self._db, prefix, after), fresh)

    def scan_back(self, prefix: bytes, before: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield rows whose key starts with `prefix` and is below `before`, the last one first, as of now."""
        fresh = {key: self._overlaid(key) for key in reversed(self._overlay_keys(prefix, b"", before))}
        return merged(stored_down(self._db, prefix, before), fresh, down=True)

    def _overlaid(self, key: bytes) -> bytes | None:
        return self._pending[key] if key in self._pending else self._in_flight[key]

    def _overlay_keys(self, prefix: bytes, after: bytes, before: bytes | None) -> list[bytes]:
        """Return the keys of rows that are not committed, in order: above `after`, below `before`."""
        if not prefix:
            fresh = {*self._in_flight, *self._pending} - RUNTIME_KEYS
            return sorted(key for key in fresh if key > after and (before is None or key < before))
        self._scanned.add(prefix[0])
        ordered = self._ordered.get(prefix[0])
        if ordered is None:
            family = [key for key in {*self._in_flight, *self._pending} if key[0] == prefix[0]]
            ordered = self._ordered[prefix[0]] = SortedSet(family)
        start, end = max(prefix, after), behind(prefix)
        if before is not None:
            end = before if end is None else min(before, end)
            if end <= start:
                return []
        return list(ordered.irange(start, end, inclusive=(start != after, False)))

    def committed_get(self, key: bytes) -> bytes | None:
        """Return a row as the last committed transaction left it, or None.

        This and `committed_scan` may be called from any thread. Both raise StoreClosed where another thread
        closes the database.
        """
        with reading():
            value: bytes | None = self._db.get(key)
        return value

    def committed_scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield committed rows whose key starts with `prefix` and is above `after`, in key order.

        Raises StoreClosed, as `committed_get`.
        """
        with reading():
            yield from stored_up(self._db, prefix, after)

    @property
    def committed_offset(self) -> int:
        """Up to where the database contains its changelog; as `committed_get`, from any thread."""
        with reading():
            return self.changelog_offset

    # --- transactions

    @property
    def pending_rows(self) -> int:
        """How many rows wait for the next transaction."""
        return len(self._pending)

    def take(
        self, source_offset: bytes | None = None, source_log: bytes | None = None
    ) -> Mapping[bytes, bytes | None]:
        """Hand over the pending rows to a transaction; reads still see them. One transaction at a time.

        `source_offset`: up to where the stream has applied its log then, as it is written among the rows.
        `source_log`: the name of the log, where it is to be written beside.
        """
        assert not self._in_flight, "the previous transaction has not ended"
        self._in_flight, self._pending = self._pending, {}
        if source_log is not None and self.source_log != source_log:
            self._in_flight[SOURCE_LOG_KEY] = source_log  # before the offset, which it is about
        if source_offset is not None:
            self._in_flight[SOURCE_OFFSET_KEY] = source_offset
        return self._in_flight

    def commit(self, changelog_offset: int | None) -> None:
        """Write the rows taken, now that Kafka has them; `changelog_offset` is the next one to read."""
        self.write(self._in_flight, changelog_offset)
        for family in self._ordered.keys() - self._scanned:
            del self._ordered[family]
        self._scanned.clear()
        for key in self._in_flight if self._ordered else ():
            ordered = self._ordered.get(key[0])
            if ordered is not None and key not in self._pending:
                ordered.discard(key)
        self._in_flight = {}
        if len(self._young) > ROW_CACHE_ROWS:
            self._old, self._young = self._young, {}

    def write(self, rows: Mapping[bytes, bytes | None], changelog_offset: int | None) -> None:
        """Write committed rows and the changelog offset that contains them, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if changelog_offset is not None:
            batch.put(OFFSET_KEY, changelog_offset.to_bytes(8, "big"))
        self._db.write(batch)

    @property
    def changelog_offset(self) -> int:
        """The offset of the changelog up to which the database contains it."""
        value = self._db.get(OFFSET_KEY)
        return 0 if value is None else int.from_bytes(value, "big")

    @property
    def source_offset(self) -> bytes | None:
        """Up to where the rows contain the stream's log, as it was written; None where nothing says so."""
        value: bytes | None = self._db.get(SOURCE_OFFSET_KEY)
        return value

    @property
    def source_log(self) -> bytes | None:
        """The name of the log that the source offset is of; None where nothing says so."""
        value: bytes | None = self._db.get(SOURCE_LOG_KEY)
        return value

    def key_of(self, row: bytes) -> bytes | None:
        """Return the key under which a row was read: this very one, else an equal one; None: there is none.

        It looks at all rows, so it is for a worker that ends.
        """
        for layer in (self._young, self._old, self._pending, self._in_flight):
            for key, value in layer.items():
                if value is row:
                    return key
        return next((key for key, value in self.scan(b"") if value == row), None)

    @property
    def has_rows(self) -> bool:
        """Whether the database has a row."""
        return next(stored_up(self._db, b"", b""), None) is not None

    def checkpoint(self, path: Path) -> tuple[int, int]:
        """Copy the committed rows into a new database at `path`, on the same disk by hard links.

        Returns the changelog offset that it contains, and about how many rows it has.
        """
        Checkpoint(self._db).create_checkpoint(str(path))
        return self.changelog_offset, self._db.property_int_value("rocksdb.estimate-num-keys") or 0

    def wipe(self) -> None:
        """Start over from an empty database."""
        self._db.close()
        self._db = empty_database(self.path)
        self.forget()
