"""Every code that break_action_refused can have, what it means, and what to do about it.

The table of schemas/README.md is written from here (`python -m tests.project.references`); a test holds the
list against the schema.
"""

from __future__ import annotations

from typing import NamedTuple


class ActionCode(NamedTuple):
    """What one symbol of the Avro enum BreakActionCode means."""

    code: str
    said_of: str
    """The actions, by their snake_case names."""
    meaning: str
    remedy: str


_ALL = "every action"
_CHECKERS = "correction_approved"
_MATCHES = "match_confirmed, match_rejected"
_WAIT = "See what has become of it: break_changed says it, and `/breaks` shows it."

ACTION_CODES: tuple[ActionCode, ...] = (
    ActionCode("exists", _ALL, "The same event came before and had its effect then.", "Nothing."),
    ActionCode(
        "too_old",
        _ALL,
        "`occurred_at` lies so far behind the event time of the account that breaks of then are forgotten.",
        "Send it with a present `occurred_at`, if it is still meant.",
    ),
    ActionCode(
        "break_not_found",
        "every action on a break",
        "The account has no break of this id: not yet, or it was over for so long that it is forgotten.",
        "Check account and break.",
    ),
    ActionCode("actor_required", _ALL, "Nobody is named in `actor`.", "Send it with who acts."),
    ActionCode(
        "break_ended",
        "break_assigned, break_disputed, break_reopened, break_written_off, correction_suggested",
        "The break is resolved or written off; one that a match has resolved is opened by match_rejected.",
        _WAIT,
    ),
    ActionCode(
        "correction_pending",
        "break_disputed, break_reopened, break_written_off, correction_suggested, " + _MATCHES,
        "A correction waits for a second person, or the ledger is posting it.",
        "Approve or reject it first, or wait for the ledger.",
    ),
    ActionCode(
        "correction_posted",
        "break_reopened",
        "The ledger has posted a correction of the break: it is taken back, not forgotten.",
        "Send correction_suggested with `reverses`.",
    ),
    ActionCode(
        "correction_not_found",
        "correction_approved, correction_rejected, correction_suggested",
        "No correction of this name waits for a person; of `reverses`: it is not what the ledger has posted.",
        _WAIT,
    ),
    ActionCode(
        "already_decided",
        "correction_approved, correction_rejected",
        "The correction was approved, and the ledger has not answered yet.",
        _WAIT,
    ),
    ActionCode(
        "maker_cannot_approve",
        _CHECKERS,
        "Who has suggested a correction does not approve it.",
        "Another person approves it.",
    ),
    ActionCode(
        "programs_cannot_approve",
        _CHECKERS,
        "The actor is a program: it has a key, or no session.",
        "A person approves it.",
    ),
    ActionCode(
        "nothing_to_correct",
        "correction_suggested",
        "The break is about no amount (`difference_minor` is 0): no journal can explain it.",
        "Accept it by break_written_off, or find what is missing.",
    ),
    ActionCode(
        "correction_does_not_explain",
        "correction_suggested",
        "No leg, or more than one, is on the account; or it is not `difference_minor` of the break, less "
        "what is explained already.",
        "One leg on the account, of exactly what the bank has and the books have not.",
    ),
    ActionCode(
        "invalid_legs",
        "correction_suggested",
        "Fewer than 2 legs or more than 20, a `leg_no` twice or negative, an amount, account or currency "
        "that is none, an account on both sides of an entry; with `reverses`, any leg.",
        "Correct it and suggest it again.",
    ),
    ActionCode(
        "legs_not_balanced",
        "correction_suggested",
        "The debits of an entry are not its credits, in each currency.",
        "Correct it and suggest it again.",
    ),
    ActionCode(
        "write_off_account_missing",
        "break_written_off",
        "The tenant has no account for write-offs in this currency, or it is the account of the break.",
        "Set `write_off_accounts` in the file of tenants, or suggest a correction.",
    ),
    ActionCode("not_disputed", "break_reopened", "The break is open and not disputed.", "Nothing."),
    ActionCode("already_disputed", "break_disputed", "It is disputed already.", "Nothing."),
    ActionCode(
        "too_many_actions",
        "every action on a break",
        "The break has had 256 actions; or 200, and it is an assignment, a comment or a dispute.",
        "Decide it: a match or the ledger still ends it.",
    ),
    ActionCode(
        "item_not_found",
        _MATCHES,
        "A line or a posting is not known, or is no longer open for another reason than a match.",
        "Check statement, line and posting.",
    ),
    ActionCode("already_matched", _MATCHES, "One of the items is matched.", "Reject that match first."),
    ActionCode("match_not_found", "match_rejected", "It is neither suggested nor matched.", "Nothing."),
)
