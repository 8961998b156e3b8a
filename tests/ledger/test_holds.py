"""Holds that are captured, as ledgers: in parts, here and elsewhere, extended, cancelled, out of time."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.due import DUE_MAX
from tests.ledger.branches import DAY, TENANT, decided
from tests.ledger.script import Script, account_id, play

LEDGERS = {
    "a hold is captured as a whole": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        expect A 100.00 held 60.00
        expect B 0.00 incoming 60.00
        capture P1 A C1 rest => captured, settled
        expect A 40.00
        expect B 60.00
    """,
    "a hold is captured in parts until it is used up": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        capture P1 A C1 10.00 => captured
        expect A 90.00 held 50.00
        capture P1 A C2 50.01 => refused exceeds_held_amount
        capture P1 A C2 0.00 => refused amount_must_be_positive
        capture P1 A C2 50.00 => captured, settled
        expect A 40.00
        capture P1 A C3 0.01 => refused already_settled
    """,
    "what is left after a final capture is released": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        capture P1 A C1 10.00 final => captured, settled
        expect A 90.00
        expect B 10.00
    """,
    "a capture that comes again has no effect": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        capture P1 A C1 10.00 => captured
        capture P1 A C1 10.00 => refused exists
        capture P1 A C1 rest => refused exists
        capture P1 A C1 10.01 => refused exists_with_different_amount
        expect A 90.00 held 50.00
    """,
    "a capture for a creditor elsewhere waits for its leg": """
        open A 100.00
        open B.1
        pay P1 A->B.1 60.00 until=9 => reserved
        capture P1 A C1 10.00
        expect A 100.00 held 60.00
        capture P1 A C2 50.01 => refused exceeds_held_amount
        deliver => captured
        expect A 90.00 held 50.00
        expect B.1 10.00
        clearing 0.00
        capture P1 A C2 50.00
        deliver => captured, settled
        expect A 40.00
        expect B.1 60.00
    """,
    "a leg that is refused leaves the hold to other captures": """
        open A 100.00
        open B.1
        close B.1
        pay P1 A->B.1 60.00 until=9 => reserved
        capture P1 A C1 60.00
        deliver => refused creditor_closed
        expect A 100.00 held 60.00
        reopen B.1
        capture P1 A C1 60.00 => refused exists
        capture P1 A C2 60.00
        deliver => captured, settled
        expect A 40.00
    """,
    "a final capture that is refused elsewhere fails the payment": """
        open A 100.00
        pay P1 A->B.1 60.00 until=9 => reserved
        capture P1 A C1 20.00 final
        expect A 100.00 held 20.00
        deliver => refused creditor_not_found, failed creditor_not_found
        expect A 100.00
    """,
    "cancelled while a leg is under way, it settles what the leg books": """
        open A 100.00
        open B.1
        pay P1 A->B.1 60.00 until=9 => reserved
        capture P1 A C1 20.00
        cancel P1 A
        cancel P1 A => refused payment_in_flight
        expect A 100.00 held 20.00
        deliver => captured, settled
        expect A 80.00
        expect B.1 20.00
    """,
    "cancelled before a capture, it is released": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        cancel P1 A => cancelled
        expect A 100.00
        capture P1 A C1 1.00 => refused cancelled
    """,
    "its time comes with the next event of a later time": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        pay P2 A->B 40.01 on=8 => rejected insufficient_funds
        pay P3 A->B 40.01 on=9 => expired, reserved, settled
        expect A 59.99
        capture P1 A C1 1.00 on=9 => refused expired
        cancel P1 A => refused already_failed
    """,
    "what was captured before its time is settled": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        capture P1 A C1 25.00 => captured
        pay P2 A->B 0.00 on=9 => settled, rejected amount_must_be_positive
        expect A 75.00
    """,
    "a leg under way when its time comes is still counted": """
        open A 100.00
        open B.1
        pay P1 A->B.1 60.00 until=9 => reserved
        capture P1 A C1 25.00
        pay P2 A->B.1 0.00 on=9 => rejected amount_must_be_positive
        expect A 100.00 held 25.00
        deliver => captured, settled
        expect A 75.00
    """,
    "its end can be moved, but not back": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        extend P1 A 9 => refused expiry_not_later
        extend P1 A 12 => extended
        pay P2 A->B 0.00 on=9 => rejected amount_must_be_positive
        capture P1 A C1 1.00 on=11 => captured
        extend P1 A 20 on=12 => settled, refused already_settled
        expect A 99.00
    """,
    "a hold that begins after its end is refused": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 on=9 => rejected expired
        pay P1 A->B 60.00 until=19 on=9 => refused exists
        expect A 100.00
    """,
    "under review nothing is captured": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 REVIEW => reserved
        capture P1 A C1 10.00 => refused payment_under_review
        approve P1 A
        approve P1 A => refused payment_not_held
        capture P1 A C1 10.00 => captured
        pay P2 A->B 10.00 until=9 REVIEW => reserved
        refuse P2 A => rejected declined
        expect A 90.00 held 50.00
    """,
    "what is not to be captured is not": """
        open A 100.00
        open B
        pay P1 A->B 60.00 REVIEW => reserved
        capture P1 A C1 10.00 => refused payment_not_authorised
        capture P2 A C1 10.00 => refused payment_not_found
        extend P1 A 12 => refused payment_not_authorised
    """,
    "a creditor that is frozen takes no capture": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        freeze B CREDIT
        capture P1 A C1 10.00 => refused creditor_frozen
        freeze A DEBIT
        unfreeze B CREDIT
        capture P1 A C1 10.00 => captured
    """,
}


@pytest.mark.parametrize("text", LEDGERS.values(), ids=LEDGERS.keys())
def test_holds(text: str) -> None:
    ledger = play(text)
    assert ledger.dead() == []


def test_what_falls_due_at_once_is_taken_in_bounded_steps_and_in_order() -> None:
    script = Script()
    script.play("open A 1000.00\nopen B")
    debtor, creditor = account_id("A"), account_id("B")
    count = DUE_MAX + 7
    for number in range(count):
        ends = (9 if number % 2 else 8) * DAY
        script.ledger.run(decided(f"e{number}", f"P{number}", debtor, creditor, 1, hold_expires_at=ends))
    script.play("pay Q1 A->B 1.00 on=20 =>" + " expired," * DUE_MAX + " reserved, settled")
    script.play(
        "expect A 999.00 held 0.07\ncapture P1 A C1 0.01 on=20 => " + "expired, " * 7 + "refused expired"
    )
    script.play("expect A 999.00")
    times = [event.occurred_at for event in script.ledger.said(ev.PaymentExpired)]
    assert times == sorted(times) and len(times) == count
    assert not [key for branch in script.ledger.branches for key in branch.rows.data if key[:1] in b"xn"]


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
