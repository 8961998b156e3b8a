"""Inputs: what intake passes on as it is, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.verify.model.currencies import CURRENCIES
from pipeline.verify.model.fraud_publications import check
from pipeline.verify.model.match_flaws import flaw_of_weights, is_of_this_release
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    ACCOUNT_EVENTS,
    APPROVALS,
    BREAK_ACTIONS,
    COMMANDS,
    FRAUD_COMMANDS,
    ITEMS,
    JOURNAL_COMMANDS,
    PAYMENT_COMMANDS,
    POSITION_COMMANDS,
    POSTINGS,
    PUBLICATIONS,
    STATEMENT_EVENTS,
    TRADE_EVENTS,
    WEIGHTS,
    Dead,
    Expected,
    corrects,
    false_text,
    has_false_reference,
    has_false_tolerance,
    has_impossible_id,
    misplaced,
)

FORWARDED = {
    "accounts": (COMMANDS, (*ACCOUNT_EVENTS, "PeriodClosed")),
    "payments": (FRAUD_COMMANDS, ("PaymentInitiated", "PaymentsLinked", *PAYMENT_COMMANDS)),
    "journals": (COMMANDS, JOURNAL_COMMANDS),
    "approvals": (COMMANDS, APPROVALS),
    "statements": (ITEMS, STATEMENT_EVENTS),
    "trades": (POSITION_COMMANDS, TRADE_EVENTS),
    "prices": (POSITION_COMMANDS, ("PriceQuoted",)),
    "rates": (COMMANDS, ("RateQuoted",)),
    "fraud-labels": (FRAUD_COMMANDS, ("PaymentLabelled",)),
    "fraud-rules": (FRAUD_COMMANDS, tuple(PUBLICATIONS)),
    "break-actions": (ITEMS, BREAK_ACTIONS),
    "matching-rules": (ITEMS, (WEIGHTS,)),
}
"""Inputs that are passed on as they are: to which log, and which events they may carry."""
ALSO = {"accounts": ("AccountOpened",), "rates": ("RateQuoted",)}
"""By input, the events that the log of fraud decisions has as well."""
ITEMS_ALSO = {"rates": ("RateQuoted",)}
"""The same of the log of reconciliation."""
CUSTOMERS = ("checking", "savings", "investment", "merchant")
"""Types of accounts that are not the bank's own."""


class Intake(StreamModel):
    """One partition of an input that is passed on. It has no table."""

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Return the code of a dead letter, or what is passed on."""
        code = misplaced(record, self.partitions) or refused_at_once(record) or self.false_weights(record)
        if code is not None:
            return code, []
        key, event, source = record.key or b"", record.event or "", record.offset
        target = FORWARDED[record.topic][0]
        return None, [Expected(target, key, event, record.fields, source, record.value)]

    def false_weights(self, record: Record) -> str | None:
        """Return why published weights are refused; those of another release may be, or may not."""
        if record.event != WEIGHTS:
            return None
        code = flaw_of_weights(record.fields)
        if code is not None or is_of_this_release(record.fields):
            return code
        return self.letter(record) if self.letter is not None else "invalid_weights"


class Beside(StreamModel):
    """One partition of a log that is another stream's, of which the fraud decisions are told a few records.

    What is wrong with a record, the other stream says. It has no table.
    """

    target: ClassVar = FRAUD_COMMANDS
    also: ClassVar[Mapping[str, tuple[str, ...]]] = ALSO

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Return what is passed on."""
        if misplaced(record, self.partitions) is not None:
            return None, []
        if record.topic == POSTINGS:
            told = is_told(record.event, record.fields)
        else:
            told = record.event in self.also[record.topic] and refused_at_once(record) is None
        if not told:
            return None, []
        key, event = record.key or b"", record.event or ""
        return None, [Expected(self.target, key, event, record.fields, record.offset, record.value)]


class BesideItems(Beside):
    """The same, of which reconciliation is told."""

    target: ClassVar = ITEMS
    also: ClassVar[Mapping[str, tuple[str, ...]]] = ITEMS_ALSO


def is_told(name: str | None, posting: dict[str, Any]) -> bool:
    """Whether the fraud decisions are told of a record of postings.

    Of what a payment takes from an account, and of what a journal gives to a customer's; not of what takes
    something back.
    """
    if name != "PostingRecorded" or posting.get("reverses") is not None:
        return False
    paid, booked = (posting.get(one) is not None for one in ("payment_id", "journal_id"))
    if posting["account_id"].startswith("$"):
        return False
    if posting["side"] == "DEBIT":
        return paid
    return booked and not paid and posting["account_type"] in CUSTOMERS


def refused_at_once(record: Record) -> str | None:
    """Return why intake refuses an event that is well-formed and in its place."""
    if record.event not in FORWARDED[record.topic][1]:
        return "unexpected_event"
    if has_impossible_id(record.fields):
        return "invalid_id"
    text = false_text(record.fields)
    if text is not None:
        return text
    if corrects(record.event, record.fields):
        return "reserved_journal_id"
    if has_false_reference(record.fields):
        return "invalid_creditor_reference"
    if has_false_tolerance(record.fields):
        return "invalid_tolerance"
    if record.event == "RateQuoted":
        base, quote = record.fields["base_currency"], record.fields["quote_currency"]
        if not {base, quote} <= CURRENCIES:
            return "invalid_currency"
        return None if base != quote and 1 <= record.fields["rate_e8"] <= 10**17 else "invalid_rate"
    if record.event in PUBLICATIONS:
        try:
            check(record.event or "", record.fields)
        except Dead as dead:
            return str(dead)
    if record.event == "PeriodClosed":
        seen = min(record.fields["occurred_at"], record.timestamp_ms * 1000)
        return "period_not_over" if record.fields["closed_through"] > seen else None
    return None
