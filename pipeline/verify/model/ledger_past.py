"""Debits that count in the past, where the settings refuse them: they change nothing, and are forgotten."""

from __future__ import annotations

import re
from typing import Any

from pipeline.verify.model.ledger_books import FIVE_MINUTES_US, Books
from pipeline.verify.model.ledger_link_ends import refuses_link
from pipeline.verify.model.ledger_parts import known_part
from pipeline.verify.model.wire import DAY_US, PAYMENT_EVENTS

JUDGED = (
    *("PaymentDecided", "PaymentsLinkDecided", "PaymentReviewed", "PaymentCaptured", "PaymentReversed"),
    *("JournalSubmitted", "JournalConfirmed", "JournalReversed"),
)
TOO_OLD_FIRST = (
    *("PaymentDecided", "PaymentsLinkDecided", "PaymentReversed"),
    *("JournalSubmitted", "JournalReversed"),
)


def refused_past(branch: Books, kind: str, event: dict[str, Any]) -> bool:
    """Refuse a command that would post a debit more than five minutes ago; return whether it is refused."""
    if kind not in JUDGED or not (branch.refuses_past or branch.witness is not None):
        return False
    asked = event.get("effective_at") if kind in ("JournalSubmitted", "JournalReversed") else None
    if branch.watermark is None:
        return False
    later = event.get("execute_at") if kind == "JournalSubmitted" else None
    if later is not None and later > event["occurred_at"] and later > branch.watermark:
        # It counts when its time has come, or before: then it is of the past of that time.
        if asked is None or asked >= later - FIVE_MINUTES_US:
            return False
    elif not branch.long_past(branch.counts_at(branch.effective(asked))):
        return False
    forgotten = branch.watermark - event["occurred_at"] > branch.window_days * DAY_US
    if branch.witness is None and kind in TOO_OLD_FIRST and forgotten:
        return False
    if kind == "PaymentsLinkDecided":
        return refuses_link(branch, event, "back_dated")
    if not would_post(branch, kind, event):
        return False
    if kind == "PaymentDecided":
        return refuse_payment(branch, event)
    ids = {
        name: event[name]
        for name in ("payment_id", "capture_id", "journal_id", "confirmation_id", "reversal_id")
        if name in event
    }
    account_id = event["debtor_account_id"] if "payment_id" in event else event["account_id"]
    command = re.sub("(?<=[a-z])(?=[A-Z])", "_", kind).lower()
    if not said(branch, "CommandRefused", command=command, account_id=account_id, **ids):
        return False
    branch.refuse(command, account_id, "back_dated", **ids)
    return True


def would_post(branch: Books, kind: str, event: dict[str, Any]) -> bool:
    """Whether nothing but money can stand against a command."""
    if kind == "PaymentDecided":
        return branch.key("payment_id") not in branch.payments
    if "payment_id" in event:
        payment = branch.payments.get(branch.key("payment_id"))
        if payment is None or payment.debtor != event["debtor_account_id"]:
            return False
        if kind == "PaymentReviewed":
            return bool(event["approved"]) and payment.state == "HELD"
        if kind == "PaymentReversed":
            return branch.journal(event["debtor_account_id"], event["reversal_id"]) is None
        hold = branch.holds.get(branch.key("payment_id"))
        return hold is not None and event["capture_id"] not in {one.capture_id for one in hold.captures}
    journal = branch.journal(event["account_id"], event["journal_id"])
    if kind == "JournalSubmitted":
        return journal is None
    if kind == "JournalReversed":
        return journal is not None and branch.journal(event["account_id"], event["reversal_id"]) is None
    if journal is None or journal.state != "HELD" or journal.effective_at is not None:
        return False
    return known_part(journal, event) is None


def refuse_payment(branch: Books, event: dict[str, Any]) -> bool:
    if not said(branch, "PaymentRejected", payment_id=event["payment_id"]):
        return False
    parties = ("debtor_account_id", "creditor_account_id", "amount_minor", "currency")
    content = {name: event[name] for name in ("payment_id", *parties)}
    answer_id = branch.id_of("payment_rejected")
    branch.say(
        PAYMENT_EVENTS, event["debtor_account_id"], "PaymentRejected", answer_id, **content, code="back_dated"
    )
    return True


def said(branch: Books, event: str, **about: Any) -> bool:
    """Whether the stream has said it, where the settings are not known and it is taken at its word."""
    known = branch.witness is None
    return known or branch.said_code(("back_dated",), PAYMENT_EVENTS, event, **about) is not None
