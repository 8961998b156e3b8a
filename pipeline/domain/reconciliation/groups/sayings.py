"""What a break says to the people who have to clear it: one sentence with amounts and days."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.kernel.amounts import amount_text
from pipeline.domain.reconciliation.groups.around import distance
from pipeline.domain.reconciliation.groups.differences import (
    AMOUNT,
    CURRENCY,
    DATE,
    FEE,
    FX,
    PARTIAL,
    REFERENCE,
    SIGN,
    Difference,
)
from pipeline.domain.reconciliation.groups.partial import Partial
from pipeline.domain.reconciliation.scoring.item import Item


def money(minor: int, currency: str) -> str:
    """Return an amount with its currency; an unknown currency's in minor units."""
    text = amount_text(minor, currency)
    return f"{minor} minor units {currency}" if text is None else f"{text} {currency}"


def of_pair(found: Difference, line: Item, posting: Item) -> str:
    """Return what a difference of a line and a posting means."""
    bank, books = money(line.amount_minor, line.currency), money(posting.amount_minor, posting.currency)
    size = money(abs(found.minor), line.currency)
    if found.kind == FEE:
        return f"the bank has {bank}, the books have {books}: {size} was taken off, as a fee or discount is"
    if found.kind == FX:
        # An instructed amount has no sign that banks agree on.
        original = line.original
        said = f", exchanged from {money(abs(original[0]), original[1])}" if original is not None else ""
        return f"the bank has {bank}{said}, the books have {books}: another rate or an exchange fee"
    if found.kind == PARTIAL:
        return f"the bank has {bank} of the books' {books}: {size} is left"
    days = distance(line, posting)
    texts = {
        CURRENCY: f"the bank has {bank}, the books have {books}: the same business in two currencies",
        SIGN: f"the bank has {bank}, the books have {books}: one of them has the wrong sign",
        DATE: f"both have {bank}, {_apart(line, days)}: a date is wrong, or the line is of another posting",
        REFERENCE: f"both have {bank}, but name different references: {_named(line)} and {_named(posting)}",
        AMOUNT: f"the bank has {bank}, the books have {books}: {found.why}",
    }
    return texts[found.kind]


def of_partial(found: Partial, currency: str) -> str:
    """Return what has come of a partial payment, and what is left."""
    whole = money(found.paid_minor + found.left_minor, currency)
    parts = "1 part" if len(found.parts) == 1 else f"{len(found.parts)} parts"
    paid, left = money(found.paid_minor, currency), money(found.left_minor, currency)
    return f"{paid} of {whole} has come in {parts}: {left} is left"


def of_duplicate(item: Item, twin: Item, shared: Sequence[str]) -> str:
    """Return which item is repeated, and in what."""
    what = "line" if item.is_line else "posting"
    days = distance(item, twin)
    when = "of the same day" if not days else "of a day before or after" if days == 1 else f"{days} days away"
    by = f"the reference {shared[0]} and the amount" if shared else "the amount, the party and the text"
    return f"repeats {by} of another {what}, {when}: {money(item.amount_minor, item.currency)}"


def of_fee(item: Item, payment: Item | None) -> str:
    """Return that an item is a fee, and of what."""
    other = "books do not" if item.is_line else "statement does not"
    of = "" if payment is None else f" of the payment of {money(payment.amount_minor, payment.currency)}"
    return f"a fee of {money(abs(item.amount_minor), item.currency)}{of} that the {other} have"


def of_fee_of_group(fee_minor: int, currency: str) -> str:
    """Return that lines are the sum of postings less a fee."""
    return (
        f"the bank has {money(fee_minor, currency)} less than the books: taken off, as a fee or discount is"
    )


def of_missing(item: Item, reversed_item: Item | None) -> str:
    """Return that the other side has nothing for an item."""
    amount = money(item.amount_minor, item.currency)
    if reversed_item is not None:
        side = "books have" if item.is_line else "statement has"
        taken = money(reversed_item.amount_minor, item.currency)
        return f"takes {taken} back that is matched: the {side} no reversal yet"
    if item.is_line:
        return f"the bank has {amount}, and the books have nothing like it"
    return f"the books have {amount}, and no statement has a line like it"


def _apart(line: Item, days: int) -> str:
    if line.has_wrong_value_date:
        return f"the value date {abs(line.day - line.booked_day)} days from the booking"
    return f"{days} days apart"


def _named(item: Item) -> str:
    return item.references[0] if item.references else "none"
