"""The history by columns is the history by rows; what it answers is what a walk over all bookings finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.history import batch as history_columns
from pipeline.domain.history import past, zones
from pipeline.domain.history import rows as history_rows
from pipeline.domain.history import stream as history
from pipeline.domain.history.batch import HistoryBatch
from pipeline.domain.history.rows import read_head
from pipeline.domain.history.stream import State, booked_by, earliest, state_at
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import merged
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from tests.examples import examples

ACCOUNTS = [("t", "a"), ("t", "b"), ("u", "a"), ("t", "$clearing:EUR:0")]
Journal = list[tuple[Any, int]]


@contextmanager
def small_zones(size: int) -> Iterator[None]:
    """Let few lines make zones of several levels."""
    with (
        patch.object(history, "ZONE", size),
        patch.object(history_rows, "ZONE", size),
        patch.object(zones, "ZONE", size),
        patch.object(past, "ZONE", size),
        patch.object(history_columns, "ZONE", size),
    ):
        yield


@st.composite
def journals(draw: st.DrawFn, accounts: int = len(ACCOUNTS), most: int = 60) -> Journal:
    """Return postings and holds with the times of their records; their figures need not make sense."""
    found: Journal = []
    for number in range(draw(st.integers(0, most))):
        tenant_id, account_id = ACCOUNTS[draw(st.integers(0, accounts - 1))]
        booked_at = draw(st.one_of(st.integers(0, 50), st.just(number)))
        envelope = (
            tenant_id,
            draw(st.integers(-5, 50)),
            draw(st.sampled_from(["c", "", "c\0d", "é"])),
            "cause",
        )
        balance, held = draw(st.integers(-9, 9)), draw(st.integers(0, 9))
        kind = "nostro" if account_id == "b" else "internal" if account_id[0] == "$" else "checking"
        if draw(st.integers(0, 3)):
            side = draw(st.sampled_from(["DEBIT", "CREDIT"]))
            lowest = draw(st.none() | st.integers(-20, 9)) if side == "DEBIT" else None
            posting = ev.PostingRecorded(
                f"p{number}",
                *envelope,
                f"p{number}",
                f"e{number}",
                draw(st.sampled_from(["pay", None])),
                account_id,
                kind,
                side,
                draw(st.integers(1, 100)),
                "EUR",
                number,
                balance,
                0,
                draw(st.sampled_from([None, "", "rent", "a\0b", "ü"])),
                draw(st.sampled_from([booked_at, None])),
                draw(st.sampled_from([held, None])),
                lowest_balance_minor=lowest,
            )
            found.append((posting, booked_at))
        else:
            change = draw(st.sampled_from(["PLACED", "RELEASED"] * 9 + ["UNSPECIFIED"]))
            hold = ev.HoldRecorded(
                *(f"h{number}", *envelope, "pay", account_id, kind, change),
                *(draw(st.integers(1, 100)), "EUR", held, balance, booked_at, 0),
            )
            found.append((hold, booked_at))
    return found


def by_rows(journal: Journal, out: Outbox | None = None) -> MemoryRows:
    rows = MemoryRows()
    for event, recorded_at in journal:
        if getattr(event, "change", "") != "UNSPECIFIED":
            history.apply(event, Arrival(recorded_at, 0, 1), rows, out or Outbox())
    return rows


def by_columns(journal: Journal, cuts: list[int], out: Outbox) -> MemoryRows:
    rows, batch = MemoryRows(), HistoryBatch()
    edges = [0, *(min(cut, len(journal)) for cut in cuts), len(journal)]
    for start, stop in pairwise(edges):
        position = start
        while position < stop:
            applied, said = batch.apply(_run(journal[position:stop]), rows)
            assert not said
            position += applied
            if not applied:
                event, recorded_at = journal[position]
                if isinstance(event, ev.PostingRecorded):
                    assert event.lowest_balance_minor is not None
                    history.apply(event, Arrival(recorded_at, 0, 1), rows, out)
                else:
                    assert event.change == "UNSPECIFIED"
                position += 1
    return rows


def _run(journal: Journal) -> Any:
    groups = []
    for kind, event_type in enumerate(HistoryBatch.classes):
        positions = [place for place, (event, _) in enumerate(journal) if type(event) is event_type]
        if not positions:
            continue
        names = [name for name in event_type.__struct_fields__ if name in HistoryBatch.fields]
        arrays = [
            pa.array([getattr(journal[place][0], name) for place in positions], HistoryBatch.fields[name])
            for name in names
        ]
        groups.append((kind, np.array(positions), pa.RecordBatch.from_arrays(arrays, names)))
    return merged(groups, HistoryBatch.fields, np.array([time for _, time in journal], np.int64), 0, 1)


@examples(50)
@given(journals(), st.lists(st.integers(0, 60), max_size=4).map(sorted), st.sampled_from([2, 3, 32]))
def test_columns_and_rows_leave_the_same_rows(journal: Journal, cuts: list[int], size: int) -> None:
    rowed, columned = Outbox(), Outbox()
    with small_zones(size):
        assert by_columns(journal, cuts, columned).data == by_rows(journal, rowed).data
    assert columned.items == rowed.items


@examples(50)
@given(
    journals(accounts=1),
    st.integers(-6, 60),
    st.one_of(st.none(), st.integers(-6, 60)),
    st.sampled_from([2, 3, 32]),
)
def test_any_moment_is_what_a_walk_over_all_bookings_finds(
    journal: Journal, known_at: int, as_of: int | None, size: int
) -> None:
    with small_zones(size):
        rows = by_rows(journal)
        head = read_head(rows, "t", "a")
        if head is None:
            return
        lines = [line for _, line in history.read_lines(rows, "t", "a", 0, head.lines)]
        booked = booked_by(rows, "t", "a", head.lines, known_at)
        assert booked == sum(line.booked_at <= known_at for line in lines)
        known = lines[:booked]
        if as_of is None:
            expected = State(known[-1].balance_minor, known[-1].held_minor, booked) if known else None
        else:
            counted = [line for line in known if line.effective_at <= as_of]
            posted, held = sum(line.posted for line in counted), sum(line.held for line in counted)
            expected = State(posted, held, booked) if counted else None
        assert state_at(rows, "t", "a", booked, as_of) == expected
        if known:
            assert earliest(rows, "t", "a", booked) == min(line.effective_at for line in known)


@examples(40)
@given(journals(accounts=1))
def test_a_time_of_booking_never_falls_and_a_line_is_read_as_it_was_written(journal: Journal) -> None:
    rows = by_rows(journal)
    head = read_head(rows, "t", "a")
    lines = [] if head is None else [line for _, line in history.read_lines(rows, "t", "a", 0, head.lines)]
    assert [line.booked_at for line in lines] == sorted(line.booked_at for line in lines)
    events = [event for event, _ in journal if getattr(event, "change", "") != "UNSPECIFIED"]
    for event, line in zip(events, lines, strict=True):
        assert (line.correlation_id, line.effective_at) == (event.correlation_id, event.occurred_at)
        if isinstance(event, ev.PostingRecorded):
            assert (line.payment_id, line.reference) == (event.payment_id, event.reference)
            assert (line.kind, line.balance_minor) == (event.side, event.balance_minor_after)
