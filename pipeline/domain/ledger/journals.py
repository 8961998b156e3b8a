"""Journals of many legs: all of them or none, wherever their accounts live.

    journal_submitted -> its home holds its own legs -> no other branch: posted, or HELD if it is to be
                                                     -> else PREPARING: journal_legs_requested to each other
    journal_legs_requested -> a branch holds its legs, or does not -> journal_legs_answered
    journal_legs_answered  -> all hold: POSTED (or HELD); one does not: REFUSED -> journal_legs_ended to each
    journal_legs_ended     -> the branch posts what it holds, or releases it
    journal_confirmed, journal_voided, its time (`due`) -> a HELD journal: POSTED, VOIDED, EXPIRED

The home is the branch of the journal's account. What a branch holds it can always post: no rule stands
against it any more. So the home's word is final when it is said, and needs no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.money import fits
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id, envelope
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.books import About, Books, can_be_opened
from pipeline.domain.ledger.due import JOURNAL, Due, schedule, unschedule
from pipeline.domain.ledger.pairs import Leg, Pair, Refusal, as_said, legs_of, pairs_of, reserve
from pipeline.domain.ledger.rows import (
    JOURNAL_PART_ROW,
    JOURNAL_ROW,
    closed_key,
    read_number,
    read_watermark,
    taken_key,
    write_number,
)

LEGS_MAX = 100
HELD, POSTED, RELEASED, REFUSED = "HELD", "POSTED", "RELEASED", "REFUSED"
PREPARING, VOIDED, EXPIRED = "PREPARING", "VOIDED", "EXPIRED"


class Taken(msgspec.Struct, array_like=True, gc=False):
    """How much of an account's legs of one side was taken back by reversals, minor units."""

    account_id: str
    side: str
    """Of the journal that is reversed."""
    currency: str
    amount_minor: int


class Journal(msgspec.Struct, array_like=True, gc=False):
    """What its home remembers of a journal."""

    account_id: str
    state: str
    code: str
    leg_no: int | None
    """The leg that stands against it."""
    legs: list[Leg]
    reference: str
    reason: str | None
    reverses: str | None
    """The id of the payment or journal that it takes back."""
    reverses_payment: bool
    effective_at: int | None
    late: str
    expires_at: int | None
    """To be held until it is confirmed; None: posted as soon as all legs are held."""
    waiting: list[int]
    """Branches that have not answered, ascending."""
    occurred_at: int
    correlation_id: str
    event_id: str
    """Of the event that submitted it."""
    reversed: list[Taken]
    refused: list[int]
    """Branches that do not take their legs, ascending."""

    def same_content(self, other: Journal) -> bool:
        """Whether another submission of this id asks for the same."""
        names = (
            "account_id",
            "legs",
            "reference",
            "reason",
            "reverses",
            "effective_at",
            "late",
            "expires_at",
        )
        return all(getattr(self, name) == getattr(other, name) for name in names)


class BranchLegs(msgspec.Struct, array_like=True, gc=False):
    """The legs of a journal on one branch, and whether they are HELD, POSTED, RELEASED or REFUSED."""

    legs: list[Leg]
    state: str


unpack_journal = unpacker(JOURNAL_ROW, Journal)
"""Return the journal of a row. Raises UnknownLayout."""
unpack_branch_legs = unpacker(JOURNAL_PART_ROW, BranchLegs)
"""Return the legs of a row. Raises UnknownLayout."""


def journal_key(tenant_id: str, journal_id: str) -> bytes:
    """Return the row key of a journal at its home."""
    return row_key(JOURNAL_ROW.family, tenant_id, journal_id)


def part_key(tenant_id: str, home_account_id: str, journal_id: str) -> bytes:
    """Return the row key of a journal's legs on a branch."""
    return row_key(JOURNAL_PART_ROW.family, tenant_id, home_account_id, journal_id)


def read_journal(rows: Rows, tenant_id: str, journal_id: str) -> Journal | None:
    """Return a journal whose home is this branch, or None."""
    row = rows.get(journal_key(tenant_id, journal_id))
    return None if row is None else unpack_journal(row)


def write_journal(rows: Rows, tenant_id: str, journal_id: str, journal: Journal) -> None:
    """Replace the row of a journal."""
    rows.put(journal_key(tenant_id, journal_id), JOURNAL_ROW.pack(journal))


def submitted(event: ev.JournalSubmitted) -> Journal:
    """Return the journal that an event asks for."""
    return Journal(
        event.account_id, PREPARING, "ok", None, legs_of(event.legs), event.reference, event.reason, None,
        False, event.effective_at, event.late, event.hold_expires_at, [], event.occurred_at,
        event.correlation_id, event.event_id, [], [],
    )  # fmt: skip


class Home:
    """A journal at its home, and one command on it."""

    def __init__(
        self, event: Any, journal_id: str, journal: Journal, at: Arrival, rows: Rows, out: Outbox
    ) -> None:
        self.event, self.journal_id, self.journal = event, journal_id, journal
        self.at, self.rows, self.out = at, rows, out

    def submit(self, watermark: int, window: int) -> None:
        """Take in a journal whose id is new; `window` in microseconds, as that of payments."""
        journal, tenant = self.journal, self.event.tenant_id
        if watermark - journal.occurred_at > window:
            # Not remembered, as a payment that is too old.
            give_back(tenant, journal, self.rows)
            return self._say(REFUSED, "too_old")
        flaw = _flaw(journal, watermark, read_number(self.rows, closed_key(tenant)))
        if flaw is not None:
            return self._refuse(flaw)
        branches = self._branches()
        own = branches.pop(self.at.partition, [])
        books = Books(self.event, self.at, self.rows)
        pairs = reserve(own, books)
        if isinstance(pairs, Refusal):
            return self._refuse(pairs)
        at_once = not branches and journal.expires_at is None
        if at_once:
            _post(pairs, self._about(), books, self.out, at_once)
        else:
            _place(pairs, self.journal_id, books, self.out)
        books.save(self.out)
        if own:
            part = BranchLegs(own, POSTED if at_once else HELD)
            self.rows.put(part_key(tenant, journal.account_id, self.journal_id), JOURNAL_PART_ROW.pack(part))
        if branches:
            journal.waiting = list(branches)
            self._ask(branches)
            self._become(PREPARING)
        elif at_once:
            self._become(POSTED)
        else:
            self._hold()

    def answered(self, event: ev.JournalLegsAnswered, watermark: int) -> None:
        """Count the answer of a branch, and end or hold the journal after the last one."""
        journal = self.journal
        if journal.state != PREPARING or event.branch not in journal.waiting:
            raise Reject("legs_not_expected")
        journal.waiting.remove(event.branch)
        if event.code != "ok":
            journal.refused = sorted([*journal.refused, event.branch])
            if journal.leg_no is None or (event.leg_no is not None and event.leg_no < journal.leg_no):
                journal.code, journal.leg_no = event.code, event.leg_no
        if journal.waiting:
            return write_journal(self.rows, event.tenant_id, self.journal_id, journal)
        if journal.refused:
            return self.end(REFUSED, journal.code, journal.leg_no)
        if journal.expires_at is None:
            return self.end(POSTED)
        if journal.expires_at <= watermark:
            return self.end(EXPIRED, "expired")
        self._hold()

    def end(self, state: str, code: str = "ok", leg_no: int | None = None, cause: Any = None) -> None:
        """Post what is held everywhere, or release it; `cause` is of the state, where it is another."""
        event, journal, branches = self.event, self.journal, self._branches()
        own = branches.pop(self.at.partition, [])
        if own:
            key = part_key(event.tenant_id, journal.account_id, self.journal_id)
            books = Books(event, self.at, self.rows)
            end_part(own, state == POSTED, self._about(), key, books, self.out)
        for branch, legs in branches.items():
            if branch not in journal.refused:
                self._tell(branch, legs[0].account_id, state == POSTED)
        if journal.state == HELD:
            unschedule(self.rows, self._due())
        if state == REFUSED:
            give_back(event.tenant_id, journal, self.rows)
        self._become(state, code, leg_no, cause)

    def _hold(self) -> None:
        schedule(self.rows, self._due())
        self._become(HELD)

    def _refuse(self, refusal: Refusal) -> None:
        give_back(self.event.tenant_id, self.journal, self.rows)
        self._become(REFUSED, *refusal)

    def _become(self, state: str, code: str = "ok", leg_no: int | None = None, cause: Any = None) -> None:
        journal = self.journal
        journal.state, journal.code, journal.leg_no = state, code, leg_no
        write_journal(self.rows, self.event.tenant_id, self.journal_id, journal)
        self._say(state, code, leg_no, cause)

    def _due(self) -> Due:
        expires_at = self.journal.expires_at
        assert expires_at is not None, "what is held expires"
        return Due(expires_at, JOURNAL, self.event.tenant_id, self.journal.account_id, self.journal_id)

    def _branches(self) -> dict[int, list[Leg]]:
        """Return the legs of each branch, by its number."""
        found: dict[int, list[Leg]] = {}
        for leg in self.journal.legs:
            branch = partition_of(f"{self.event.tenant_id}/{leg.account_id}", self.at.partitions)
            found.setdefault(branch, []).append(leg)
        return dict(sorted(found.items()))

    def _about(self) -> About:
        journal = self.journal
        return About(
            None, journal.reference, self.journal_id, journal.reverses, journal.reason, journal.effective_at
        )

    def _ask(self, branches: dict[int, list[Leg]]) -> None:
        for branch, legs in branches.items():
            there = legs[0].account_id
            self.out.emit(
                "ledger-commands",
                f"{self.event.tenant_id}/{there}",
                ev.JournalLegsRequested(
                    *envelope(self.event, f"legs_requested:{branch}"),
                    self.journal_id,
                    there,
                    self.journal.account_id,
                    as_said(legs),
                ),
            )

    def _tell(self, branch: int, there: str, posted: bool) -> None:
        journal = self.journal
        self.out.emit(
            "ledger-commands",
            f"{self.event.tenant_id}/{there}",
            ev.JournalLegsEnded(
                *envelope(self.event, f"legs_ended:{branch}"),
                self.journal_id,
                there,
                journal.account_id,
                posted,
                journal.reference,
                journal.reason,
                journal.reverses,
                journal.effective_at,
            ),
        )

    def _say(self, state: str, code: str, leg_no: int | None = None, cause: Any = None) -> None:
        journal = self.journal
        self.out.emit(
            "journal-events",
            f"{self.event.tenant_id}/{journal.account_id}",
            ev.JournalUpdated(
                *envelope(self.event if cause is None else cause, f"journal_{state.lower()}"),
                self.journal_id,
                journal.account_id,
                state,
                code,
                leg_no,
                journal.reverses,
                len(journal.legs),
            ),
        )


def _flaw(journal: Journal, watermark: int, closed_through: int | None) -> Refusal | None:
    """Return why a journal cannot be, whatever its accounts are like; the first reason, or None."""
    legs = journal.legs
    numbers = {leg.leg_no for leg in legs}
    shaped = 2 <= len(legs) <= LEGS_MAX and len(numbers) == len(legs)
    if not shaped or any(leg.leg_no < 0 or leg.entry_no < 0 for leg in legs):
        return Refusal("invalid_legs", None)
    # A reversal has the home of what it reverses, whose own legs may have been taken back before.
    if journal.reverses is None and journal.account_id not in {leg.account_id for leg in legs}:
        return Refusal("invalid_legs", None)
    sides = {(leg.entry_no, leg.currency, leg.account_id, leg.side) for leg in legs}
    sums: dict[tuple[int, str], dict[str, int]] = {}
    for leg in legs:
        if leg.amount_minor <= 0:
            return Refusal("amount_must_be_positive", leg.leg_no)
        if not can_be_opened(leg.account_id):
            return Refusal("debtor_not_found" if leg.side == "DEBIT" else "creditor_not_found", leg.leg_no)
        other = "CREDIT" if leg.side == "DEBIT" else "DEBIT"
        if (leg.entry_no, leg.currency, leg.account_id, other) in sides:
            return Refusal("accounts_must_differ", leg.leg_no)
        entry = sums.setdefault((leg.entry_no, leg.currency), {"DEBIT": 0, "CREDIT": 0})
        entry[leg.side] += leg.amount_minor
    if any(entry["DEBIT"] != entry["CREDIT"] for entry in sums.values()):
        return Refusal("legs_not_balanced", None)
    if not all(fits(entry["DEBIT"]) for entry in sums.values()):
        return Refusal("overflow", None)
    if journal.expires_at is not None and journal.expires_at <= watermark:
        return Refusal("expired", None)
    effective = journal.occurred_at if journal.effective_at is None else journal.effective_at
    if closed_through is not None and effective <= closed_through and journal.late == "REFUSE":
        return Refusal("period_closed", None)
    return None


def submit(
    window: int, event: ev.JournalSubmitted, watermark: int, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Take in a journal; an id that is known is answered."""
    journal = submitted(event)
    known = read_journal(rows, event.tenant_id, event.journal_id)
    if known is None:
        return Home(event, event.journal_id, journal, at, rows, out).submit(watermark, window)
    code = "exists" if known.same_content(journal) else "exists_with_different_content"
    refuse(out, event, "journal_submitted", event.account_id, None, code, journal_id=event.journal_id)


def confirm(event: ev.JournalConfirmed, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Post a journal that is held."""
    home = _held(event, "journal_confirmed", watermark, at, rows, out)
    if home is not None:
        home.end(POSTED)


def void(event: ev.JournalVoided, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release a journal that is held."""
    home = _held(event, "journal_voided", watermark, at, rows, out)
    if home is not None:
        home.end(VOIDED, "cancelled")


def _held(event: Any, command: str, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> Home | None:
    """Return a journal that is held; otherwise answer why the command has no effect."""
    journal = read_journal(rows, event.tenant_id, event.journal_id)
    if journal is None or journal.account_id != event.account_id:
        code = "journal_not_found"
    elif journal.state != HELD:
        code = "already_settled" if journal.state == POSTED else "journal_not_held"
    elif journal.expires_at is not None and journal.expires_at <= watermark:
        code = "expired"
    else:
        return Home(event, event.journal_id, journal, at, rows, out)
    refuse(out, event, command, event.account_id, None, code, journal_id=event.journal_id)
    return None


def expire(due: Due, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release a journal whose time is over."""
    journal = read_journal(rows, due.tenant_id, due.id)
    assert journal is not None, "what falls due is still held"
    envelope = (due.tenant_id, due.time, journal.correlation_id)
    # Two causes: the submission brings the state about, and that is the cause of all else.
    cause = ev.JournalVoided(
        journal.event_id, *envelope, None, due.id, journal.account_id, "its time is over"
    )
    expired = structs.replace(cause, event_id=derived_id(cause_name(cause), "journal_expired"))
    Home(expired, due.id, journal, at, rows, out).end(EXPIRED, "expired", cause=cause)


def answered(event: ev.JournalLegsAnswered, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Take the answer of a branch."""
    journal = read_journal(rows, event.tenant_id, event.journal_id)
    if journal is None or journal.account_id != event.home_account_id:
        raise Reject("legs_not_expected")
    watermark = read_watermark(rows)
    assert watermark is not None, "a journal moves it"
    Home(event, event.journal_id, journal, at, rows, out).answered(event, watermark)


def give_back(tenant_id: str, journal: Journal, rows: Rows) -> None:
    """Take off what a reversal that is refused has taken of a payment or of a journal."""
    if journal.reverses is None:
        return
    if journal.reverses_payment:
        key = taken_key(tenant_id, journal.reverses)
        taken = read_number(rows, key)
        assert taken is not None, "it was taken before"
        return write_number(rows, key, taken - journal.legs[0].amount_minor)
    original = read_journal(rows, tenant_id, journal.reverses)
    assert original is not None, "it was reversed"
    take_of(original, journal.legs, -1)
    write_journal(rows, tenant_id, journal.reverses, original)


def take_of(original: Journal, legs: Sequence[Leg], sign: int) -> None:
    """Count the legs of a reversal as taken of its original, or give them back (-1)."""
    for leg in legs:
        side = "CREDIT" if leg.side == "DEBIT" else "DEBIT"
        place = (leg.account_id, side, leg.currency)
        taken = next(
            (one for one in original.reversed if (one.account_id, one.side, one.currency) == place), None
        )
        if taken is None:
            taken = Taken(*place, 0)
            original.reversed.append(taken)
        taken.amount_minor += sign * leg.amount_minor
    original.reversed = [taken for taken in original.reversed if taken.amount_minor]


# --- on every branch


def hold_legs(event: ev.JournalLegsRequested, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Hold the legs of a journal whose home is elsewhere, and answer."""
    key = part_key(event.tenant_id, event.home_account_id, event.journal_id)
    if rows.get(key) is not None:
        raise Reject("legs_exist")
    legs, books = legs_of(event.legs), Books(event, at, rows)
    pairs = reserve(legs, books)
    refusal = pairs if isinstance(pairs, Refusal) else None
    if not isinstance(pairs, Refusal):
        _place(pairs, event.journal_id, books, out)
        books.save(out)
    rows.put(key, JOURNAL_PART_ROW.pack(BranchLegs(legs, HELD if refusal is None else REFUSED)))
    out.emit(
        "ledger-commands",
        f"{event.tenant_id}/{event.home_account_id}",
        ev.JournalLegsAnswered(
            *envelope(event, "legs_answered"),
            event.journal_id,
            event.account_id,
            event.home_account_id,
            at.partition,
            *(("ok", None) if refusal is None else refusal),
        ),
    )


def end_legs(event: ev.JournalLegsEnded, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Post the legs that are held here, or release them."""
    key = part_key(event.tenant_id, event.home_account_id, event.journal_id)
    row = rows.get(key)
    part = None if row is None else unpack_branch_legs(row)
    if part is None or part.state != HELD:
        raise Reject("legs_not_expected")
    about = About(None, event.reference, event.journal_id, event.reverses, event.reason, event.effective_at)
    end_part(part.legs, event.posted, about, key, Books(event, at, rows), out)


def end_part(legs: list[Leg], posted: bool, about: About, key: bytes, books: Books, out: Outbox) -> None:
    """Post or release the legs of one branch, and remember which."""
    pairs = pairs_of(legs, books.branch)
    if posted:
        _post(pairs, about, books, out)
    else:
        for index, pair in enumerate(pairs):
            books.release(pair.debit, pair.credit, pair.currency, pair.amount)
            assert about.journal_id is not None
            books.say_hold(
                out, "RELEASED", about.journal_id, pair.debit, pair.amount, f"hold_released:{index}"
            )
    books.save(out)
    books.rows.put(key, JOURNAL_PART_ROW.pack(BranchLegs(legs, POSTED if posted else RELEASED)))


def _place(pairs: list[Pair], journal_id: str, books: Books, out: Outbox) -> None:
    """Say the holds of pairs that are reserved: one after the other, each with what is held after it."""
    for pair in pairs:
        books.release(pair.debit, pair.credit, pair.currency, pair.amount)
    for index, pair in enumerate(pairs):
        books.reserve(pair.debit, pair.credit, pair.currency, pair.amount)
        books.say_hold(out, "PLACED", journal_id, pair.debit, pair.amount, f"hold_placed:{index}")


def _post(pairs: list[Pair], about: About, books: Books, out: Outbox, at_once: bool = False) -> None:
    """Post pairs that are held; `at_once`: nobody was told of the holds."""
    if at_once:
        for pair in pairs:
            books.release(pair.debit, pair.credit, pair.currency, pair.amount)
    for index, pair in enumerate(pairs):
        if not at_once:
            books.release(pair.debit, pair.credit, pair.currency, pair.amount)
        debit, credit = ((None, None) if leg is None else (leg.purpose, leg.rate_e8)
                         for leg in (pair.debit_leg, pair.credit_leg))  # fmt: skip
        entry = about._replace(debit=debit, credit=credit)
        books.enter(out, f"entry:{index}", pair.debit, pair.credit, pair.amount, entry)
