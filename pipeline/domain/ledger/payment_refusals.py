"""Why a payment cannot be reserved, as far as its funds are not asked; and for how much it is."""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.account_ids import can_be_opened
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.expected_sequence import other_sequence
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rates import RateRules
from pipeline.domain.ledger.sides import agreed, may_name


def up_to_what_is_there(event: ev.PaymentDecided, books: Books) -> int:
    """Return the amount of a balancing payment, minor units: what its debtor can pay of what it asks for.

    Where there is nothing, it is all that was asked for, so that it is refused as any other payment.
    """
    debtor = books.account(event.debtor_account_id)
    if debtor is None or debtor.limit_minor is None:
        return event.amount_minor
    there = debtor.available_minor + debtor.limit_minor
    return min(event.amount_minor, there) if there > 0 else event.amount_minor


def refusal_of(event: ev.PaymentDecided, payment: Payment, watermark: int, books: Books) -> str | None:
    """Return why a payment cannot be reserved, the first reason that holds, or None.

    Of a payment between currencies, rate and converted amount are not looked at yet.
    """
    amount, other = payment.amount_minor, payment.creditor_currency
    if event.outcome == "DECLINE":
        return "declined"
    if amount <= 0:
        return "amount_must_be_positive"
    if event.debtor_account_id == event.creditor_account_id:
        return "accounts_must_differ"
    if not may_name(event.rate_e8, other):
        return "invalid_rate"
    if event.hold_expires_at is not None and event.hold_expires_at <= watermark:
        return "expired"
    code = books.debtor_code(event.debtor_account_id, event.currency)
    if code is not None:
        return code
    if other_sequence(books, event.debtor_account_id, event.expected_sequence) is not None:
        return "sequence_mismatch"
    if not can_be_opened(event.creditor_account_id):
        return "creditor_not_found"  # no branch has such an account, so no leg is needed to find out
    if books.is_local(event.creditor_account_id):
        if other is not None:
            return books.creditor_code(event.creditor_account_id, other)
        return books.creditor_code(event.creditor_account_id, event.currency, amount)
    return None


def convert(payment: Payment, rates: RateRules, books: Books) -> str | None:
    """Convert a payment between currencies, or return why that is not possible, or not for its creditor."""
    found = agreed(payment, rates, books)
    if isinstance(found, str):
        return found
    payment.exchange, creditor = found, payment.creditor_account_id
    if not books.is_local(creditor):
        return None
    return books.creditor_code(creditor, found.currency, found.creditor_minor)
