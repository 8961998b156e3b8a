"""A worker whose tables can be copied: databases on disk, tasks that stand still, a cluster made of words."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.runtime import snapshots
from pipeline.runtime.manifests import Manifest, folder_name
from pipeline.runtime.settings import Settings
from pipeline.runtime.snapshots import Snapshots, begun_at
from pipeline.runtime.store.partition_store import PartitionStore

WORKER = "ledgerflow-127.0.0.1-0"
RULES = "rules of a test"
TABLES = ("ledger", "fraud")
PARTITIONS = 2
KEY, TOKEN = b"the key of a test, 32 bytes long.", b"the token of a test, 32 bytes or more"


class Bench:
    """Databases of two tables, and the snapshots of their worker."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, keep: int = 2) -> None:
        self.settings = Settings(data_dir=folder, partitions=PARTITIONS, snapshots_keep=keep)
        self.tables = folder / "worker-0" / "v1" / "tables"
        places = [(table, number) for table in TABLES for number in range(PARTITIONS)]
        self.stores = {place: PartitionStore(self.tables / folder_name(*place)) for place in places}
        running = {TP(f"{table}-log", number): self._task(table, number) for table, number in places}
        self.tasks: Any = SimpleNamespace(running=running)
        self.host: Any = SimpleNamespace(
            group="ledgerflow",
            partitions=PARTITIONS,
            transactional_id=WORKER,
            store=lambda table, partition: self.stores[table, partition],
        )
        self.now = datetime(2026, 11, 22, 9, tzinfo=UTC)
        self.snapshots = Snapshots(
            self.host, self.tasks, self.settings, RULES, key=KEY, token=TOKEN, clock=lambda: self.now
        )
        patch.setattr(snapshots, "topic_ids", lambda _, topics: {topic: f"id-{topic}" for topic in topics})

    @staticmethod
    def _task(table: str, partition: int) -> Any:
        spec = SimpleNamespace(table=table, source=f"{table}-log")
        machines = [SimpleNamespace(spec=spec, start=0)]
        return SimpleNamespace(machines=machines, partition=partition, committed=100 + partition)

    def commit(self, table: str, partition: int, rows: dict[bytes, bytes | None], offset: int) -> None:
        """Write rows as a committed transaction does; `offset` is the next one of the changelog."""
        self.stores[table, partition].write(rows, offset)

    def take(self, name: str, *tables: str) -> Manifest:
        """Take a snapshot at the time that makes its name."""
        now = begun_at(name)
        assert now is not None
        self.now = now
        taken = asyncio.run(self.snapshots.take(frozenset(tables)))
        assert taken.name == name
        return taken.manifest

    def folder(self, name: str) -> Path:
        """Return where this worker's part of a snapshot is."""
        return self.settings.snapshots_dir / name / WORKER

    def close(self) -> None:
        """Close the databases."""
        for store in self.stores.values():
            store.close()


def rows_in(path: Path) -> tuple[dict[bytes, bytes], int]:
    """Return the rows of a database that nobody has open, and its changelog offset."""
    store = PartitionStore(path)
    found = dict(store.committed_scan(b"")), store.changelog_offset
    store.close()
    return found
