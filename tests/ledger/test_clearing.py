"""Payments from branch to branch, as ledgers: the hold here, the leg there, and clearing in between."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import Branches, decided, opened
from tests.ledger.script import account_id, play

MAX = "92233720368547758.07"  # 2^63 - 1 minor units

LEDGERS = {
    "a payment to another branch is held until its leg is posted": """
        open A 10.00
        open B.1
        pay P1 A->B.1 4.00 => reserved
        expect A 10.00 held 4.00
        expect B.1 0.00
        expect $clearing:EUR:0 0.00 incoming 4.00
        deliver => settled
        expect A 6.00
        expect B.1 4.00
        expect $clearing:EUR:0 4.00
        expect $clearing:EUR:1 -4.00
        clearing 0.00
    """,
    "there and back on three branches": """
        open A 10.00
        open B.1
        open C.2
        pay P1 A->B.1 9.00 => reserved
        deliver => settled
        pay P2 B.1->C.2 8.00 => reserved
        deliver => settled
        pay P3 C.2->A 7.00 => reserved
        deliver => settled
        expect A 8.00
        expect B.1 1.00
        expect C.2 1.00
        clearing 0.00
    """,
    "each currency has its own clearing": """
        open A 10.00
        open B.1
        open U 10.00 USD
        open V.1 USD
        pay P1 A->B.1 4.00 => reserved
        pay P2 U->V.1 3.00 USD => reserved
        deliver => settled, settled
        expect $clearing:EUR:1 -4.00
        expect $clearing:USD:1 -3.00
    """,
    "what is under way cannot be spent on either side": """
        open A 10.00
        open B.1
        open C.1
        pay P1 A->B.1 6.00 => reserved
        pay P2 A->B.1 4.01 => rejected insufficient_funds
        pay P3 B.1->C.1 0.01 => rejected insufficient_funds
        deliver => settled
        pay P4 B.1->C.1 6.00 => reserved, settled
    """,
    "what is under way is not reviewed or cancelled any more": """
        open A 10.00
        open B.1
        pay P1 A->B.1 6.00 => reserved
        approve P1 A => refused payment_in_flight
        refuse P1 A => refused payment_in_flight
        cancel P1 A => refused payment_in_flight
        pay P1 A->B.1 6.00 => refused exists
        pay P1 A->B.1 7.00 => refused exists_with_different_amount
        deliver => settled
        cancel P1 A => refused already_settled
    """,
    "a held payment starts its leg when it is approved": """
        open A 10.00
        open B.1
        pay P1 A->B.1 6.00 REVIEW => reserved
        deliver
        expect A 10.00 held 6.00
        expect $clearing:EUR:0 0.00 incoming 6.00
        approve P1 A
        approve P1 A => refused payment_in_flight
        deliver => settled
        expect B.1 6.00
    """,
    "a held payment to another branch is refused or cancelled without a leg": """
        open A 10.00
        open B.1
        pay P1 A->B.1 6.00 REVIEW => reserved
        pay P2 A->B.1 4.00 REVIEW => reserved
        refuse P1 A => rejected declined
        cancel P2 A => cancelled
        deliver
        expect A 10.00
        expect $clearing:EUR:0 0.00
    """,
    "no creditor: the leg is refused and the hold released": """
        open A 10.00
        pay P1 A->B.1 6.00 => reserved
        deliver => failed creditor_not_found
        expect A 10.00
        pay P1 A->B.1 6.00 => refused exists
        open B.1
        pay P1 A->B.1 6.00 => refused exists
        pay P2 A->B.1 6.00 => reserved
        deliver => settled
    """,
    "a closed creditor: the leg is refused and the hold released": """
        open A 10.00
        open B.1
        close B.1
        pay P1 A->B.1 6.00 => reserved
        deliver => failed creditor_closed
        expect A 10.00
        approve P1 A => refused already_failed
    """,
    "a creditor that closes while the leg is under way": """
        open A 10.00
        open B.1
        pay P1 A->B.1 6.00 => reserved
        close B.1
        deliver => failed creditor_closed
        expect A 10.00
        expect B.1 0.00 closed
        clearing 0.00
    """,
    "a creditor of another currency": """
        open A 10.00
        open B.1 USD
        pay P1 A->B.1 6.00 => reserved
        deliver => failed currency_mismatch
        expect A 10.00
    """,
    "a creditor that is full": f"""
        open A 10.00
        open B.1 {MAX}
        pay P1 A->B.1 0.01 => reserved
        deliver => failed overflow
        expect A 10.00
        expect B.1 {MAX}
        clearing 0.00
    """,
    "a creditor that is full but for one": """
        open A 10.00
        open B.1 92233720368547758.06
        pay P1 A->B.1 0.02 => reserved
        deliver => failed overflow
        pay P2 A->B.1 0.01 => reserved
        deliver => settled
    """,
    "a clearing account that is full": f"""
        open A {MAX}
        open B limit=none
        open C.1
        open D.2
        pay P1 A->C.1 {MAX} => reserved
        pay P2 B->D.2 0.01 => rejected overflow
        deliver => settled
        pay P3 B->D.2 0.01 => rejected overflow
        expect C.1 {MAX}
    """,
    "a payment to an internal account finds no creditor, on whichever branch": """
        open A 10.00
        open Z.1 5.00
        pay P1 A->$opening:EUR:0 1.00 => rejected creditor_not_found
        pay P2 A->$opening:EUR:1 1.00 => rejected creditor_not_found
        pay P3 A->$opening:EUR:2 1.00 => rejected creditor_not_found
        pay P4 A->$clearing:EUR:0 1.00 => rejected creditor_not_found
        pay P5 A->?a/$b 1.00 => rejected creditor_not_found
        pay P6 A->?$ 1.00 => rejected creditor_not_found
        deliver
        expect A 10.00
    """,
}


@pytest.mark.parametrize("text", LEDGERS.values(), ids=LEDGERS)
def test_payments_between_branches(text: str) -> None:
    play(text)


def test_nobody_pays_out_of_an_internal_account() -> None:
    """Not even where the hash of its id happens to be its own branch."""
    ledger = Branches(1)
    ledger.run(opened("e1", "A", 100), decided("e2", "P1", "$opening:EUR:0", "A", 1))
    assert [event.code for event in ledger.said(ev.PaymentRejected)] == ["debtor_not_found"]


def _in_flight() -> Branches:
    """Return a ledger of three branches with a payment whose leg waits."""
    return play(
        """
        open A 10.00
        open B.1
        pay P1 A->B.1 6.00 => reserved
        """
    )


def test_a_leg_that_comes_twice_is_posted_once() -> None:
    ledger = _in_flight()
    leg = ledger.branches[1].waiting[0][0]
    ledger.run(leg, msgspec.structs.replace(leg, event_id="again"))
    assert ledger.dead() == ["leg_exists", "leg_exists"]
    assert len(ledger.said(ev.PaymentSettled)) == 1
    account = ledger.account(account_id("B.1"))
    assert account is not None and account.balance_minor == 600


def test_a_refused_leg_that_comes_twice_is_refused_once() -> None:
    ledger = play("open A 10.00\npay P1 A->B.1 6.00 => reserved")
    leg = ledger.branches[1].waiting[0][0]
    ledger.run(leg, opened("e", account_id("B.1")), leg)
    assert ledger.dead() == ["leg_exists", "leg_exists"]
    assert len(ledger.said(ev.LegRefused)) == 1


@pytest.mark.parametrize("kind", [ev.LegPosted, ev.LegRefused])
def test_an_answer_that_nobody_waits_for_is_a_dead_letter(kind: type) -> None:
    ledger = _in_flight()
    ledger.step(1)
    posted = ledger.branches[0].waiting[0][0]
    fields = msgspec.structs.asdict(posted) | ({"code": "overflow"} if kind is ev.LegRefused else {})
    ledger.deliver()
    for changes in ({}, {"payment_id": "unknown"}, {"tenant_id": "other"}):
        dead = len(ledger.dead())
        ledger.run(kind(**{**fields, **changes}))
        assert ledger.dead()[dead:] == ["leg_not_expected"]
    account = ledger.account(account_id("A"))
    assert account is not None and (account.balance_minor, account.debits_pending) == (400, 0)
