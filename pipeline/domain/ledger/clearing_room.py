"""Room in a branch's clearing account for the parts of a held journal, whichever of them are confirmed.

    a branch has A -50, B +40 of an entry           A -> B 40, A -> clearing 10; clearing -> clearing 40
    the part A -10, B +40 is posted                 A -> B 10, clearing -> B 30
    the rest A -40 is still held                    A -> clearing 40

A part can go through clearing where the whole does not. So beside its pairs the branch holds clearing against
itself for what stands on both of its sides. Then clearing holds all credits of the branch's legs on its debit
side and all their debits on its credit side: sums over the legs, which a part and its rest share. So a part
that is posted takes no more than was held for it: it always fits, on every branch, whatever came meanwhile.

Only an entry that several branches have legs of can be confirmed so, and only where a branch has both sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.ledger.account_ids import clearing_account_id
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.pairs import Leg, Pair, Refusal, reserve


def two_sided(branches: Mapping[int, Sequence[Leg]]) -> dict[int, list[int]]:
    """Return by branch the entries of a journal that it has both sides of and others have legs of, ascending.

    `branches`: the legs of each branch, by its number. A branch without such entries is left out.
    """
    found: dict[tuple[int, str], dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for branch, legs in branches.items():
        for leg in legs:
            found[leg.entry_no, leg.currency][branch].add(leg.side)
    entries: dict[int, set[int]] = defaultdict(set)
    for (entry_no, _), sides in found.items():
        for branch, here in sides.items():
            if len(sides) > 1 and len(here) > 1:
                entries[branch].add(entry_no)
    return {branch: sorted(numbers) for branch, numbers in entries.items()}


def room_of(legs: Iterable[Leg], entries: Collection[int]) -> dict[str, int]:
    """Return what clearing holds against itself for a branch's legs, minor units by currency.

    `entries`: the numbers of the entries that need room.
    """
    totals: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: {"DEBIT": 0, "CREDIT": 0})
    for leg in legs:
        if leg.entry_no in entries:
            totals[leg.entry_no, leg.currency][leg.side] += leg.amount_minor
    room: dict[str, int] = defaultdict(int)
    for (_, currency), sides in totals.items():
        room[currency] += min(sides.values())
    return {currency: amount for currency, amount in room.items() if amount}


def reserve_with_room(legs: Sequence[Leg], entries: Collection[int], books: Books) -> Refusal | list[Pair]:
    """Hold the legs of a branch, as `pairs.reserve`, if clearing has room for their parts besides.

    The room itself is not held yet (`keep_room`).
    """
    pairs = reserve(legs, books)
    if isinstance(pairs, Refusal):
        return pairs
    for currency, amount in room_of(legs, entries).items():
        clearing = clearing_account_id(currency, books.branch)
        try:
            books.hold(clearing, clearing, currency, amount)
        except Overflow:
            needed = (leg.leg_no for leg in legs if leg.currency == currency and leg.entry_no in entries)
            return Refusal("overflow", min(needed))
        books.release(clearing, clearing, currency, amount)
    return pairs


def keep_room(
    legs: Iterable[Leg], entries: Collection[int], journal_id: str, books: Books, out: Outbox
) -> None:
    """Hold the room for the parts of legs and emit that; `reserve_with_room` came before."""
    for index, (currency, amount) in enumerate(room_of(legs, entries).items()):
        clearing = clearing_account_id(currency, books.branch)
        books.hold(clearing, clearing, currency, amount)
        books.emit_hold(out, "PLACED", journal_id, clearing, amount, f"room_placed:{index}")


def give_up_room(
    parts: Iterable[Iterable[Leg]], entries: Collection[int], journal_id: str, books: Books, out: Outbox
) -> None:
    """Release the room that was kept for some legs and emit that; `parts`: each of them stands by itself."""
    room: dict[str, int] = defaultdict(int)
    for legs in parts:
        for currency, amount in room_of(legs, entries).items():
            room[currency] += amount
    for index, (currency, amount) in enumerate(room.items()):
        clearing = clearing_account_id(currency, books.branch)
        books.release(clearing, clearing, currency, amount)
        books.emit_hold(out, "RELEASED", journal_id, clearing, amount, f"room_released:{index}")
