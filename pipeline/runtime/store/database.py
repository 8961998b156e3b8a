"""RocksDB as the tables use it: opening a database, reading a copy, noticing that one is closed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocksdict import (
    AccessType,
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DbClosedError,
    Options,
    Rdict,
    WriteBufferManager,
)

LOG = logging.getLogger(__name__)

OFFSET_KEY = b"\0changelog-offset"
"""Up to where a database contains its changelog. It is in the database alone.

No row has a key that starts with NUL: the first byte of a row's key is its family letter. The value
is a number of eight bytes and has no layout: another form would take another key."""
SOURCE_OFFSET_KEY = b"\0source-offset"
"""Up to where the stream has applied its log: the next offset, in digits. It is written with the rows, in the
changelog and in the database."""
SOURCE_LOG_KEY = b"\0source-log"
"""Which log that offset is of, by its name. It is there for a stream that read another log in an earlier
version: where it is missing, the offset is one of that log."""
RUNTIME_KEYS = frozenset((OFFSET_KEY, SOURCE_OFFSET_KEY, SOURCE_LOG_KEY))
"""Keys that are no row's."""
BLOCK_CACHE_BYTES = 64 * 2**20
WRITE_BUFFER_BYTES = 64 * 2**20
"""Of all databases together, approximately: above it, a database that is written to flushes its buffer."""
MERGED_ROWS, MERGED_DELETIONS = 4096, 3072
"""A file with so many deletions among so many rows in a line is merged with those below it."""

_block_cache: Cache | None = None
_write_buffers: WriteBufferManager | None = None


def _options() -> Options:
    """Return the options of every database of this process; block cache and write buffers are shared."""
    global _block_cache, _write_buffers
    if _block_cache is None or _write_buffers is None:
        _block_cache = Cache(BLOCK_CACHE_BYTES)
        # Without stalls: a writer's own buffer is flushed, but it would wait without end for the buffers of
        # databases that are not written to, and rocksdict waits with Python's lock held.
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
    # What retention deletes stands side by side where ids go by time: a page that begins there would step
    # over all of it, until RocksDB merges these files for another reason.
    options.add_compact_on_deletion_collector_factory(MERGED_ROWS, MERGED_DELETIONS, 0.0)
    return options


def open_database(path: Path) -> Rdict:
    """Open a database, or an empty one where there is none.

    One that cannot be opened is thrown away, because the changelog is the truth. Raises what rocksdict raises
    where another process has it open: that is a fault of the deployment, not of the data.
    """
    try:
        return Rdict(str(path), _options())
    except Exception as error:
        if "lock" in str(error).lower():
            raise
        LOG.error("table partition %s cannot be opened (%s): rebuilding it", path.name, error)
        return empty_database(path)


def empty_database(path: Path) -> Rdict:
    """Delete what is at a path, and open an empty database there."""
    shutil.rmtree(path, ignore_errors=True)
    return Rdict(str(path), _options())


def rows_of_copy(path: Path) -> Generator[tuple[bytes, bytes]]:
    """Yield the rows of a database that is a copy, in the order of their keys; it is left as it is."""
    copy = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only(False))
    try:
        for key, value in copy.items():
            if key not in RUNTIME_KEYS:
                yield key, value
    finally:
        copy.close()


class StoreClosed(RuntimeError):
    """A database was closed before it could be read."""


@contextmanager
def reading() -> Iterator[None]:
    """Raises StoreClosed where rocksdict says that a database is closed, or is just being closed."""
    try:
        yield
    except DbClosedError as error:
        raise StoreClosed(str(error)) from None
    except RuntimeError as error:
        if "mutably borrowed" not in str(error):
            raise
        raise StoreClosed(str(error)) from None
