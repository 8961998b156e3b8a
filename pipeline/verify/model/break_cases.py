"""A plain model of breaks' lives: what matches and the ledger make of a break.

    opening, match, posting, answer of the ledger -> what must be said, as (event, fields)

It judges the rules as they are written in words; times, actors and ids that only follow from a cause are not
looked at here. One account; `now` is its event time, microseconds UTC. What people do: `break_lives`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Said = list[tuple[str, dict[str, Any]]]
COUNTED_MAX = 200
"""The most postings that a break counts."""
OVER = ("WRITTEN_OFF", "RESOLVED")
JOURNAL = re.compile(r"correction-(.{36})-([1-9]\d{0,3})")


@dataclass
class Asked:
    """A correction that somebody has asked for."""

    number: int
    name: str
    by: tuple[str, str]
    before: str
    legs: list[dict[str, Any]]
    write_off: bool = False
    takes_back: int | None = None
    amount: int = 0
    came: int = 0


@dataclass
class Case:
    """One break."""

    difference: int
    currency: str
    status: str = "OPEN"
    assignee: str | None = None
    seen: set[str] = field(default_factory=set)
    asked: Asked | None = None
    asked_so_far: int = 0
    posted: int | None = None
    posted_amount: int = 0
    explained: int = 0
    counted: int = 0
    """How many postings make that up."""
    over_at: int | None = None


class BreakCases:
    """The breaks of one account."""

    def __init__(self, account: str, write_off_accounts: dict[str, str], keep_us: int) -> None:
        self.account, self.write_off_accounts, self.keep_us = account, write_off_accounts, keep_us
        self.cases: dict[str, Case] = {}

    def case(self, break_id: str, now: int) -> Case | None:
        """Return a break that still counts."""
        found = self.cases.get(break_id)
        if found is not None and found.over_at is not None and now - found.over_at > self.keep_us:
            return None
        return found

    def open(self, break_id: str, difference: int, currency: str, now: int) -> Said:
        """A break is found."""
        if self.case(break_id, now) is not None:
            return []
        self.cases[break_id] = Case(difference, currency)
        return [("BreakOpened", {"break_id": break_id})]

    def match(self, break_id: str, now: int) -> Said:
        """Its items match after all."""
        case = self.case(break_id, now)
        if case is None or case.explained or case.status in ("CORRECTION_APPROVED", "RESOLVED"):
            return []
        asked, case.asked = case.asked, None
        self.turn(case, "RESOLVED", now)
        return [changed(break_id, case, "MATCHED", asked), resolved(break_id, "matched")]

    def unmatch(self, break_id: str, now: int) -> Said:
        """A person rejects the match that has resolved it."""
        case = self.case(break_id, now)
        if case is None or case.status != "RESOLVED" or case.explained:
            return []
        self.turn(case, "REOPENED", now)
        return [changed(break_id, case, "UNMATCHED")]

    def turn(self, case: Case, status: str, now: int) -> None:
        """Set a status."""
        case.status = status
        if status not in OVER:
            case.over_at = None
        elif case.over_at is None:
            case.over_at = now

    # --- the ledger

    def post(self, journal: str | None, reverses: str | None, signed: int, currency: str, now: int) -> Said:
        """A posting has come on the account."""
        of = named(reverses) or named(journal)
        case = None if of is None else self.case(of[0], now)
        if of is None or case is None or currency != case.currency or case.counted >= COUNTED_MAX:
            return []
        if of[1] > case.asked_so_far:
            return []
        if named(reverses):
            return self.take_back(of[0], case, signed, now)
        asked = case.asked
        if asked is None or asked.takes_back or not self.waits_for(case, of[1]):
            return []
        left = asked.amount - asked.came
        if not 0 < signed <= left and not left <= signed < 0:
            return []
        asked.came, case.explained, case.counted = (
            asked.came + signed,
            case.explained + signed,
            case.counted + 1,
        )
        if asked.came != asked.amount:
            return []
        case.asked = None
        if case.explained != case.difference:
            self.turn(case, "REOPENED", now)
            return [changed(of[0], case, "CORRECTION_POSTED", asked)]
        case.posted, case.posted_amount = asked.number, asked.amount
        self.turn(case, "WRITTEN_OFF" if asked.write_off else "RESOLVED", now)
        what = ("WRITTEN_OFF", "written_off") if asked.write_off else ("CORRECTION_POSTED", "corrected")
        return [changed(of[0], case, what[0], asked), resolved(of[0], what[1], journal)]

    def take_back(self, break_id: str, case: Case, signed: int, now: int) -> Said:
        """Something of what was posted is reversed."""
        if not 0 < -signed <= case.explained and not case.explained <= -signed < 0:
            return []
        case.explained += signed
        case.counted = case.counted + 1 if case.explained else 0
        case.posted, case.posted_amount = None, 0
        is_new_journal = case.status == "CORRECTION_APPROVED" and case.asked and case.asked.takes_back is None
        if is_new_journal or case.status in ("OPEN", "ASSIGNED", "DISPUTED", "REOPENED"):
            return []
        asked, case.asked = case.asked, None
        self.turn(case, "REOPENED", now)
        return [changed(break_id, case, "CORRECTION_TAKEN_BACK", asked)]

    @staticmethod
    def waits_for(case: Case, number: int) -> bool:
        """Whether the ledger was asked for a correction of this number and has not answered."""
        return case.status == "CORRECTION_APPROVED" and case.asked is not None and case.asked.number == number

    def answer(self, journal: str, outcome: str, code: str, now: int) -> Said:
        """The ledger does not post, or not yet."""
        of = named(journal)
        case = None if of is None else self.case(of[0], now)
        if of is None or case is None or not self.waits_for(case, of[1]) or code == "exists":
            return []
        asked = case.asked
        if outcome == "AWAITS_APPROVAL":
            return [changed(of[0], case, "AWAITS_APPROVAL", asked, code=code)]
        if outcome != "REFUSED" or asked is None:
            return []
        self.give_up(case, asked, now)
        return [changed(of[0], case, "CORRECTION_REFUSED", asked, code=code)]

    def give_up(self, case: Case, asked: Asked, now: int) -> None:
        """The break is as it was before its correction, but for who looks after it."""
        case.asked, before = None, asked.before
        if before == "OPEN" and case.assignee:
            before = "ASSIGNED"
        if before == "ASSIGNED" and not case.assignee:
            before = "OPEN"
        self.turn(case, before, now)


def signed_of(leg: dict[str, Any]) -> int:
    """Return the amount of a leg, a credit is positive."""
    return int(leg["amount_minor"]) * (1 if leg["side"] == "CREDIT" else -1)


def journal_of(break_id: str, number: int) -> str:
    """Return the id of the journal of a correction."""
    return f"correction-{break_id}-{number}"


def named(journal: str | None) -> tuple[str, int] | None:
    """Return what a journal's id names: a break and one of its corrections."""
    found = JOURNAL.fullmatch(journal or "")
    return (found[1], int(found[2])) if found else None


def changed(
    break_id: str, case: Case, change: str, asked: Asked | None = None, **more: str | None
) -> tuple[str, dict[str, Any]]:
    """Return that something has happened to a break."""
    about = {
        "break_id": break_id,
        "change": change,
        "status": case.status,
        "assignee": case.assignee,
        "correction_id": asked.name if asked else None,
        "journal_id": journal_of(break_id, asked.number) if asked else None,
    }
    return "BreakChanged", {**about, "text": None, "code": None, **more}


def resolved(break_id: str, how: str, journal: str | None = None) -> tuple[str, dict[str, Any]]:
    """Return that a break is over."""
    return "BreakResolved", {"break_id": break_id, "resolution": how, "journal_id": journal}
