"""Commands that say a time which has not come: they are refused, and change nothing."""

from __future__ import annotations

import re
from typing import Any

from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_link_ends import refuses_link
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    ACCOUNT_EVENTS,
    APPROVALS,
    JOURNAL_COMMANDS,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
)


def not_yet(branch: Books, record: Record) -> bool:
    """Refuse a command that is too far ahead of Kafka's time; return whether it is."""
    event, ahead = record.fields, record.fields["occurred_at"] - record.timestamp_ms * 1000
    if ahead <= 0 or (branch.witness is None and not 0 < branch.clock_ahead_us < ahead):
        return False
    if record.event == "PaymentDecided":
        return refuses_payment(branch, event)
    if record.event == "PaymentsLinkDecided":
        return refuses_link(branch, event, "not_yet")
    if record.event not in (*ACCOUNT_EVENTS, *PAYMENT_COMMANDS, *JOURNAL_COMMANDS, *APPROVALS):
        return False
    names = ("payment_id", "capture_id", "journal_id", "confirmation_id", "reversal_id")
    ids = {name: event[name] for name in names if name in event}
    account_id = event["debtor_account_id"] if "payment_id" in event else event["account_id"]
    command = re.sub("(?<=[a-z])(?=[A-Z])", "_", record.event).lower()
    about = {"command": command, "account_id": account_id, **ids}
    if not said(branch, "CommandRefused", **about):
        return False
    branch.refuse(command, account_id, "not_yet", **ids)
    return True


def refuses_payment(branch: Books, event: dict[str, Any]) -> bool:
    """Reject a payment, which is not remembered; one whose id is known is answered as a repeat."""
    if branch.key("payment_id") in branch.payments:
        return False
    about = {"payment_id": event["payment_id"]}
    if not said(branch, "PaymentRejected", **about):
        return False
    parties = ("debtor_account_id", "creditor_account_id", "amount_minor", "currency")
    content = {name: event[name] for name in ("payment_id", *parties)}
    answer_id = branch.id_of("payment_rejected")
    content["code"] = "not_yet"
    branch.say(PAYMENT_EVENTS, event["debtor_account_id"], "PaymentRejected", answer_id, **content)
    return True


def said(branch: Books, event: str, **about: Any) -> bool:
    """Whether the stream has said it, where the settings are not known and it is taken at its word."""
    known = branch.witness is None
    return known or branch.said_code(("not_yet",), PAYMENT_EVENTS, event, **about) is not None
