"""The vector path of reconciliation says and leaves what the row path does, whatever the log and batches."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reconciliation import items as reconciliation_items
from pipeline.domain.reconciliation.stream import ReconciliationRules
from tests.examples import examples
from tests.ledger.branches import opened
from tests.reconciliation.runs import Log, Replay
from tests.reconciliation.test_properties import DAY, logs, rules_of_any_kind

_ACCOUNTS = [("acme", "nostro"), ("acme", "nostro"), ("acme", "nostro 2"), ("north", "nostro")]
_MISFITS = [
    {"currency": ""},
    {"currency": "USD"},
    {"account_id": "nos\0tro"},
    {"tenant_id": ""},
    {"amount_minor": 2**62},
    {"amount_minor": 2**61},
]


@st.composite
def _schedules(draw: st.DrawFn) -> tuple[Log, list[int]]:
    """Return a log over a few accounts, hardly ever with events that are refused, and where it is cut."""
    log: Log = []
    for _ in range(draw(st.integers(1, 4))):
        # One part of the log after another, each within some days, so that items grow old meanwhile.
        day = draw(st.sampled_from([0, 0, 0, 2, 5]))
        for event in draw(logs()):
            tenant_id, account_id = draw(st.sampled_from(_ACCOUNTS))
            changes: dict[str, Any] = {"tenant_id": tenant_id, "account_id": account_id}
            if draw(st.integers(0, 30)) == 30:
                changes |= draw(st.sampled_from(_MISFITS))
                changes = {name: value for name, value in changes.items() if hasattr(event, name)}
            changes |= {"event_id": f"e{len(log)}", "occurred_at": event.occurred_at + day * DAY}
            recorded_at = draw(st.sampled_from([100, 100, 100, 8, 3])) * DAY
            log.append((msgspec.structs.replace(event, **changes), recorded_at))
    if draw(st.integers(0, 9)) == 9:
        log.insert(draw(st.integers(0, len(log))), (opened("open", "nostro"), 0))
    cuts = sorted(draw(st.lists(st.integers(0, len(log)), max_size=4)))
    return log, cuts


def _check(log: Log, cuts: list[int], rules: ReconciliationRules) -> None:
    by_columns, by_rows = Replay(rules), Replay(rules)
    for start, stop in zip([0, *cuts], [*cuts, len(log)], strict=True):
        by_columns.apply(log[start:stop])
        for event, recorded_at in log[start:stop]:
            by_rows.apply_row(event, recorded_at)
        assert by_columns.rows.data == by_rows.rows.data
    assert by_columns.said == by_rows.said
    assert by_columns.rejected == by_rows.rejected
    for _, _, event in by_rows.said:
        note(" ".join([type(event).__name__, getattr(event, "tier", getattr(event, "type", ""))]))
    for _, code in by_rows.rejected:
        note(f"rejected: {code}")
    note(f"by columns: {10 * by_columns.in_columns // len(log)}0 %")


_loads = st.sampled_from([0, 1, 4, 4])
"""Rows of an index read at once per event: none, or few, so that what is not in memory is searched for."""


@examples(120)
@given(_schedules(), rules_of_any_kind, _loads)
def test_columns_and_rows_agree_on_any_log(
    schedule: tuple[Log, list[int]], rules: ReconciliationRules, load: int
) -> None:
    with patch.object(reconciliation_items, "LOAD_PER_EVENT", load):
        _check(*schedule, rules)


@examples(80)
@given(_schedules(), rules_of_any_kind, _loads, st.integers(1, 3), st.integers(1, 2))
def test_columns_and_rows_agree_where_searches_and_settlements_reach_their_bounds(
    schedule: tuple[Log, list[int]], rules: ReconciliationRules, load: int, candidates: int, due: int
) -> None:
    with (
        patch.object(reconciliation_items, "LOAD_PER_EVENT", load),
        patch.object(reconciliation_items, "CANDIDATES_MAX", candidates),
        patch("pipeline.domain.reconciliation.matching.CANDIDATES_MAX", candidates),
        patch("pipeline.domain.reconciliation.matching.DUE_MAX", due),
    ):
        _check(*schedule, rules)
