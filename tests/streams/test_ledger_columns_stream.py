"""Large batches of the ledger go by columns: byte for byte what small ones, which go by rows, come to."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import DAY, decided, envelope, opened
from tests.runtime.task_bench import own_accounts
from tests.streams.stream_bench import (
    RECORDED_AT,
    StreamBench,
    accept_by_hundreds,
    applied_by_columns,
    assert_replays,
)
from topologies import ledger
from topologies.configuration import Configuration

HOME = own_accounts(12)
AWAY = own_accounts(4, partition=1)
COUNT = 2500
LAG = 100
"""Payments in flight: their answers come so much later that they mostly fall into another run."""
TODAY = RECORDED_AT - DAY
SPEC = ledger.STREAMS[0].spec(Configuration(load_settings()))


def commands(seed: int) -> list[Any]:
    """Return what a branch with few, busy accounts gets to do, the answers to its legs among it."""
    chance = random.Random(seed)
    kinds = ["checking"] * 8 + ["nostro"] * 4
    log: list[Any] = [
        opened(f"open-{number}", account, chance.randrange(40_000, 60_000), account_type=kinds[number])
        for number, account in enumerate(HOME)
    ]
    payments: list[Any] = []
    in_flight: list[Any] = []
    for number in range(COUNT):
        head = envelope(f"event-{number}", TODAY + number)
        rare = ["review", "cancel", "again", "limit"]
        what = chance.choice(["pay"] * 200 + ["leg"] * 120 + ["answer"] * 100 + rare)
        payment = chance.choice(payments[-40:]) if payments else None
        if what == "answer" and len(in_flight) > LAG and chance.random() < 0.997:
            payment = in_flight.pop(0)
        elif what == "answer" and chance.random() < 0.99:
            what = "leg"
        if what == "pay" or payment is None:
            outcome = chance.choice(["APPROVE"] * 8 + ["REVIEW", "DECLINE"])
            parties = chance.choice(HOME), chance.choice([*HOME, *AWAY, *AWAY, *AWAY])
            amount = chance.randrange(1, 60)
            changes = {
                "outcome": outcome,
                "occurred_at": TODAY + number - chance.choice([0] * 9 + [95]) * DAY,
            }
            payments.append(decided(f"event-{number}", f"P{number}", *parties, amount, **changes))
            log.append(payments[-1])
            if outcome == "APPROVE" and parties[1] in AWAY:
                in_flight.append(payments[-1])
        elif what == "leg":
            creditor, back = chance.choice(HOME), chance.choice([0] * 150 + [3])
            # With the time of the first one it is the same leg again; a later one would be another payment's.
            head = envelope(f"event-{number}", TODAY + number - back)
            ids = f"leg-{number - back}", f"far-{number}", creditor, AWAY[0], creditor
            log.append(ev.LegRequested(*head.values(), *ids, chance.randrange(1, 60), "EUR", 1, "a leg"))
        elif what == "answer":
            ids = "leg", payment.payment_id, payment.debtor_account_id, payment.creditor_account_id
            fields = *head.values(), *ids, payment.amount_minor, "EUR"
            refused = chance.random() < 0.2
            log.append(ev.LegRefused(*fields, "creditor_closed") if refused else ev.LegPosted(*fields))
        elif what == "review":
            ids = payment.payment_id, payment.debtor_account_id
            log.append(ev.PaymentReviewed(*head.values(), *ids, chance.random() < 0.6, "reviewer", ""))
        elif what == "cancel":
            log.append(ev.PaymentCancelled(*head.values(), payment.payment_id, payment.debtor_account_id, ""))
        elif what == "again":
            log.append(payment)
        else:
            log.append(ev.AccountLimitSet(*head.values(), chance.choice(HOME), chance.randrange(50)))
    return log


DAMAGE: dict[str, Any] = {
    "key": lambda record: {"key": b"acme/other"},
    "no key": lambda record: {"key": None},
    "truncated": lambda record: {"value": record.value[:-3]},
    "magic": lambda record: {"value": b"\1" + record.value[1:]},
    "empty": lambda record: {"value": None},
}


async def test_columns_and_rows_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, applied = random.Random(7), applied_by_columns(monkeypatch, LedgerBatch)
    bench = StreamBench(SPEC, tmp_path)
    try:
        for event in commands(seed=7):
            record = bench.of(event)
            damage = chance.choice([None] * 900 + [*DAMAGE])
            if damage is not None:
                bench.log[-1] = dataclasses.replace(record, **DAMAGE[damage](record))
        bench.of(opened("elsewhere", AWAY[0]))
        await accept_by_hundreds(bench)
        assert applied == []
        dead = Counter(code for _, code in bench.dead())
        assert {*dead} >= {
            "wrong_key",
            "no_key",
            "no_value",
            "wrong_partition",
            "leg_not_expected",
            "leg_exists",
        }
        await assert_replays(bench, tmp_path)
        assert sum(applied) > 500
    finally:
        bench.close()
