"""What a question about an account's past costs: its time, and how many rows are read to answer it.

bookings of one account -> the history's rules -> RocksDB -> questions at times by chance, one after the other

They are asked of the views' own functions on committed rows, without HTTP; no answer is in memory before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.domain.history import stream as history
from pipeline.domain.history.rows import head_key
from pipeline.domain.history.views import BALANCE_AT, STATEMENT
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.views import AccountView, Question
from pipeline.runtime.store.partition_store import PartitionStore
from tests.benchmarks.exactness import expect
from tests.benchmarks.inputs import TENANT, envelope

SECOND_US = 1_000_000
START_US = 1_790_000_000 * SECOND_US
LATE_US = 3_600 * SECOND_US
"""By how much a late booking is late, at most; an account has one booking a second."""
LATE_ONE_IN = 100
CHUNK_LINES = 10_000
STATEMENT_LINES = 100

Booking = tuple[int, int]
"""(value time, amount); booking n is made at START_US + n seconds."""


class CountedRows:
    """Rows that count how often one is read."""

    def __init__(self, get: Callable[[bytes], bytes | None]) -> None:
        self._get = get
        self.reads = 0

    def get(self, key: bytes) -> bytes | None:
        """Return a row, or None."""
        self.reads += 1
        return self._get(key)


def bookings(lines: int, late: bool) -> list[Booking]:
    """Return bookings of an account; with `late`, one in a hundred had happened up to an hour before."""
    rng, found = random.Random(lines), []
    for number in range(lines):
        at = START_US + number * SECOND_US
        if late and rng.randrange(LATE_ONE_IN) == 0:
            at -= rng.randrange(LATE_US)
        found.append((at, rng.randrange(-100, 200) or 1))
    return found


def book(account: str, made: list[Booking]) -> Iterator[dict[bytes, bytes]]:
    """Yield the history's rows of bookings, chunk by chunk."""
    rows, balance = MemoryRows(), 0
    for number, (value_time, amount) in enumerate(made):
        balance += amount
        booked_at = START_US + number * SECOND_US
        posting = posting_of(account, f"{account}-{number:032d}", value_time, booked_at, amount, balance, 0)
        history.apply(posting, Arrival(booked_at, 0, 1), rows, Outbox())
        if number % CHUNK_LINES == CHUNK_LINES - 1 or number == len(made) - 1:
            yield rows.data
            head = head_key(TENANT, account)
            rows.data = {head: rows.data[head]}  # all that the next booking needs


def posting_of(
    account: str, name: str, value_time: int, booked_at: int, amount: int, balance: int, branch: int
) -> ev.PostingRecorded:
    """Return a posting of an account, nothing held."""
    return ev.PostingRecorded(
        *envelope(name, value_time),
        *(name, f"entry-{name}", f"pay-{name}", account, "checking"),
        *("CREDIT" if amount > 0 else "DEBIT", abs(amount), "EUR", 1, balance, branch),
        reference="invoice",
        booked_at=booked_at,
        held_minor_after=0,
    )


def measure(folder: Path, lines: int, late: bool, asked: int) -> dict[str, Any]:
    """Return, by kind of question, how long it took and the rows read; raise Inexact for a wrong answer."""
    account, made = f"account-{lines}-{late}", bookings(lines, late)
    store = PartitionStore(folder / f"{account}.rocks")
    try:
        for rows in book(account, made):
            store.write(rows, None)
        check_answers(CountedRows(store.committed_get), account, made)
        return {
            kind: _ask(store.committed_get, account, view, lines, kind, asked)
            for kind, view in (
                *((kind, BALANCE_AT) for kind in ("as_of", "known_at", "both")),
                ("statement", STATEMENT),
            )
        }
    finally:
        store.close()


def check_answers(rows: Any, account: str, made: list[Booking], asked: int = 20) -> None:
    """Raise Inexact unless the answers at some times are what a walk over all bookings finds."""
    rng = random.Random(1)
    for _ in range(asked):
        as_of, known = _time(rng, len(made)), rng.randrange(1, len(made) + 1)
        counted = [amount for value_time, amount in made[:known] if value_time <= as_of]
        lines = history.booked_by(rows, TENANT, account, len(made), START_US + (known - 1) * SECOND_US)
        state = history.state_at(rows, TENANT, account, lines, as_of)
        expect("lines booked by a time", lines, known)
        expect("balance at a time", state.balance_minor if state else None, sum(counted) if counted else None)


def ask_once(rows: CountedRows, account: str, view: AccountView, kind: str, lines: int, rng: Any) -> int:
    """Ask one question, as a view does; return the rows that were read."""
    start = _time(rng, lines)
    times = {"as_of": start, "known_at": _time(rng, lines)}
    if kind == "statement":
        times = {"from": start, "to": start + 10 * STATEMENT_LINES * SECOND_US}
    elif kind != "both":
        times = {kind: times[kind]}
    before = rows.reads
    counted: Any = rows
    view.ask(counted, TENANT, account, Question(times, limit=STATEMENT_LINES))
    return rows.reads - before


def _ask(
    get: Callable[[bytes], bytes | None], account: str, view: AccountView, lines: int, kind: str, asked: int
) -> dict[str, Any]:
    rng, rows, took_us, read = random.Random(kind), CountedRows(get), [], []
    for _ in range(asked):
        started = time.perf_counter()
        read.append(ask_once(rows, account, view, kind, lines, rng))
        took_us.append((time.perf_counter() - started) * 1e6)
    p50, p99 = np.percentile(took_us, (50, 99))
    return {
        "p50_us": round(float(p50)),
        "p99_us": round(float(p99)),
        "rows_mean": round(float(np.mean(read)), 1),
        "rows_max": max(read),
    }


def _time(rng: random.Random, lines: int) -> int:
    """Return a time within the bookings; there is always something before it."""
    return START_US + rng.randrange(lines) * SECOND_US
