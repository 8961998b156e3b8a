"""Payments between currencies: the rates quoted, what an amount is worth, who stands against whom.

By the contract: one rate counts for a payment, that of its time; an amount is rounded once, half to even; the
bank's position accounts of both currencies stand between debtor and creditor, on the debtor's branch.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from pipeline.verify.model.currencies import DIGITS
from pipeline.verify.model.ledger_books import Books, Payment
from pipeline.verify.model.wire import DAY_US, LONG_MAX, PAYMENT_EVENTS, row_key

UNIT = 10**8
RATE_MAX = 10**17
SWEPT_MAX = 3


class Exchange(NamedTuple):
    """What a payment has become, as its row has it."""

    credited: int
    """For all of it, minor units."""
    currency: str
    rate: int
    of: str
    """The currency of which one unit costs the rate."""
    quoted_by: str | None


def quote(branch: Books, event: dict[str, Any]) -> None:
    """Keep a rate; of two for one moment the one that is said to be later."""
    pair = (event["tenant_id"], event["base_currency"], event["quote_currency"])
    known, begins = branch.rates.setdefault(pair, {}), event["effective_from"]
    if begins in known and known[begins][2] >= event["occurred_at"]:
        return
    known[begins] = (event["rate_e8"], event["event_id"], event["occurred_at"])
    branch.structure(rate_row(pair, begins), known[begins])
    if branch.watermark is None or branch.witness is not None:
        return
    oldest = branch.watermark - branch.window_days * DAY_US - branch.rate_age_us
    over = sorted((time for time in known if time <= oldest), reverse=True)
    for time in over[1 : 1 + SWEPT_MAX]:
        del known[time]
        branch.row(rate_row(pair, time), None)


def rate_row(pair: tuple[str, str, str], begins: int) -> bytes:
    return row_key("q", *pair, f"{LONG_MAX - begins:020}")


def worth(amount: int, pay: str, get: str, rate: int, of: str) -> int:
    """Return what minor units of one currency are in minor units of another."""
    price = Fraction(rate, UNIT) if of == pay else Fraction(UNIT, rate)
    units: int = 10 ** DIGITS[get]
    return round(Fraction(amount, 10 ** DIGITS[pay]) * price * units)


def invalid_rate(payment: Payment) -> bool:
    """Whether a payment names a rate that is none, or one without another currency."""
    named = payment.named_rate
    return named is not None and (payment.other is None or not 0 < named <= RATE_MAX)


def quoted(branch: Books, payment: Payment) -> tuple[list[Exchange], list[Exchange]]:
    """Return the rates that may count for a payment, its pair's first, then the inverse: all, and in time."""
    tenant, get = branch.cause.fields["tenant_id"], payment.other
    assert get is not None
    found, in_time = [], []
    for base, other in ((payment.currency, get), (get, payment.currency)):
        known = branch.rates.get((tenant, base, other), {})
        begun = [time for time in known if time <= payment.occurred_at]
        if begun:
            rate, event_id, _ = known[max(begun)]
            found.append(Exchange(0, get, rate, base, event_id))
            if branch.witness is not None or payment.occurred_at - max(begun) <= branch.rate_age_us:
                in_time.append(found[-1])
    return found, in_time


def exchange(branch: Books, payment: Payment) -> Exchange | str:
    """Return what a payment becomes, or why it cannot."""
    pay, get, named = payment.currency, payment.other, payment.named_rate
    assert get is not None
    found, in_time = quoted(branch, payment)
    said = said_of_rate(branch, bool(found))
    if isinstance(said, str):
        return said
    if said is not None:  # which of them were in time is not in the log
        in_time = [one for one in in_time if one.quoted_by == said["rate_event_id"]] or in_time
    if named is None:
        if not in_time:
            return "rate_too_old" if found else "rate_not_found"
        by = in_time[0]
    else:
        by = Exchange(0, get, named, pay, None)
        if in_time and branch.witness is None and far_off(named, in_time[0], pay, branch.rate_tolerance_bp):
            return "rate_out_of_tolerance"
    if pay not in DIGITS or get not in DIGITS:
        return "currency_mismatch"
    credited = worth(payment.amount, pay, get, by.rate, by.of)
    if credited == 0:
        return "amount_must_be_positive"
    return by._replace(credited=credited) if credited <= LONG_MAX else "overflow"


def said_of_rate(branch: Books, known: bool) -> dict[str, Any] | str | None:
    """Return what the stream has said where only its settings decide: a code, or an exchange; else None."""
    if branch.witness is None or not known:
        return None
    about = {"payment_id": branch.cause.fields["payment_id"]}
    codes = ("rate_too_old", "rate_out_of_tolerance")
    code = branch.said_code(codes, PAYMENT_EVENTS, "PaymentRejected", **about)
    if code is not None:
        return code
    said = branch.next_said(PAYMENT_EVENTS, "PaymentReserved", **about)
    found: dict[str, Any] | None = None if said is None else said["exchange"]
    return found


def far_off(named: int, by: Exchange, pay: str, tolerance_bp: int) -> bool:
    """Whether a named rate differs from the quoted one by more than so many ten thousandths of that."""
    price = Fraction(by.rate, UNIT) if by.of == pay else Fraction(UNIT, by.rate)
    return abs(Fraction(named, UNIT) - price) > price * tolerance_bp / 10_000


# --- the books


def whole(payment: Payment) -> int:
    """Return what the creditor gets for all of a payment, in the creditor's currency."""
    return payment.amount if payment.exchange is None else payment.exchange.credited


def sides(
    branch: Books, payment: Payment, amount: int, credited: int, look: bool = False
) -> list[tuple[str, str, int]]:
    """Return who is debited, who is credited and how much, for a part of a payment.

    `look`: accounts of the branch's own need not be there yet, and do not come to be.
    """
    get = payment.currency if payment.exchange is None else payment.exchange.currency
    names = {
        place: f"${place[0]}:{place[1]}:{branch.number}" if look else branch.own(*place)
        for place in owned(branch, payment, get)
    }
    creditor = names.get(("clearing", get), payment.creditor)
    if payment.exchange is None:
        return [(payment.debtor, creditor, amount)]
    bought, sold = names["position", payment.currency], names["position", get]
    return [(payment.debtor, bought, amount), (sold, creditor, credited)]


def owned(branch: Books, payment: Payment, get: str) -> list[tuple[str, str]]:
    """Return which of the branch's own accounts take part in a payment: purpose and currency."""
    clearing = [] if branch.here(payment.creditor) else [("clearing", get)]
    positions = [] if payment.exchange is None else [("position", payment.currency), ("position", get)]
    return clearing + positions


def reserve(branch: Books, payment: Payment, amount: int, credited: int, sign: int = 1) -> None:
    """Hold a part of a payment, or with `sign` -1 give it back."""
    for debit, credit, part in sides(branch, payment, amount, credited):
        if part:
            branch.reserve(debit, credit, sign * part)


def say_holds(branch: Books, change: str, payment: Payment, hold_id: str, amount: int, credited: int) -> None:
    """Expect that a part of a payment is held beyond the command, or given back, on all that is debited."""
    for kind, (debit, _, part) in zip(
        ("", ":exchange"), sides(branch, payment, amount, credited), strict=False
    ):
        if part:
            branch.say_hold(change, hold_id, debit, part, f"hold_{change.lower()}{kind}")


def post(
    branch: Books,
    name: str,
    payment: Payment,
    amount: int,
    credited: int,
    when: dict[str, int | None],
) -> None:
    """Post a part of a payment out of what is held."""
    reserve(branch, payment, amount, credited, -1)
    about: dict[str, Any] = {
        "payment_id": branch.cause.fields["payment_id"],
        "reference": payment.reference,
        "metadata": payment.metadata,
        "exchange": told(payment, amount, credited),
    }
    pairs = sides(branch, payment, amount, credited)
    for entry, (debit, credit, part) in zip((name, f"{name}:exchange"), pairs, strict=False):
        branch.enter(entry, debit, credit, part, when, **about)


def told(payment: Payment, amount: int, credited: int) -> dict[str, Any] | None:
    """Return what is said of a conversion."""
    by = payment.exchange
    if by is None:
        return None
    return {
        "debtor_amount_minor": amount,
        "debtor_currency": payment.currency,
        "creditor_amount_minor": credited,
        "creditor_currency": by.currency,
        "rate_e8": by.rate,
        "rate_currency": by.of,
        "rate_event_id": by.quoted_by,
    }
