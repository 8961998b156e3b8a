"""What the fraud stream costs by columns, in processor time: `python -m tests.fraud.speed`.

One partition: ordinary payments of many accounts, each with the posting of its debtor, its receipt and the
cards that these make, as they come back to the log some thousand events later. The last quarter of the runs
is told besides: by then accounts have histories. With `--model` a live model of TREES trees scores each one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from random import Random
from typing import Any

from pipeline.domain.fraud.features.catalogue import INPUTS
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.model.artefact import NEVER_BP, Feature
from pipeline.domain.fraud.model.encoding import encode
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Passed, events_of
from pipeline.domain.kernel.outbox import Arrival, Outbox
from tests.fraud.log_traffic import debit
from tests.fraud.logs import NOON
from tests.fraud_model.models import random_model
from tests.fraud_publishing.publishing import in_role, model_parts
from tests.kernel.side_by_side import MemoryRows, run_of

ACCOUNTS, DEVICES = 20_000, 8_000
TREES, DEPTH, FEATURES = 200, 4, 40


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


def model() -> bytes:
    """Return a model of the size of a trained one; it asks for features of the catalogue."""
    asked = INPUTS[:FEATURES]
    made = random_model(1, trees=TREES, depth=DEPTH, features=len(asked), reach=100_000, full=True)
    lines = zip(asked, made.features, strict=True)
    features = tuple(Feature(*one, old.bins) for one, old in lines)
    return encode(replace(made, features=features, review_from_bp=NEVER_BP, decline_from_bp=NEVER_BP))


def main(payments: int, size: int, *, with_model: bool) -> None:
    """Print microseconds a payment, and bytes by the family of rows."""
    chance, stream, rows = Random(1), FraudLog(), CountedRows()
    data = model() if with_model else b""
    for said in [*model_parts(data, len(data)), in_role(data, 1, "LIVE", None, 0)] if with_model else ():
        stream.apply(said, Arrival(NOON, 0, 4, 0), rows, Outbox())
    batch = FraudLogBatch(stream)
    waiting: list[tuple[Any, int]] = []
    done, events = 0, 0
    runs: list[tuple[float, int]] = []
    while done < payments:
        log = waiting[:size]
        waiting = waiting[size:]
        while len(log) < size and done < payments:
            now = NOON + done * 2_000_000
            one = payment(chance, done, now)
            log.insert(chance.randrange(len(log) + 1), (one, now))
            waiting.append((debit(one, now), now))
            done += 1
        spent, told = applied(batch, log, rows)
        waiting += told
        events += len(log)
        runs.append((spent, sum(type(event) is ev.PaymentInitiated for event, _ in log)))
    print(f"{payments:,} payments, {events:,} events by {size:,}: {cost(runs):.0f} µs a payment,")
    print(f"in the last quarter of the runs {cost(runs[len(runs) * 3 // 4 :]):.0f} µs")
    for family, count in sorted(rows.written.items(), key=lambda one: -one[1])[:8]:
        print(f"  {family}  {count / payments:,.0f} bytes a payment")
    print(f"  all {sum(rows.written.values()) / payments:,.0f}")


def applied(batch: FraudLogBatch, log: Any, rows: Any) -> tuple[float, list[tuple[Any, int]]]:
    """Apply a run; return the seconds of processor time, and what comes back to the log."""
    run, position, spent = run_of(batch, log), 0, 0.0
    told: list[tuple[Any, int]] = []
    while position < len(log):
        start = time.thread_time()
        count, said = batch.apply(run.slice(position, len(log)), rows)
        spent += time.thread_time() - start
        assert count, log[position]
        position += count
        for part in said:
            if not isinstance(part, Passed) and part.topic == "fraud-commands":
                told += [(event, log[-1][1]) for event in events_of(part)]
    return spent, told


def cost(runs: list[tuple[float, int]]) -> float:
    """Return microseconds a payment."""
    return sum(spent for spent, _ in runs) / max(sum(paid for _, paid in runs), 1) * 1e6


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("payments", nargs="?", type=int, default=20_000)
    given.add_argument("size", nargs="?", type=int, default=5_000)
    given.add_argument("--model", action="store_true")
    chosen = given.parse_args()
    main(chosen.payments, chosen.size, with_model=chosen.model)
