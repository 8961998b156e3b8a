"""Lives by batches are lives by rows, whatever the log and its batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.settings import LifecycleSettings
from pipeline.domain.lifecycle.stream import STATES, Lifecycle
from tests.kernel.side_by_side import Log, assert_alike

SECOND = 1_000_000
STREAM = Lifecycle(LifecycleSettings(stuck_after_s=60, review_after_s=200))
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
        return kind(
            **fields,
            currency="EUR",
            outcome=outcome,
            decision_id="d",
            hold_expires_at=hold,
            hold=number % 4 == 0,
        )
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


@settings(max_examples=100, deadline=None)
@given(logs(), st.lists(st.integers(0, 40), max_size=6))
def test_batches_and_rows_agree(log: Log, cuts: list[int]) -> None:
    assert_alike(STREAM, LifecycleBatch(STREAM), log, cuts)
