"""The legs of a journal on one branch: held as pairs of debit and credit, then posted or released.

journal_legs_requested -> the legs are held, or refused -> journal_legs_answered to the home
journal_legs_ended     -> the held legs are posted, or released; or a part of them is posted (`journal_parts`)

The credits of a link on another branch (`link_home`) are such legs, too. A branch that holds legs keeps room
in clearing for whatever part of them may be posted (`clearing_room`), so an end never fails.
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
from pipeline.domain.ledger.clearing_room import give_up_room, keep_room, reserve_with_room
from pipeline.domain.ledger.due import Take
from pipeline.domain.ledger.held_pairs import by_leg, place_holds, post_pairs, release_pairs
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
from pipeline.domain.ledger.pairs import Leg, Refusal, as_event_legs, legs_of, pairs_of
from pipeline.domain.ledger.retention import Retention, ended_for, home_of
from pipeline.domain.ledger.rows import JOURNAL_PART_ROW
from pipeline.domain.ledger.value_times import told_time

NOTHING: Mapping[int, Sequence[int]] = {}
"""No branch needs room for parts."""


def request_legs(
    event: Any,
    journal_id: str,
    home: str,
    branches: Mapping[int, Sequence[Leg]],
    out: Outbox,
    payments: Mapping[int, tuple[ev.LegPayment, ...]] | None = None,
    room_for: Mapping[int, Sequence[int]] = NOTHING,
) -> None:
    """Ask other branches, by their numbers, to hold their legs of a journal of account `home`.

    `payments`: of a link, the payments of the legs of each branch; `room_for`: as `clearing_room.two_sided`.
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
            room_for=tuple(room_for[branch]) if branch in room_for else None,
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
    entries = event.room_for or ()
    pairs = reserve_with_room(legs, entries, books)
    refusal = pairs if isinstance(pairs, Refusal) else None
    if not isinstance(pairs, Refusal):
        place_holds(pairs, event.journal_id, books, out, payments)
        keep_room(legs, entries, event.journal_id, books, out)
        books.save(out)
    home, state = home_of(event, at), HELD if refusal is None else REFUSED
    part = BranchLegs(legs, state, payments, event.occurred_at, home, list(entries) or None)
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

    Raises: Reject for legs that are not held here. Of a journal that an earlier version has held, which has
    kept no room for its parts, also for a part that clearing has no room for.
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
    pairs, names = pairs_of(part.legs, books.branch), by_leg(part.payments)
    if posted:
        post_pairs(pairs, about, books, out, payments=part.payments)
    else:
        release_pairs(pairs, about, books, out, names)
    assert about.journal_id is not None
    give_up_room([part.legs], part.room_for or (), about.journal_id, books, out)
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
    Raises: Overflow where an earlier version has kept no room for the part, before anything is emitted.
    """
    assert about.journal_id is not None
    entries = part.room_for or ()
    roomless = ([leg for leg in legs if leg.entry_no not in entries] for legs in (now, rest))
    more = [
        (clearing_account_id(currency, books.branch), currency, amount)
        for currency, amount in widening(*roomless).items()
    ]
    for clearing, currency, amount in more:
        books.hold(clearing, clearing, currency, amount)
    for index, (clearing, _, amount) in enumerate(more):
        books.emit_hold(out, "PLACED", about.journal_id, clearing, amount, f"hold_placed:{index}")
    post_pairs(pairs_of(now, books.branch), about, books, out)
    if final:
        release_pairs(pairs_of(rest, books.branch), about, books, out)
    give_up_room([now, rest] if final else [now], entries, about.journal_id, books, out)
    books.save(out)
    part.legs, part.state = (now, POSTED) if final or not rest else (rest, HELD)
    books.rows.put(key, JOURNAL_PART_ROW.pack(part))
