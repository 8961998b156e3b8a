"""A worker as the web pages see it: table partitions on disk, running tasks, an assignment; no Kafka."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.problems import Problems
from pipeline.runtime.stable import StableWatch
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.web.query import Query
from pipeline.web.scope import Scope

PARTITIONS = 4
TABLES = ("ledger", "positions", "reconciliation", "fraud", "history", "lifecycle", "requests")
HERE = "http://127.0.0.1:6066"


class Worker:
    """What the views need of a worker (`pipeline.web.host`): tasks, tables, and an assignment."""

    def __init__(self, folder: Path) -> None:
        self.partitions = PARTITIONS
        self.address = HERE
        self.hosts, self.connections_max = ("127.0.0.1", ("views.example",)), 32
        self.rules, self.tenants = "rules of a test", "tenants of a test"
        self.rebalancing = self.in_recovery = False
        self.audit_alerts = self.rebalancing_count = 0
        self.audited: dict[str, int] = {}
        self.problems = Problems()
        self.stable = StableWatch(lambda: self.tasks.running, self.fetch_state)
        self.codec = SimpleNamespace(foreign_values={})
        self.tables_ready = True
        self.stores = {
            (t, p): PartitionStore(folder / f"{t}-{p}.rocks") for t in TABLES for p in range(PARTITIONS)
        }
        running = {TP(t, p): self._task(t, p) for t, p in self.stores}
        self.tasks = SimpleNamespace(running=running, ready_after_s=0.5)
        self.table_names = frozenset(TABLES)
        self.assigned: frozenset[TP] = frozenset()

    def _task(self, table: str, partition: int) -> Any:
        spec = SimpleNamespace(name=table, source=table, table=table)
        machines = [SimpleNamespace(spec=spec)]
        counts = {"applied_records": 7, "dead_letters": 0, "alerts": 0, "streams": (table,)}
        return SimpleNamespace(
            spec=spec, machines=machines, partition=partition, committed=7, position=7, **counts
        )

    def open_store(self, table: str, partition: int) -> PartitionStore | None:
        """Return the rows of a partition of a table."""
        return self.stores.get((table, partition))

    def owners(self, table: str) -> dict[int, str]:
        """Return whose the partitions of a table are: this worker's."""
        return {partition: HERE for name, partition in self.stores if name == table}

    def fetch_state(self, _: TP) -> None:
        """Return nothing: no log is fetched."""

    def commit(self, table: str, rows: dict[bytes, bytes], partition: int) -> None:
        """Write rows as a committed transaction does."""
        self.stores[table, partition].write(rows, None)

    def close(self) -> None:
        """Close the databases."""
        for store in self.stores.values():
            store.close()


def home(account: str, tenant: str = "t") -> int:
    """Return the partition of an account."""
    return partition_of(f"{tenant}/{account}", PARTITIONS)


def scope_of(view: Any, *path: str, **query: Any) -> Scope[Any]:
    """Return the scope of a path after the view's name, with the default parameters."""
    given = {"tenant": None, "after": None, "limit": 100, "csv": False} | query
    return Scope(view, path, Query(**given))
