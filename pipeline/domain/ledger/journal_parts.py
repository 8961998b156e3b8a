"""Partial posts of a held journal: how much of each leg is posted, how much is still held.

    journal_confirmed with legs -> these amounts are posted; the rest is released, or stays held

What a part posts balances by itself, so what stays held balances, too. The home counts the parts in the row
of the journal, and each branch keeps what it still holds of its legs.

On one branch a part may go through clearing where the whole did not: of A -50, B +40 (and others elsewhere)
the branch holds A -> B 40 and A -> clearing 10. To post A -10, B +40, clearing has to give 30, and A then
owes it 40. So clearing first holds 30 more against itself (`widening`), and each pair is posted as any held
pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.journals import LEGS_MAX, POSTED, Confirmation, Journal
from pipeline.domain.ledger.pairs import Leg

CONFIRMATIONS_MAX = 100
"""The most confirmations of one journal; its row stores them all."""


def posted_legs(journal: Journal) -> list[Leg]:
    """Return what is posted of a journal: each leg with its posted amount, those of nothing left out."""
    if not journal.confirmations:
        return journal.legs if journal.state == POSTED else []
    return split(journal.legs, _posted_amounts(journal))[0]


def left_legs(journal: Journal) -> list[Leg]:
    """Return what no confirmation has posted of a journal: of a held one, what is still held."""
    return split(journal.legs, _posted_amounts(journal))[1]


def _posted_amounts(journal: Journal) -> dict[int, int]:
    amounts: dict[int, int] = defaultdict(int)
    for confirmation in journal.confirmations:
        for leg_no, amount in confirmation.amounts:
            amounts[leg_no] += amount
    return amounts


def split(legs: Iterable[Leg], amounts: Mapping[int, int]) -> tuple[list[Leg], list[Leg]]:
    """Return legs with these amounts, minor units by number, and with the rest, none of them of nothing."""
    parts: tuple[list[Leg], list[Leg]] = ([], [])
    for leg in legs:
        amount = amounts.get(leg.leg_no, 0)
        for part, share in zip(parts, (amount, leg.amount_minor - amount), strict=True):
            if share:
                part.append(leg if share == leg.amount_minor else structs.replace(leg, amount_minor=share))
    return parts


def confirmation_of(event: ev.JournalConfirmed, left: Iterable[Leg]) -> Confirmation:
    """Return what a confirmation posts; `left`: what is still held, all of it where it names no legs."""
    given = left if event.legs is None else event.legs
    amounts = sorted((leg.leg_no, leg.amount_minor) for leg in given)
    return Confirmation(confirmation_id_of(event), amounts, event.final is not False, event.legs is None)


def confirmation_id_of(event: ev.JournalConfirmed) -> str:
    """Return the id of a confirmation: its own, or that of its event."""
    return event.event_id if event.confirmation_id is None else event.confirmation_id


def part_code(legs: tuple[ev.LegPart, ...], left: Iterable[Leg]) -> str | None:
    """Return why these amounts cannot be posted of what is left of a journal, or None."""
    held = {leg.leg_no: leg for leg in left}
    sums: dict[tuple[int, str], int] = defaultdict(int)
    if not 0 < len(legs) <= LEGS_MAX or len({leg.leg_no for leg in legs}) < len(legs):
        return "invalid_legs"
    if any(part.amount_minor <= 0 for part in legs):
        return "amount_must_be_positive"
    for part in legs:
        leg = held.get(part.leg_no)
        if leg is None or part.amount_minor > leg.amount_minor:
            return "exceeds_held_amount"
        sums[leg.entry_no, leg.currency] += part.amount_minor if leg.side == "DEBIT" else -part.amount_minor
    return "legs_not_balanced" if any(sums.values()) else None


def widening(now: Iterable[Leg], rest: Iterable[Leg]) -> dict[str, int]:
    """Return how much more clearing has to hold on both of its sides, minor units by currency.

    `now` is what a branch posts, `rest` what it does not: it holds the sum of both. What clearing gives for
    the one and gets for the other is even in the sum, and each is a pair by itself afterwards.
    """
    nets: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for place, legs in enumerate((now, rest)):
        for leg in legs:
            amount = leg.amount_minor if leg.side == "DEBIT" else -leg.amount_minor
            nets[leg.entry_no, leg.currency][place] += amount
    more: dict[str, int] = defaultdict(int)
    for (_, currency), (posted, left) in nets.items():
        more[currency] += (abs(posted) + abs(left) - abs(posted + left)) // 2
    return {currency: amount for currency, amount in more.items() if amount}
