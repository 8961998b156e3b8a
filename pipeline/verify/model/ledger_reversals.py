"""Reversals: what is posted is taken back by a journal of its own, in whole or in part, but once only."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

from pipeline.verify.model.ledger_books import Books, Payment
from pipeline.verify.model.ledger_due import advance
from pipeline.verify.model.ledger_exchange import whole
from pipeline.verify.model.ledger_journals import (
    Journal,
    count_back,
    keep_journal,
    place_of,
    posted_of,
    take,
)
from pipeline.verify.model.ledger_pairs import Leg, in_order, legs_of
from pipeline.verify.model.ledger_repeats import answer, taken
from pipeline.verify.model.ledger_submissions import LEGS_MAX, start, submitted

Totals = Counter[tuple[str, str, str]]


def reverse_journal(branch: Books, event: dict[str, Any]) -> None:
    original = branch.journal(event["account_id"], event["journal_id"])
    places = [(leg["account_id"], leg["side"]) for leg in event["legs"][:LEGS_MAX]]
    if not places and original is not None:
        places = [place_of(leg)[:2] for leg in original.legs]
    advance(branch, places)
    code, legs = None, []
    if original is None or original.account_id != event["account_id"]:
        code = "journal_not_found"
    else:
        code = known_reversal(branch, event, event["journal_id"], payment=False)
        if code is None and not posted_of(original):
            code = "not_settled"
        if code is None:
            legs = in_order(legs_of(event["legs"])) or everything_left(original)
            code = None if legs and covered(original, legs) else "exceeds_settled_amount"
            if any(leg.amount_minor <= 0 for leg in legs):
                code = "amount_must_be_positive"
    if code is not None:
        about = {"journal_id": event["journal_id"], "reversal_id": event["reversal_id"]}
        return branch.refuse("journal_reversed", event["account_id"], code, **about)
    assert original is not None
    reversal = submitted(event, event["account_id"], legs, original.reference)
    reversal.reverses = event["journal_id"]
    reversal.effective_at, reversal.late = event["effective_at"], event["late"]
    reversal.rest = not event["legs"]
    reversal.not_before = original.counts_at
    take(original, legs, +1)
    original.reversing, original.ended_at = (original.reversing or 0) + 1, None
    start(branch, event["reversal_id"], reversal)
    keep_journal(branch, event["journal_id"], original)


def known_reversal(branch: Books, event: dict[str, Any], reverses: str, payment: bool) -> str | None:
    """Return the answer to a reversal whose id is known as a journal's, None where it is not."""
    home = event["debtor_account_id"] if payment else event["account_id"]
    known = branch.journal(home, event["reversal_id"])
    if known is None:
        return None
    if known.reverses != reverses or known.reverses_payment != payment:
        return answer({"target": False}, {"target": True})
    if payment:
        found = in_order(known.legs)[1].amount_minor
        first, again = taken(None if known.rest else found, found, event["amount_minor"])
        amounts = {"amount": first, "reason": known.reason}, {"amount": again, "reason": event["reason"]}
        return answer(*amounts)
    legs = in_order(known.legs)
    first, again = taken(None if known.rest else legs, legs, in_order(legs_of(event["legs"])))
    wanted = {"reason": event["reason"], "effective_time": event["effective_at"], "late_rule": event["late"]}
    return answer({"legs": first, **known.compared_of_reversal}, {"legs": again, **wanted})


def totals(original: Journal) -> Totals:
    """Return what may still be taken back, by account, side and currency of the original's legs."""
    left = Totals()
    for leg in posted_of(original):
        left[leg.account_id, leg.side, leg.currency] += leg.amount_minor
    left.subtract(original.reversed)
    return left


def everything_left(original: Journal) -> list[Leg]:
    """Return the other side of every leg, as far as it is not taken back yet."""
    left, legs = totals(original), []
    for leg in posted_of(original):
        place = (leg.account_id, leg.side, leg.currency)
        amount = min(leg.amount_minor, left[place])
        left[place] -= amount
        if amount:
            other = "CREDIT" if leg.side == "DEBIT" else "DEBIT"
            legs.append(leg._replace(side=other, amount_minor=amount))
    return legs


def covered(original: Journal, legs: list[Leg]) -> bool:
    """Whether as much is left as legs would take back."""
    left = totals(original)
    for leg in legs:
        if leg.amount_minor > left[place_of(leg)]:
            return False
        left[place_of(leg)] -= leg.amount_minor
    return True


def reverse_payment(branch: Books, event: dict[str, Any]) -> None:
    key = branch.key("payment_id")
    party = branch.payments.get(key)
    places = [(event["debtor_account_id"], "DEBIT"), (event["debtor_account_id"], "CREDIT")]
    advance(branch, places if party is None else [*places, (party.creditor, "DEBIT")])
    payment, taken, amount = branch.payments.get(key), branch.taken_back.get(key, 0), event["amount_minor"]
    left = posted = credited = back = 0
    if payment is None or payment.debtor != event["debtor_account_id"]:
        code: str | None = "payment_not_found"
    else:
        if key in branch.holds:
            posted = branch.holds[key].captured  # also while the rest is held
            credited = branch.holds[key].credited("POSTED")
        elif payment.state == "SETTLED":
            posted, credited = payment.amount, whole(payment)
        left = posted - taken
        code = known_reversal(branch, event, event["payment_id"], payment=True)
        if code is None and posted == 0:
            code = "not_settled"
        elif code is None and amount is not None and amount <= 0:
            code = "amount_must_be_positive"
        elif code is None and (left == 0 or (amount is not None and amount > left)):
            code = "exceeds_settled_amount"
        elif code is None and payment.exchange is not None:
            back = share_of(branch, left if amount is None else amount, left, posted, credited)
            code = None if back else "amount_must_be_positive"
    if code is not None:
        about = {"payment_id": event["payment_id"], "reversal_id": event["reversal_id"]}
        return branch.refuse("payment_reversed", event["debtor_account_id"], code, **about)
    assert payment is not None
    rest = amount is None
    amount = left if amount is None else amount
    legs = legs_back(branch, payment, amount, back)
    reversal = submitted(event, payment.debtor, legs, payment.reference)
    reversal.reverses, reversal.reverses_payment, reversal.rest = event["payment_id"], True, rest
    reversal.not_before = payment.counts_at
    count_back(branch, key, amount, back, legs[0] if payment.exchange else None)
    payment.reversing = (payment.reversing or 0) + 1
    branch.keep_payment(key, payment)
    start(branch, event["reversal_id"], reversal)


def share_of(branch: Books, amount: int, left: int, posted: int, credited: int) -> int:
    """Return what the creditor gives back for an amount: a share of what was got, at last the rest."""
    rest = credited - branch.given_back.get(branch.key("payment_id"), 0)
    return rest if amount == left else min(rest, round(Fraction(amount * credited, posted)))


def legs_back(branch: Books, payment: Payment, amount: int, back: int) -> list[Leg]:
    """Return the legs by which an amount goes back; between currencies, over the positions it went over."""
    by = payment.exchange
    if by is None:
        parties = ((1, payment.creditor, "DEBIT"), (2, payment.debtor, "CREDIT"))
        return [Leg(no, 0, who, side, amount, payment.currency, None, None) for no, who, side in parties]
    bought, sold = branch.own("position", payment.currency), branch.own("position", by.currency)
    return [
        Leg(1, 0, payment.creditor, "DEBIT", back, by.currency, None, by.rate),
        Leg(2, 0, payment.debtor, "CREDIT", amount, payment.currency, None, by.rate),
        Leg(3, 0, sold, "CREDIT", back, by.currency, None, by.rate),
        Leg(4, 0, bought, "DEBIT", amount, payment.currency, None, by.rate),
    ]
