"""The reconciliation stream: postings and statement lines in any order, matched or breaks, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import DAY, decided, opened
from tests.reconciliation import desk as reconciliation_desk
from tests.reconciliation.desk import Desk
from tests.runtime.task_bench import PARTITIONS, own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import Step, StreamBench, assert_replays
from topologies import intake, ledger, reconciliation
from topologies.configuration import Configuration

HOME = partition_of("acme/nostro", PARTITIONS)
SPEC = reconciliation.STREAMS[0].spec(Configuration(load_settings()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path, HOME)
    yield built
    built.close()


def show(step: Step) -> str:
    """Return what became of a record, as the ledgers of `Desk` show it; `.` says that rows were written."""
    if step.dead is not None:
        return step.dead
    for topic, partition, key, _ in step.said:
        assert (topic, partition, key) == ("reconciliation-results", HOME, "acme/nostro")
    shown = "; ".join(reconciliation_desk.show(event) for *_, event in step.said)
    return shown + (" ." if step.changed else "")


LIFE = """
    1 close S1 0 -60 3                 | SEQUENCE_GAP 0 on S1; CLOSING_BALANCE -60 on S1 .
    1 line S1/1 -10 R1                 | .
    1 posting P1 -10 R1                | S1/1 = P1 by REFERENCE .
    1 posting P2 -20 R2                | .
    1 line S1/2 -20 R2                 | S1/2 = P2 by REFERENCE .
    1 line S1/2 -20 R2                 |
    1 line S1/2 -21 R2                 | DUPLICATE -21 on S1/2 .
    1 line S1/2 -21 R2                 |
    1 line S1/-1 -20 R2                | line_no_must_not_be_negative
    9 tick                             | .
    1 line S1/3 -30                    | COMPLETE; MISSING_INTERNAL -30 on S1/3 .
    1 posting P3 -30                   | S1/3 = P3 by AMOUNT_DATE; resolved MISSING_INTERNAL matched .
    9 line S2/1 -10 R1 day:1           | DUPLICATE -10 on S2/1 .
    9 close S1 0 -60 3                 | DUPLICATE -60 on S1 .
    9 posting P4 5 pay:X               | .
    9 line S2/2 6 X                    | AMOUNT 1 on S2/2/P4 .
    0 posting P5 -70                   | MISSING_EXTERNAL -70 on P5 .
    99999 tick                         | .
    11 posting P6 -80                  | .
    11 line S2/3 -80                   | S2/3 = P6 by AMOUNT_DATE .
"""
"""All recorded on day 12: the clock that is ahead moves event time to there and no further."""
COMPLETE = "resolved SEQUENCE_GAP line_arrived; resolved CLOSING_BALANCE line_arrived"


async def test_items_are_matched_or_breaks_in_whatever_order_and_however_often_they_come(
    bench: StreamBench, tmp_path: Path
) -> None:
    desk = Desk()
    for entry in LIFE.strip().splitlines():
        action, _, expected = entry.partition("|")
        step = await bench.step(bench.of(desk.read(action), recorded_at=12 * DAY))
        assert show(step).strip() == expected.strip().replace("COMPLETE", COMPLETE), action
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
    books.of(decided("p1", "PAY1", payer, "nostro", 60))
    upstream.of(Desk().read("0 line S1/1 60 PAY1"))
    for source in (books, upstream):
        await source.accept(*source.log)
        await source.settled()
        source.close()
        for key, value, _, _ in source.written()["reconciliation-items", HOME]:
            bench.record(value, key)
    steps = [show(await bench.step(record)) for record in bench.log]
    (posting_id,) = [event.posting_id for event in bench.codec.decode([bench.log[0].value]).events]
    assert steps == [" .", f"S1/1 = {posting_id} by REFERENCE ."]


@pytest.mark.parametrize("count", [3, 40], ids=["few", "columns"])
async def test_every_item_is_applied_or_a_dead_letter(count: int, bench: StreamBench, tmp_path: Path) -> None:
    desk = Desk()  # a statement that misses its only line is a break at once
    goods = [desk.read(f"1 close S{number} 0 0 1") for number in range(count)]
    await assert_applied_or_dead(bench, goods, "account_id", opened("e", "nostro"), tmp_path)


async def test_extreme_values_are_applied_or_dead_letters(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.PostingRecorded, ev.StatementLine, ev.StatementClosed])
