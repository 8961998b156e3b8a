"""Inputs: what intake passes on as it is, and what it refuses."""

from __future__ import annotations

from pipeline.verify.model.currencies import CURRENCIES
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    ACCOUNT_EVENTS,
    APPROVALS,
    COMMANDS,
    FRAUD_COMMANDS,
    ITEMS,
    JOURNAL_COMMANDS,
    PAYMENT_COMMANDS,
    POSITION_COMMANDS,
    STATEMENT_EVENTS,
    TRADE_EVENTS,
    Expected,
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
}
"""Inputs that are passed on as they are: to which log, and which events they may carry."""


class Intake(StreamModel):
    """One partition of an input that is passed on. It has no table."""

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Return the code of a dead letter, or what is passed on."""
        code = misplaced(record, self.partitions) or refused_at_once(record)
        if code is not None:
            return code, []
        key, event, source = record.key or b"", record.event or "", record.offset
        target = FORWARDED[record.topic][0]
        return None, [Expected(target, key, event, record.fields, source, record.value)]


def refused_at_once(record: Record) -> str | None:
    """Return why intake refuses an event that is well-formed and in its place."""
    if record.event not in FORWARDED[record.topic][1]:
        return "unexpected_event"
    if has_impossible_id(record.fields):
        return "invalid_id"
    text = false_text(record.fields)
    if text is not None:
        return text
    if has_false_reference(record.fields):
        return "invalid_creditor_reference"
    if has_false_tolerance(record.fields):
        return "invalid_tolerance"
    if record.event == "RateQuoted":
        base, quote = record.fields["base_currency"], record.fields["quote_currency"]
        if not {base, quote} <= CURRENCIES:
            return "invalid_currency"
        return None if base != quote and 1 <= record.fields["rate_e8"] <= 10**17 else "invalid_rate"
    if record.event == "PeriodClosed":
        seen = min(record.fields["occurred_at"], record.timestamp_ms * 1000)
        return "period_not_over" if record.fields["closed_through"] > seen else None
    return None
