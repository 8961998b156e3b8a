"""Holds that end when their time comes: what tells so, and what is left of them."""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.falling_due import OTHERS_MAX
from tests.ledger.branches import DAY, TENANT
from tests.ledgers.player import play


def test_what_falls_due_at_once_is_taken_in_order_and_leaves_nothing() -> None:
    count = OTHERS_MAX + 7
    ledger = play(f"""
        open A 1000.00
        open B
        open C
        {count}x pay P{{n}} A->B 0.01 until=8 => reserved
        {count}x pay Q{{n}} A->B 0.01 until=7 => reserved
        2x pay R{{n}} C->B 0.00 on=20 => {OTHERS_MAX}x expired, rejected amount_must_be_positive
        pay S C->B 0.00 on=20 => 14x expired, rejected amount_must_be_positive
    """)
    times = [event.occurred_at for event in ledger.said(ev.PaymentExpired)]
    assert times == sorted(times)
    assert not [key for branch in ledger.branches for key in branch.rows.data if key[:1] in b"dyoxn"]


def test_an_expiry_names_the_decision_as_its_cause_and_happens_when_it_was_due() -> None:
    ledger = play("""
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 event=decision => reserved
        pay P2 A->B 1.00 on=20 => expired, reserved, settled
    """)
    (expired,) = ledger.said(ev.PaymentExpired)
    (hold,) = [event for event in ledger.said(ev.HoldRecorded) if event.change == "RELEASED"]
    assert (expired.causation_id, expired.occurred_at) == ("decision", 9 * DAY)
    assert (hold.causation_id, hold.occurred_at, hold.booked_at) == (expired.event_id, 9 * DAY, 20 * DAY)
    assert expired.tenant_id == TENANT
