"""Journals of many legs, reversals and closed periods, as ledgers over three branches."""

from __future__ import annotations

import pytest
from msgspec import structs

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import DAY
from tests.ledger.script import Script, account_id, play

LEDGERS = {
    "on one branch all legs are posted at once": """
        open A 100.00
        open B
        open C
        journal J1 A -100.00 B 60.00 C 40.00 => posted
        expect A 0.00
        expect B 60.00
        expect C 40.00
    """,
    "legs elsewhere are held, then posted everywhere": """
        open A 100.00
        open B.1
        open C.2
        journal J1 A -100.00 B.1 60.00 C.2 40.00 => preparing
        expect A 100.00 held 100.00
        deliver => posted
        expect A 0.00
        expect B.1 60.00
        expect C.2 40.00
        clearing 0.00
    """,
    "debits elsewhere, too": """
        open A 30.00
        open B.1 50.00
        open C.2
        open D.1
        journal J1 A -30.00 B.1 -50.00 C.2 75.00 D.1 5.00 => preparing
        deliver => posted
        expect A 0.00
        expect B.1 0.00
        expect C.2 75.00
        expect D.1 5.00
        clearing 0.00
    """,
    "one leg that cannot be releases all": """
        open A 100.00
        open B.1
        journal J1 A -100.00 B.1 60.00 C.2 40.00 => preparing
        deliver => refused creditor_not_found
        expect A 100.00
        expect B.1 0.00
        clearing 0.00
        journal J1 A -100.00 B.1 60.00 C.2 40.00 => refused exists
        journal J1 A -100.00 B.1 100.00 => refused exists_with_different_content
    """,
    "a debtor elsewhere without funds refuses it": """
        open A
        open B.1 10.00
        journal J1 A 10.01 B.1 -10.01 => preparing
        deliver => refused insufficient_funds
        expect A 0.00
        expect B.1 10.00
    """,
    "a home that cannot does not ask the others": """
        open A 9.99
        open B.1
        journal J1 A -10.00 B.1 10.00 => refused insufficient_funds
        deliver
        expect A 9.99
    """,
    "legs must balance in each entry and currency": """
        open A 100.00
        open B
        open X USD 50.00
        open Y USD
        journal J1 A -10.00 B 9.99 => refused legs_not_balanced
        journal J2 A -10.00 X 10.00 USD => refused legs_not_balanced
        journal J3 A -10.00 => refused invalid_legs
        journal J4 A -10.00 A 10.00 => refused accounts_must_differ
        journal J5 A -10.00 B 10.00 X -11.00 USD Y 11.00 USD => posted
        journal J6 A -10.00 / B 10.00 => refused legs_not_balanced
        expect A 90.00
        expect Y 11.00
    """,
    "a journal is held until it is confirmed": """
        open A 100.00
        open B.1
        journal J1 A -60.00 B.1 60.00 hold=9 => preparing
        confirm J1 A => refused journal_not_held
        deliver => held
        expect A 100.00 held 60.00
        expect B.1 0.00 incoming 60.00
        confirm J1 A on=5 => posted
        deliver
        expect A 40.00
        expect B.1 60.00
        clearing 0.00
        void J1 A => refused already_settled
    """,
    "or voided": """
        open A 100.00
        open B.1
        journal J1 A -60.00 B.1 60.00 hold=9 => preparing
        deliver => held
        void J1 A => voided
        deliver
        expect A 100.00
        expect B.1 0.00
        confirm J1 A => refused journal_not_held
    """,
    "or its time comes": """
        open A 100.00
        open B
        open C.1
        journal J1 A -60.00 B 20.00 C.1 40.00 hold=9 => preparing
        deliver => held
        pay P1 A->B 50.00 on=8 => rejected insufficient_funds
        pay P2 A->B 50.00 on=9 => expired, reserved, settled
        deliver
        expect C.1 0.00
        clearing 0.00
    """,
    "a payment is reversed in parts, never beyond what it was": """
        open A 100.00
        open B.1
        pay P1 A->B.1 60.00 => reserved
        unpay P1 A R0 => refused not_settled
        deliver => settled
        unpay P1 A R1 20.00 => preparing
        unpay P1 A R2 40.01 => refused exceeds_settled_amount
        unpay P1 A R2 => preparing
        unpay P1 A R2 => refused exists
        deliver => posted, posted
        expect A 100.00
        expect B.1 0.00
        unpay P1 A R3 => refused exceeds_settled_amount
    """,
    "a reversal that is refused can be tried again": """
        open A 100.00
        open B
        open C
        pay P1 A->B 60.00 => reserved, settled
        pay P2 B->C 10.00 => reserved, settled
        unpay P1 A R1 => refused insufficient_funds
        unpay P1 A R2 50.00 => posted
        expect A 90.00
        expect B 0.00
    """,
    "of a hold what was captured is reversed": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        capture P1 A C1 20.00 final => captured, settled
        unpay P1 A R1 20.01 => refused exceeds_settled_amount
        unpay P1 A R1 => posted
        expect A 100.00
    """,
    "a journal is reversed in part, then what is left": """
        open A 100.00
        open B
        open C.1
        journal J1 A -100.00 B 60.00 C.1 40.00 => preparing
        deliver => posted
        undo J1 A R1 B -10.00 A 10.00 => posted
        undo J1 A R2 B -50.01 A 50.01 => refused exceeds_settled_amount
        undo J1 A R3 => preparing
        deliver => posted
        expect A 100.00
        expect B 0.00
        expect C.1 0.00
        undo J1 A R4 => refused exceeds_settled_amount
        undo J9 A R5 => refused journal_not_found
    """,
    "of a journal whose home has had its legs back the others can be reversed": """
        open A 100.00
        open B.1 50.00
        open C.2
        journal J1 A -100.00 B.1 -50.00 C.2 150.00 => preparing
        deliver => posted
        undo J1 A R1 A 100.00 C.2 -100.00 => preparing
        deliver => posted
        undo J1 A R2 => preparing
        deliver => posted
        expect A 100.00
        expect B.1 50.00
        expect C.2 0.00
        undo J1 A R3 B.1 -1.00 C.2 1.00 => refused exceeds_settled_amount
    """,
    "captures and reversals under one event id have entries of their own": """
        open A 100.00
        open B
        pay P1 A->B 60.00 until=9 => reserved
        capture P1 A C1 10.00 event=same => captured
        capture P1 A C2 20.00 final event=same => captured, settled
        unpay P1 A R1 5.00 event=same => posted
        unpay P1 A R2 5.00 event=same => posted
        expect A 80.00
    """,
    "a closed period takes nothing": """
        open A 100.00
        open B.1
        period 2026-01 5
        journal J1 A -10.00 B.1 10.00 on=6 at=5 => refused period_closed
        journal J2 A -10.00 B.1 10.00 on=6 at=5 late=NEXT_PERIOD => preparing
        journal J3 A -10.00 B.1 10.00 on=6 => preparing
        deliver => posted, posted
        period 2026-02 5 => refused exists
        expect A 80.00
    """,
}


@pytest.mark.parametrize("text", LEDGERS.values(), ids=LEDGERS.keys())
def test_journals(text: str) -> None:
    ledger = play(text)
    assert ledger.dead() == []


def test_a_late_entry_counts_in_the_next_period_and_keeps_its_date() -> None:
    ledger = play("""
        open A 100.00
        open B
        period 2026-01 5
        journal J1 A -10.00 B 10.00 on=6 at=4 late=NEXT_PERIOD => posted
        journal J2 A -10.00 B 10.00 on=6 at=8 => posted
        pay P1 A->B 1.00 on=3 seen=6 => reserved, settled
    """)
    late, future, payment = [
        one for one in ledger.said(ev.PostingRecorded) if one.account_id == account_id("B")
    ]
    assert (late.effective_at, late.asked_at, late.occurred_at) == (5 * DAY + 1, 4 * DAY, 6 * DAY)
    assert (future.effective_at, future.asked_at) == (8 * DAY, None)
    assert (payment.effective_at, payment.asked_at, payment.occurred_at) == (5 * DAY + 1, None, 3 * DAY)


def test_a_rate_and_a_purpose_stand_on_the_postings_of_their_legs() -> None:
    script = Script()
    script.play("open A 100.00\nopen B.1 USD\nopen FXE 0.00\nopen FXD USD limit=none\nopen FEE.2")
    a, b, fxe, fxd, fee = map(account_id, ("A", "B.1", "FXE", "FXD", "FEE.2"))
    legs = (
        ev.JournalLeg(1, 0, a, "DEBIT", 100_00, "EUR"),
        ev.JournalLeg(2, 0, fxe, "CREDIT", 99_00, "EUR"),
        ev.JournalLeg(3, 0, fee, "CREDIT", 1_00, "EUR", "fee"),
        ev.JournalLeg(4, 1, fxd, "DEBIT", 106_92, "USD", "fx", 1_0800_0000),
        ev.JournalLeg(5, 1, b, "CREDIT", 106_92, "USD", "fx", 1_0800_0000),
    )
    event = ev.JournalSubmitted(
        "e", "acme", 0, "c", None, "FX1", a, legs, "an exchange", "asked by phone", None, "REFUSE", None
    )
    script.ledger.run(event)
    said = {
        (one.account_id, one.side): one
        for one in script.ledger.said(ev.PostingRecorded)
        if one.journal_id == "FX1"
    }
    assert (said[b, "CREDIT"].rate_e8, said[b, "CREDIT"].purpose) == (1_0800_0000, "fx")
    assert (said[fee, "CREDIT"].purpose, said[fee, "CREDIT"].rate_e8) == ("fee", None)
    assert {one.reason for one in said.values()} == {"asked by phone"}
    states = [(event.state, event.legs) for event in script.ledger.said(ev.JournalUpdated)]
    assert states == [("PREPARING", 5), ("POSTED", 5)]
    again = structs.replace(event, event_id="again", legs=tuple(reversed(legs)))
    script.ledger.run(again)
    assert [event.code for event in script.ledger.said(ev.CommandRefused)] == ["exists"]


def test_a_reversal_says_what_it_reverses_and_why() -> None:
    ledger = play("""
        open A 100.00
        open B
        pay P1 A->B 60.00 => reserved, settled
        unpay P1 A R1 => posted
    """)
    back = [one for one in ledger.said(ev.PostingRecorded) if one.journal_id == "R1"]
    assert [(one.side, one.reverses, one.reason, one.amount_minor) for one in back] == [
        ("DEBIT", "P1", "a mistake", 60_00),
        ("CREDIT", "P1", "a mistake", 60_00),
    ]
