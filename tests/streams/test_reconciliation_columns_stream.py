"""Large batches of reconciliation go by columns: byte for byte what small ones, which go by rows, come to."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.reconciliation.desk.batch import DeskBatch
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import DAY
from tests.reconciliation_desk.entries import Entries
from tests.runtime.task_bench import own_accounts
from tests.streams.stream_bench import StreamBench, accept_by_hundreds, applied_by_columns, assert_replays
from tests.streams.test_ledger_columns_stream import DAMAGE
from topologies import reconciliation
from topologies.configuration import Configuration

COUNT = 1200
"""Payments: a posting and a line each, in either order."""
ACCOUNTS = own_accounts(3)
SPEC = reconciliation.STREAMS[0].spec(Configuration(load_settings()))


def items(seed: int) -> list[Any]:
    """Return what a few nostro accounts get in some weeks, most of it in order; and ticks."""
    chance = random.Random(seed)
    log: list[Any] = []
    books = [(Entries(), account) for account in ACCOUNTS]
    for number in range(COUNT):
        entries, account = chance.choice(books)
        day, amount = 1 + 48 * number // COUNT, chance.randrange(-300, 300)
        name = chance.choice([f"R{10_000 + number}"] * 6 + [f"pay:P{number}", "rent", ""])
        said = name.removeprefix("pay:") * (chance.random() < 0.95)
        off = chance.choice([0] * 30 + [1])
        pair = [
            f"{day} posting posting-{number} {amount} {name}",
            f"{day} line S{number // 50}/{number % 50} {amount + off} {said}",
        ]
        if chance.random() < 0.1:
            pair.reverse()
        what = chance.choice(["both"] * 40 + ["one", "again", "close", "tick"])
        told = {"one": pair[:1], "again": [*pair, pair[1]], "tick": [*pair, f"{day} tick"]}.get(what, pair)
        if what == "close":
            told = [*pair, f"{day} close S{number // 50} 0 {amount} 50"]
        for entry in told:
            event = msgspec.structs.replace(entries.read(entry), event_id=f"event-{len(log)}")
            log.append(event if event.tenant_id == "" else msgspec.structs.replace(event, account_id=account))
    return log


async def test_columns_and_rows_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, applied = random.Random(7), applied_by_columns(monkeypatch, DeskBatch)
    bench = StreamBench(SPEC, tmp_path)
    try:
        for event in items(seed=7):
            record = bench.of(event, recorded_at=60 * DAY)
            damage = chance.choice([None] * 900 + [*DAMAGE])
            if damage is not None:
                bench.log[-1] = dataclasses.replace(record, **DAMAGE[damage](record))
        await accept_by_hundreds(bench)
        assert applied == []
        assert {code for _, code in bench.dead()} >= {"wrong_key", "no_key", "no_value"}
        await assert_replays(bench, tmp_path)
        assert sum(applied) > 1000
    finally:
        bench.close()
