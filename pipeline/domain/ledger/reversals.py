"""Reversals: a posted entry is never changed; a new journal reverses it, in whole or in part.

    journal_reversed -> the opposite of its legs, or of the legs that the command names
    payment_reversed -> a debit of the creditor, a credit of the debtor

Invariants: a payment and a journal have a count of the amount reversed so far. A reversal is added to it
before its journal is submitted, so several reversals together never exceed what was posted. A refused
reversal is subtracted again. While a reversal is under way, what it reverses is kept (`reversing`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import position_account_id
from pipeline.domain.ledger.exchange import half_even
from pipeline.domain.ledger.holds import POSTED as CAPTURE_POSTED
from pipeline.domain.ledger.holds import read_hold
from pipeline.domain.ledger.journal_home import HomeJournal
from pipeline.domain.ledger.journal_parts import posted_legs
from pipeline.domain.ledger.journals import (
    OTHER_SIDE,
    PREPARING,
    Journal,
    count_reversed,
    count_reversed_payment,
    read_journal,
    write_journal,
)
from pipeline.domain.ledger.pairs import Leg, legs_of
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.repeats import journal_reversal_code, payment_reversal_code
from pipeline.domain.ledger.rows import read_number, read_payment, taken_key, write_payment
from pipeline.domain.ledger.sides import credited_of


def reverse_journal(event: ev.JournalReversed, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Reverse what is posted of a journal, or some of its legs, by a new journal."""
    found = _journal_to_reverse(event, rows)
    if isinstance(found, str):
        ids: dict[str, Any] = {"journal_id": event.journal_id, "reversal_id": event.reversal_id}
        return refuse(out, event, "journal_reversed", event.account_id, None, found, **ids)
    original, legs = found
    count_reversed(original, legs, +1)
    original.reversing = (original.reversing or 0) + 1
    write_journal(rows, event.tenant_id, event.journal_id, original)
    journal = _reversal(event, legs, original.account_id, original.reference, event.journal_id)
    journal.effective_at, journal.late = event.effective_at, event.late
    journal.not_before = original.posted_at
    if journal.not_before is None:  # an earlier version posted it
        asked_at = original.effective_at
        journal.not_before = original.occurred_at if asked_at is None else asked_at
    HomeJournal(event, event.reversal_id, journal, at, rows, out).submit(watermark)


def _journal_to_reverse(event: ev.JournalReversed, rows: Rows) -> tuple[Journal, list[Leg]] | str:
    """Return a journal and the legs that reverse it, or the result code of a refusal."""
    original = read_journal(rows, event.tenant_id, event.account_id, event.journal_id)
    if original is None:
        return "journal_not_found"
    known = read_journal(rows, event.tenant_id, event.account_id, event.reversal_id)
    if known is not None:
        return journal_reversal_code(known, event)
    if not posted_legs(original):
        return "not_settled"
    if any(leg.amount_minor <= 0 for leg in event.legs):
        return "amount_must_be_positive"
    legs = _within(legs_of(event.legs), original) if event.legs else _rest_of(original)
    return (original, legs) if legs else "exceeds_settled_amount"


def reverse_payment(event: ev.PaymentReversed, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Reverse what is posted of a payment, or a part of it, by a new journal."""
    tenant, debtor = event.tenant_id, event.debtor_account_id
    found = _payment_to_reverse(event, rows)
    if isinstance(found, str):
        ids: dict[str, Any] = {"reversal_id": event.reversal_id}
        return refuse(out, event, "payment_reversed", debtor, event.payment_id, found, **ids)
    payment, amount, other = found
    count_reversed_payment(rows, tenant, event.payment_id, amount, other, payment.credit_currency)
    payment.reversing = (payment.reversing or 0) + 1
    write_payment(rows, tenant, event.payment_id, payment)
    legs = _legs_of(payment, amount, other, at.partition)
    journal = _reversal(event, legs, debtor, payment.reference, event.payment_id)
    journal.reverses_payment = True
    journal.not_before = payment.occurred_at if payment.effective_at is None else payment.effective_at
    HomeJournal(event, event.reversal_id, journal, at, rows, out).submit(watermark)


def _legs_of(payment: Payment, amount: int, other: int | None, branch: int) -> list[Leg]:
    """Return the legs that reverse an amount; `other`: the same in the creditor's currency, if another."""
    creditor, debtor, get = payment.creditor_account_id, payment.debtor_account_id, payment.credit_currency
    rate = None if payment.exchange is None else payment.exchange.rate_e8
    back = amount if other is None else other
    legs = [
        Leg(1, 0, creditor, "DEBIT", back, get, rate_e8=rate),
        Leg(2, 0, debtor, "CREDIT", amount, payment.currency, rate_e8=rate),
    ]
    if other is not None:
        bought, sold = (position_account_id(one, branch) for one in (payment.currency, get))
        legs.append(Leg(3, 0, sold, "CREDIT", back, get, rate_e8=rate))
        legs.append(Leg(4, 0, bought, "DEBIT", amount, payment.currency, rate_e8=rate))
    return legs


def _payment_to_reverse(event: ev.PaymentReversed, rows: Rows) -> tuple[Payment, int, int | None] | str:
    """Return a payment and the amount to reverse in its currencies, None for only one; or a result code."""
    tenant = event.tenant_id
    payment = read_payment(rows, tenant, event.payment_id)
    if payment is None or payment.debtor_account_id != event.debtor_account_id:
        return "payment_not_found"
    known = read_journal(rows, tenant, event.debtor_account_id, event.reversal_id)
    if known is not None:
        return payment_reversal_code(known, event)
    settled, credited = _settled(event, payment, rows)
    if not settled:
        return "not_settled"
    taken = read_number(rows, taken_key(tenant, event.payment_id)) or 0
    left = settled - taken
    amount = left if event.amount_minor is None else event.amount_minor
    if event.amount_minor is not None and amount <= 0:
        return "amount_must_be_positive"
    if not left or amount > left:
        return "exceeds_settled_amount"
    if payment.exchange is None:
        return payment, amount, None
    before = read_number(rows, taken_key(tenant, event.payment_id, payment.credit_currency)) or 0
    # By what was posted, not by the rate again: so a reversal of all that is left leaves nothing.
    back = credited - before if amount == left else half_even(amount * credited, settled)
    back = min(back, credited - before)
    return (payment, amount, back) if back else "amount_must_be_positive"


def _settled(event: ev.PaymentReversed, payment: Payment, rows: Rows) -> tuple[int, int]:
    """Return how much of a payment is posted, in the debtor's and in the creditor's currency, minor units.

    Of a hold, it is what is captured so far.
    """
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    if hold is None:
        return (payment.amount_minor, credited_of(payment)) if payment.state == "SETTLED" else (0, 0)
    return hold.captured, hold.credited(CAPTURE_POSTED)


def _reversal(
    event: ev.JournalReversed | ev.PaymentReversed,
    legs: list[Leg],
    account_id: str,
    reference: str,
    reverses: str,
) -> Journal:
    """Return the journal of a reversal; in a closed period it counts in the next one.

    It never counts before its original does: `not_before` is the caller's to set.
    """
    rest = event.amount_minor is None if isinstance(event, ev.PaymentReversed) else not event.legs
    return Journal(
        account_id, PREPARING, "ok", None, legs, reference, event.reason, reverses, False, None,
        "NEXT_PERIOD", None, [], event.occurred_at, event.correlation_id, event.event_id, [], [], rest,
    )  # fmt: skip


def _left_of(original: Journal) -> Counter[tuple[str, str, str]]:
    """Return what is posted of a journal and not reversed yet, by account, side and currency, minor units."""
    left: Counter[tuple[str, str, str]] = Counter()
    for leg in posted_legs(original):
        left[leg.account_id, leg.side, leg.currency] += leg.amount_minor
    for taken in original.reversed:
        left[taken.account_id, taken.side, taken.currency] -= taken.amount_minor
    return left


def _within(legs: list[Leg], original: Journal) -> list[Leg] | None:
    """Return the legs of a reversal if all of them can still be reversed, or None."""
    left = _left_of(original)
    for leg in legs:
        left[leg.account_id, OTHER_SIDE.get(leg.side, ""), leg.currency] -= leg.amount_minor
    return None if any(amount < 0 for amount in left.values()) else legs


def _rest_of(original: Journal) -> list[Leg]:
    """Return the opposite of every leg, as far as it is posted and not reversed yet."""
    left, legs = _left_of(original), []
    for leg in posted_legs(original):
        place = (leg.account_id, leg.side, leg.currency)
        amount = min(leg.amount_minor, left[place])
        left[place] -= amount
        if amount > 0:
            taken = (leg.account_id, OTHER_SIDE[leg.side], amount, leg.currency)
            legs.append(Leg(leg.leg_no, leg.entry_no, *taken, leg.purpose, leg.rate_e8))
    return legs
