"""Committed rows of the partitions that this worker owns: single rows, and bounded scans.

Views never show a row whose transaction may still be aborted, so they read RocksDB without the overlay of
uncommitted rows. They are answered in a thread of their own, while partitions may move: a read is valid only
if the partition still belongs to this worker afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pipeline.runtime.store.database import StoreClosed
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.web.host import WebHost
from pipeline.web.problems import unavailable
from pipeline.web.progress import Progress, progress, recovered, task_of


class CommittedRows:
    """`Rows` of one partition of a table, committed ones only, and read only."""

    def __init__(self, store: PartitionStore, require_owned: Callable[[], None]) -> None:
        self._store = store
        self._require_owned = require_owned

    def get(self, key: bytes) -> bytes | None:
        """Return a row, or None. Raises `Problem` 503 where the partition has just moved."""
        with self._owned():
            return self._store.committed_get(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows whose key starts with `prefix` and is greater than `after`, in key order.

        Raises `Problem` 503 where the partition has just moved.
        """
        with self._owned():
            yield from self._store.committed_scan(prefix, after)

    @contextmanager
    def _owned(self) -> Iterator[None]:
        with suppress(StoreClosed):
            yield
            self._require_owned()
            return
        raise unavailable("the partition is moving to another worker")

    def put(self, key: bytes, value: bytes) -> None:
        """Raises TypeError: views are read only."""
        raise TypeError("a view only reads")

    def delete(self, key: bytes) -> None:
        """Raises TypeError: views are read only."""
        raise TypeError("a view only reads")


class Partition:
    """One partition number on this worker, with the tables whose partition is here."""

    def __init__(self, app: WebHost, number: int) -> None:
        self._app = app
        self.number = number

    def rows(self, table: str) -> CommittedRows:
        """Return the rows of a table. Raises `Problem` 503 unless they are owned and restored here."""
        rows = self.rows_or_none(table)
        if rows is None:
            raise unavailable(f"partition {self.number} of {table} is being recovered or is moving")
        return rows

    def rows_or_none(self, table: str) -> CommittedRows | None:
        """Return the rows of a table; None where this worker does not own them or has not restored them."""
        app, number = self._app, self.number
        task = task_of(app, table, number)
        if task is None or not recovered(app):
            return None
        store = app.open_store(table, number)

        def require_owned() -> None:
            # A partition that was lost and came back has another task.
            if task_of(app, table, number) is not task:
                raise unavailable(f"partition {number} of {table} is moving to another worker")

        return None if store is None else CommittedRows(store, require_owned)

    def progress(self, table: str) -> Progress:
        """Return the progress of the stream of a table. Raises `Problem` 503 unless it runs here."""
        task = task_of(self._app, table, self.number)
        if task is None:
            raise unavailable(f"partition {self.number} of {table} is moving to another worker")
        return progress(self._app, task, table)
