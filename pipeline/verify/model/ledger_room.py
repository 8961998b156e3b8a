"""Room for the parts of a held journal: clearing sets aside whatever its legs could ever send through it.

    each leg alone against clearing, less what goes through clearing anyway -> held by clearing against itself

What never changes: with its room, clearing holds of such an entry the sum of its credits as debits, and the
sum of its debits as credits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from pipeline.verify.model.ledger_accounts import room
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_pairs import Leg, Refusal, by_entry, in_order, pairs_of


def through_clearing(branch: Books, legs: Iterable[Leg]) -> Counter[tuple[str, str]]:
    """Return what a branch's clearing accounts give and get for legs, by currency and side."""
    found = Counter[tuple[str, str]]()
    for pair in pairs_of(branch, legs):
        for leg, side in zip(pair.legs, ("debits", "credits"), strict=True):
            if leg is None:
                found[pair.currency, side] += pair.amount
    return found


def needy(branches: dict[int, list[Leg]], number: int) -> list[int]:
    """Return the entries of which a branch has both sides, and another branch some leg, ascending."""
    elsewhere = {place for one, legs in branches.items() if one != number for place in by_entry(legs)}
    return sorted(
        {
            entry_no
            for (entry_no, currency), sides in by_entry(branches.get(number, [])).items()
            if all(sides.values()) and (entry_no, currency) in elsewhere
        }
    )


def set_aside(branch: Books, legs: Iterable[Leg], entries: Collection[int]) -> Counter[str]:
    """Return what clearing holds against itself for legs, by currency in the order of the legs."""
    legs = [leg for leg in in_order(legs) if leg.entry_no in entries]
    alone = Counter[tuple[str, str]]()
    for leg in legs:
        alone.update(through_clearing(branch, [leg]))
    alone.subtract(through_clearing(branch, legs))
    return Counter({leg.currency: alone[leg.currency, "debits"] for leg in legs})


def why_no_room(branch: Books, legs: list[Leg], entries: Collection[int]) -> Refusal | None:
    """Return that clearing cannot set so much aside, beside what the legs themselves need of it."""
    needs = through_clearing(branch, legs)
    for currency, amount in set_aside(branch, legs, entries).items():
        clearing = branch.account(f"$clearing:{currency}:{branch.number}")
        sides = ("debits", "credits")
        if amount and not all(room(clearing, side, needs[currency, side] + amount) for side in sides):
            served = [leg for leg in in_order(legs) if leg.entry_no in entries and leg.currency == currency]
            return Refusal("overflow", served[0].leg_no)
    return None


def change_room(branch: Books, journal_id: str, change: str, amounts: Counter[str]) -> None:
    """Set amounts aside (PLACED), or no longer (RELEASED)."""
    for index, (currency, amount) in enumerate((+amounts).items()):
        clearing = branch.own("clearing", currency)
        branch.reserve(clearing, clearing, amount if change == "PLACED" else -amount)
        branch.say_hold(change, journal_id, clearing, amount, f"room_{change.lower()}:{index}")
