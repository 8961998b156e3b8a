"""Commands whose time has not come: `occurred_at` lies further ahead of Kafka's time than clocks differ.

They are refused before they move event time or change anything, and their ids are not remembered: an upstream
sends them again when it is time, or mends its clock. What branches send each other is never refused, and the
end of a period is judged where it comes in (`intake`), once for all branches.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger import link_commands
from pipeline.domain.ledger.outputs import announce
from pipeline.domain.ledger.payments import answer_repeat

CODE = "not_yet"
COMMANDS: dict[type, str] = {
    ev.AccountOpened: "account_opened",
    ev.AccountLimitSet: "account_limit_set",
    ev.AccountFrozen: "account_frozen",
    ev.AccountUnfrozen: "account_unfrozen",
    ev.AccountClosed: "account_closed",
    ev.AccountReopened: "account_reopened",
    ev.PaymentReviewed: "payment_reviewed",
    ev.PaymentCancelled: "payment_cancelled",
    ev.PaymentCaptured: "payment_captured",
    ev.PaymentExtended: "payment_extended",
    ev.PaymentReversed: "payment_reversed",
    ev.JournalSubmitted: "journal_submitted",
    ev.JournalConfirmed: "journal_confirmed",
    ev.JournalVoided: "journal_voided",
    ev.JournalReversed: "journal_reversed",
    ev.ProposalApproved: "proposal_approved",
    ev.ProposalRejected: "proposal_rejected",
}
"""The commands that are answered with command_refused, and their names there."""


def answer_ahead(ahead_max: int, event: Any, at: Arrival, rows: Rows, out: Outbox) -> bool:
    """Refuse a command that is further ahead than `ahead_max` (microseconds); return whether it is."""
    ahead = event.occurred_at - at.recorded_at > ahead_max
    return ahead and answer_unremembered(event, CODE, rows, out)


def answer_unremembered(event: Any, code: str, rows: Rows, out: Outbox) -> bool:
    """Refuse a command whose id is not remembered; return False for what no upstream sends.

    A payment whose id is known is answered as any repeat.
    """
    if type(event) is ev.PaymentDecided:
        if not answer_repeat(event, rows, out):
            announce(out, event, event, "payment_rejected", code)
        return True
    if type(event) is ev.PaymentsLinkDecided:
        if not link_commands.answer_known(event, rows, out):
            link_commands.reject_not_yet(event, code, rows, out)
        return True
    if type(event) not in COMMANDS:
        return False
    refuse_by_time(event, code, out)
    return True


def refuse_by_time(event: Any, code: str, out: Outbox) -> None:
    """Refuse a command by its time alone, before a row is looked at."""
    payment_id = getattr(event, "payment_id", None)
    account_id = event.account_id if payment_id is None else event.debtor_account_id
    names = ("capture_id", "journal_id", "confirmation_id", "reversal_id")
    ids = {name: getattr(event, name) for name in names if hasattr(event, name)}
    refuse(out, event, COMMANDS[type(event)], account_id, payment_id, code, **ids)
