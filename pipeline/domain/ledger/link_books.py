"""Whether all payments of a link can be booked: tried in the books of one command, before anything is said.

The payments are tried in their order, so that the second finds what the first has left. An account that the
link opens is opened in these books first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import can_be_opened
from pipeline.domain.ledger.accounts import check_opening, enter_opening, refusal_of_opening
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.links import Link, LinkedPayment, opening_event
from pipeline.domain.ledger.rows import read_account
from pipeline.domain.tenants.settings import Tenants


class Flaw(NamedTuple):
    """Why a link is refused, as a result code, and the place of the payment that is the reason, if one is."""

    code: str
    place: int | None = None
    account_sequence: int | None = None
    """Of sequence_mismatch: the postings that the debtor has had."""


def reserve(
    link: Link, outcomes: Sequence[str], event: Any, at: Arrival, rows: Rows, out: Outbox, tenants: Tenants
) -> Books | Flaw:
    """Hold all payments in the books of a command, or return the first reason why that cannot be.

    `outcomes`: what the fraud rules say of each; none: they have said it before. `out` gets the entry of an
    opening, and nothing else.
    """
    books = Books(event, at, rows)
    if link.opening is not None:
        code = _open(link, books, out, tenants)
        if code is not None:
            return Flaw(code)
    for index, payment in enumerate(link.payments):
        if outcomes and outcomes[index] == "DECLINE":
            return Flaw("declined", index)
        sequence = _other_sequence(link, books) if outcomes else None
        code = _code_of(link, payment, sequence, books)
        if code is None:
            pair = link.debtor_account_id, books.counterpart(payment)
            code = books.reserve(*pair, payment.currency, payment.amount_minor)
        if code is not None:
            return Flaw(code, index, sequence if code == "sequence_mismatch" else None)
    return books


def _open(link: Link, books: Books, out: Outbox, tenants: Tenants) -> str | None:
    """Open the debtor's account in the books; return the result code where it cannot be opened."""
    opening = opening_event(books.event, link)
    try:
        check_opening(opening)
        if read_account(books.rows, opening.tenant_id, opening.account_id) is not None:
            return "debtor_exists"
        refused = refusal_of_opening(opening, tenants)
        if refused is None:
            enter_opening(opening, books, out)
        return refused
    except Reject:
        return "invalid_opening"


def _other_sequence(link: Link, books: Books) -> int | None:
    """Return how many postings the debtor has had if the link expects another number; else None."""
    expected, account = books.event.expected_sequence, books.account(link.debtor_account_id)
    if expected is None or account is None:
        return None
    sequence = account.sequence if link.opening is None else 0
    return None if sequence == expected else sequence


def _code_of(link: Link, payment: LinkedPayment, sequence: int | None, books: Books) -> str | None:
    """Return the first reason to refuse a payment that is not its money, or None."""
    debtor, creditor = link.debtor_account_id, payment.creditor_account_id
    if payment.amount_minor <= 0:
        return "amount_must_be_positive"
    if debtor == creditor:
        return "accounts_must_differ"
    code = books.debtor_code(debtor, payment.currency)
    if code is not None:
        return code
    if sequence is not None:
        return "sequence_mismatch"
    if not can_be_opened(creditor):
        return "creditor_not_found"
    if books.is_local(creditor):
        return books.creditor_code(creditor, payment.currency, payment.amount_minor)
    return None
