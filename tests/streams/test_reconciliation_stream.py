"""The reconciliation stream: postings, lines, people and time in any order, matched or breaks, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import DAY, decided, opened
from tests.reconciliation_desk.entries import Entries, show
from tests.runtime.task_bench import PARTITIONS, own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import Step, StreamBench, assert_replays
from topologies import intake, ledger, reconciliation
from topologies.configuration import Configuration

HOME = partition_of("acme/nostro", PARTITIONS)
SPEC = reconciliation.STREAMS[0].spec(Configuration(load_settings()))
RESULTS, ITEMS = "reconciliation-results", "reconciliation-items"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path, HOME)
    yield built
    built.close()


def shown(step: Step) -> str:
    """Return what became of a record; `.` says that rows were written."""
    if step.dead is not None:
        return step.dead
    for topic, partition, key, event in step.said:
        own = isinstance(event, ev.ReconciliationContinued)
        assert (topic, partition, key) == (ITEMS if own else RESULTS, HOME, "acme/nostro")
    return "; ".join(show(event) for *_, event in step.said) + (" ." if step.changed else "")


async def told(bench: StreamBench, event: object, recorded_at: int) -> list[str]:
    """Apply an event, and what the stream then says to itself; return what became of each."""
    steps, waiting = [], [event]
    while waiting:
        step = await bench.step(bench.of(waiting.pop(0), recorded_at=recorded_at))
        steps.append(shown(step).strip())
        waiting += [one for topic, *_, one in step.said if topic == ITEMS]
    return steps


LIFE = """
    1 close S1 0 -60 3                 | SEQUENCE_GAP 0 on S1 .
    1 line S1/1 -10 R10001             | .
    1 posting P1 -10 R10001            | S1/1 = P1 by REFERENCE .
    1 posting P2 -20 R10002            | .
    1 line S1/2 -20 R10002             | S1/2 = P2 by REFERENCE .
    1 line S1/2 -20 R10002             | .
    1 line S1/2 -21 R10002             | DUPLICATE -21 on S1/2 .
    1 line S1/2 -21 R10002             |
    1 line S1/-1 -20 R10002            | line_no_must_not_be_negative
    2 line S1/3 -30 day:1              | MATCHED: RESOLVED; resolved SEQUENCE_GAP line_arrived .
    2 close S1 0 -60 3                 | DUPLICATE -60 on S1 .
    2 close S1 0 -70 3                 | DUPLICATE -70 on S1 .
    3 posting P3 -30                   | .
    4 close S2 -50 -55 1               | SEQUENCE_GAP 0 on S2; OPENING_BALANCE 10 on S2 .
    5 line S2/1 5                      | .
    30 tick                            | goes on . -> .
    40 tick                            | goes on . -> suggested 1; suggested 1; MISSING_INTERNAL 5 on S2/1 .
    50 tick                            | goes on . -> .
    99999 tick                         | goes on . -> .
    60 posting P4 -5                   | .
"""
"""All recorded on day 60: the clock that is ahead moves event time to there and no further."""


async def test_items_are_matched_or_breaks_in_whatever_order_and_however_often_they_come(
    bench: StreamBench, tmp_path: Path
) -> None:
    entries = Entries(HOME)
    for entry in LIFE.strip().splitlines():
        action, _, expected = entry.partition("|")
        steps = await told(bench, entries.read(action), 60 * DAY)
        assert " -> ".join(steps) == expected.strip(), action
    await assert_replays(bench, tmp_path)


async def test_a_nostro_posting_of_the_ledger_and_a_line_from_intake_meet_and_match(
    bench: StreamBench, tmp_path: Path
) -> None:
    (payer,) = own_accounts(1, HOME)
    books = StreamBench(ledger.STREAMS[0].spec(Configuration(load_settings())), tmp_path, HOME)
    (statements,) = [stream for stream in intake.STREAMS if stream.source == "statements"]
    upstream = StreamBench(statements.spec(Configuration(load_settings())), tmp_path, HOME)
    books.of(opened("n", "nostro", account_type="nostro"))
    books.of(opened("a", payer, 100))
    books.of(decided("p1", "PAY10001", payer, "nostro", 60))
    upstream.of(Entries().read("0 line S1/1 60 PAY10001"))
    for source in (books, upstream):
        await source.accept(*source.log)
        await source.settled()
        source.close()
        for key, value, _, _ in source.written()[ITEMS, HOME]:
            bench.record(value, key)
    steps = [shown(await bench.step(record)) for record in bench.log]
    (posting_id,) = [event.posting_id for event in bench.codec.decode([bench.log[0].value]).events]
    assert steps == [" .", f"S1/1 = {posting_id} by REFERENCE ."]


@pytest.mark.parametrize("count", [3, 300], ids=["few", "columns"])
async def test_every_item_is_applied_or_a_dead_letter(count: int, bench: StreamBench, tmp_path: Path) -> None:
    entries = Entries()  # a statement that misses its only line is a break at once
    goods = [entries.read(f"1 close S{number} 0 0 1") for number in range(count)]
    await assert_applied_or_dead(bench, goods, "account_id", opened("e", "nostro"), tmp_path)


async def test_extreme_values_are_applied_or_dead_letters(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.PostingRecorded, ev.StatementLine, ev.StatementClosed])
