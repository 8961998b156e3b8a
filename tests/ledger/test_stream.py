"""Payments on one branch, as ledgers: reserve, settle, release, and every answer at its boundary."""

from __future__ import annotations

import pytest

from pipeline.domain.ledger.stream import LedgerRules
from tests.ledger.script import play

MAX = "92233720368547758.07"  # 2^63 - 1 minor units
MAX_LESS_1 = "92233720368547758.06"

LEDGERS = {
    "a payment settles at once": """
        open A 100.00
        open B 20.00
        pay P1 A->B 15.00 => reserved, settled
        expect A 85.00
        expect B 35.00
    """,
    "payments there and back leave everything as it was": """
        open A 100.00
        open B
        pay P1 A->B 100.00 => reserved, settled
        pay P2 B->A 100.00 => reserved, settled
        expect A 100.00
        expect B 0.00
    """,
    "the last cent can be spent, the one after it cannot": """
        open A 10.00
        open B
        pay P1 A->B 10.01 => rejected insufficient_funds
        pay P2 A->B 9.99 => reserved, settled
        pay P3 A->B 0.02 => rejected insufficient_funds
        pay P4 A->B 0.01 => reserved, settled
        pay P5 A->B 0.01 => rejected insufficient_funds
        expect A 0.00
        expect B 10.00
    """,
    "an overdraft is used up to its last cent": """
        open A 10.00 limit=5.00
        open B
        pay P1 A->B 15.01 => rejected insufficient_funds
        pay P2 A->B 14.99 => reserved, settled
        pay P3 A->B 0.01 => reserved, settled
        pay P4 A->B 0.01 => rejected insufficient_funds
        expect A -5.00
    """,
    "an overdraft without limit ends where 64 bits end": f"""
        open A limit=none
        open B
        open C limit=none
        pay P1 A->B {MAX_LESS_1} => reserved, settled
        pay P2 A->C 0.02 => rejected overflow
        pay P3 A->C 0.01 => reserved, settled
        pay P4 A->C 0.01 => rejected overflow
        expect A -{MAX}
        pay P5 C->B 0.02 => rejected overflow
        pay P6 C->B 0.01 => reserved, settled
        pay P7 C->B 0.01 => rejected overflow
        expect B {MAX}
    """,
    "an amount of 2^63-1 is one payment": f"""
        open A {MAX}
        open B
        pay P1 A->B {MAX} => reserved, settled
        expect A 0.00
        expect B {MAX}
        pay P2 B->A {MAX} => rejected overflow  # A has received 2^63-1 in all: its counter is full
    """,
    "holds count towards 64 bits": f"""
        open A limit=none
        open B
        pay P1 A->B {MAX_LESS_1} REVIEW => reserved
        pay P2 A->B 0.02 => rejected overflow
        pay P3 A->B 0.01 => reserved, settled
        pay P4 A->B 0.01 => rejected overflow
        approve P1 A => settled
        expect B {MAX}
    """,
    "an amount is positive": """
        open A 10.00
        open B
        pay P1 A->B 0.00 => rejected amount_must_be_positive
        pay P2 A->B -0.01 => rejected amount_must_be_positive
        pay P3 A->B -92233720368547758.08 => rejected amount_must_be_positive
        pay P4 A->B 0.01 => reserved, settled
    """,
    "nobody pays himself": """
        open A 10.00
        pay P1 A->A 1.00 => rejected accounts_must_differ
        expect A 10.00
    """,
    "both accounts exist": """
        open A 10.00
        pay P1 A->B 1.00 => rejected creditor_not_found
        pay P2 B->A 1.00 => rejected debtor_not_found
        pay P3 B->C 1.00 => rejected debtor_not_found
        expect A 10.00
    """,
    "both accounts are open": """
        open A 10.00
        open B
        open C
        close B
        pay P1 A->B 1.00 => rejected creditor_closed
        pay P2 B->A 1.00 => rejected debtor_closed
        pay P3 A->C 1.00 => reserved, settled
        expect B 0.00 closed
    """,
    "a payment has the currency of both accounts": """
        open A 10.00
        open U 10.00 USD
        open V USD
        pay P1 A->U 1.00 => rejected currency_mismatch
        pay P2 A->U 1.00 USD => rejected currency_mismatch
        pay P3 U->A 1.00 USD => rejected currency_mismatch
        pay P4 U->V 1.00 USD => reserved, settled
        expect V 1.00
    """,
    "the first reason is the one that is said": """
        open A 10.00
        open U USD
        pay P1 X->X 0.00 GBP DECLINE => rejected declined
        pay P2 X->X 0.00 GBP => rejected amount_must_be_positive
        pay P3 X->X 99.00 GBP => rejected accounts_must_differ
        pay P4 X->U 99.00 GBP => rejected debtor_not_found
        pay P5 A->Y 99.00 GBP => rejected currency_mismatch
        pay P6 A->Y 99.00 => rejected creditor_not_found
        pay P7 A->U 99.00 => rejected currency_mismatch
    """,
    "a declined payment moves nothing, and its id is used up": """
        open A 10.00
        open B
        pay P1 A->B 1.00 DECLINE => rejected declined
        pay P1 A->B 1.00 => refused exists
        approve P1 A => refused already_failed
        expect A 10.00
    """,
}

REVIEWS = {
    "a held payment is settled by its approval": """
        open A 10.00
        open B
        pay P1 A->B 4.00 REVIEW => reserved
        expect A 10.00 held 4.00
        expect B 0.00 incoming 4.00
        approve P1 A => settled
        expect A 6.00
        expect B 4.00
    """,
    "a held payment that is refused is released": """
        open A 10.00
        open B
        pay P1 A->B 4.00 REVIEW => reserved
        refuse P1 A => rejected declined
        expect A 10.00
        expect B 0.00
    """,
    "a held payment can be cancelled, once": """
        open A 10.00
        open B
        pay P1 A->B 4.00 REVIEW => reserved
        cancel P1 A => cancelled
        expect A 10.00
        cancel P1 A => refused already_failed
        approve P1 A => refused already_failed
    """,
    "what is held cannot be spent": """
        open A 10.00
        open B
        pay P1 A->B 6.00 REVIEW => reserved
        pay P2 A->B 4.01 => rejected insufficient_funds
        pay P3 A->B 4.00 REVIEW => reserved
        pay P4 A->B 0.01 => rejected insufficient_funds
        expect A 10.00 held 10.00
        refuse P1 A => rejected declined
        pay P5 A->B 6.00 => reserved, settled
        approve P3 A => settled
        expect A 0.00
        expect B 10.00
    """,
    "what is incoming cannot be spent": """
        open A 10.00
        open B
        open C
        pay P1 A->B 6.00 REVIEW => reserved
        pay P2 B->C 0.01 => rejected insufficient_funds
        approve P1 A => settled
        pay P3 B->C 6.00 => reserved, settled
    """,
    "a lower limit does not touch what is held already": """
        open A limit=10.00
        open B
        pay P1 A->B 10.00 REVIEW => reserved
        limit A 0.00
        pay P2 A->B 0.01 => rejected insufficient_funds
        approve P1 A => settled
        expect A -10.00
    """,
    "a review counts once": """
        open A 10.00
        open B
        pay P1 A->B 4.00 REVIEW => reserved
        approve P1 A => settled
        approve P1 A => refused already_settled
        refuse P1 A => refused already_settled
        cancel P1 A => refused already_settled
        expect B 4.00
    """,
    "a payment that was not held needs no review": """
        open A 10.00
        open B
        pay P1 A->B 4.00 => reserved, settled
        approve P1 A => refused already_settled
        pay P2 A->B 99.00 REVIEW => rejected insufficient_funds
        approve P2 A => refused already_failed
    """,
    "a review of what nobody knows": """
        open A 10.00
        open B
        approve P1 A => refused payment_not_found
        cancel P1 A => refused payment_not_found
        pay P1 A->B 4.00 REVIEW => reserved
        approve P1 B => refused payment_not_found   # B is not its debtor
        cancel P1 B => refused payment_not_found
        expect A 10.00 held 4.00
        approve P1 A => settled
    """,
}

REPEATS = {
    "the same payment again has no effect": """
        open A 10.00
        open B
        pay P1 A->B 4.00 => reserved, settled
        pay P1 A->B 4.00 => refused exists
        pay P1 A->B 4.00 REVIEW => refused exists
        expect A 6.00
    """,
    "the same id with other content says what differs, the first that does": """
        open A 10.00
        open B
        open C
        pay P1 A->B 4.00 => reserved, settled
        pay P1 C->A 5.00 USD => refused exists_with_different_debtor
        pay P1 A->C 5.00 USD => refused exists_with_different_creditor
        pay P1 A->B 5.00 USD => refused exists_with_different_amount
        pay P1 A->B 3.99 => refused exists_with_different_amount
        pay P1 A->B 4.00 USD => refused exists_with_different_currency
        expect A 6.00
        expect B 4.00
        expect C 0.00
    """,
    "a held payment again does not hold twice": """
        open A 10.00
        open B
        pay P1 A->B 4.00 REVIEW => reserved
        pay P1 A->B 4.00 REVIEW => refused exists
        expect A 10.00 held 4.00
    """,
    "a failed payment stays failed": """
        open A 1.00
        open B 50.00
        pay P1 A->B 4.00 => rejected insufficient_funds
        pay P2 B->A 40.00 => reserved, settled
        pay P1 A->B 4.00 => refused exists
        pay P1 A->B 1.00 => refused exists_with_different_amount
        pay P3 A->B 4.00 => reserved, settled
    """,
    "a cancelled payment stays cancelled": """
        open A 10.00
        open B
        pay P1 A->B 4.00 REVIEW => reserved
        cancel P1 A => cancelled
        pay P1 A->B 4.00 => refused exists
        expect A 10.00
    """,
    "one upstream event id for two payments is still two payments": """
        open A 10.00
        open B.1
        pay P1 A->B.1 1.00 event=E => reserved
        pay P2 A->B.1 2.00 event=E => reserved
        deliver => settled, settled
        expect A 7.00
        expect B.1 3.00
        clearing 0.00
    """,
}

WATERMARKS = {
    "a payment as old as the window is taken, a day more is too old": """
        open A 10.00
        open B
        pay P1 A->B 1.00 on=1000 => reserved, settled
        pay P2 A->B 1.00 on=910 => reserved, settled
        pay P3 A->B 1.00 on=909 => rejected too_old
        expect A 8.00
    """,
    "too old comes before every other reason, and is not remembered": """
        open A 10.00
        open B
        pay P1 A->B 1.00 on=1000 => reserved, settled
        pay P2 A->B 99.00 DECLINE on=1 => rejected too_old
        pay P2 A->B 99.00 DECLINE on=1 => rejected too_old
        pay P2 A->B 1.00 on=1000 => reserved, settled
    """,
    "a known payment is known, however old": """
        open A 10.00
        open B
        pay P1 A->B 1.00 on=1 => reserved, settled
        pay P2 A->B 1.00 on=1000 => reserved, settled
        pay P1 A->B 1.00 on=1 => refused exists
    """,
    "a clock ahead does not make honest payments too old": """
        open A 10.00
        open B
        pay P1 A->B 1.00 on=9000 seen=100 => reserved, settled
        pay P2 A->B 1.00 on=10 seen=100 => reserved, settled
        pay P3 A->B 1.00 on=9 seen=100 => rejected too_old
    """,
    "a clock behind does not turn time back": """
        open A 10.00
        open B
        pay P1 A->B 1.00 on=1000 => reserved, settled
        pay P2 A->B 1.00 on=950 => reserved, settled
        pay P3 A->B 1.00 on=909 => rejected too_old
    """,
    "a rejected payment moves the time, too": """
        open A 10.00
        open B
        pay P1 A->B 1.00 DECLINE on=1000 => rejected declined
        pay P2 A->B 1.00 on=1 => rejected too_old
    """,
    "each branch has its own time": """
        open A 10.00
        open A.1 10.00
        open B
        pay P1 A->B 1.00 on=1000 => reserved, settled
        pay P2 A.1->B 1.00 on=1 => reserved
        deliver => settled
        expect B 2.00
    """,
}


@pytest.mark.parametrize("text", LEDGERS.values(), ids=LEDGERS)
def test_payments(text: str) -> None:
    play(text)


@pytest.mark.parametrize("text", REVIEWS.values(), ids=REVIEWS)
def test_reviews_and_cancellations(text: str) -> None:
    play(text)


@pytest.mark.parametrize("text", REPEATS.values(), ids=REPEATS)
def test_a_payment_has_one_effect(text: str) -> None:
    play(text)


@pytest.mark.parametrize("text", WATERMARKS.values(), ids=WATERMARKS)
def test_payments_older_than_the_window_are_rejected(text: str) -> None:
    play(text)


def test_the_window_is_a_setting() -> None:
    play(
        """
        open A 10.00
        open B
        pay P1 A->B 1.00 on=10 => reserved, settled
        pay P2 A->B 1.00 on=9 => reserved, settled
        pay P3 A->B 1.00 on=8 => rejected too_old
        """,
        LedgerRules(dedupe_window_days=1),
    )
