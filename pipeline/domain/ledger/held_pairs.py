"""The pairs of a journal's legs on one branch, in its books: held, posted, released.

The credits of a link on another branch are such legs, too: each has an entry of its own there, which names
its payment and no journal.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.journals import LegPayment
from pipeline.domain.ledger.pairs import Pair

NO_PAYMENTS: Mapping[int, LegPayment] = {}
"""Of the legs of a journal."""


def release_pairs(
    pairs: list[Pair],
    about: EntryDetails,
    books: Books,
    out: Outbox,
    names: Mapping[int, LegPayment] = NO_PAYMENTS,
) -> None:
    """Release held pairs without a posting, and emit the end of each hold; `names`: as `by_leg`."""
    assert about.journal_id is not None
    for index, pair in enumerate(pairs):
        books.release(pair.debit, pair.credit, pair.currency, pair.amount)
        hold_id, name = _hold_id(pair, about.journal_id, names), f"hold_released:{index}"
        books.emit_hold(out, "RELEASED", hold_id, pair.debit, pair.amount, name)


def by_leg(payments: list[LegPayment] | None) -> dict[int, LegPayment]:
    """Return the payments of a link's legs by their numbers; a journal has none."""
    return {one.leg_no: one for one in payments or ()}


def _hold_id(pair: Pair, journal_id: str, names: Mapping[int, LegPayment]) -> str:
    """Return by what id a pair is held: of a link, the id of its payment."""
    leg = pair.debit_leg or pair.credit_leg
    named = None if leg is None else names.get(leg.leg_no)
    return journal_id if named is None else named.payment_id


def place_holds(
    pairs: list[Pair],
    journal_id: str,
    books: Books,
    out: Outbox,
    payments: list[LegPayment] | None = None,
) -> None:
    """Emit a hold for each reserved pair, with the amount held after it.

    The pairs are released first and reserved again one by one, so that each event has its own amount.
    """
    names = by_leg(payments)
    for pair in pairs:
        books.release(pair.debit, pair.credit, pair.currency, pair.amount)
    for index, pair in enumerate(pairs):
        books.reserve(pair.debit, pair.credit, pair.currency, pair.amount)
        hold_id = _hold_id(pair, journal_id, names)
        books.emit_hold(out, "PLACED", hold_id, pair.debit, pair.amount, f"hold_placed:{index}")


def post_pairs(
    pairs: list[Pair],
    about: EntryDetails,
    books: Books,
    out: Outbox,
    at_once: bool = False,
    payments: list[LegPayment] | None = None,
) -> None:
    """Post held pairs, with an entry for each; `at_once`: no events were emitted for their holds.

    `payments`: of a link, the payment of each leg, which its entry names in the place of a journal.
    """
    names = by_leg(payments)
    if at_once:
        for pair in pairs:
            books.release(pair.debit, pair.credit, pair.currency, pair.amount)
    for index, pair in enumerate(pairs):
        if not at_once:
            books.release(pair.debit, pair.credit, pair.currency, pair.amount)
        debit, credit = ((None, None) if leg is None else (leg.purpose, leg.rate_e8)
                         for leg in (pair.debit_leg, pair.credit_leg))  # fmt: skip
        entry = about._replace(debit=debit, credit=credit)
        if pair.credit_leg is not None and pair.credit_leg.leg_no in names:
            named = names[pair.credit_leg.leg_no]
            entry = EntryDetails(named.payment_id, named.reference, when=about.when, metadata=about.metadata)
        books.enter(out, f"entry:{index}", pair.debit, pair.credit, pair.amount, entry)
