"""The positions stream: trades and broadcast prices in, each position as it stands now out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.positions.batch import PositionBatch
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import envelope, opened
from tests.runtime.task_bench import PARTITIONS, own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import (
    RECORDED_AT,
    Step,
    StreamBench,
    accept_by_hundreds,
    applied_by_columns,
    assert_replays,
)
from topologies import positions
from topologies.configuration import Configuration

A, B = own_accounts(2)
E8 = 10**8
SECOND, DAY = 1_000_000, 86_400_000_000
SPEC = positions.STREAMS[0].spec(Configuration(load_settings()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path)
    yield built
    built.close()


def trade(
    trade_id: str, quantity: int, price: int, at: int = 100, account: str = A, instrument: str = "ACME"
) -> ev.TradeExecuted:
    """Return a trade in whole units; a negative quantity is a sale."""
    return ev.TradeExecuted(
        **envelope(f"trade {trade_id}", at),
        trade_id=trade_id,
        account_id=account,
        instrument_id=instrument,
        side="BUY" if quantity > 0 else "SELL",
        quantity_e8=abs(quantity) * E8,
        price_e8=price * E8,
        fee_minor=1,
        currency="EUR",
    )


def settled(trade_id: str, at: int) -> ev.TradeSettled:
    head = envelope(f"settlement of {trade_id} at {at}", at)
    return ev.TradeSettled(**head, trade_id=trade_id, account_id=A, settled_at=at)


def price(units: int, at: int, instrument: str = "ACME") -> ev.PriceQuoted:
    """Return a price in whole units."""
    head = envelope(f"{instrument} {units} at {at}", at)
    return ev.PriceQuoted(**head, instrument_id=instrument, price_e8=units * E8, currency="EUR")


def show(step: Step) -> str:
    """Return what became of a record: quantity@average realised/unrealised of each position, `.` for rows."""
    if step.dead is not None:
        return step.dead
    shown = []
    for topic, partition, key, event in step.said:
        assert (topic, partition) == ("positions", 0)
        assert key == f"acme/{event.account_id}/{event.instrument_id}"
        units = [event.quantity_e8, event.average_cost_e8, event.realised_pnl_e8]
        quantity, average, realised = (figure // E8 for figure in units)
        unrealised = None if event.unrealised_pnl_e8 is None else event.unrealised_pnl_e8 // E8
        shown.append(f"{quantity}@{average} {realised}/{unrealised}")
    return "; ".join(shown) + (" ." if step.changed else "")


LIFE: list[tuple[Any, str]] = [  # recorded a second apart
    (settled("t1", 500), "trade_not_found"),  # it overtook its trade
    (price(10, 100), " ."),
    (trade("t1", 10, 8), "10@8 0/20 ."),
    (trade("t1", 10, 8), ""),
    (trade("t1", 11, 8), "trade_exists_with_different_content"),
    (settled("t1", 500), " ."),
    (settled("t1", 500), ""),
    (settled("t1", 501), "already_settled"),
    (price(12, 200), "10@8 0/40 ."),
    (price(11, 150), ""),  # older than what is known
    (price(12, 200), ""),
    (trade("t2", -4, 9, at=100 - 90 * DAY - 1), "too_old"),  # its id may have been forgotten
    (trade("t2", -4, 9, at=100 - 90 * DAY), "6@8 4/24 ."),  # late: the order of arrival rules
    (trade("t3", -10, 10), "-4@10 16/-8 ."),
    (price(9, 2**63 - 1), "-4@10 16/4 ."),  # a clock that is ahead counts as the time of the record
    (price(8, RECORDED_AT + 13 * SECOND), ""),
    (trade("t4", 4, 6), "0@0 32/0 ."),
    (price(7, RECORDED_AT + 17 * SECOND), " ."),  # nothing is held: nobody to tell
    (trade("t5", 0, 6), "quantity_must_be_positive"),
    (trade("t6", 2, 5, account=B), "2@5 0/4 ."),
    (trade("t7", 3, 5), "3@5 32/6 ."),
    (price(4, RECORDED_AT + 16 * SECOND), ""),
]


async def test_early_late_and_repeated_records_have_one_effect_each(
    bench: StreamBench, tmp_path: Path
) -> None:
    for number, (event, expected) in enumerate(LIFE):
        record = bench.of(event, recorded_at=RECORDED_AT + number * SECOND)
        assert show(await bench.step(record)) == expected, event
    await assert_replays(bench, tmp_path)


async def test_one_price_updates_every_holder_and_the_topic_keeps_the_last_of_each(
    bench: StreamBench,
) -> None:
    for number, account in enumerate((A, B)):
        bench.of(trade(f"t{number}", 1, 5, account=account))
        bench.of(trade(f"other{number}", 1, 5, account=account, instrument="OTHER"))
    for units in (6, 7):
        bench.of(price(units, at=100 + units))
    await bench.accept(*bench.log)
    await bench.settled()
    ((written, *_),) = bench.producer.commits
    events = [event for *_, event in bench.decoded({("", 0): written["positions", 0]})]
    found = {(event.account_id, event.instrument_id): event.unrealised_pnl_e8 for event in events}
    assert len(events) == 4
    assert found == {(A, "ACME"): 2 * E8, (B, "ACME"): 2 * E8, (A, "OTHER"): None, (B, "OTHER"): None}


async def test_a_price_is_applied_on_every_partition(tmp_path: Path) -> None:
    for partition in range(PARTITIONS):
        bench = StreamBench(SPEC, tmp_path, partition)
        (account,) = own_accounts(1, partition)
        await bench.step(bench.of(trade("t1", 1, 5, account=account)))
        ((*_, update),) = await bench.said(price(7, at=200))
        bench.close()
        assert (update.account_id, update.unrealised_pnl_e8) == (account, 2 * E8)


@pytest.mark.parametrize("count", [3, 40], ids=["few", "columns"])
async def test_every_trade_is_applied_or_a_dead_letter(
    count: int, bench: StreamBench, tmp_path: Path
) -> None:
    goods = [trade(f"t{number}", 1, number, instrument=f"I{number}") for number in range(count)]
    await assert_applied_or_dead(bench, goods, "account_id", opened("e", A), tmp_path)


async def test_extreme_values_are_applied_or_dead_letters(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.TradeExecuted, ev.TradeSettled, ev.PriceQuoted])


async def test_large_batches_go_by_columns_and_write_the_same_bytes(
    bench: StreamBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, lengths = Random(3), applied_by_columns(monkeypatch, PositionBatch)
    for number in range(900):
        what, instrument = chance.random() if number else 1, chance.choice(["ACME", "OTHER"])
        trade_id = f"t{chance.choice([number] * 99 + [chance.randrange(900)])}"
        if what < 0.05:
            event: Any = settled(f"t{chance.choice([0] * 20 + [number])}", 500)
        elif what < 0.1:
            event = price(chance.randrange(1, 9), number, instrument)
        else:
            event = trade(trade_id, chance.choice([-3, -2, -1, 1, 2, 3]), 7, account=A, instrument=instrument)
        record = bench.of(event)
        if chance.random() < 0.01:
            bench.log[-1] = dataclasses.replace(record, value=record.value[: chance.choice([0, 4, -1])])
    await accept_by_hundreds(bench)
    assert lengths == [] and len(bench.dead()) > 3
    await assert_replays(bench, tmp_path)
    assert sum(lengths) > 500
