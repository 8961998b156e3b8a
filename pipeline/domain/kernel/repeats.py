"""What a repeat of a known id is answered: the first thing in which it differs, in one order for all streams.

A payment is known to the ledger, or waits for its time in front of it: whoever answers, the answer is the
same. The order is TigerBeetle's: flags, what it is about, timeout, accounts, amount, user data, ledger, code;
what only we have comes last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.domain.kernel.events import PaymentDecided, PaymentInitiated
from pipeline.domain.kernel.times import hold_end


def first_of(reasons: Iterable[tuple[str, bool]]) -> str | None:
    """Return the first code whose reason holds, or None."""
    return next((code for code, holds in reasons if holds), None)


def only_one(known: int | None, given: int | None) -> bool:
    """Whether one of two has a value, and the other has none."""
    return (known is None) != (given is None)


class PaymentContent(NamedTuple):
    """What a payment has to have in common with its repeat; amounts in minor units, times in microseconds."""

    link_id: str | None
    hold_end: int | None
    """NO_END: it is held without an end; None: it is not held for captures."""
    tolerance_bp: int | None
    debtor_account_id: str
    creditor_account_id: str
    asked: tuple[int, bool]
    """How much it asks for, and whether it takes less."""
    reference: str
    currency: str
    other_currency: str | None
    """What it is to be converted to; None: the debtor's currency."""
    rate_e8: int | None
    """The rate that it names."""
    payment_type: str
    execute_at: int | None
    metadata: dict[str, str] | None


def content_of(event: PaymentInitiated | PaymentDecided) -> PaymentContent:
    """Return the content of a payment as it comes."""
    return PaymentContent(
        None,
        hold_end(event),
        event.capture_tolerance_bp or None,
        event.debtor_account_id,
        event.creditor_account_id,
        (event.amount_minor, bool(event.balancing)),
        event.reference,
        event.currency,
        other_currency(event),
        event.rate_e8,
        event.payment_type,
        event.execute_at,
        event.metadata,
    )


def other_currency(event: PaymentInitiated | PaymentDecided) -> str | None:
    """Return what a payment is to be converted to, None where it is the debtor's currency."""
    return None if event.creditor_currency == event.currency else event.creditor_currency


def payment_code(known: PaymentContent, given: PaymentContent, whole: bool = True) -> str:
    """Return the answer to a payment whose id is known.

    `whole`: all of the known one was kept, as every row does but those of the first layout.
    """
    other_hold = only_one(known.hold_end, given.hold_end) or known.tolerance_bp != given.tolerance_bp
    found = first_of(
        (
            ("exists_with_different_link", known.link_id != given.link_id),
            ("exists_with_different_hold", whole and other_hold),
            ("exists_with_different_expiry", whole and known.hold_end != given.hold_end),
            ("exists_with_different_debtor", known.debtor_account_id != given.debtor_account_id),
            ("exists_with_different_creditor", known.creditor_account_id != given.creditor_account_id),
            ("exists_with_different_amount", known.asked != given.asked),
            ("exists_with_different_reference", known.reference != given.reference),
            ("exists_with_different_currency", known.currency != given.currency),
            ("exists_with_different_currency", known.other_currency != given.other_currency),
            ("exists_with_different_rate", known.rate_e8 != given.rate_e8),
            ("exists_with_different_type", whole and known.payment_type != given.payment_type),
            ("exists_with_different_execution_time", whole and known.execute_at != given.execute_at),
            ("exists_with_different_metadata", whole and known.metadata != given.metadata),
        )
    )
    return found or "exists"
