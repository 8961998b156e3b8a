"""The two sides of a payment in the books: one pair of accounts, or two where it is between currencies.

    one currency:         debtor -> creditor
    between currencies:   debtor -> $position of what is paid,  $position of what is got -> creditor
    creditor elsewhere:   clearing stands for the creditor, in the creditor's currency

A position account is the bank's own on the debtor's branch: what it has bought and sold of a currency. Both
pairs are held, released and posted together, so every branch balances in each currency.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.money import fits
from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.kernel.rates import is_rate
from pipeline.domain.ledger.account_ids import position_account_id
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.exchange import Exchange, converted, told
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rates import Rate, RateRules, differs, find

_NAMES = ("", ":exchange")
"""What the ids of the events of each pair are told apart by."""


class Side(NamedTuple):
    """What is debited, what is credited, in which currency, how much (minor units)."""

    debit: str
    credit: str
    currency: str
    amount: int


def sides(books: Books, payment: Payment, amount: int, credited: int) -> tuple[Side, ...]:
    """Return the pairs of accounts for a part of a payment.

    `amount`: in the debtor's currency; `credited`: in the creditor's, the same where there is one currency.
    """
    debtor, credit = payment.debtor_account_id, books.counterpart(payment)
    if payment.exchange is None:
        return (Side(debtor, credit, payment.currency, amount),)
    bought, sold = (
        position_account_id(one, books.branch) for one in (payment.currency, payment.exchange.currency)
    )
    return (
        Side(debtor, bought, payment.currency, amount),
        Side(sold, credit, payment.exchange.currency, credited),
    )


def reserve(books: Books, payment: Payment) -> str | None:
    """Hold a whole payment; return the result code if that is not possible. Then the books are of no use."""
    for side in sides(books, payment, payment.amount_minor, credited_of(payment)):
        code = books.reserve(*side)
        if code is not None:
            return code
    return None


def emit_placed(out: Outbox, books: Books, payment: Payment, hold_id: str) -> None:
    """Emit that a whole payment is held beyond its command, for each account that is debited."""
    for side, of in zip(
        sides(books, payment, payment.amount_minor, credited_of(payment)), _NAMES, strict=False
    ):
        books.emit_hold(out, "PLACED", hold_id, side.debit, side.amount, f"hold_placed{of}")


def end_hold(out: Outbox, books: Books, payment: Payment, hold_id: str, amount: int, credited: int) -> None:
    """Release a hold without a posting, or a part of it, and emit that; arguments as of `sides`."""
    _release(books, payment, amount, credited)
    for side, of in zip(sides(books, payment, amount, credited), _NAMES, strict=False):
        if side.amount:
            books.emit_hold(out, "RELEASED", hold_id, side.debit, side.amount, f"hold_released{of}")


def _release(books: Books, payment: Payment, amount: int, credited: int) -> None:
    for side in sides(books, payment, amount, credited):
        if side.amount:
            books.release(*side)


def enter(
    out: Outbox, name: str, books: Books, payment: Payment, amount: int, credited: int, about: EntryDetails
) -> None:
    """Turn a hold, or a part of it, into entries; arguments as of `sides`."""
    _release(books, payment, amount, credited)
    about = about._replace(exchange=told(payment.exchange, amount, payment.currency, credited))
    for side, of in zip(sides(books, payment, amount, credited), _NAMES, strict=False):
        books.enter(out, name + of, side.debit, side.credit, side.amount, about)


def credited_of(payment: Payment) -> int:
    """Return what the creditor of a payment gets for all of it, minor units of the creditor's currency."""
    return payment.amount_minor if payment.exchange is None else payment.exchange.creditor_minor


def agreed(payment: Payment, rules: RateRules, books: Books) -> Exchange | str:
    """Return what a payment between currencies is converted to, or the first reason against it.

    A named rate is held against the quoted one, where there is one.
    """
    pay, get, named = payment.currency, payment.creditor_currency, payment.named_rate_e8
    assert get is not None, "it is between currencies"
    quoted = find(books.rows, books.event.tenant_id, pay, get, payment.occurred_at, rules.max_age)
    if named is None:
        if isinstance(quoted, str):
            return quoted
        rate = quoted
    else:
        if isinstance(quoted, Rate) and differs(named, quoted, pay, rules.tolerance_bp):
            return "rate_out_of_tolerance"
        rate = Rate(named, pay, None)
    if not {pay, get} <= EXPONENTS.keys():
        return "currency_mismatch"  # of an account that an earlier version opened
    credited = converted(payment.amount_minor, pay, get, rate.rate_e8, rate.currency)
    if not credited:
        return "amount_must_be_positive"
    return Exchange(credited, get, *rate) if fits(credited) else "overflow"


def may_name(rate_e8: int | None, creditor_currency: str | None) -> bool:
    """Whether a payment may name a rate, or none."""
    return rate_e8 is None or (creditor_currency is not None and is_rate(rate_e8))
