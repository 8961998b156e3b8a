"""A small bank's logs in memory, in the place of Kafka: for rebuilds, which only read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import KEY_FIELDS, record_key
from pipeline.rebuild import causal, logs, postings, replay
from pipeline.rebuild.postings import Rebuilt, rebuild
from pipeline.rebuild.scratch import Scratch
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.store.partition_store import PartitionStore
from tests.ledger.branches import DAY, Branches, decided, envelope, opened
from tests.runtime.fixed_registry import FixedRegistry

PARTITIONS = 2
STEP = 2
"""Offsets have gaps: every second one is a control record."""


class Interrupted(Exception):
    """As Ctrl-C ends a run."""


class Logs:
    """Topics in memory. `cut`: so many batches are read before a run is interrupted."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.records: dict[TopicPartition, list[Any]] = {}
        self.codec = Codec(FixedRegistry())  # type: ignore[arg-type]
        self.first = 0
        self.cut: int | None = None
        self.batch = 3
        """So many records are read at a time."""
        self.starts: list[dict[TopicPartition, int]] = []
        """Where each read began."""
        patch.setattr(logs, "read", self._read)
        patch.setattr(logs, "first_offsets", self._first)
        patch.setattr(replay, "read", self._read)
        patch.setattr(causal, "read", self._read)
        patch.setattr(causal, "log_ends", self._ends)
        patch.setattr(replay, "log_ends", self._ends)
        patch.setattr(postings, "log_ends", self._ends)
        patch.setattr(postings, "ROUND_PAUSE_S", 0.0)

    def add(self, topic: str, partition: int, event: Any, timestamp: int = 0) -> None:
        """Append an event."""
        log = self.records.setdefault(TopicPartition(topic, partition), [])
        value = self.codec.encode([event])[0]
        about = {"offset": len(log) * STEP, "timestamp": timestamp, "headers": ()}
        key = record_key(event) if type(event) in KEY_FIELDS else f"{event.tenant_id}/{event.account_id}"
        log.append(SimpleNamespace(key=key.encode(), value=value, **about))

    def end(self, topic: str, partition: int) -> int:
        """Return where a log ends."""
        return len(self.records.get(TopicPartition(topic, partition), ())) * STEP

    async def _ends(self, _: Any, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self.end(*place) for place in places}

    async def _first(self, _: Any, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.first)

    async def _read(
        self, _: Any, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[tuple[TopicPartition, list[Any], int]]:
        self.starts.append(dict(starts))
        for place, start in starts.items():
            left = [r for r in self.records.get(place, ()) if start <= r.offset < ends[place]]
            for number in range(0, len(left), self.batch):
                if self.cut is not None:
                    self.cut -= 1
                    if self.cut < 0:
                        raise Interrupted
                batch = left[number : number + self.batch]
                yield place, batch, batch[-1].offset + 1


def journal_legs(number: int) -> tuple[ev.JournalLeg, ...]:
    """Return the legs of a journal over both branches."""
    moves = (("acc-2", "DEBIT", 5), ("acc-5", "CREDIT", 2), ("acc-6", "CREDIT", 2), ("acc-7", "CREDIT", 1))
    return tuple(
        ev.JournalLeg(leg_no, 1, account, side, amount * (number + 1), "EUR", None, None)
        for leg_no, (account, side, amount) in enumerate(moves)
    )


def bank() -> Branches:
    """Return branches with settled and held payments, legs, captures, journals, refusals, a late payment."""
    ledger = Branches(PARTITIONS)
    ledger.recorded_at = 40 * DAY
    ledger.run(*(opened(f"o{n}", f"acc-{n}", 1_000_00) for n in range(8)), opened("o9", "empty"))
    ledger.run(*(decided(f"d{n}", f"p{n}", f"acc-{n}", f"acc-{(n + 1) % 8}", 100 + n) for n in range(8)))
    ledger.run(decided("h", "held", "acc-0", "acc-3", 5_00, outcome="REVIEW"))
    ledger.run(decided("x", "too-much", "acc-1", "acc-2", 10**9), decided("n", "nobody", "acc-1", "who", 1))
    ledger.run(decided("c", "card", "acc-0", "acc-6", 9_00, hold_expires_at=50 * DAY))
    capture = {"payment_id": "card", "debtor_account_id": "acc-0", "capture_id": "c1", "amount_minor": 4_00}
    ledger.run(ev.PaymentCaptured(**envelope("c1"), **capture, final=False))
    for number, expires_at in enumerate((None, 60 * DAY)):
        about = {
            "account_id": "acc-2",
            "reference": "r",
            "reason": None,
            "effective_at": None,
            "late": "REFUSE",
        }
        about |= {"journal_id": f"j{number}", "hold_expires_at": expires_at}
        ledger.run(ev.JournalSubmitted(**envelope(f"j{number}"), **about, legs=journal_legs(number)))
    ledger.run(decided("now", "now", "acc-4", "acc-5", 7, occurred_at=40 * DAY))
    ledger.run(decided("late", "late", "acc-4", "acc-5", 11, occurred_at=20 * DAY))
    return ledger


def journal_of(ledger: Branches, logs: Logs) -> None:
    """Write what the branches have said to the logs."""
    for number, branch in enumerate(ledger.branches):
        for topic, _, event in branch.said:
            if topic in (postings.POSTINGS, postings.BALANCES):
                logs.add(topic, number, event)


def commands_of(ledger: Branches, logs: Logs) -> None:
    """Write what the branches have applied to the logs."""
    for number, branch in enumerate(ledger.branches):
        for event, recorded_at in branch.log:
            logs.add("ledger-commands", number, event, recorded_at // 1000)


def copy_of(ledger: Branches, number: int, folder: Path) -> Path:
    """Return a copy of a branch's table, as a snapshot has it."""
    folder.mkdir(parents=True, exist_ok=True)
    store, path = PartitionStore(folder / f"live-{number}.rocks"), folder / f"copy-{number}.rocks"
    store.write(dict(ledger.branches[number].rows.data), 1)
    store.checkpoint(path)
    store.close()
    return path


def from_postings(logs: Logs, folder: Path, about: str = "a", limit: int = 100) -> Rebuilt:
    """Run a rebuild from postings."""
    with Scratch(folder, {"topics": about}) as scratch:
        return asyncio.run(
            rebuild({}, logs.codec, scratch, PARTITIONS, limit, lambda *_: None, lambda _: None)
        )
