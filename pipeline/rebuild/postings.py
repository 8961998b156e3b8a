"""Computes balances from the postings alone, and compares them with the balances topic.

    postings -> summed up: counters, sequence, held amount -> scratch \\
    balances -> the latest of each account                 -> scratch  -> compared, account by account

The ledger writes both topics in one transaction, but a reader cannot stop both topics at the same transaction
while the ledger works. So accounts that differ are compared again after reading on, up to ROUNDS_MAX times.
One that has not changed in between and still differs is a difference. One that changes in every round is
reported as undecided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from aiokafka import TopicPartition

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.rows import row_key
from pipeline.rebuild.differences import Differences, Value, merged_by_key
from pipeline.rebuild.logs import OnProgress, OnStage, read_logs
from pipeline.rebuild.scratch import Scratch
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.changelog import log_ends
from pipeline.runtime.store.partition_store import PartitionStore

POSTINGS, BALANCES = "postings", "balances"
ROUNDS_MAX = 6
"""How often accounts that differ are compared again while they change."""
FAULTS_SHOWN = 10
ROUND_PAUSE_S = 0.2
WATCHED_MAX = 10_000
"""Most accounts that are compared again. If more differ, it is not only because they change just now."""
_FAULTS = b"f"


class AccountTotals(msgspec.Struct, array_like=True, gc=False):
    """The totals of an account, in minor units of its currency."""

    currency: str
    debits_posted: int = 0
    credits_posted: int = 0
    held_minor: int | None = 0
    """None after a posting of version 1, which has no such field."""
    account_sequence: int = 0
    balance_minor: int = 0
    available_minor: int | None = 0

    def settle(self, held_minor: int | None) -> None:
        """Set the amounts that follow from the counters and the held amount."""
        self.balance_minor = self.credits_posted - self.debits_posted
        self.held_minor = held_minor
        self.available_minor = None if held_minor is None else self.balance_minor - held_minor


class Faults(msgspec.Struct):
    """Contradictions within the journal."""

    count: int = 0
    shown: list[str] = msgspec.field(default_factory=list)
    others: int = 0
    """Events of kinds that change no account here."""

    def add(self, text: str) -> None:
        """Count a contradiction; keep its text if it is one of the first FAULTS_SHOWN."""
        self.count += 1
        if len(self.shown) < FAULTS_SHOWN:
            self.shown.append(text)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccountTotals).decode
_decode_faults = msgspec.msgpack.Decoder(Faults).decode


def account_key(event: Any) -> bytes:
    """Return the row key of an event's account."""
    return row_key("a", event.tenant_id, event.account_id)


def fold(events: Iterable[Any], rows: PartitionStore) -> None:
    """Add events of the journal to the rows. None stands for a record that is no event."""
    events = list(events)
    rows.prefetch(account_key(event) for event in events if hasattr(event, "account_id"))
    faults = read_faults(rows)
    touched: dict[bytes, AccountTotals] = {}
    for event in events:
        kind = type(event)
        if event is None:
            faults.add("a record that is no event")
            continue
        if kind is not ev.PostingRecorded and kind is not ev.HoldRecorded:
            faults.others += 1
            continue
        key = account_key(event)
        totals = touched.get(key)
        if totals is None:
            row = rows.get(key)
            totals = touched[key] = AccountTotals(event.currency) if row is None else _decode(row)
        said = _add(event, totals)
        if said is not None:
            faults.add(f"{event.tenant_id}/{event.account_id}: {said}")
    rows.put_many((key, _encode(totals)) for key, totals in touched.items())
    rows.put(_FAULTS, _encode(faults))


def _add(event: Any, totals: AccountTotals) -> str | None:
    """Add one event to its account; return how it contradicts the events before it, or None."""
    held, after = totals.held_minor, event.held_minor_after
    if type(event) is ev.HoldRecorded:
        totals.settle(after)
        change = {"PLACED": event.amount_minor, "RELEASED": -event.amount_minor}.get(event.change)
        if held is not None and change is not None and after != held + change:
            return f"the held amount is {after}, expected {held} + {change}"
        return (
            None
            if event.balance_minor == totals.balance_minor
            else "a hold has another balance than the postings"
        )
    expected = totals.account_sequence + 1
    totals.account_sequence = event.account_sequence
    if event.side == "CREDIT":
        totals.credits_posted += event.amount_minor
    else:
        totals.debits_posted += event.amount_minor
    totals.settle(after)
    if event.account_sequence != expected:
        return f"posting number {event.account_sequence}, expected {expected}"
    if event.currency != totals.currency:
        return f"a posting in {event.currency} on an account in {totals.currency}"
    if event.balance_minor_after != totals.balance_minor:
        return (
            f"posting {expected} has balance {event.balance_minor_after}, the sum is {totals.balance_minor}"
        )
    return None


def read_faults(rows: PartitionStore) -> Faults:
    """Return the contradictions that were found in the journal of the rows."""
    row = rows.get(_FAULTS)
    return Faults() if row is None else _decode_faults(row)


def keep_latest(events: Iterable[Any], rows: PartitionStore) -> None:
    """Write the latest balance of each account."""
    latest = {account_key(event): event for event in events if type(event) is ev.BalanceUpdated}
    rows.put_many((key, _encode(_totals_of(event))) for key, event in latest.items())


def _totals_of(event: ev.BalanceUpdated) -> AccountTotals:
    return AccountTotals(
        event.currency,
        event.debits_posted,
        event.credits_posted,
        event.debits_pending,
        event.account_sequence,
        event.balance_minor,
        event.available_minor,
    )


def in_both_versions(
    stated: bytes | None, folded: bytes | None
) -> tuple[dict[str, Value] | None, dict[str, Value] | None]:
    """Return the fields of an account in both versions, without those that the postings do not have."""
    live = None if stated is None else _decode(stated)
    rebuilt = None if folded is None else _decode(folded)
    if rebuilt is None and live is not None:
        rebuilt = AccountTotals(live.currency)  # opened, and nothing was ever posted
    left_out = {field for field in ("held_minor", "available_minor") if getattr(rebuilt, field) is None}
    return _fields(live, left_out), _fields(rebuilt, left_out)


def _fields(totals: AccountTotals | None, left_out: set[str]) -> dict[str, Value] | None:
    if totals is None:
        return None
    return {name: value for name, value in msgspec.structs.asdict(totals).items() if name not in left_out}


class Rebuilt(NamedTuple):
    """The result of a rebuild from postings."""

    differences: Differences
    faults: Faults
    undecided: int
    """Accounts that differ and changed in every round."""
    records: int
    """Records read by this run."""


async def rebuild(
    connection: Mapping[str, Any],
    codec: Codec,
    scratch: Scratch,
    partitions: int,
    limit: int,
    on_progress: OnProgress,
    on_stage: OnStage,
) -> Rebuilt:
    """Sum up the whole journal and compare it with the balances.

    Raises LogCut, aiokafka's KafkaError and the errors of the registry.
    """
    journal = {
        TopicPartition(POSTINGS, number): scratch.store(f"{POSTINGS}-{number}")
        for number in range(partitions)
    }
    stated = {
        TopicPartition(BALANCES, number): scratch.store(f"{BALANCES}-{number}")
        for number in range(partitions)
    }
    stores = {**journal, **stated}

    async def take(place: TopicPartition, records: list[Any], position: int) -> None:
        store = stores[place]
        events = codec.decode([record.value for record in records]).events
        (fold if place.topic == POSTINGS else keep_latest)(events, store)
        store.take()
        store.commit(position)

    records = 0
    earlier: Moving = {}
    for turn in range(ROUNDS_MAX):
        on_stage("reading what came since" if turn else "reading postings and balances")
        ends = await log_ends(connection, list(stores))
        balances = {place: end for place, end in ends.items() if place in stated}
        records += await read_logs(connection, stated, balances, take, on_progress, whole=False)
        postings = {place: end for place, end in ends.items() if place in journal}
        records += await read_logs(connection, journal, postings, take, on_progress)
        differing = _differing(journal, stated)
        moving = {place: rows for place, rows in differing.items() if earlier.get(place) != rows}
        if not moving:
            break
        earlier = differing
        await asyncio.sleep(ROUND_PAUSE_S)
    return _compared(journal, stated, moving, limit, records)


Stores = Mapping[TopicPartition, PartitionStore]
Moving = dict[tuple[int, bytes], tuple[bytes | None, bytes | None]]
"""Accounts that differ, by partition and key: the row from the balances, the row from the postings."""


def _accounts(
    journal: Stores, stated: Stores
) -> Iterator[tuple[tuple[int, bytes], tuple[bytes | None, bytes | None]]]:
    """Yield every account in both versions, branch by branch."""
    prefix = row_key("a", "")
    for place, folded in journal.items():
        live = stated[TopicPartition(BALANCES, place.partition)]
        for key, one, other in merged_by_key(live.committed_scan(prefix), folded.committed_scan(prefix)):
            yield (place.partition, key), (one, other)


def _differing(journal: Stores, stated: Stores) -> Moving:
    """Return the accounts that differ, at most WATCHED_MAX of them."""
    found: Moving = {}
    for place, rows in _accounts(journal, stated):
        one, other = in_both_versions(*rows) if rows[0] != rows[1] else (None, None)
        if one != other:
            found[place] = rows
            if len(found) == WATCHED_MAX:
                break
    return found


def _compared(journal: Stores, stated: Stores, moving: Moving, limit: int, records: int) -> Rebuilt:
    differences, faults = Differences(limit), Faults()
    for (branch, key), rows in _accounts(journal, stated):
        if (branch, key) not in moving:
            differences.add(
                branch, "account", "/".join(key.decode().split("\0")[1:]), *in_both_versions(*rows)
            )
    for store in journal.values():
        found = read_faults(store)
        faults.count += found.count
        faults.others += found.others
        faults.shown = [*faults.shown, *found.shown][:FAULTS_SHOWN]
    return Rebuilt(differences, faults, len(moving), records)
