"""The legs of a journal on one branch as pairs of one debit and one credit, the form that `Books` can post.

    legs of an entry and currency:  A -100        pairs:  A -> B 60
                                    B +60                 A -> clearing 40      (C is on another branch)
                                    C +40

Where the legs of this branch do not balance, the other legs are on other branches, and the branch's clearing
account takes the difference. So every branch balances, and each entry has one debit and one credit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import INTERNAL_PREFIX
from pipeline.domain.ledger.account_ids import clearing_account_id
from pipeline.domain.ledger.books import Books


class Leg(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A leg as rows store it, with the fields of `events.JournalLeg`."""

    leg_no: int
    entry_no: int
    account_id: str
    side: str
    amount_minor: int
    currency: str
    purpose: str | None = None
    rate_e8: int | None = None


def legs_of(legs: Iterable[ev.JournalLeg]) -> list[Leg]:
    """Return the legs of an event, by number."""
    return sorted((Leg(*msgspec.structs.astuple(leg)) for leg in legs), key=lambda leg: leg.leg_no)


def as_event_legs(legs: Iterable[Leg]) -> tuple[ev.JournalLeg, ...]:
    """Return legs as events have them."""
    return tuple(ev.JournalLeg(*msgspec.structs.astuple(leg)) for leg in legs)


class Pair(NamedTuple):
    """One debit and one credit of an amount; a leg is None on the side of the clearing account."""

    debit: str
    credit: str
    currency: str
    amount: int
    debit_leg: Leg | None
    credit_leg: Leg | None


class Refusal(NamedTuple):
    """Why a branch refuses its legs, as a result code, and for which leg."""

    code: str
    leg_no: int | None


def pairs_of(legs: Iterable[Leg], branch: int) -> list[Pair]:
    """Return the pairs of a branch's legs (ascending by number): first debit against first credit."""
    entries: dict[tuple[int, str], dict[str, list[Leg]]] = defaultdict(lambda: {"DEBIT": [], "CREDIT": []})
    for leg in legs:
        entries[leg.entry_no, leg.currency][leg.side].append(leg)
    return [
        pair
        for (_, currency), sides in entries.items()
        for pair in _matched(sides["DEBIT"], sides["CREDIT"], currency, branch)
    ]


def _matched(debits: Sequence[Leg], credits: Sequence[Leg], currency: str, branch: int) -> list[Pair]:
    clearing = clearing_account_id(currency, branch)
    left: list[list[tuple[str, int, Leg | None]]] = [
        [(leg.account_id, leg.amount_minor, leg) for leg in legs] for legs in (debits, credits)
    ]
    over = sum(leg.amount_minor for leg in debits) - sum(leg.amount_minor for leg in credits)
    if over:
        left[1 if over > 0 else 0].append((clearing, abs(over), None))
    pairs = []
    (debit, debit_left, debit_leg), (credit, credit_left, credit_leg) = left[0].pop(0), left[1].pop(0)
    while True:
        amount = min(debit_left, credit_left)
        pairs.append(Pair(debit, credit, currency, amount, debit_leg, credit_leg))
        debit_left, credit_left = debit_left - amount, credit_left - amount
        if not debit_left and not left[0]:
            return pairs
        if not debit_left:
            debit, debit_left, debit_leg = left[0].pop(0)
        if not credit_left:
            credit, credit_left, credit_leg = left[1].pop(0)


def reserve(legs: Iterable[Leg], books: Books) -> Refusal | list[Pair]:
    """Hold the legs of a branch in its books; return their pairs, or the first reason to refuse them.

    After a refusal the books are of no use: some pairs may be held.
    """
    for leg in legs:
        if leg.amount_minor <= 0:
            return Refusal("amount_must_be_positive", leg.leg_no)
        if leg.account_id.startswith(INTERNAL_PREFIX):
            continue  # a position, which only reversals of payments have: no upstream can name it
        code = (books.debtor_code if leg.side == "DEBIT" else books.creditor_code)(
            leg.account_id, leg.currency
        )
        if code is not None:
            return Refusal(code, leg.leg_no)
    pairs = pairs_of(legs, books.branch)
    for pair in pairs:
        if pair.credit_leg is not None and not pair.credit.startswith(INTERNAL_PREFIX):
            code = books.creditor_code(pair.credit, pair.currency, pair.amount)
            if code is not None:
                return Refusal(code, pair.credit_leg.leg_no)
        code = books.reserve(pair.debit, pair.credit, pair.currency, pair.amount)
        if code is not None:
            against = pair.debit_leg or pair.credit_leg
            return Refusal(code, None if against is None else against.leg_no)
    return pairs
