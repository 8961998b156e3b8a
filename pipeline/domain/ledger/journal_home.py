"""A journal on its home branch: all of its legs are posted or none, on whichever branches they are.

    journal_submitted -> its home holds its own legs -> no other branch: POSTED, or HELD until confirmed
                                                     -> else PREPARING: journal_legs_requested to the others
    journal_legs_requested -> a branch holds its legs, or does not -> journal_legs_answered
    journal_legs_answered  -> all hold: POSTED (or HELD); one does not: REFUSED -> journal_legs_ended to each
    journal_legs_ended     -> the branch posts what it holds, or releases it
    journal_confirmed, journal_voided, its expiry (`due`) -> a HELD journal ends (`journal_ends`)

The home is the branch of the journal's account; it coordinates a two-phase commit. Legs that a branch holds
can always be posted: no later rule refuses them. So the home's decision, once all branches have answered, is
final and needs no further answer. The home also decides, then, when all legs count (`Books.value_time`): a
period may be closed on one branch before it is on another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, envelope
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import INTERNAL_PREFIX
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.clearing_room import keep_room, reserve_with_room, two_sided
from pipeline.domain.ledger.due import JOURNAL, Due, Place, schedule, unschedule
from pipeline.domain.ledger.expected_sequence import other_sequence
from pipeline.domain.ledger.held_pairs import place_holds, post_pairs
from pipeline.domain.ledger.journal_legs import end_legs_here, request_legs, tell_end
from pipeline.domain.ledger.journal_parts import left_legs
from pipeline.domain.ledger.journals import (
    ENDED_STATES,
    EXPIRED,
    HELD,
    POSTED,
    PREPARING,
    REFUSED,
    SCHEDULED,
    VOIDED,
    BranchLegs,
    Confirmation,
    Journal,
    journal_of,
    let_go,
    part_key,
    read_branch_legs,
    read_journal,
    refusal_of,
    uncount_reversed,
    write_journal,
)
from pipeline.domain.ledger.leg_shares import drawn_up
from pipeline.domain.ledger.open_holds import crowded_leg, journal_places
from pipeline.domain.ledger.pairs import Leg, Refusal
from pipeline.domain.ledger.repeats import journal_code
from pipeline.domain.ledger.rows import JOURNAL_PART_ROW, closed_key, read_number, read_watermark


class HomeJournal:
    """A journal on its home branch, and one command on it."""

    def __init__(
        self, event: Any, journal_id: str, journal: Journal, at: Arrival, rows: Rows, out: Outbox
    ) -> None:
        self.event, self.journal_id, self.journal = event, journal_id, journal
        self.at, self.rows, self.out = at, rows, out

    def submit(self, watermark: int, holds_max: int = 0, flaw: Refusal | None = None) -> None:
        """Accept or refuse a journal whose id is new.

        `watermark`: event time of the branch, microseconds. `holds_max`: how many holds an account may have
        open, where the journal is to be held; `flaw`: why the shares of its legs are none.
        """
        journal, tenant = self.journal, self.event.tenant_id
        flaw = flaw or refusal_of(journal, watermark, read_number(self.rows, closed_key(tenant)))
        if flaw is not None:
            return self._refuse(flaw)
        branches = self.branches(journal.legs)
        room_for = {} if journal.expires_at is None else two_sided(branches)
        own, entries = branches.pop(self.at.partition, []), room_for.get(self.at.partition, [])
        books = Books(self.event, self.at, self.rows)
        sequence = other_sequence(books, journal.account_id, self.event.expected_sequence)
        if sequence is not None:
            return self._refuse(Refusal("sequence_mismatch", None), sequence)
        crowded = None if journal.expires_at is None else crowded_leg(self.rows, tenant, own, holds_max)
        flaw = None if crowded is None else Refusal("too_many_holds", crowded)
        pairs = flaw or reserve_with_room(own, entries, books)
        if isinstance(pairs, Refusal):
            return self._refuse(pairs)
        at_once = not branches and journal.expires_at is None
        if at_once:
            about = self.about(books)
            journal.posted_at = about.when.counts_at(self.event.occurred_at)
            post_pairs(pairs, about, books, self.out, at_once)
        else:
            place_holds(pairs, self.journal_id, books, self.out)
            keep_room(own, entries, self.journal_id, books, self.out)
        books.save(self.out)
        if own:
            part = BranchLegs(own, POSTED if at_once else HELD, room_for=entries or None)
            self.rows.put(self.own_key(), JOURNAL_PART_ROW.pack(part))
        if branches:
            journal.waiting = list(branches)
            request_legs(self.event, self.journal_id, journal.account_id, branches, self.out, None, room_for)
            self._change_to(PREPARING)
        elif at_once:
            self._change_to(POSTED)
        else:
            self._hold()

    def answered(self, event: ev.JournalLegsAnswered, watermark: int) -> None:
        """Note the answer of a branch; after the last answer post, hold or refuse the journal.

        Raises: Reject for a branch that was not asked, or has answered before.
        """
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
            return self.end(REFUSED, "period_closed") if self.is_late() else self.end(POSTED)
        if journal.expires_at <= watermark:
            return self.end(EXPIRED, "expired")
        self._hold()

    def end(
        self,
        state: str,
        code: str = "ok",
        leg_no: int | None = None,
        cause: Any = None,
        part: Confirmation | None = None,
        **more: Any,
    ) -> None:
        """Post what is still held on all branches (POSTED), or release it (any other state).

        `cause`: the event that changes the state, where that is not the command; `part`: the confirmation
        that posts it, where it is to be known again; `more`: as of `_emit_update`.
        """
        event, journal, branches = self.event, self.journal, self.branches(left_legs(self.journal))
        own = branches.pop(self.at.partition, [])
        books = Books(event, self.at, self.rows)
        about = self.about(books)
        if state == POSTED:
            journal.posted_at = about.when.latest(journal.posted_at, event.occurred_at)
        if own:
            key = self.own_key()
            end_legs_here(self.held(own), state == POSTED, about, key, books, self.out)
        there = {number: legs[0] for number, legs in branches.items() if number not in journal.refused}
        tell_end(event, journal.account_id, there, state == POSTED, about, self.out)
        if journal.state == HELD:
            unschedule(self.rows, *self._due())
        if state == REFUSED:
            uncount_reversed(event.tenant_id, journal, self.rows)
        if part is not None:
            journal.confirmations = [*journal.confirmations, part]
        # What was posted in parts is posted, whatever becomes of the rest.
        self._change_to(POSTED if journal.confirmations else state, code, leg_no, cause, **more)

    def confirmed(self, ends: bool, confirmation_id: str | None) -> None:
        """Write a journal of which a part was posted: it has ended, or goes on being held."""
        if ends:
            unschedule(self.rows, *self._due())
        self._change_to(POSTED if ends else HELD, confirmation_id=confirmation_id)

    def own_key(self) -> bytes:
        """Return the row key of the legs that the home itself has."""
        return part_key(self.event.tenant_id, self.journal.account_id, self.journal_id)

    def held(self, own: list[Leg]) -> BranchLegs:
        """Return legs of the home as it holds them, with what room it keeps."""
        known = read_branch_legs(self.rows, self.own_key())
        return BranchLegs(own, HELD, room_for=None if known is None else known.room_for)

    def is_late(self) -> bool:
        """Whether the journal, posted now, would count in a closed period, and must not be moved."""
        books = Books(self.event, self.at, self.rows)
        return self.journal.late == "REFUSE" and books.is_closed(self.journal.effective_at)

    def wait(self) -> None:
        """Write a journal that waits for its time."""
        self._change_to(SCHEDULED, execute_at=self.journal.execute_at)

    def take_back(self) -> None:
        """Write that a journal will not be submitted when its time comes."""
        self._change_to(VOIDED, "cancelled")

    def _hold(self) -> None:
        schedule(self.rows, *self._due())
        self._change_to(HELD)

    def _refuse(self, refusal: Refusal, account_sequence: int | None = None) -> None:
        uncount_reversed(self.event.tenant_id, self.journal, self.rows)
        self._change_to(REFUSED, *refusal, account_sequence=account_sequence)

    def _change_to(
        self, state: str, code: str = "ok", leg_no: int | None = None, cause: Any = None, **more: Any
    ) -> None:
        journal = self.journal
        journal.state, journal.code, journal.leg_no = state, code, leg_no
        write_journal(self.rows, self.event.tenant_id, self.journal_id, journal)
        if state in ENDED_STATES:
            let_go(self.event.tenant_id, journal, self.rows)
        self._emit_update(state, code, leg_no, cause, **more)

    def _due(self) -> tuple[Due, list[Place]]:
        journal, tenant = self.journal, self.event.tenant_id
        assert journal.expires_at is not None, "what is held expires"
        due = Due(journal.expires_at, JOURNAL, tenant, journal.account_id, self.journal_id)
        return due, journal_places(tenant, journal.legs, self.at)

    def branches(self, legs: Iterable[Leg]) -> dict[int, list[Leg]]:
        """Return the legs of each branch, by its number."""
        found: dict[int, list[Leg]] = {}
        for leg in legs:
            branch = self.at.partition
            if not leg.account_id.startswith(INTERNAL_PREFIX):
                branch = partition_of(f"{self.event.tenant_id}/{leg.account_id}", self.at.partitions)
            found.setdefault(branch, []).append(leg)
        return dict(sorted(found.items()))

    def about(self, books: Books) -> EntryDetails:
        """Return what the postings of the journal state, if they are posted now."""
        journal, when = self.journal, books.value_time(self.journal.effective_at, self.journal.not_before)
        return EntryDetails(
            None, journal.reference, self.journal_id, journal.reverses, journal.reason, when,
            metadata=journal.metadata,
        )  # fmt: skip

    def _emit_update(
        self, state: str, code: str, leg_no: int | None = None, cause: Any = None, **more: Any
    ) -> None:
        """Emit the state of the journal; `more`: fields that only some events have."""
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
                self.event.actor,
                **more,
            ),
        )


def refuse_too_old(event: ev.JournalSubmitted, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Refuse a journal that is older than its id is remembered; so nothing is remembered of it."""
    home = HomeJournal(event, event.journal_id, journal_of(event), at, rows, out)
    home._emit_update(REFUSED, "too_old")


def submit(
    holds_max: int,
    event: ev.JournalSubmitted,
    watermark: int,
    at: Arrival,
    rows: Rows,
    out: Outbox,
) -> None:
    """Accept a journal whose id is new; refuse a repeat. Arguments are as in `HomeJournal.submit`."""
    journal, flaw = drawn_up(event)
    known = read_journal(rows, event.tenant_id, event.account_id, event.journal_id)
    if known is None:
        home = HomeJournal(event, event.journal_id, journal, at, rows, out)
        return home.submit(watermark, holds_max, flaw)
    code = journal_code(known, journal)
    refuse(out, event, "journal_submitted", event.account_id, None, code, journal_id=event.journal_id)


def legs_answered(event: ev.JournalLegsAnswered, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Apply the answer of a branch to a request of legs.

    Raises: Reject for an answer that no journal waits for.
    """
    journal = read_journal(rows, event.tenant_id, event.home_account_id, event.journal_id)
    if journal is None:
        raise Reject("legs_not_expected")
    watermark = read_watermark(rows)
    assert watermark is not None, "a journal has moved event time"
    HomeJournal(event, event.journal_id, journal, at, rows, out).answered(event, watermark)
