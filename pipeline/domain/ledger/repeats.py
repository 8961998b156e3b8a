"""What a command with a known id is answered: `exists`, or the first thing in which it differs.

The order is one for all commands (`kernel.repeats`). What an earlier layout of a row did not keep is not
compared.
"""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.repeats import PaymentContent, first_of, only_one, payment_code
from pipeline.domain.ledger.holds import Capture
from pipeline.domain.ledger.journal_parts import confirmation_id_of
from pipeline.domain.ledger.journals import Journal
from pipeline.domain.ledger.links import Link
from pipeline.domain.ledger.pairs import legs_of
from pipeline.domain.ledger.payment_row import Payment


def answer_to_payment(known: Payment, given: PaymentContent) -> str:
    """Return the answer to a payment whose id is known."""
    return payment_code(content_of_row(known), given, whole=known.payment_type != "")


def content_of_row(payment: Payment) -> PaymentContent:
    """Return the content of a payment as the ledger keeps it."""
    asked = payment.asked_minor
    return PaymentContent(
        payment.link_id,
        payment.hold_expires_at,
        payment.capture_tolerance_bp,
        payment.debtor_account_id,
        payment.creditor_account_id,
        (payment.amount_minor if asked is None else asked, asked is not None),
        payment.reference,
        payment.currency,
        payment.creditor_currency,
        payment.named_rate_e8,
        payment.payment_type,
        payment.execute_at,
        payment.metadata,
    )


def link_code(known: Link, link: Link) -> str:
    """Return the answer to a link whose id is known."""
    found = first_of(
        (
            ("exists_with_different_opening", known.opening != link.opening),
            ("exists_with_different_payments", known.payments != link.payments),
            ("exists_with_different_metadata", known.metadata != link.metadata),
        )
    )
    return found or "exists"


def capture_code(known: Capture, event: ev.PaymentCaptured) -> str:
    """Return the answer to a capture whose id is known."""
    if known.final is not None and known.final != event.final:
        return "exists_with_different_final"
    differs = _other_amount(known.amount_minor, known.rest, event.amount_minor)
    return "exists_with_different_amount" if differs else "exists"


def confirmation_code(journal: Journal, event: ev.JournalConfirmed) -> str | None:
    """Return the answer to a confirmation whose id the journal knows; None where it does not.

    Without legs it posts all that is left, as a capture without an amount.
    """
    named = confirmation_id_of(event)
    known = next((one for one in journal.confirmations if one.confirmation_id == named), None)
    if known is None:
        return None
    if known.final != (event.final is not False):
        return "exists_with_different_final"
    given = None if event.legs is None else sorted((leg.leg_no, leg.amount_minor) for leg in event.legs)
    differs = not known.rest if given is None else given != known.amounts
    return "exists_with_different_legs" if differs else "exists"


def journal_code(known: Journal, journal: Journal) -> str:
    """Return the answer to the submission of a journal whose id is known."""
    found = first_of(
        (
            ("exists_with_different_hold", only_one(known.expires_at, journal.expires_at)),
            ("exists_with_different_target", known.reverses is not None),
            ("exists_with_different_expiry", known.expires_at != journal.expires_at),
            ("exists_with_different_legs", known.legs != journal.legs),
            ("exists_with_different_reference", known.reference != journal.reference),
            ("exists_with_different_reason", known.reason != journal.reason),
            ("exists_with_different_effective_time", known.effective_at != journal.effective_at),
            ("exists_with_different_late_rule", known.late != journal.late),
            ("exists_with_different_execution_time", known.execute_at != journal.execute_at),
            ("exists_with_different_metadata", known.rest is not None and known.metadata != journal.metadata),
        )
    )
    return found or "exists"


def journal_reversal_code(known: Journal, event: ev.JournalReversed) -> str:
    """Return the answer to the reversal of a journal whose id is known, as a reversal's or a journal's."""
    other_legs = known.legs != legs_of(event.legs) if event.legs else known.rest is False
    found = first_of(
        (
            ("exists_with_different_target", not _reverses(known, event.journal_id, payment=False)),
            ("exists_with_different_legs", other_legs),
            ("exists_with_different_reason", known.reason != event.reason),
            ("exists_with_different_effective_time", known.effective_at != event.effective_at),
            ("exists_with_different_late_rule", known.late != event.late),
        )
    )
    return found or "exists"


def payment_reversal_code(known: Journal, event: ev.PaymentReversed) -> str:
    """Return the answer to the reversal of a payment whose id is known, as a reversal's or a journal's."""
    if not _reverses(known, event.payment_id, payment=True):
        return "exists_with_different_target"
    if _other_amount(known.legs[1].amount_minor, known.rest, event.amount_minor):
        return "exists_with_different_amount"
    return "exists" if known.reason == event.reason else "exists_with_different_reason"


def _other_amount(known: int, all_that_was_left: bool | None, given: int | None) -> bool:
    """Whether a command asks for another amount than the known one.

    Without an amount it asks for all that is left: as the known one did, or did not. With one it is the same
    if it is the amount that the known one took, however that asked for it.
    """
    return all_that_was_left is False if given is None else given != known


def _reverses(known: Journal, target: str, payment: bool) -> bool:
    return known.reverses == target and known.reverses_payment == payment
