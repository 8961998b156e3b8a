"""One partition of a table: RocksDB under an overlay of rows that are not committed yet.

    get -> rows touched lately (committed or not) -> rows of the transaction under way -> RocksDB
    put -> overlay -> [Kafka transaction commits] -> one WriteBatch: rows + changelog offset

RocksDB is never ahead of Kafka: rows reach it only after their transaction has committed, and the offset that
is written with them says up to where the changelog is contained. What a crash leaves behind is therefore a
consistent past, and recovery reads the rest of the changelog. A database that cannot be opened is thrown away
and rebuilt, because the changelog is the truth.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rocksdict import (
    AccessType,
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DbClosedError,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
)
from sortedcontainers import SortedSet

LOG = logging.getLogger(__name__)

_OFFSET_KEY = b"\0changelog-offset"
"""No row has a key that starts with NUL: the first byte of a row's key is its family letter. The value
is a number of eight bytes and has no layout: another form would take another key."""
BLOCK_CACHE_BYTES = 64 * 2**20
WRITE_BUFFER_BYTES = 64 * 2**20
"""Of all databases together, about: from there on a database that is written to flushes its buffer."""
ROW_CACHE_ROWS = 50_000
"""Rows touched lately, kept twice at most (a young and an old generation) per partition."""

_block_cache: Cache | None = None
_write_buffers: WriteBufferManager | None = None


def _options() -> Options:
    """Return the options of every database of this process; block cache and write buffers are shared."""
    global _block_cache, _write_buffers
    if _block_cache is None or _write_buffers is None:
        _block_cache = Cache(BLOCK_CACHE_BYTES)
        # Without stalls: whoever writes next has its own buffer flushed, but what others hold, who do not
        # write, it would wait for without end, and rocksdict waits with Python's lock.
        _write_buffers = WriteBufferManager(WRITE_BUFFER_BYTES, False)
    table = BlockBasedOptions()
    table.set_block_cache(_block_cache)
    table.set_bloom_filter(10.0, False)
    table.set_cache_index_and_filter_blocks(True)
    # In parts of a block's size: whole, those of a large file throw each other out of a shared cache.
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_partition_filters(True)
    table.set_pin_top_level_index_and_filter(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_manager(_write_buffers)
    options.set_write_buffer_size(16 * 2**20)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    return options


def _above(prefix: bytes) -> bytes | None:
    """Return the lowest key that is above all keys with a prefix; None if there is none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else None


def rows_of_copy(path: Path) -> Generator[tuple[bytes, bytes]]:
    """Yield the rows of a database that is a copy, in the order of their keys; it is left as it is."""
    copy = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only(False))
    try:
        for key, value in copy.items():
            if key != _OFFSET_KEY:
                yield key, value
    finally:
        copy.close()


class StoreClosed(RuntimeError):
    """A database was closed before it could be read."""


@contextmanager
def _reading() -> Iterator[None]:
    """Raise `StoreClosed` where rocksdict says that a database is closed, or is just being closed."""
    try:
        yield
    except DbClosedError as error:
        raise StoreClosed(str(error)) from None
    except RuntimeError as error:
        if "mutably borrowed" not in str(error):
            raise
        raise StoreClosed(str(error)) from None


class PartitionStore:
    """The rows of one table partition (`pipeline.domain.kernel.rows.Rows`), owned by one event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._open()
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}
        self._pending: dict[bytes, bytes | None] = {}
        self._in_flight: dict[bytes, bytes | None] = {}
        self._ordered: dict[int, SortedSet] = {}
        """The overlay's keys in order, for each family (first byte) that was ever scanned."""

    def _open(self) -> Rdict:
        try:
            return Rdict(str(self.path), _options())
        except Exception as error:
            if "lock" in str(error).lower():
                raise  # another process has it: that is a fault of the deployment, not of the data
            LOG.error("table partition %s cannot be opened (%s): rebuilding it", self.path.name, error)
            shutil.rmtree(self.path, ignore_errors=True)
            return Rdict(str(self.path), _options())

    def close(self) -> None:
        """Close the database; what is not committed is forgotten."""
        self._db.close()

    def forget(self) -> None:
        """Drop everything that is only in memory: before a recovery, another owner may have written since."""
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
        fresh = {}
        for key in self._overlay_keys(prefix, after):
            fresh[key] = self._pending[key] if key in self._pending else self._in_flight[key]
        return self._merged(prefix, after, fresh)

    def _overlay_keys(self, prefix: bytes, after: bytes) -> list[bytes]:
        """Return the keys of rows that are not committed, in order."""
        if not prefix:
            return sorted(key for key in {*self._in_flight, *self._pending} if key > after)
        ordered = self._ordered.get(prefix[0])
        if ordered is None:
            family = [key for key in {*self._in_flight, *self._pending} if key[0] == prefix[0]]
            ordered = self._ordered[prefix[0]] = SortedSet(family)
        start = max(prefix, after)
        keys = ordered.irange(start, _above(prefix), inclusive=(start != after, False))
        return list(keys)

    def _merged(
        self, prefix: bytes, after: bytes, fresh: dict[bytes, bytes | None]
    ) -> Iterator[tuple[bytes, bytes]]:
        upcoming = iter(fresh.items())
        ahead = next(upcoming, None)
        for key, value in self._stored(prefix, after):
            while ahead is not None and ahead[0] < key:
                if ahead[1] is not None:
                    yield ahead[0], ahead[1]
                ahead = next(upcoming, None)
            if key not in fresh:
                yield key, value
        while ahead is not None:
            if ahead[1] is not None:
                yield ahead[0], ahead[1]
            ahead = next(upcoming, None)

    def _stored(self, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        start = max(prefix, after)
        for key, value in self._db.items(from_key=start or None, read_opt=ReadOptions()):
            if not key.startswith(prefix):
                if key > prefix:
                    return
                continue
            if key > after and key != _OFFSET_KEY:
                yield key, value

    def committed_get(self, key: bytes) -> bytes | None:
        """Return a row as the last committed transaction left it, or None.

        This and `committed_scan` may be called from any thread; they raise `StoreClosed` where another one
        closes the database.
        """
        with _reading():
            value: bytes | None = self._db.get(key)
        return value

    def committed_scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield committed rows whose key starts with `prefix` and is above `after`, in key order."""
        with _reading():
            yield from self._stored(prefix, after)

    @property
    def committed_offset(self) -> int:
        """Up to where the database contains its changelog; as `committed_get`, from any thread."""
        with _reading():
            return self.changelog_offset

    # --- transactions

    @property
    def pending_rows(self) -> int:
        """How many rows wait for the next transaction."""
        return len(self._pending)

    def take(self) -> Mapping[bytes, bytes | None]:
        """Hand over the pending rows to a transaction; reads still see them. One transaction at a time."""
        assert not self._in_flight, "the previous transaction has not ended"
        self._in_flight, self._pending = self._pending, {}
        return self._in_flight

    def commit(self, changelog_offset: int | None) -> None:
        """Write the rows taken, now that Kafka has them; `changelog_offset` is the next one to read."""
        self.write(self._in_flight, changelog_offset)
        for key in self._in_flight:
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
            batch.put(_OFFSET_KEY, changelog_offset.to_bytes(8, "big"))
        self._db.write(batch)

    @property
    def changelog_offset(self) -> int:
        """The offset of the changelog up to which the database contains it."""
        value = self._db.get(_OFFSET_KEY)
        return 0 if value is None else int.from_bytes(value, "big")

    def checkpoint(self, path: Path) -> tuple[int, int]:
        """Copy the committed rows into a new database at `path`, on the same disk by hard links.

        Returns the changelog offset that it contains, and about how many rows it has.
        """
        Checkpoint(self._db).create_checkpoint(str(path))
        return self.changelog_offset, self._db.property_int_value("rocksdb.estimate-num-keys") or 0

    def wipe(self) -> None:
        """Start over from an empty database."""
        self._db.close()
        shutil.rmtree(self.path, ignore_errors=True)
        self._db = Rdict(str(self.path), _options())
        self.forget()
