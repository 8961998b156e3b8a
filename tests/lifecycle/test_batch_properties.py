"""The vector path of lives says and leaves what the row path does, whatever the log and its batches."""

from __future__ import annotations

from typing import Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.stream import STATES, Lifecycle, LifecycleRules
from tests.runtime.column_runs import Log, Replay

SECOND = 1_000_000
STREAM = Lifecycle(LifecycleRules(stuck_after_s=60, review_after_s=200))
KINDS = [ev.PaymentScreened] * 6 + [ev.PaymentReserved] * 3 + [*STATES, ev.PaymentReviewed, ev.CommandRefused]


@st.composite
def _events(draw: st.DrawFn, number: int) -> Any:
    kind: Any = draw(st.sampled_from([*KINDS, ev.TradeSettled] if number % 9 == 0 else KINDS))
    fields = {
        "event_id": f"event-{number}",
        "tenant_id": draw(st.sampled_from(["acme"] * 9 + ["ac", ""])),
        "occurred_at": draw(st.integers(0, 90)) * SECOND + number * 5 * SECOND,
        "correlation_id": "order",
        "causation_id": draw(st.sampled_from([None, "cause"])),
    }
    if draw(st.integers(0, 30)) == 0:
        fields["occurred_at"] = draw(st.sampled_from([INT64_MAX, INT64_MIN]))
    if kind is ev.TradeSettled:
        return kind(**fields, trade_id="t", account_id="A", settled_at=0)
    fields["payment_id"] = draw(st.sampled_from(["p1", "p1", "p2", "p3", "p4", "\0"]))
    debtor = draw(st.sampled_from(["A", "A", "A", "B"]))
    if kind is ev.CommandRefused:
        fields["payment_id"] = draw(st.sampled_from([fields["payment_id"], None]))
        return kind(**fields, command="payment_initiated", account_id=debtor, code="exists")
    if kind is ev.PaymentReviewed:
        approved = draw(st.booleans())
        return kind(**fields, debtor_account_id=debtor, approved=approved, reviewer="r", reason="")
    fields |= {"debtor_account_id": debtor, "creditor_account_id": "C", "amount_minor": number}
    if kind is ev.PaymentScreened:
        outcome = draw(st.sampled_from(["APPROVE", "REVIEW", "DECLINE"]))
        hold = draw(st.sampled_from([None, None, number * 5 * SECOND, INT64_MAX]))
        return kind(**fields, currency="EUR", outcome=outcome, decision_id="d", hold_expires_at=hold)
    if kind is ev.PaymentCapturedOutcome:
        fields |= {"capture_id": "c", "captured_minor": 1, "held_minor": draw(st.sampled_from([0, 1]))}
    elif kind is ev.PaymentExtendedOutcome:
        fields |= {"hold_expires_at": number * 9 * SECOND}
    return kind(**fields, currency="EUR", code=draw(st.sampled_from(["ok", "ok", "too_old"])))


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Return a log: the time at which an event is recorded is never much before that of the one before it."""
    count = draw(st.integers(1, 40))
    return [
        (draw(_events(number)), (number * 5 + draw(st.integers(0, 60))) * SECOND) for number in range(count)
    ]


@given(logs(), st.lists(st.integers(1, 12), max_size=6))
@settings(max_examples=100, deadline=None)
def test_columns_and_rows_say_and_leave_the_same(log: Log, sizes: list[int]) -> None:
    rows, columns = Replay(STREAM), Replay(STREAM)
    rows.by_rows(log)
    position = 0
    for size in (*sizes, len(log)):
        batch = log[position : position + size]
        if batch:
            columns.by_columns(LifecycleBatch(STREAM), batch)
        position += size
    assert columns.rejected == rows.rejected
    assert columns.said == rows.said
    assert columns.rows.data == rows.rows.data
    note(f"by columns: {10 * columns.in_columns // len(log)} in 10")
    for _, said in rows.said.get("payment-alerts", []):
        note(type(said).__name__)
