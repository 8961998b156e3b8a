"""A partition task on a bench: real codec and table, rules that show what happens, a producer that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.structs import ConsumerRecord

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.fetched import PartitionBatch
from pipeline.runtime.kafka.records import Destination, singly
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine, StreamSpec
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import Source, Transactions
from tests.ledger.branches import TENANT, envelope
from tests.runtime.fixed_registry import FixedRegistry

PARTITIONS = 4
STARTED_MS = 1_700_000_000_000


class CountingRules:
    """Counts the openings of each account, and does what the customer's id says."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        """Apply one event."""
        self.arrivals.append(at)
        if type(event) is not ev.AccountOpened:
            raise Reject("unexpected_event", type(event).__name__)
        if event.customer_id == "reject":
            raise Reject("not_wanted", "a detail")
        if event.customer_id == "forward":
            out.forward("ledger-commands")
            return
        if event.customer_id == "broadcast":
            out.broadcast("position-commands")
            return
        key = b"a" + event.account_id.encode()
        count = int(rows.get(key) or b"0") + 1
        if event.customer_id == "delete":
            rows.delete(key)
            return
        rows.put(key, b"%d" % count)
        out.emit("postings", f"{TENANT}/{event.account_id}", closed(event.account_id, count))
        out.emit("balances", f"{TENANT}/{event.account_id}", closed(event.account_id, count))
        if event.customer_id == "command":
            out.emit("ledger-commands", f"{TENANT}/{event.event_id}", closed(event.event_id, 0))

    def keys(self, event: Any) -> Iterable[bytes]:
        """Return the keys that an event reads."""
        return [b"a" + event.account_id.encode()] if type(event) is ev.AccountOpened else []


def closed(account_id: str, number: int) -> ev.AccountClosed:
    """Return an event that stands for an output; its id says which."""
    return ev.AccountClosed(
        **envelope(f"{account_id}#{number}"),
        account_id=account_id,
        reason="fraud",
        regulatory_notification_sent=False,
    )


class Committed(NamedTuple):
    """A transaction that is committed."""

    outputs: dict[Destination, list[Any]]
    sources: list[Source]


class WaitingProducer:
    """Keeps what is committed; `open` lets commits through, `error` fails them."""

    def __init__(self) -> None:
        self.commits: list[Committed] = []
        self.begun = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: BaseException | None = None
        self.ends: dict[Destination, int] = {}

    async def commit(self, outputs: Any, sources: Any) -> dict[Destination, int]:
        """Take part in the place of a `TransactionalProducer`; a transaction ends with a control record."""
        self.begun += 1
        written = {place: list(singly(records)) for place, records in outputs.items()}
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.commits.append(Committed(written, sources))
        for place, records in written.items():
            self.ends[place] = self.ends.get(place, 0) + len(records) + 1
        return {place: self.ends[place] for place in written}


def own_accounts(count: int, partition: int = 0) -> list[str]:
    """Return ids of accounts that live on a partition."""
    ids = (f"account-{number}" for number in range(10_000))
    found = [one for one in ids if partition_of(f"{TENANT}/{one}", PARTITIONS) == partition]
    return found[:count]


class Bench:
    """One task on partition 0 of `accounts`."""

    def __init__(self, folder: Path, *, table: bool = True, partition: int = 0) -> None:
        self.codec = Codec(FixedRegistry())  # type: ignore[arg-type]
        self.producer = WaitingProducer()
        self.store = PartitionStore(folder / "table.rocks") if table else None
        self.rules = CountingRules()
        self.failures: list[BaseException] = []
        self.offset = 0
        self.transactions = Transactions(self.producer, self.failures.append)  # type: ignore[arg-type]
        spec = StreamSpec("counting", "accounts", self.rules, "counts" if table else None)
        changelog = "app-counts-changelog" if table else None
        self.task = self.task_of(Machine(spec, self.store, changelog), partition=partition)

    def task_of(self, *machines: Machine, partition: int = 0) -> PartitionTask:
        """Return a task with these streams."""
        return PartitionTask(
            machines,
            partition,
            PARTITIONS,
            codec=self.codec,
            transactions=self.transactions,
            group="group",
            turn=asyncio.Lock(),
        )

    def record(self, value: bytes | None, key: bytes | None, headers: Any = ()) -> Any:
        """Return the next record of the log."""
        self.offset += 1
        return ConsumerRecord(
            "accounts", 0, self.offset - 1, STARTED_MS + self.offset - 1, 0, key, value, None, 0, 0, headers
        )

    def of(self, event: Any, key: str | None = None) -> Any:
        """Return the record of an event under its own key."""
        return self.record(self.codec.encode([event])[0], (key or f"{TENANT}/{event.account_id}").encode())

    def batch(self, *records: Any, start: int | None = None) -> PartitionBatch:
        """Return records as the transport delivers them; a batch starts where the last one ended."""
        first = self.task.position if start is None else start
        return PartitionBatch(list(records), first, self.offset)

    async def settled(self) -> None:
        """Wait until everything accepted is committed."""
        await self.transactions.settled()
