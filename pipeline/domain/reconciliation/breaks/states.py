"""What a break may be, and what becomes of it: a table of every status and everything that can happen.

    people     assign unassign comment suggest take_back write_off approve accept reject dispute reopen
    facts      matched unmatched posted written short taken_back refused awaits

An entry in capitals is the next status, one in small letters the code of a refusal. `BEFORE` is what the
break was before its correction. A fact that has no entry does not concern a break of that status.
"""

from __future__ import annotations

OPEN, ASSIGNED, DISPUTED, REOPENED = "OPEN", "ASSIGNED", "DISPUTED", "REOPENED"
SUGGESTED, APPROVED = "CORRECTION_SUGGESTED", "CORRECTION_APPROVED"
WRITTEN_OFF, RESOLVED = "WRITTEN_OFF", "RESOLVED"
STATUSES = (OPEN, ASSIGNED, DISPUTED, SUGGESTED, APPROVED, WRITTEN_OFF, RESOLVED, REOPENED)
ENDED = frozenset({WRITTEN_OFF, RESOLVED})
"""Statuses of a break that nobody has to look after."""

ASSIGN, UNASSIGN, COMMENT = "assign", "unassign", "comment"
SUGGEST, TAKE_BACK, WRITE_OFF = "suggest", "take_back", "write_off"
APPROVE, ACCEPT, REJECT = "approve", "accept", "reject"
"""APPROVE: its journal goes to the ledger; ACCEPT: there is nothing to post."""
DISPUTE, REOPEN = "dispute", "reopen"
ACTIONS = (
    *(ASSIGN, UNASSIGN, COMMENT, SUGGEST, TAKE_BACK, WRITE_OFF, APPROVE, ACCEPT, REJECT),
    *(DISPUTE, REOPEN),
)
MATCHED, UNMATCHED = "matched", "unmatched"
"""Its items found a counterpart; or lost it again, since a person rejects the match."""
POSTED, WRITTEN, SHORT, TAKEN_BACK = "posted", "written", "short", "taken_back"
"""The ledger has posted a correction, a write-off; one that is not enough any more, since an earlier one was
taken back meanwhile; the reversal of one, or a part of it."""
REFUSED, AWAITS = "refused", "awaits"
"""The ledger will not post it; or asks for a second person itself."""
FACTS = (MATCHED, UNMATCHED, POSTED, WRITTEN, SHORT, TAKEN_BACK, REFUSED, AWAITS)

BEFORE = "BEFORE"
_NO_CORRECTION = dict.fromkeys((TAKE_BACK, APPROVE, ACCEPT, REJECT), "correction_not_found")
_TO_SUGGEST = dict.fromkeys((SUGGEST, WRITE_OFF), SUGGESTED)
_PENDING = dict.fromkeys((SUGGEST, TAKE_BACK, WRITE_OFF, DISPUTE, REOPEN), "correction_pending")
_DECIDED = dict.fromkeys((APPROVE, ACCEPT, REJECT), "already_decided")
_OVER = dict.fromkeys((ASSIGN, UNASSIGN, SUGGEST, WRITE_OFF, DISPUTE), "break_ended")


def _worked_on(status: str, unassigned: str) -> dict[str, str]:
    people = {
        ASSIGN: ASSIGNED,
        UNASSIGN: unassigned,
        COMMENT: status,
        DISPUTE: DISPUTED,
        REOPEN: "not_disputed",
    }
    return {**_NO_CORRECTION, **_TO_SUGGEST, **people, MATCHED: RESOLVED}


def _over(status: str, reopened: str) -> dict[str, str]:
    return {**_NO_CORRECTION, **_OVER, COMMENT: status, TAKE_BACK: SUGGESTED, REOPEN: reopened}


_SAME_IF_ASSIGNED = {
    status: {ASSIGN: status, UNASSIGN: status, COMMENT: status} for status in (DISPUTED, SUGGESTED, APPROVED)
}
TABLE: dict[str, dict[str, str]] = {
    OPEN: _worked_on(OPEN, OPEN),
    ASSIGNED: _worked_on(ASSIGNED, OPEN),
    REOPENED: _worked_on(REOPENED, REOPENED),
    DISPUTED: {
        **_NO_CORRECTION,
        **_TO_SUGGEST,
        **_SAME_IF_ASSIGNED[DISPUTED],
        DISPUTE: "already_disputed",
        REOPEN: REOPENED,
        MATCHED: RESOLVED,
    },
    SUGGESTED: {
        **_PENDING,
        **_SAME_IF_ASSIGNED[SUGGESTED],
        APPROVE: APPROVED,
        ACCEPT: WRITTEN_OFF,
        REJECT: BEFORE,
        MATCHED: RESOLVED,
        TAKEN_BACK: REOPENED,
    },
    APPROVED: {
        **_PENDING,
        **_DECIDED,
        **_SAME_IF_ASSIGNED[APPROVED],
        POSTED: RESOLVED,
        WRITTEN: WRITTEN_OFF,
        SHORT: REOPENED,
        TAKEN_BACK: REOPENED,
        REFUSED: BEFORE,
        AWAITS: APPROVED,
    },
    WRITTEN_OFF: {**_over(WRITTEN_OFF, REOPENED), MATCHED: RESOLVED, TAKEN_BACK: REOPENED},
    RESOLVED: {**_over(RESOLVED, "break_ended"), UNMATCHED: REOPENED, TAKEN_BACK: REOPENED},
}


def next_of(status: str, happened: str) -> str | None:
    """Return the next status, the code of a refusal, BEFORE, or None for a fact that does not concern it."""
    return TABLE[status].get(happened)


def is_status(entry: str | None) -> bool:
    """Whether an entry of the table is a status, or BEFORE, and no refusal."""
    return entry is not None and entry.isupper()


def returned(before: str, assignee: str | None) -> str:
    """Return what a break is again after its correction came to nothing; it may have been assigned since."""
    if before == ASSIGNED and assignee is None:
        return OPEN
    return ASSIGNED if before == OPEN and assignee is not None else before
