"""How a table grows over years of event time: its rows, its bytes on the disk, what a scan of a page takes.

    days of events, at a constant rate -> the rules of a stream, by batches -> RocksDB -> a line every 50 days

    python -m tests.benchmarks.retention [--days 600] [--rate 400] [STREAM ...]

The streams are those whose rows come with the traffic. Their tables stop growing once both windows are over
(400 days). History is kept for ever, so it is not among them. Of the ledger every tenth payment is a hold
that ends a day later, and every fourth comes with a leg of another branch; what is due is found by a scan in
order of time, which is measured, too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.ledger.due import due_in_order
from pipeline.runtime.settings import load_settings
from pipeline.runtime.store.partition_store import PartitionStore
from tests.kernel.side_by_side import PARTITIONS, Log, Replay
from topologies import fraud, ledger, lifecycle, positions, reconciliation
from topologies.configuration import Configuration

START_US = 1_700_000_000_000_000
ACCOUNTS = 200
PAGE = 100
MODULES = {
    "ledger": ledger,
    "lifecycle": lifecycle,
    "positions": positions,
    "reconciliation": reconciliation,
    "fraud": fraud,
}
FAMILIES = {
    "ledger": b"p\0",
    "lifecycle": b"p\0",
    "positions": b"t\0",
    "reconciliation": b"l\0",
    "fraud": b"d\0",
}
"""The rows that come with the traffic."""


def _envelope(name: str, at: int) -> tuple[str, str, int, str, str | None]:
    return name, "acme", at, "c", None


def _lives(number: int, at: int) -> Iterator[Any]:
    about = f"p{number}", f"a{number % ACCOUNTS}", "shop", 12_50, "EUR"
    yield ev.PaymentScreened(*_envelope(f"s{number}", at), *about, "APPROVE", "d")
    yield ev.PaymentReserved(*_envelope(f"r{number}", at), *about, "ok")
    yield ev.PaymentSettled(*_envelope(f"t{number}", at), *about, "ok")


def _trades(number: int, at: int) -> Iterator[Any]:
    account, instrument = f"a{number % ACCOUNTS}", f"I{number % 7}"
    side = "SELL" if number // ACCOUNTS % 2 else "BUY"
    about = f"t{number}", account, instrument, side, 10**8, 5 * 10**8, 3, "EUR"
    yield ev.TradeExecuted(*_envelope(f"e{number}", at), *about)
    yield ev.TradeSettled(*_envelope(f"s{number}", at), f"t{number}", account, at)


def _items(number: int, at: int) -> Iterator[Any]:
    account, statement = f"n{number % 4}", f"S{number // 40}"
    about = {"tenant_id": "acme", "occurred_at": at, "correlation_id": "c", "causation_id": None}
    about |= {"account_id": account, "currency": "EUR", "amount_minor": 5}
    yield ev.PostingRecorded(
        **about, event_id=f"p{number}", posting_id=f"P{number}", entry_id=f"E{number}", payment_id=None,
        account_type="nostro", side="CREDIT", account_sequence=number, balance_minor_after=0, branch=0,
        reference=f"R{number}", booked_at=at, held_minor_after=0,
    )  # fmt: skip
    yield ev.StatementLine(
        **about, event_id=f"l{number}", statement_id=statement, line_no=number % 40 // 4 + 1,
        external_reference=f"R{number}", booked_at=at, value_date=at // MICROSECONDS_PER_DAY, description="",
    )  # fmt: skip
    if number % 40 >= 36:
        del about["amount_minor"]
        yield ev.StatementClosed(
            **about, event_id=f"c{number}", statement_id=statement, opening_balance_minor=50 * (number // 40),
            closing_balance_minor=50 * (number // 40 + 1), line_count=10, closed_at=at,
        )  # fmt: skip


def _payments(number: int, at: int) -> Iterator[Any]:
    about = f"p{number}", f"a{number % ACCOUNTS}", f"shop{number % 3}", 12_50 + number % 9, "EUR"
    more = "transfer", "invoice", "app", "phone", "FR", None, None, None
    yield ev.PaymentInitiated(*_envelope(f"e{number}", at), *about, *more)


def _accounts(partition: int) -> list[str]:
    """Return accounts that are kept on a partition."""
    ids = (f"a{number}" for number in range(8 * ACCOUNTS))
    found = [one for one in ids if partition_of(f"acme/{one}", PARTITIONS) == partition]
    return found[:ACCOUNTS]


HERE, AWAY = _accounts(0), _accounts(1)[0]


def _commands(number: int, at: int) -> Iterator[Any]:
    for account in HERE if number == 0 else ():
        yield ev.AccountOpened(*_envelope(f"o{account}", at), account, "c", "checking", "EUR", 10**12)
    debtor, creditor = HERE[number % ACCOUNTS], HERE[(number + 1) % ACCOUNTS]
    ends = at + MICROSECONDS_PER_DAY if number % 10 == 0 else None
    more = "transfer", "invoice", None, None, None, None, "APPROVE", 0, (), "rules", ends
    yield ev.PaymentDecided(*_envelope(f"e{number}", at), f"p{number}", debtor, creditor, 12_50, "EUR", *more)
    if number % 4 == 0:
        leg = f"l{number}", f"q{number}", creditor, AWAY, creditor, 5, "EUR", 1, "invoice"
        yield ev.LegRequested(*_envelope(f"l{number}", at), *leg)


EVENTS: dict[str, Callable[[int, int], Iterator[Any]]] = {
    "ledger": _commands,
    "lifecycle": _lives,
    "positions": _trades,
    "reconciliation": _items,
    "fraud": _payments,
}
"""The events of a number that is one payment, trade or item."""


def log_of(stream: str, first: int, count: int, step_us: int) -> Log:
    """Return the events of numbers from `first`, one number every `step_us`, recorded as they happen."""
    found: Log = []
    for number in range(first, first + count):
        at = START_US + number * step_us
        found += [(event, at) for event in EVENTS[stream](number, at)]
    return found


class Size(NamedTuple):
    """A table at the end of a day of event time."""

    day: int
    rows: int
    """Of the kind that comes with the traffic."""
    all_rows: int
    mib: float
    """Of the database's files, after a compaction."""
    page_ms: float
    """The median of reading a page of them, from the first one, before the compaction."""
    due_ms: float
    """Of the ledger: the median of looking for what is due, before the compaction."""


def sizes(stream: str, folder: Path, days: int, rate: int, every: int = 50) -> Iterator[Size]:
    """Yield how large a stream's table is, every so many days; `rate`: payments, trades or items a day."""
    spec = MODULES[stream].STREAMS[0].spec(Configuration(load_settings()))
    store, step = PartitionStore(folder / f"{stream}.rocks"), MICROSECONDS_PER_DAY // rate
    replay = Replay(spec.rules)
    replay.rows = store  # type: ignore[assignment]
    for day in range(days):
        replay.by_columns(spec.batch, log_of(stream, day * rate, rate, step))
        assert replay.rejected == []
        replay.said.clear()
        store.take()
        store.commit(day + 1)
        if (day + 1) % every == 0:
            yield _size(stream, store, day + 1)
    store.close()


def _size(stream: str, store: PartitionStore, day: int) -> Size:
    store._db.flush()
    prefix = FAMILIES[stream]
    page_ms = _median_ms(lambda: list(islice(store.committed_scan(prefix), PAGE)))
    due_ms = _median_ms(lambda: due_in_order(store, 0, PAGE)) if stream == "ledger" else 0.0
    rows = sum(1 for _ in store.committed_scan(prefix))
    every = sum(1 for _ in store.committed_scan(b""))
    store._db.compact_range(None, None)  # as RocksDB does by itself in a table of a usual size
    files = sum(file.stat().st_size for file in store.path.rglob("*.sst"))
    return Size(day, rows, every, files / 2**20, page_ms, due_ms)


def _median_ms(read: Callable[[], Any]) -> float:
    taken = []
    for _ in range(21):
        started = time.perf_counter()
        read()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[10] * 1e3


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("streams", nargs="*", metavar="STREAM", help=", ".join(EVENTS))
    parser.add_argument("--days", type=int, default=600)
    parser.add_argument("--rate", type=int, default=400)
    given = parser.parse_args()
    for stream in given.streams or EVENTS:
        head = "  day     rows  all rows     MiB  page ms   due ms"
        print(f"\n{stream}: {given.rate} a day\n{head}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for size in sizes(stream, Path(folder), given.days, given.rate):
                print("{:5} {:8,} {:9,} {:7.2f} {:8.2f} {:8.3f}".format(*size), flush=True)


if __name__ == "__main__":
    main()
