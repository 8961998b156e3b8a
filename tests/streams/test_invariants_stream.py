"""The invariants stream: an honest journal is silent, a broken one says what is wrong, in any batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.invariants.batch import InvariantBatch
from pipeline.domain.kernel import events as ev
from pipeline.runtime.settings import load_settings
from tests.invariants.honest_journal import HOUR, HonestJournal
from tests.ledger.branches import TENANT
from tests.runtime.task_bench import own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.stream_bench import StreamBench, applied_by_columns, assert_replays
from topologies import invariants
from topologies.configuration import Configuration

A, B = own_accounts(2)
CLEARING = "$clearing:EUR:0"
SPEC = invariants.STREAMS[0].spec(Configuration(load_settings()))
ALERTS, TOTALS = ("invariant-alerts", 0), ("clearing-totals", 0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path)
    yield built
    built.close()


def journal(entries: int) -> list[Any]:
    made = HonestJournal(tenant=TENANT)
    made.enter("$opening:EUR:0", A, 10_000)
    for number in range(entries):
        match number % 3:
            case 0:
                made.enter(A, B, 3, at=number * HOUR)
            case 1:
                made.hold(A, 2)
                made.enter(A, CLEARING, 2, at=number * HOUR, uses_hold=True)
            case _:
                made.enter(CLEARING, B, 1, at=number * HOUR)
    return made.log


def said(bench: StreamBench, place: tuple[str, int]) -> list[Any]:
    values = [value for _, value, _, _ in bench.written().get(place, [])]
    return bench.codec.decode(values).events


async def test_an_honest_journal_is_silent_and_clearing_is_counted(bench: StreamBench) -> None:
    for event in journal(6):
        step = await bench.step(bench.of(event))
        assert step.dead is None
        assert {topic for topic, *_ in step.said} <= {"clearing-totals"}
    totals = said(bench, TOTALS)
    assert sum(one.debits_minor for one in totals) == 2
    assert sum(one.credits_minor for one in totals) == 4


async def test_a_broken_journal_is_said_with_its_place_in_the_log(bench: StreamBench) -> None:
    log = journal(1)
    for event in log[:-1]:
        await bench.said(event)
    record = bench.of(msgspec.structs.replace(log[-1], balance_minor_after=4))
    ((topic, partition, key, alert),) = (await bench.step(record)).said
    assert (topic, partition, key) == (*ALERTS, f"{TENANT}/{B}")
    assert (alert.invariant, alert.expected, alert.found) == ("balance", "3", "4")
    assert (alert.topic, alert.partition, alert.offset) == ("postings", 0, record.offset)
    assert bench.task.alerts == 1


async def test_a_large_batch_goes_by_columns_and_any_batches_say_the_same(
    bench: StreamBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_columns = applied_by_columns(monkeypatch, InvariantBatch)
    log = journal(600)
    for place in (300, 900):
        log[place] = msgspec.structs.replace(log[place], amount_minor=log[place].amount_minor + 1)
    del log[600]
    for event in log:
        bench.of(event)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.dead() == [] and bench.failures == []
    assert sum(by_columns) > 1000
    assert {one.invariant for one in said(bench, ALERTS)} >= {"balance", "sequence", "zero_sum"}
    await assert_replays(bench, tmp_path)


async def test_what_cannot_be_read_or_is_no_journal_is_a_dead_letter(bench: StreamBench) -> None:
    other = ev.TradeSettled("e", TENANT, 0, "c", None, "t", A, 0)
    assert (await bench.step(bench.record(b"no event", b"key"))).dead == "wrong_magic_byte"
    step = await bench.step(bench.of(other))
    assert (step.dead, step.said, step.changed) == (None, [], False)


async def test_extreme_values_are_applied(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.PostingRecorded, ev.HoldRecorded])
