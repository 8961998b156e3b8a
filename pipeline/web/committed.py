"""Committed rows of the partitions that this worker owns: single rows, and bounded scans.

Views never show a row whose transaction may still be aborted, so they read RocksDB below the overlay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.runtime.app import App
from pipeline.runtime.partition_store import PartitionStore
from pipeline.web.problems import unavailable
from pipeline.web.progress import Progress, progress, recovered, task_of


class CommittedRows:
    """`Rows` of one partition of a table, committed ones only, and read only."""

    def __init__(self, store: PartitionStore) -> None:
        self._store = store

    def get(self, key: bytes) -> bytes | None:
        """Return a row, or None."""
        return self._store.committed_get(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows whose key starts with `prefix` and is above `after`, in key order."""
        return self._store.committed_scan(prefix, after)

    def put(self, key: bytes, value: bytes) -> None:
        """Refuse: a view changes nothing."""
        raise TypeError("a view only reads")

    def delete(self, key: bytes) -> None:
        """Refuse: a view changes nothing."""
        raise TypeError("a view only reads")


class Partition:
    """One partition number on this worker, with every table that has it here."""

    def __init__(self, app: App, number: int) -> None:
        self._app = app
        self.number = number

    def rows(self, table: str) -> CommittedRows:
        """Return the rows of a table; raise `Problem` 503 unless they are ours and restored."""
        rows = self.rows_or_none(table)
        if rows is None:
            raise unavailable(f"partition {self.number} of {table} is being recovered or is moving")
        return rows

    def rows_or_none(self, table: str) -> CommittedRows | None:
        """Return the rows of a table, None where they are not ours or not restored."""
        if task_of(self._app, table, self.number) is None or not recovered(self._app):
            return None
        data: Any = self._app.tables[table].data
        store = data.open_partitions.get(self.number)
        return None if store is None else CommittedRows(store)

    def progress(self, table: str) -> Progress:
        """Return how far the stream of a table is; raise `Problem` 503 unless it runs here."""
        task = task_of(self._app, table, self.number)
        if task is None:
            raise unavailable(f"partition {self.number} of {table} is moving to another worker")
        return progress(self._app, task)
