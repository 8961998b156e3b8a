"""What clean references cost the desk, in processor time: `python -m tests.reconciliation_desk.speed`.

Postings of a few nostro accounts, each followed by its line, which has the posting's reference in another
spelling; rows in memory, in order. By rows and by columns; `--open N`: beside N postings that wait for theirs
in the first account.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

from pipeline.backtest.matching.ordered_rows import OrderedRows
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.reconciliation.desk.batch import DeskBatch
from pipeline.domain.reconciliation.desk.stream import apply
from tests.kernel.side_by_side import Log, run_of

NOON = 20_000 * 86_400_000_000 + 43_200_000_000
STEP_US = 100_000
"""Between two items: a benchmark takes less than a day, so what is open stays as it is."""
APART = 200
"""Items between a posting and its line."""
STATEMENT_LINES = 1_000
BARS = {False: 15_000, True: 4_000}
"""Items a second by columns; True: beside open items."""


def posting(number: int, account: str, at: int) -> ev.PostingRecorded:
    """Return the posting of a payment."""
    return ev.PostingRecorded(
        *(f"posting-event-{number:09}", "acme", at, f"correlation-{number:09}", None),
        *(f"posting-{number:09}", f"entry-{number:09}", f"payment-{number:09}", account, "nostro"),
        *("CREDIT" if number % 3 else "DEBIT", 1_000 + number % 9_973, "EUR", number, 0, 1),
        reference=f"INV-{number:08}/A",
        metadata={"counterparty": f"Customer {number % 777} Ltd", "description": f"Order {number} of May"},
    )


def line(number: int, account: str, at: int) -> ev.StatementLine:
    """Return the bank's line of a payment."""
    statement, line_no = divmod(number, STATEMENT_LINES)
    amount = 1_000 + number % 9_973
    return ev.StatementLine(
        *(f"line-event-{number:09}", "acme", at, f"correlation-{number:09}", None),
        *(f"{account}-{statement:06}", account, line_no, f"INV {number:08} A"),
        *(amount if number % 3 else -amount, "EUR", at, at // 86_400_000_000),
        f"CUSTOMER {number % 777} LTD INV{number:08}A",
        counterparty_name=f"CUSTOMER {number % 777} LTD",
    )


def traffic(pairs: int, accounts: int, first: int) -> Iterator[Any]:
    """Yield postings, each with its line APART items later."""
    at = NOON
    for place in range(pairs + APART // 2):
        for number, make in ((place, posting), (place - APART // 2, line)):
            if 0 <= number < pairs:
                at += STEP_US
                yield make(first + number, f"nostro-{number % accounts}", at)  # type: ignore[operator]


def by_columns(log: Log, rows: OrderedRows, size: int) -> float:
    """Apply a log by columns; return the seconds of processor time."""
    batch, spent = DeskBatch(), 0.0
    for start in range(0, len(log), size):
        part = log[start : start + size]
        run = run_of(batch, part)
        began = time.process_time()
        applied, _ = batch.apply(run, rows)
        spent += time.process_time() - began
        assert applied == len(part), part[applied]
    return spent


def by_rows(log: Log, rows: OrderedRows) -> float:
    """Apply a log by rows; return the seconds of processor time."""
    began = time.process_time()
    for event, recorded_at in log:
        apply(event, Arrival(recorded_at, 0, 4), rows, Outbox())
    return time.process_time() - began


def waiting(count: int, size: int) -> OrderedRows:
    """Return the rows of an account with open postings."""
    rows = OrderedRows()
    log: Log = [(posting(10**8 + number, "nostro-0", NOON), NOON) for number in range(count)]
    by_columns(log, rows, size)
    return rows


def main(options: argparse.Namespace) -> None:
    """Print how many items a second are matched."""
    bar = BARS[bool(options.open)]
    accounts = 1 if options.open else options.accounts
    rows = waiting(options.open, options.size)
    for way, pairs, first in (("columns", options.pairs, 1), ("rows", options.row_pairs, 10**7)):
        log: Log = [(event, event.occurred_at) for event in traffic(pairs, accounts, first)]
        before = len(rows.data)
        spent = by_columns(log, rows, options.size) if way == "columns" else by_rows(log, rows)
        left = sum(key[:1] == b"d" for key in rows.data)
        assert left == options.open, f"{left - options.open} items were not matched"
        print(
            f"by {way}: {len(log):,} items, {options.open:,} others open: {len(log) / spent:,.0f} items/s, "
            f"{1e6 * spent / len(log):.0f} us each, {(len(rows.data) - before) / len(log):.1f} rows each"
            + (f" (bar {bar:,})" if way == "columns" else ""),
            flush=True,
        )


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--pairs", type=int, default=20_000)
    given.add_argument("--row-pairs", type=int, default=4_000, help="by rows, which are slower")
    given.add_argument("--accounts", type=int, default=4)
    given.add_argument("--open", type=int, default=0, metavar="N")
    given.add_argument("--size", type=int, default=2_048, help="items of a run")
    main(given.parse_args())
