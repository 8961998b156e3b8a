"""Figures of days are those of the items: in random logs, whatever happens to them."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.breaks.rows import day_key, unpack_day
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.rows import Line
from tests.examples import examples
from tests.kernel.side_by_side import Log
from tests.reconciliation_desk.branch import assert_figures_agree, entries
from tests.reconciliation_desk.traffic import echoed, logs


@examples(60)
@given(logs())
def test_a_day_counts_each_item_once_under_its_standing(log: Log) -> None:
    rows = MemoryRows()
    echoed(log, Windows(90, 100_000), rows)
    wanted: dict[tuple[bytes, bool], Counter[str]] = defaultdict(Counter)
    for one in entries(rows):
        key = day_key(one.tenant_id, one.account_id, one.currency, as_item(one).booked_day)
        wanted[key, isinstance(one, Line)][one.standing] += 1
    found: dict[tuple[bytes, bool], Counter[str]] = {}
    for key, value in rows.data.items():
        if key[:1] == b"y":
            day = unpack_day(value)
            for is_line, tallies in ((True, day.lines), (False, day.postings)):
                if tallies:
                    found[key, is_line] = Counter({name: tally.count for name, tally in tallies.items()})
            assert 0 <= day.unsound <= day.statements
    assert found == wanted


@examples(60)
@given(logs(), st.sampled_from([Windows(1, 3), Windows(1, 30)]))
def test_what_is_over_is_never_counted_wrongly(log: Log, windows: Windows) -> None:
    rows = MemoryRows()
    echoed(log, windows, rows)
    assert_figures_agree(rows, windows)
