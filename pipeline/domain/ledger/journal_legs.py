"""The legs of a journal on one branch: held as pairs of debit and credit, then posted or released.

journal_legs_requested -> the legs are held, or refused -> journal_legs_answered to the home
journal_legs_ended     -> the held legs are posted, or released; or a part of them is posted (`journal_parts`)

The credits of a link on another branch (`link_home`) are such legs, too: each has an entry of its own there,
which names its payment and no journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, envelope
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import clearing_account_id
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.due import Take
from pipeline.domain.ledger.journal_parts import split, widening
from pipeline.domain.ledger.journals import (
    HELD,
    POSTED,
    REFUSED,
    RELEASED,
    BranchLegs,
    LegPayment,
    part_key,
    unpack_branch_legs,
)
from pipeline.domain.ledger.pairs import Leg, Pair, Refusal, as_event_legs, legs_of, pairs_of, reserve
from pipeline.domain.ledger.retention import Retention, ended_for, home_of
from pipeline.domain.ledger.rows import JOURNAL_PART_ROW
from pipeline.domain.ledger.value_times import told_time

NO_PAYMENTS: Mapping[int, LegPayment] = {}
"""Of the legs of a journal."""


def request_legs(
    event: Any,
    journal_id: str,
    home: str,
    branches: Mapping[int, Sequence[Leg]],
    out: Outbox,
    payments: Mapping[int, tuple[ev.LegPayment, ...]] | None = None,
) -> None:
    """Ask other branches, by their numbers, to hold their legs of a journal of account `home`.

    `payments`: of a link, the payments of the legs of each branch.
    """
    for branch, legs in branches.items():
        there = legs[0].account_id
        request = ev.JournalLegsRequested(
            *envelope(event, f"legs_requested:{branch}"),
            journal_id,
            there,
            home,
            as_event_legs(legs),
            event.actor,
            payments=() if payments is None else payments[branch],
        )
        out.emit("ledger-commands", f"{event.tenant_id}/{there}", request)


def tell_end(
    event: Any,
    home: str,
    there: Mapping[int, Leg],
    posted: bool,
    about: EntryDetails,
    out: Outbox,
    **part: Any,
) -> None:
    """Tell other branches how the journal has ended; `there`: the first leg of each, by its number.

    `part`: `legs` and `final` of the event, where only a part of the legs is posted.
    """
    assert about.journal_id is not None and about.reference is not None
    for branch, leg in there.items():
        end = ev.JournalLegsEnded(
            *envelope(event, f"legs_ended:{branch}"),
            about.journal_id,
            leg.account_id,
            home,
            posted,
            about.reference,
            about.reason,
            about.reverses,
            *about.when,
            event.actor,
            about.metadata,
            **part,
        )
        out.emit("ledger-commands", f"{event.tenant_id}/{leg.account_id}", end)


def hold_legs(
    retention: Retention, take: Take, event: ev.JournalLegsRequested, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Hold the legs of a journal whose home is another branch, and answer that branch.

    `take`: applies what is due on accounts.
    Raises: Reject for legs that were requested before.
    """
    key = part_key(event.tenant_id, event.home_account_id, event.journal_id)
    if retention.is_late(event, at, rows):
        return _answer(event, "too_old", None, at, out)
    if rows.get(key) is not None:
        raise Reject("legs_exist")
    take([(leg.account_id, leg.side) for leg in event.legs], event, at, rows, out)
    legs, books = legs_of(event.legs), Books(event, at, rows)
    payments = None
    if event.payments:
        payments = [LegPayment(one.leg_no, one.payment_id, one.reference) for one in event.payments]
    pairs = reserve(legs, books)
    refusal = pairs if isinstance(pairs, Refusal) else None
    if not isinstance(pairs, Refusal):
        place_holds(pairs, event.journal_id, books, out, payments)
        books.save(out)
    home = home_of(event, at)
    part = BranchLegs(legs, HELD if refusal is None else REFUSED, payments, event.occurred_at, home)
    rows.put(key, JOURNAL_PART_ROW.pack(part))
    if refusal is not None:
        ended_for(home, event, key, at, rows)
    code, leg_no = ("ok", None) if refusal is None else refusal
    _answer(event, code, leg_no, at, out)


def _answer(event: ev.JournalLegsRequested, code: str, leg_no: int | None, at: Arrival, out: Outbox) -> None:
    """Tell the home of a journal whether its legs are held here."""
    out.emit(
        "ledger-commands",
        f"{event.tenant_id}/{event.home_account_id}",
        ev.JournalLegsAnswered(
            *envelope(event, "legs_answered"),
            event.journal_id,
            event.account_id,
            event.home_account_id,
            at.partition,
            code,
            leg_no,
            event.actor,
        ),
    )


def end_legs(event: ev.JournalLegsEnded, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Post or release the legs that are held on this branch, as the journal's home branch has decided.

    Raises: Reject for legs that are not held here, and for a part of them that clearing has no room for.
    """
    key = part_key(event.tenant_id, event.home_account_id, event.journal_id)
    row = rows.get(key)
    part = None if row is None else unpack_branch_legs(row)
    if part is None or part.state != HELD:
        raise Reject("legs_not_expected")
    books = Books(event, at, rows)
    when = told_time(event, books.closed_through)
    about = EntryDetails(
        None, event.reference, event.journal_id, event.reverses, event.reason, when, metadata=event.metadata
    )
    part.asked_at = event.occurred_at if part.asked_at is None else max(part.asked_at, event.occurred_at)
    part.home = home_of(event, at)
    if event.legs is None:
        end_legs_here(part, event.posted, about, key, books, out)
    else:
        amounts = {leg.leg_no: leg.amount_minor for leg in event.legs}
        now, rest = split(part.legs, amounts)
        try:
            post_part_here(part, now, rest, event.final is not False, about, key, books, out)
        except Overflow:
            raise Reject("overflow") from None
    if part.state != HELD:
        ended_for(part.home, event, key, at, rows)


def end_legs_here(
    part: BranchLegs, posted: bool, about: EntryDetails, key: bytes, books: Books, out: Outbox
) -> None:
    """Post or release the legs of this branch, and write their row (`key`) with the new state."""
    pairs, names = pairs_of(part.legs, books.branch), _by_leg(part.payments)
    if posted:
        post_pairs(pairs, about, books, out, payments=part.payments)
    else:
        _release_pairs(pairs, about, books, out, names)
    books.save(out)
    part.state = POSTED if posted else RELEASED
    books.rows.put(key, JOURNAL_PART_ROW.pack(part))


def post_part_here(
    part: BranchLegs,
    now: list[Leg],
    rest: list[Leg],
    final: bool,
    about: EntryDetails,
    key: bytes,
    books: Books,
    out: Outbox,
) -> None:
    """Post a part of the legs that this branch holds, and write their row (`key`) with what it still holds.

    `part`: becomes that row. `final`: release the rest.
    Raises: Overflow where clearing has no room for the part, before anything is emitted.
    """
    assert about.journal_id is not None
    more = [
        (clearing_account_id(currency, books.branch), currency, amount)
        for currency, amount in widening(now, rest).items()
    ]
    for clearing, currency, amount in more:
        books.hold(clearing, clearing, currency, amount)
    for index, (clearing, _, amount) in enumerate(more):
        books.emit_hold(out, "PLACED", about.journal_id, clearing, amount, f"hold_placed:{index}")
    post_pairs(pairs_of(now, books.branch), about, books, out)
    if final:
        _release_pairs(pairs_of(rest, books.branch), about, books, out)
    books.save(out)
    part.legs, part.state = (now, POSTED) if final or not rest else (rest, HELD)
    books.rows.put(key, JOURNAL_PART_ROW.pack(part))


def _release_pairs(
    pairs: list[Pair],
    about: EntryDetails,
    books: Books,
    out: Outbox,
    names: Mapping[int, LegPayment] = NO_PAYMENTS,
) -> None:
    assert about.journal_id is not None
    for index, pair in enumerate(pairs):
        books.release(pair.debit, pair.credit, pair.currency, pair.amount)
        hold_id, name = _hold_id(pair, about.journal_id, names), f"hold_released:{index}"
        books.emit_hold(out, "RELEASED", hold_id, pair.debit, pair.amount, name)


def _by_leg(payments: list[LegPayment] | None) -> dict[int, LegPayment]:
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
    names = _by_leg(payments)
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
    names = _by_leg(payments)
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
