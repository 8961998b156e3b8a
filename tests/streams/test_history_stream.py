"""The history stream: every posting and hold of the journal becomes a line of its account, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.history.batch import HistoryBatch
from pipeline.domain.history.rows import read_head, unpack_line
from pipeline.domain.history.stream import read_lines
from pipeline.domain.kernel import events as ev
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import TENANT, envelope
from tests.runtime.task_bench import own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import StreamBench, applied_by_columns, assert_replays
from topologies import history
from topologies.configuration import Configuration

A, B = own_accounts(2)
CLEARING = "$clearing:EUR:0"
SPEC = history.STREAMS[0].spec(Configuration(load_settings()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path)
    yield built
    built.close()


def posting(number: int, account: str = A, amount: int = 5, branch: int = 0) -> ev.PostingRecorded:
    kind = "internal" if account.startswith("$") else "checking"
    return ev.PostingRecorded(
        **envelope(f"p{number}", number),
        posting_id=f"p{number}",
        entry_id=f"e{number}",
        payment_id="pay",
        account_id=account,
        account_type=kind,
        side="CREDIT" if amount > 0 else "DEBIT",
        amount_minor=abs(amount),
        currency="EUR",
        account_sequence=number,
        balance_minor_after=amount * (number + 1),
        branch=branch,
        reference=None,
        booked_at=number,
        held_minor_after=0,
    )


def hold(number: int, account: str = A, change: str = "PLACED") -> ev.HoldRecorded:
    return ev.HoldRecorded(
        **envelope(f"h{number}", number),
        hold_id="pay",
        account_id=account,
        account_type="checking",
        change=change,
        amount_minor=7,
        currency="EUR",
        held_minor_after=7,
        balance_minor=1,
        booked_at=number,
        branch=0,
    )


def lines(bench: StreamBench, account: str = A) -> list[Any]:
    assert bench.store is not None
    head = read_head(bench.store, TENANT, account)
    return (
        [] if head is None else [line for _, line in read_lines(bench.store, TENANT, account, 0, head.lines)]
    )


def recorded(bench: StreamBench) -> set[str]:
    """Return the ids of the postings and holds that have a line."""
    assert bench.store is not None
    return {unpack_line(row).record_id for _, row in bench.store.committed_scan(b"l\0")}


async def test_postings_and_holds_become_lines_and_nothing_is_said(bench: StreamBench) -> None:
    for event in (posting(0), hold(1), posting(2, amount=-5), posting(3, B)):
        assert await bench.said(event) == []
    assert [line.kind for line in lines(bench)] == ["CREDIT", "PLACED", "DEBIT"]
    assert [line.held_minor for line in lines(bench)] == [0, 7, 0]
    assert [line.record_id for line in lines(bench, B)] == ["p3"]


async def test_the_accounts_of_a_branch_are_on_its_partition_whatever_their_key(bench: StreamBench) -> None:
    assert await bench.said(posting(0, CLEARING)) == []
    assert len(lines(bench, CLEARING)) == 1
    stray = posting(1, "$clearing:EUR:1", branch=1)
    assert (await bench.step(bench.of(stray))).dead == "wrong_partition"


async def test_a_posting_of_version_1_is_booked_when_its_record_was_written(
    bench: StreamBench,
) -> None:
    await bench.said(posting(0), version=1, recorded_at=5_000_000)
    (line,) = lines(bench)
    assert (line.booked_at, line.held_minor) == (5_000_000, 0)


async def test_a_change_of_a_later_version_is_a_dead_letter(bench: StreamBench) -> None:
    assert (await bench.step(bench.of(hold(0, change="UNSPECIFIED")))).dead == "unexpected_change"


async def test_a_large_batch_goes_by_columns_and_any_batches_leave_the_same(
    bench: StreamBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_columns = applied_by_columns(monkeypatch, HistoryBatch)
    for number in range(400):
        account = (A, B, CLEARING)[number % 3]
        event = hold(number, A) if number % 7 == 0 else posting(number, account, 5 - 11 * (number % 2))
        bench.of(event, version=1 if number % 5 == 0 and number % 7 else None)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.dead() == []
    assert sum(by_columns) == 400
    assert sum(len(lines(bench, account)) for account in (A, B, CLEARING)) == 400
    await assert_replays(bench, tmp_path)


@pytest.mark.parametrize("count", [3, 40], ids=["few", "columns"])
async def test_every_event_is_a_line_or_a_dead_letter(count: int, bench: StreamBench, tmp_path: Path) -> None:
    goods = [posting(number, account) for number, account in enumerate(own_accounts(count))]
    other = ev.TradeSettled(**envelope("e"), trade_id="t", account_id=A, settled_at=0)
    await assert_applied_or_dead(bench, goods, "account_id", other, tmp_path, recorded)


async def test_extreme_values_are_applied_or_dead_letters(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.PostingRecorded, ev.HoldRecorded])
