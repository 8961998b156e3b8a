"""Commands whose time has not come, or is over: they are refused, and change nothing."""

from __future__ import annotations

import re
from typing import Any

from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_journals import say_state
from pipeline.verify.model.ledger_link_ends import refuses_link
from pipeline.verify.model.ledger_submissions import journal_of
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    ACCOUNT_EVENTS,
    APPROVALS,
    DAY_US,
    JOURNAL_COMMANDS,
    JOURNAL_EVENTS,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
)


def not_yet(branch: Books, record: Record) -> bool:
    """Refuse a command that is too far ahead of Kafka's time; return whether it is."""
    ahead = record.fields["occurred_at"] - record.timestamp_ms * 1000
    if ahead <= 0 or (branch.witness is None and not 0 < branch.clock_ahead_us < ahead):
        return False
    if record.event == "PaymentsLinkDecided":
        return refuses_link(branch, record.fields, "not_yet")
    commands = (*ACCOUNT_EVENTS, *PAYMENT_COMMANDS, *JOURNAL_COMMANDS, *APPROVALS, "PaymentDecided")
    if record.event not in commands:
        return False
    if record.event == "PaymentDecided" and branch.key("payment_id") in branch.payments:
        return False  # it is answered as a repeat
    return refused_by_its_time(branch, record, "not_yet")


def too_old(branch: Books, record: Record) -> bool:
    """Refuse a command that is older than ids are recognised, whatever it names; return whether it is."""
    commands = (*PAYMENT_COMMANDS, *JOURNAL_COMMANDS, "PaymentDecided", "PaymentsLinkDecided")
    if record.event not in commands:
        return False
    if branch.witness is None:
        window, now = branch.window_days * DAY_US, branch.watermark
        if now is None or now - record.fields["occurred_at"] <= window:
            return False
    if record.event == "PaymentsLinkDecided":
        return refuses_link(branch, record.fields, "too_old")
    if record.event != "JournalSubmitted":
        return refused_by_its_time(branch, record, "too_old")
    journal_id = record.fields["journal_id"]
    if branch.witness is not None:
        said = branch.said_code(("too_old",), JOURNAL_EVENTS, "JournalUpdated", journal_id=journal_id)
        if said is None:
            return False
    say_state(branch, journal_id, journal_of(record.fields)[0], "REFUSED", "too_old", None)
    return True


def refused_by_its_time(branch: Books, record: Record, code: str) -> bool:
    """Refuse a command; if settings are not known, only where the stream has said so."""
    event = record.fields
    if record.event == "PaymentDecided":
        return refuses_payment(branch, event, code)
    names = ("payment_id", "capture_id", "journal_id", "confirmation_id", "reversal_id")
    ids = {name: event[name] for name in names if name in event}
    account_id = event["debtor_account_id"] if "payment_id" in event else event["account_id"]
    command = re.sub("(?<=[a-z])(?=[A-Z])", "_", record.event or "").lower()
    about = {"command": command, "account_id": account_id, **ids}
    if not said(branch, code, "CommandRefused", **about):
        return False
    branch.refuse(command, account_id, code, **ids)
    return True


def refuses_payment(branch: Books, event: dict[str, Any], code: str) -> bool:
    """Reject a payment, which is not remembered."""
    about = {"payment_id": event["payment_id"]}
    if not said(branch, code, "PaymentRejected", **about):
        return False
    parties = ("debtor_account_id", "creditor_account_id", "amount_minor", "currency")
    content = {name: event[name] for name in ("payment_id", *parties)}
    answer_id = branch.id_of("payment_rejected")
    content["code"] = code
    branch.say(PAYMENT_EVENTS, event["debtor_account_id"], "PaymentRejected", answer_id, **content)
    return True


def said(branch: Books, code: str, event: str, **about: Any) -> bool:
    """Whether the stream has said it, where the settings are not known and it is taken at its word."""
    known = branch.witness is None
    return known or branch.said_code((code,), PAYMENT_EVENTS, event, **about) is not None
