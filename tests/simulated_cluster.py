"""The streams in memory: domain rules over lists of records, for tests that need what a cluster would hold.

Every stage is the simplest that is right: one record at a time, no batches, no transactions. Values go
through the codec of the streams, singly. Offsets have gaps, as transactions leave them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

import msgspec

import schemas
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.publishing.checks import check_publication
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.history import stream as history
from pipeline.domain.intake.postings import PostingsIntake
from pipeline.domain.intake.stream import FRAUD_ALSO, ITEMS_ALSO, Intake, IntakeBeside
from pipeline.domain.invariants import stream as invariants
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import BRANCH_EVENTS, BROADCAST, INTERNAL_PREFIX, KEY_FIELDS, record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.positions import stream as positions
from pipeline.domain.reconciliation.desk.broadcasts import check_weights
from pipeline.domain.reconciliation.desk.rules import Desk
from pipeline.domain.requests.stream import Requests
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants
from pipeline.loadgen import LoadPlan, PlantedItem, Produce
from pipeline.loadgen.emitter import framed
from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.manifest import LoadManifest
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.topics import COMMANDED, bytes_max_of
from pipeline.verify.decode import Decoder
from pipeline.verify.log import Record
from pipeline.verify.reader import TOPICS
from tests.decoded_once import VALUES_KEPT, DecodedOnce
from tests.runtime.fixed_registry import FixedRegistry

REGISTRY = FixedRegistry()
BY_ID = {REGISTRY.id_of(schema): schema for schema in schemas.load()}
ENCODE = framed(REGISTRY.id_of)
CODEC = Codec(REGISTRY)  # type: ignore[arg-type]
FRAUD, ITEMS = "fraud-commands", "reconciliation-items"
ALSO = ("accounts", "rates")
BESIDE = ("invariants", "intake-postings", "beside-rates-items", *(f"beside-{source}" for source in ALSO))
"""Streams that read a log of another one, which says what its dead letters are."""
RECORD_NAMES = {kind: name for name, kind in EVENTS.items()}


def encode(event: Any) -> bytes:
    """Return the value of an event, newest version."""
    return ENCODE(schemas.newest(RECORD_NAMES[type(event)]), lists_of(msgspec.to_builtins(event)))


@lru_cache(VALUES_KEPT)
def _decoded(value: bytes | None, bytes_max: int) -> tuple[list[Any], list[Any]]:
    """Decode a value; it goes through several logs and streams, and comes again when a load does."""
    return CODEC.decode([value], bytes_max)


def lists_of(value: Any) -> Any:
    """Return plain values with lists in the place of tuples: to Avro's writer a pair names a type."""
    if isinstance(value, dict):
        return {name: lists_of(one) for name, one in value.items()}
    return [lists_of(one) for one in value] if isinstance(value, list | tuple) else value


@cache
def decoder() -> Decoder:
    """Return the verifier's decoder over the catalogue."""
    return DecodedOnce(lambda number: BY_ID[number].text if number in BY_ID else None)


class SimulatedCluster:
    """Topics and streams. It is a `TopicLog`, so the verifier reads it as it is."""

    def __init__(self, partitions: int, recorded_at: int, tenants: Tenants = UNRESTRICTED) -> None:
        self.count = partitions
        self.recorded_at = recorded_at
        self.records: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self.begins: dict[tuple[str, int], int] = {}
        """Where logs begin whose first records were deleted (`delete_before`)."""
        self._read: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.rows: defaultdict[tuple[str, int], MemoryRows] = defaultdict(MemoryRows)
        """By stream and partition."""
        intakes = {
            "accounts": "ledger-commands",
            "payments": "fraud-commands",
            "journals": "ledger-commands",
            "approvals": "ledger-commands",
            "trades": "position-commands",
            "prices": "position-commands",
            "rates": "ledger-commands",
            "statements": ITEMS,
            "fraud-labels": "fraud-commands",
            "break-actions": ITEMS,
        }
        self._stages: list[tuple[str, str, Any]] = [
            *((f"intake-{source}", source, Intake(source, target)) for source, target in intakes.items()),
            *((f"beside-{source}", source, IntakeBeside(source, FRAUD, FRAUD_ALSO)) for source in ALSO),
            (
                "intake-fraud-rules",
                "fraud-rules",
                Intake("fraud-rules", "fraud-commands", check=check_publication),
            ),
            ("intake-matching-rules", "matching-rules", Intake("matching-rules", ITEMS, check_weights)),
            ("beside-rates-items", "rates", IntakeBeside("rates", ITEMS, ITEMS_ALSO)),
            ("fraud", "fraud-commands", FraudLog(Terms(gate=Gate(tenants)))),
            ("ledger", "ledger-commands", Ledger(LedgerRules(tenants=tenants))),
            ("positions", "position-commands", positions),
            ("reconciliation", ITEMS, Desk(tenants.break_rules)),
            ("requests", "requests", Requests()),
            ("history", "postings", history),
            ("invariants", "postings", invariants),
            ("intake-postings", "postings", PostingsIntake(FRAUD)),
            ("lifecycle", "payment-events", Lifecycle(tenants=tenants)),
        ]

    # --- TopicLog

    @property
    def skipped(self) -> list[Any]:
        """No batch of it cannot be read."""
        return []

    def partitions(self, topic: str) -> int:
        """Return the number of partitions."""
        return self.count if topic in TOPICS or topic == "operator-actions" else 0

    def first(self, topic: str, partition: int) -> int:
        """Return the first offset that a partition still has."""
        return self.begins.get((topic, partition), 0)

    def read(self, topic: str, partition: int) -> Iterator[Record]:
        """Yield the records of a partition."""
        yield from self.records[topic, partition]

    # --- producing and processing

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the first records of a log, after its streams have read it."""
        self.begins[topic, partition] = offset
        log = self.records[topic, partition]
        self.records[topic, partition] = [record for record in log if record.offset >= offset]

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: dict[str, bytes] | None = None,
    ) -> Record:
        """Append a record and return it."""
        log = self.records[topic, partition]
        offset = log[-1].offset + (1 if len(log) % 5 else 2) if log else 0
        record = Record(topic, partition, offset, key, value, headers or {}, self.recorded_at)
        log.append(record)
        return record

    def produce(self, produce: Produce) -> Record:
        """Append a record of the load generator where its key belongs."""
        partition = produce.partition
        if partition is None:
            assert produce.key is not None
            partition = partition_of(produce.key.decode(), self.count)
        return self.append(produce.topic, partition, produce.key, produce.value)

    def process(self) -> None:
        """Let every stream read on until nothing is left to read."""
        moved = [True]
        while any(moved):
            moved = [self._advance(*stage) for stage in self._stages]

    def _advance(self, name: str, topic: str, stream: Any) -> bool:
        moved = False
        for partition in range(self.count):
            log, read = self.records[topic, partition], self._read[name, topic, partition]
            batch = log[read:]  # what the stream itself appends comes in the next round
            self._read[name, topic, partition] = read + len(batch)
            for record in batch:
                self._apply(record, name, stream)
                moved = True
        return moved

    def _apply(self, record: Record, name: str, stream: Any) -> None:
        event, code = self._decode(record)
        out = Outbox()
        if event is not None:
            at = Arrival(self.recorded_at, record.partition, self.count, record.offset)
            try:
                stream.apply(event, at, self.rows[name, record.partition], out)
            except Reject as reject:
                event, code = None, reject.code
        if event is None and name not in BESIDE:
            where = {
                "code": code,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
            }
            headers = {f"__ledgerflow.errors.{name}": str(value).encode() for name, value in where.items()}
            self.append("dead-letters", record.partition, record.key, record.value, headers)
        for topic, key, emitted in out.items:
            if emitted is not None:
                home = partition_of(key, self.count) if topic in COMMANDED else record.partition
                everywhere = topic in COMMANDED and type(emitted) in BROADCAST
                for partition in range(self.count) if everywhere else (home,):
                    self.append(topic, partition, key.encode(), encode(emitted))
            else:
                for partition in range(self.count) if key == "*" else (record.partition,):
                    self.append(topic, partition, record.key, record.value)

    def _decode(self, record: Record) -> tuple[Any, str]:
        """Return the event of a record and why there is none."""
        (event,), dead = _decoded(record.value, bytes_max_of(record.topic))
        if dead:
            return None, dead[0].code
        if record.key is None:
            return None, "no_key"
        if type(event) not in KEY_FIELDS:
            return None, "unexpected_event"
        if record.key != record_key(event).encode():
            return None, "wrong_key"
        home = partition_of(record_key(event), self.count)
        if type(event) in BRANCH_EVENTS and event.account_id.startswith(INTERNAL_PREFIX):
            home = event.branch
        if home != record.partition and type(event) not in BROADCAST:
            return None, "wrong_partition"
        return event, ""


def in_chunks(produces: Iterable[Produce], size: int) -> Iterator[list[Produce]]:
    """Yield lists of at most `size`."""
    chunk: list[Produce] = []
    for produce in produces:
        chunk.append(produce)
        if len(chunk) == size:
            yield chunk
            chunk = []
    yield chunk


class Beside(Protocol):
    """Records that come beside a load."""

    def opening(self) -> Iterator[Produce]:
        """Yield what comes before payments."""
        ...

    def follow(self, payments: int) -> Iterator[Produce]:
        """Yield what belongs to so many ordinary payments, as far as it has not come yet."""
        ...


def with_beside(traffic: TrafficGenerator, beside: Beside) -> Iterator[Produce]:
    """Yield the steps of a load, and what comes beside them."""
    for produce in traffic.steps():
        yield from beside.follow(traffic.payments - 1)
        yield produce
    yield from beside.follow(traffic.payments)


def parts_of(traffic: TrafficGenerator, beside: Beside | None = None) -> Iterator[Iterable[Produce]]:
    """Yield the parts of a run; all streams catch up between two of them."""
    yield from (traffic.periods(), traffic.opening())
    yield from () if beside is None else (beside.opening(),)
    yield from (traffic.steps() if beside is None else with_beside(traffic, beside), traffic.closing())
    yield from traffic.rounds()
    yield from traffic.falling_due()


def simulate(
    plan: LoadPlan,
    manifest: Path,
    chunk: int = 50,
    tenants: Tenants = UNRESTRICTED,
    beside: Beside | None = None,
) -> SimulatedCluster:
    """Run a plan through the streams, `chunk` records at a time; write its manifest."""
    cluster = SimulatedCluster(plan.partitions, plan.end, tenants)
    planted: dict[int, PlantedItem] = {}
    traffic = TrafficGenerator(plan, ENCODE, planted)
    with LoadManifest(manifest, plan) as written:
        for part in parts_of(traffic, beside):
            for produces in in_chunks(part, chunk):
                for produce in produces:
                    record = cluster.produce(produce)
                    for number in produce.planted:
                        written.delivered(planted[number], record.topic, record.partition, record.offset)
                cluster.process()
    return cluster
