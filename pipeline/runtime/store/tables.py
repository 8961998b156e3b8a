"""The transactional store behind a Faust table: one `PartitionStore` per partition.

Picked by the store's URL: `store="transactional://"` (entry point `faust.stores`). Two ways to use it:

- Ledgerflow's own streams take a partition with `partition(p)` and commit rows with their Kafka transaction
  (`pipeline.runtime.task`).
- Any other Faust app uses its table as usual. A row is then kept in the overlay until Faust reports that its
  changelog record is acknowledged, and written together with that record's offset: RocksDB is never ahead
  of the changelog, which is where stock stores double-count after a crash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from faust.stores.base import SerializedStore
from faust.streams import current_event
from faust.types import TP

from pipeline.runtime.manifests import folder_name
from pipeline.runtime.store.partition_store import PartitionStore


class Store(SerializedStore[Any, Any]):
    """A Faust store whose rows become durable with their changelog records, never before."""

    def __init__(self, url: Any, app: Any, table: Any, **kwargs: Any) -> None:
        super().__init__(url, app, table, **kwargs)
        self._partitions: dict[int, PartitionStore] = {}
        self._unacknowledged: dict[int, deque[tuple[bytes, bytes | None]]] = {}

    # --- partitions

    def _path(self, partition: int) -> Path:
        return Path(self.app.conf.tabledir) / folder_name(self.table_name, partition)

    def partition(self, partition: int) -> PartitionStore:
        """Return a partition's rows, opening the database if need be; raises as `open_database`."""
        store = self._partitions.get(partition)
        if store is None:
            store = self._partitions[partition] = PartitionStore(self._path(partition))
        return store

    @property
    def open_partitions(self) -> dict[int, PartitionStore]:
        """The partitions that are open now, active and standby."""
        return self._partitions

    def close_partition(self, partition: int) -> None:
        """Close a partition; nothing happens where it is not open."""
        store = self._partitions.pop(partition, None)
        self._unacknowledged.pop(partition, None)
        if store is not None:
            store.close()

    async def stop(self) -> None:
        """Close every partition."""
        for partition in list(self._partitions):
            self.close_partition(partition)
        await super().stop()

    # --- Faust's view: keys and values as bytes, the partition from the event being processed

    def _current(self) -> int | None:
        event = current_event()
        return None if event is None else int(event.message.partition)

    def _searched(self) -> Iterable[PartitionStore]:
        partition = self._current()
        return self._partitions.values() if partition is None else [self.partition(partition)]

    def _get(self, key: bytes) -> bytes | None:
        for store in self._searched():
            value = store.get(key)
            if value is not None:
                return value
        return None

    def _write(self, key: bytes, value: bytes | None) -> None:
        partition = self._current()
        if partition is None:
            raise RuntimeError("a table row can only be changed while an event is being processed")
        store = self.partition(partition)
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)
        self._unacknowledged.setdefault(partition, deque()).append((key, value))

    def _set(self, key: bytes, value: bytes | None) -> None:
        self._write(key, value)

    def _del(self, key: bytes) -> None:
        self._write(key, None)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the offset of the last changelog record that the database contains, or None."""
        offset = self.partition(tp.partition).changelog_offset
        return offset - 1 if offset else None

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Take note that a changelog record is acknowledged; they are, in the order they were sent."""
        waiting = self._unacknowledged.get(tp.partition)
        rows = dict([waiting.popleft()]) if waiting else {}
        self.partition(tp.partition).write(rows, offset + 1)

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Write changelog records that Faust read: a recovery's, or another owner's for a standby copy.

        What was read of the partition before is forgotten, or it would hide what is written here.
        """
        by_partition: dict[int, tuple[dict[bytes, bytes | None], int]] = {}
        for event in batch:
            message = event.message
            rows, _ = by_partition.get(message.partition, ({}, 0))
            rows[message.key] = message.value
            by_partition[message.partition] = (rows, message.offset + 1)
        for partition, (rows, offset) in by_partition.items():
            store = self.partition(partition)
            store.write(rows, offset)
            store.forget()

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Close the partitions that went to another worker."""
        for tp in revoked:
            if tp.topic == self.table.changelog_topic.get_topic_name():
                self.close_partition(tp.partition)

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """Raises NotImplementedError: the changelog is the backup. Faust asks every store for this method."""
        raise NotImplementedError("a partition is rebuilt from its changelog; there is nothing to back up")

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> None:
        """Raises NotImplementedError, as `backup_partition`."""
        raise NotImplementedError("a partition is rebuilt from its changelog; there is nothing to restore")

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        for store in self._searched():
            yield from store.scan(b"")

    def _iterkeys(self) -> Iterator[bytes]:
        for key, _ in self._iteritems():
            yield key

    def _itervalues(self) -> Iterator[bytes | None]:
        for _, value in self._iteritems():
            yield value

    def _size(self) -> int:
        return sum(1 for _ in self._iteritems())

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _clear(self) -> None:
        raise NotImplementedError("a table is emptied by deleting its rows, so that its changelog says so")

    def reset_state(self) -> None:
        """Throw the databases away; they are rebuilt from the changelog."""
        for partition in list(self._partitions):
            self.partition(partition).wipe()
