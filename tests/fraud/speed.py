"""What the fraud stream costs by columns, in processor time: `python -m tests.fraud.speed`.

One partition: ordinary payments of many accounts, each with the posting of its debtor, its receipt and the
cards that these make, as they come back to the log some thousand events later.
"""

from __future__ import annotations

import sys
import time
from random import Random
from typing import Any

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Passed, events_of
from tests.fraud.log_traffic import debit
from tests.fraud.logs import NOON
from tests.kernel.side_by_side import MemoryRows, run_of

ACCOUNTS, DEVICES = 20_000, 8_000


def payment(chance: Random, number: int, now: int) -> ev.PaymentInitiated:
    """Return an ordinary payment."""
    debtor, creditor = f"account-{chance.randrange(ACCOUNTS):08}", f"account-{chance.randrange(ACCOUNTS):08}"
    device = f"device-{chance.randrange(DEVICES):08}" if chance.random() < 0.5 else None
    return ev.PaymentInitiated(
        *(f"event-{number:012}", "acme", now, "correlation", None, f"payment-{number:012}"),
        *(debtor, creditor, int(chance.lognormvariate(8, 1.5)) + 1, "EUR", "transfer", "invoice"),
        *("app", device, chance.choice(["FR", "DE", "GB", None]), None),
    )


class CountedRows(MemoryRows):
    """Rows that count what is written: bytes of the changelog."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, int] = {}

    def put(self, key: bytes, value: bytes) -> None:
        """Insert or replace a row."""
        family = chr(key[0])
        self.written[family] = self.written.get(family, 0) + len(key) + len(value)
        super().put(key, value)


def main(payments: int, size: int) -> None:
    """Print microseconds a payment, and bytes by the family of rows."""
    chance, stream, rows = Random(1), FraudLog(), CountedRows()
    batch = FraudLogBatch(stream)
    waiting: list[tuple[Any, int]] = []
    spent, events, done = 0.0, 0, 0
    best = 1e9
    while done < payments:
        log = waiting[:size]
        waiting = waiting[size:]
        while len(log) < size and done < payments:
            now = NOON + done * 2_000_000
            one = payment(chance, done, now)
            log.insert(chance.randrange(len(log) + 1), (one, now))
            waiting.append((debit(one, now), now))
            done += 1
        run = run_of(batch, log)
        start, paid = time.thread_time(), sum(type(event) is ev.PaymentInitiated for event, _ in log)
        position = 0
        while position < len(log):
            applied, said = batch.apply(run.slice(position, len(log)), rows)
            position += applied
            assert applied, log[position]
            took = time.thread_time() - start
            for part in said:
                if not isinstance(part, Passed) and part.topic == "fraud-commands":
                    waiting += [(event, log[-1][1]) for event in events_of(part)]
            start = time.thread_time()
            spent += took
        events += len(log)
        if paid and done > payments / 2:
            best = min(best, took / paid)
    print(f"{payments:,} payments, {events:,} events by {size:,}: {spent / payments * 1e6:.0f} µs a payment,")
    print(f"the best run {best * 1e6:.0f} µs")
    for family, count in sorted(rows.written.items(), key=lambda one: -one[1])[:8]:
        print(f"  {family}  {count / payments:,.0f} bytes a payment")
    print(f"  all {sum(rows.written.values()) / payments:,.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 5_000)
