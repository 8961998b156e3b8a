"""The lifecycle stream: every payment event is a step, once, and who is stuck is said once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.rows import unpack_life
from pipeline.domain.lifecycle.stream import STATES
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import TENANT, envelope
from tests.runtime.task_bench import own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import RECORDED_AT, StreamBench, applied_by_columns, assert_replays
from topologies import lifecycle
from topologies.configuration import Configuration

A, B = own_accounts(2)
HOUR = 3_600_000_000
SPEC = lifecycle.STREAMS[0].spec(Configuration(load_settings()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path)
    yield built
    built.close()


def payment(number: int, kind: type, at: int = 0, **more: Any) -> Any:
    about = {"debtor_account_id": A, "creditor_account_id": B, "amount_minor": 5, "currency": "EUR"}
    rest: dict[str, Any] = {"code": "ok"}
    if kind is ev.PaymentScreened:
        rest = {"outcome": "APPROVE", "decision_id": "d"}
    elif kind is ev.PaymentCapturedOutcome:
        rest |= {"capture_id": "c", "captured_minor": 2, "held_minor": 3}
    elif kind is ev.PaymentExtendedOutcome:
        rest |= {"hold_expires_at": at + HOUR}
    head = envelope(f"{kind.__name__} {number} {at}", at)
    return kind(**head, payment_id=f"p{number}", **{**about, **rest, **more})


def steps(bench: StreamBench) -> set[str]:
    """Return the ids of the events that are a step of a life."""
    assert bench.store is not None
    rows = bench.store.committed_scan(b"p\0")
    return {step.event_id for _, row in rows for step in unpack_life(row).steps}


async def test_a_payment_is_followed_and_is_stuck_until_it_gets_on(bench: StreamBench) -> None:
    for number in (1, 2, 3):
        assert await bench.said(payment(number, ev.PaymentScreened, (number > 1) * HOUR)) == []
    assert await bench.said(payment(1, ev.PaymentReserved)) == []
    ((topic, partition, key, stuck),) = await bench.said(payment(2, ev.PaymentReserved, HOUR))
    assert (topic, partition, key) == ("payment-alerts", 0, f"{TENANT}/{A}")
    assert (stuck.payment_id, stuck.waiting_for) == ("p1", "settlement")
    ((*_, resumed),) = await bench.said(payment(1, ev.PaymentSettled, HOUR))
    assert resumed.stuck_id == stuck.event_id
    assert await bench.said(payment(3, ev.PaymentSettled, HOUR)) == []


def life_log(chance: Random, count: int) -> Iterator[Any]:
    """Yield events of few payments, in an order that no ledger would have; most are screened first."""
    begun: set[int] = set()
    for number in range(count):
        which, at = chance.randrange(number // 2 + 1), number * HOUR // 20
        kind = chance.choice([ev.PaymentScreened] * 3 + [*STATES, ev.PaymentReviewed, ev.CommandRefused])
        if which not in begun and chance.random() < 0.98:
            kind = ev.PaymentScreened
        begun.add(which)
        head: dict[str, Any] = {**envelope(f"e{number}", at), "payment_id": f"p{which}"}
        if kind is ev.PaymentReviewed:
            yield kind(**head, debtor_account_id=A, approved=True, reviewer="r", reason="")
        elif kind is ev.CommandRefused:
            head["payment_id"] = chance.choice((head["payment_id"], None))
            yield kind(**head, command="payment_initiated", account_id=A, code="exists")
        else:
            outcome = {"outcome": chance.choice(("APPROVE", "REVIEW"))}
            yield payment(which, kind, at, **(outcome if kind is ev.PaymentScreened else {}))


async def test_any_batches_leave_the_same_bytes_and_rows(
    bench: StreamBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_columns = applied_by_columns(monkeypatch, LifecycleBatch)
    for number, event in enumerate(life_log(Random(7), 600)):
        bench.of(event, recorded_at=RECORDED_AT + number * 1_000)
    for record in bench.log:
        await bench.step(record)
    said = bench.decoded({("", 0): bench.written()["payment-alerts", 0]})
    assert {type(event) for *_, event in said} == {ev.PaymentStuck, ev.PaymentResumed}
    broken = bench.decoded({("", 0): bench.written()["invariant-alerts", 0]})
    assert {event.invariant for *_, event in broken} == {"settled_unscreened"}
    assert sum(by_columns) == 0, "one by one they go by rows"
    await assert_replays(bench, tmp_path)
    assert sum(by_columns) > 50


async def test_every_event_is_a_step_or_a_dead_letter(bench: StreamBench, tmp_path: Path) -> None:
    goods = [payment(number, kind) for number, kind in enumerate((ev.PaymentScreened, *STATES))]
    other = ev.TradeSettled(**envelope("e"), trade_id="t", account_id=A, settled_at=0)
    await assert_applied_or_dead(bench, goods, "debtor_account_id", other, tmp_path, steps)


async def test_extreme_values_are_applied_or_dead_letters(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.PaymentScreened, *STATES])
